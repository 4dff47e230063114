"""Options: keyword-only parameters of a constructor, each declared once by its annotation.

::

    class Mine(Tracker, name="mine"):
        def __init__(
            self, *, rate: Annotated[float, Range(0, 1), "Share of the newest frame in the model."] = 0.02
        ) -> None: ...

The annotation gives type, range and meaning. Options are checked when an object is created, and the command
line builds its tables and help from the same annotations.
"""

import inspect
import math
import types
import typing
import warnings
from abc import ABCMeta
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import numpy as np

from slimtrack.errors import InputError, UnknownNameError

__all__ = ["CheckedOptions", "Formerly", "Option", "Range", "checked", "options_of", "parsed"]


@dataclass(frozen=True, slots=True)
class Range:
    """The allowed range of a number.

    Attributes:
        low: The smallest allowed number.
        high: The largest allowed number.
        above: Whether ``low`` itself is excluded.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        """The range in words: ``between 0 and 1``, ``at least 1``, ``greater than 1 and at most 2``."""
        if math.isfinite(self.low) and math.isfinite(self.high) and not self.above:
            return f"between {_digits(self.low)} and {_digits(self.high)}"
        least = f"{'greater than' if self.above else 'at least'} {_digits(self.low)}"
        ends = ((self.low, least), (self.high, f"at most {_digits(self.high)}"))
        return " and ".join(words for end, words in ends if math.isfinite(end)) or "any number"


def _digits(end: float) -> str:
    return str(end) if isinstance(end, int) else f"{end:g}"


@dataclass(frozen=True, slots=True)
class Formerly:
    """The former name of an option, accepted with a warning for one more release."""

    name: str


@dataclass(frozen=True, slots=True)
class Option:
    """One option, read from a constructor.

    Attributes:
        name: The keyword.
        type: Its type, without the rest of the annotation.
        default: Its default.
        help: What it means, in a line or two.
        range: The allowed range; ``None``: any number.
        formerly: Its former name; ``None`` if it has not been renamed.
    """

    name: str
    type: Any
    default: Any
    help: str = ""
    range: Range | None = None
    formerly: str | None = None

    @classmethod
    def read(cls, name: str, annotation: Any, default: Any) -> "Option":
        """The option that a parameter declares; if there are several texts or ranges, the last one counts."""
        if typing.get_origin(annotation) is not Annotated:
            return cls(name, annotation, default)
        kind, *notes = typing.get_args(annotation)
        by_type = {type(note): note for note in notes}
        before = by_type.get(Formerly)
        return cls(name, kind, default, by_type.get(str, ""), by_type.get(Range), before and before.name)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values it may take, for a ``Literal``; empty otherwise."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is Literal else ()

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    def parse(self, text: str) -> Any:
        """The value that a text such as ``"0.02"`` stands for.

        Raises:
            InputError: The text does not fit the type.
        """
        try:
            return _parsed(text.strip(), self.type)
        except ValueError as error:
            raise InputError(f"option {self.name}={text!r} is not {_described(self.type)}") from error

    def check(self, value: Any) -> None:
        """Raises an error for a value of the wrong type or out of range.

        Raises:
            InputError: The value does not fit.
        """
        if not any(_fits(value, member) for member in _members(self.type)):
            raise InputError(f"option {self.name}={value!r} is not {_described(self.type)}")
        if self.range is not None and isinstance(value, (int, float)) and value not in self.range:
            raise InputError(f"option {self.name}={value!r} must be {self.range}")


class CheckedOptions(ABCMeta):
    """Metaclass of classes whose options are checked whenever an object is created."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Creates an object after checking its options."""
        return super().__call__(*args, **checked(cls, options))

    @property
    def __signature__(cls) -> inspect.Signature:
        """All options, including those passed on by ``**options``, which `__call__` would hide."""
        return inspect.Signature([
            inspect.Parameter(o.name, inspect.Parameter.KEYWORD_ONLY, default=o.default, annotation=o.type)
            for o in options_of(cls)
        ])  # fmt: skip


