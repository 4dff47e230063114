"""Trackers by name: which exist, which can be made here, what options they have."""

import importlib
import inspect
import math
import re
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from slimtrack.errors import InputError, MissingError, UnknownNameError
from slimtrack.plugins import entry_points, import_file, load
from slimtrack.tracker import REGISTERED, Tracker

__all__ = [
    "DEFAULT_TRACKER", "Option", "create", "list_trackers", "options_of", "parse_spec", "settings", "spelt",
    "tracker_class", "why_missing", "with_threads",
]  # fmt: skip

DEFAULT_TRACKER = "eco-hc"
"""Taken where none is named."""

_BY_MODULE = {
    "trackers.mosse": ("mosse",),
    "trackers.kcf": ("kcf", "dcf"),
    "trackers.dsst": ("dsst", "fdsst"),
    "trackers.samf": ("samf", "samf-ca"),
    "trackers.cacf": ("cacf", "dcf-ca"),
    "trackers.channels_cd": ("cacf-cd", "eco-cd", "feco-cd", "fdeepstrcf-cd"),
    "trackers.staple": ("staple",),
    "trackers.bacf": ("bacf",),
    "trackers.strcf": ("strcf", "fdeepstrcf"),
    "trackers.eco": ("eco-hc", "eco", "feco"),
    "trackers.deep_kcf": ("fkcf", "fsamf", "dcfnet"),
    "trackers.hcf": ("cf2-v-11+12+21", "cf2-v-34"),
    "trackers.deepcd": ("deepcd-v-11+12+21", "deepcd-s-all"),
    "trackers.cpt": ("cpt-kcf", "cpt-samf"),
    "peers.opencv": tuple(
        f"opencv:{name}" for name in ("kcf", "csrt", "mil", "mosse", "medianflow", "dasiamrpn", "nano", "vit")
    ),
    "peers.onnx_tracker": ("nanotrack-v1", "nanotrack-v2", "nanotrack-v3", "fear-xs", "vittrack"),
}
_MODULES = {name: f"slimtrack.{module}" for module, names in _BY_MODULE.items() for name in names}
"""Name -> module that defines it, so that listing names imports nothing."""

_FAMILIES = {"cf2-": "slimtrack.trackers.hcf", "deepcd-": "slimtrack.trackers.deepcd"}
"""Beginning of a name -> module whose ``member(name)`` makes the tracker: more names than can be listed."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a tracker, read from its constructor.

    Attributes:
        name: The keyword.
        type: Its annotation.
        default: Its default.
        help: Its line in the docstring.
    """

    name: str
    type: Any
    default: Any
    help: str

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values it may take, for a ``Literal``; empty otherwise."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is Literal else ()

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
        """Refuses a value of another type.

        Raises:
            InputError: The value does not fit the type.
        """
        if not _fits(value, self.type):
            raise InputError(f"option {self.name}={value!r} is not {_described(self.type)}")


def create(name: str = DEFAULT_TRACKER, **options: Any) -> Tracker:
    """Makes a tracker.

    Args:
        name: Its name in any case, ``"kcf"`` or ``"KCF"``; also with options, ``"kcf[kernel=linear]"``, and
            ``"file.py:name"`` for a tracker defined in a file of yours.
        **options: Its options; the constructor's keyword-only parameters.

    Raises:
        UnknownNameError: No such tracker, or no such option.
        InputError: An option has a value that does not fit.
        MissingError: It needs a package or a network that is not here.
    """
    return tracker_class(parse_spec(name)[0])(**_given(name, options))


def settings(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Every option of a tracker with the value that `create` gives it, defaults included.

    Args:
        name: Its name, also with options.
        options: Its options.

    Raises:
        UnknownNameError: No such tracker, or no such option.
        InputError: An option has a value that does not fit.
    """
    known = options_of(tracker_class(parse_spec(name)[0]))
    defaults = {
        option.name: option.default for option in known if option.default is not inspect.Parameter.empty
    }
    return defaults | _given(name, options or {})


def with_threads(name: str, threads: int, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The options, and the number of threads for a tracker that asks for one and was not given one.

    A runtime of networks fixes its threads when the tracker is made; no limit set later changes them.

    Args:
        name: The tracker's name, also with options.
        threads: How many it may use.
        options: Its options.

    Raises:
        UnknownNameError: No such tracker.
    """
    plain, texts = parse_spec(name)
    values = dict(options or {})
    asks = any(option.name == "threads" for option in options_of(tracker_class(plain)))
    return values if not asks or "threads" in {*texts, *values} else {**values, "threads": threads}


def _given(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the options in a name's brackets and of those beside it, checked."""
    plain, texts = parse_spec(name)
    known = {option.name: option for option in options_of(tracker_class(plain))}
    values: dict[str, Any] = {}
    for key in (*texts, *options):
        if key not in known:
            raise UnknownNameError.of(f"option of tracker {plain!r} named", key, known)
    for key, text in texts.items():
        values[key] = known[key].parse(text)
    for key, value in options.items():
        known[key].check(value)
        values[key] = value
    return values


def list_trackers(*, missing: bool = False) -> list[str]:
    """Names of the trackers that can be made here, ours first.

    Args:
        missing: List also those whose package or network is not here (`why_missing` says what).
    """
    names = [*_MODULES, *(entry.name for entry in entry_points("tracker"))]
    names += [name for name in REGISTERED if name not in names]
    return [name for name in names if missing or why_missing(name) is None]


def why_missing(name: str) -> str | None:
    """One sentence that says why a known tracker cannot be made here; ``None`` when it can."""
    try:
        tracker_class(name).require()
    except (MissingError, UnknownNameError) as error:
        return str(error)
    return None


def tracker_class(name: str) -> type[Tracker]:
    """The class behind a name, in any case.

    Raises:
        UnknownNameError: There is none.
        SlimtrackError: Its module cannot be imported.
    """
    name = spelt(name)
    if name not in REGISTERED:
        _import_for(name)
    if name.rpartition(":")[0].endswith(".py"):
        name = _in_case(name.rpartition(":")[2], REGISTERED)  # known by now
    if name not in REGISTERED:
        raise UnknownNameError.of("tracker", name, list_trackers(missing=True), "`slimtrack trackers`")
    return REGISTERED[name]


def spelt(spec: str) -> str:
    """A tracker's name, with its options where it has any, as it is listed: ``"kcf"`` for ``"KCF"``.

    A name that is not known, and one in a file, stay as they are.
    """
    name, bracket, options = spec.strip().partition("[")
    if name in REGISTERED or name in _MODULES or name.rpartition(":")[0].endswith(".py"):
        return spec.strip()
    if name.casefold().startswith(tuple(_FAMILIES)):
        return name.casefold() + bracket + options
    known = [*REGISTERED, *_MODULES, *(entry.name for entry in entry_points("tracker"))]
    return _in_case(name, known) + bracket + options


def _in_case(name: str, known: Collection[str]) -> str:
    """The known name that differs in case only; the name itself where it, or none, is known."""
    folded = {each.casefold(): each for each in known}
    return name if name in known else folded.get(name.casefold(), name)


def options_of(cls: type[Tracker]) -> list[Option]:
    """The options of a tracker class, its own first.

    A constructor that ends with ``**options`` hands them on: the options of the class it derives from are
    options of its own, with the defaults and texts of whoever names them first.
    """
    found: dict[str, Option] = {}
    for owner in (base for base in cls.__mro__ if base is not object and "__init__" in vars(base)):
        begin = vars(owner)["__init__"]
        parameters = inspect.signature(begin).parameters.values()
        hints = typing.get_type_hints(begin)
        lines = _documented(inspect.getdoc(owner) or "") | _documented(inspect.getdoc(begin) or "")
        for p in parameters:
            if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name not in found:
                text = lines.get(p.name, "")
                found[p.name] = Option(p.name, hints.get(p.name, str), p.default, text)
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return list(found.values())


def parse_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Splits ``"kcf[kernel=linear,rate=0.01]"`` into a name and the texts of its options.

    Raises:
        InputError: It is not of that form.
    """
    match = re.fullmatch(r"(?P<name>[^\[\]]+)(\[(?P<options>[^\[\]]*)\])?", spec.strip())
    if match is None:
        raise InputError(f"tracker {spec!r} is not of the form name or name[option=value,option=value]")
    texts: dict[str, str] = {}
    for item in filter(None, (match["options"] or "").split(",")):
        key, sign, text = item.partition("=")
        if not sign:
            raise InputError(f"tracker {spec!r}: {item!r} is not of the form option=value")
        texts[key.strip()] = text
    return match["name"], texts


def _import_for(name: str) -> None:
    """Imports the module that defines a tracker; nothing where none is known."""
    file, _, _ = name.rpartition(":")
    if file.endswith(".py"):
        import_file(Path(file), "tracker")
    elif family := next((module for start, module in _FAMILIES.items() if name.startswith(start)), None):
        importlib.import_module(family).member(name)
    elif name in _MODULES:
        importlib.import_module(_MODULES[name])
    else:
        for entry in entry_points("tracker"):
            if entry.name == name:
                load(entry, "tracker")


def _documented(text: str) -> dict[str, str]:
    """The ``Args:`` section of a docstring, a line each."""
    found: dict[str, str] = {}
    section = re.search(r"^Args:\n(?P<body>(?:[ ]+.*\n?|\n)+)", text, re.MULTILINE)
    if section is None:
        return found
    key = ""
    for line in section["body"].splitlines():
        start = re.match(r"^ {4}(\**\w+)(?: \([^)]*\))?: (.*)", line)
        if start:
            key = start[1]
            found[key] = start[2]
        elif key and line.strip():
            found[key] += " " + line.strip()
    return found


def _members(kind: Any) -> tuple[Any, ...]:
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def _parsed(text: str, kind: Any) -> Any:
    for member in _members(kind):
        if member is type(None):
            if text.lower() == "none":
                return None
            continue
        try:
            return _parsed_plain(text, member)
        except ValueError:
            continue
    raise ValueError(text)


def _parsed_plain(text: str, kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        for choice in typing.get_args(kind):
            if str(choice) == text:
                return choice
        raise ValueError(text)
    if kind is bool:
        values: Mapping[str, bool] = {
            "true": True,
            "yes": True,
            "1": True,
            "false": False,
            "no": False,
            "0": False,
        }
        if text.lower() not in values:
            raise ValueError(text)
        return values[text.lower()]
    value = kind(text)
    if kind is float and math.isnan(value):
        raise ValueError("not a number")
    return value


def _fits(value: Any, kind: Any) -> bool:
    for member in _members(kind):
        if typing.get_origin(member) is Literal:
            fits = value in typing.get_args(member)
        elif member is float:
            fits = (
                isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
            )  # no nan
        elif member is int:
            fits = isinstance(value, int) and not isinstance(value, bool)
        else:
            fits = member is Any or isinstance(value, typing.get_origin(member) or member)
        if fits:
            return True
    return False


_DESCRIBED = {float: "a number", int: "a whole number", bool: "true or false", type(None): "none"}


def _described(kind: Any) -> str:
    parts = []
    for member in _members(kind):
        if typing.get_origin(member) is Literal:
            parts.append("one of " + ", ".join(map(str, typing.get_args(member))))
        else:
            parts.append(_DESCRIBED.get(member, f"a {getattr(member, '__name__', member)}"))
    return " or ".join(parts)