@cache
def options_of(cls: type) -> tuple[Option, ...]:
    """The options of a class, its own first.

    A constructor that ends with ``**options`` passes them to its base class, whose options are then options
    of this class too. If both declare an option, the default and the text of the derived class count.

    Raises:
        InputError: An annotation cannot be read.
    """
    found: dict[str, Option] = {}
    for owner in (base for base in cls.__mro__ if base is not object and "__init__" in vars(base)):
        begin = vars(owner)["__init__"]
        parameters = inspect.signature(begin).parameters.values()
        try:
            hints = typing.get_type_hints(begin, include_extras=True)
        except (NameError, SyntaxError, TypeError) as error:
            raise InputError(
                f"the annotations of {owner.__name__}.__init__ cannot be read: {error}"
            ) from error
        for p in parameters:
            if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name not in found:
                found[p.name] = Option.read(p.name, hints.get(p.name, Any), p.default)
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return tuple(found.values())


def checked(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options after checking them; numpy numbers become Python numbers.

    Raises:
        UnknownNameError: The class has no option of that name.
        InputError: A value does not fit.
    """
    known = {option.name: option for option in options_of(cls)}
    result = {}
    for name, value in _under_new_names(cls, values).items():
        result[name] = value.item() if isinstance(value, np.generic) else value
        _of(cls, known, name).check(result[name])
    return result


def parsed(cls: type, texts: Mapping[str, str]) -> dict[str, Any]:
    """Converts texts such as ``{"rate": "0.02"}`` to values; their range is not checked yet.

    Raises:
        UnknownNameError: The class has no option of that name.
        InputError: A text does not fit the option's type.
    """
    known = {option.name: option for option in options_of(cls)}
    return {name: _of(cls, known, name).parse(text) for name, text in _under_new_names(cls, texts).items()}


_T = TypeVar("_T")


def _under_new_names(cls: type, values: Mapping[str, _T]) -> dict[str, _T]:
    """The values under the present names of their options; warns about former names."""
    options = options_of(cls)
    names = {option.name for option in options}
    new = {o.formerly: o.name for o in options if o.formerly in values and o.formerly not in names}
    for old, name in new.items():
        if name in values:
            raise InputError(
                f"options {name} and {old} are the same ({old} is the former name): give one of them"
            )
        text = f"option {old} of {_owner(cls)} is now called {name}; the next release accepts only that name"
        warnings.warn(text, FutureWarning, stacklevel=4)
    return {new.get(name, name): value for name, value in values.items()}


def _owner(cls: type) -> str:
    """The owner of the options, for messages: ``tracker 'kcf'``, ``compression method 'cpt'``."""
    return f"{getattr(cls, 'options_of_a', 'tracker')} {(getattr(cls, 'name', '') or cls.__name__)!r}"


def _of(cls: type, known: Mapping[str, Option], name: str) -> Option:
    if name not in known:
        raise UnknownNameError.of(f"option of {_owner(cls)} named", name, known)
    return known[name]


def _members(kind: Any) -> tuple[Any, ...]:
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def _parsed(text: str, kind: Any) -> Any:
    members = _members(kind)
    if type(None) in members and text.lower() == "none":
        return None
    for member in members:
        try:
            return _parsed_plain(text, member)
        except ValueError:
            continue
    raise ValueError(text)


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _parsed_plain(text: str, kind: Any) -> Any:
    if kind is Any:
        return text
    if kind is bool or typing.get_origin(kind) is Literal:
        values = _TRUTH if kind is bool else {str(choice): choice for choice in typing.get_args(kind)}
        text = text.lower() if kind is bool else text
        if text in values:
            return values[text]
        raise ValueError(text)
    if kind is type(None):
        raise ValueError(text)
    value = kind(text)
    if value != value:
        raise ValueError("not a number")
    return value


def _fits(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is Literal:
        return value in typing.get_args(kind)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool) and value == value  # no nan
    return kind is Any or isinstance(value, typing.get_origin(kind) or kind)


_DESCRIBED = {float: "a number", int: "a whole number", bool: "true or false", type(None): "none"}


def _described(kind: Any) -> str:
    parts = []
    for member in _members(kind):
        if typing.get_origin(member) is Literal:
            parts.append("one of " + ", ".join(map(str, typing.get_args(member))))
        else:
            parts.append(_DESCRIBED.get(member, f"a {getattr(member, '__name__', member)}"))
    return " or ".join(parts)
