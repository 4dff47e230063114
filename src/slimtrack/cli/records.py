"""Commands whose parameters are the fields of a dataclass: one record instead of twenty arguments."""

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["takes", "parameters_of"]

_Record = TypeVar("_Record")


def parameters_of(record: type[Any]) -> list[inspect.Parameter]:
    """The fields of a dataclass as typer reads parameters; each annotation holds an option or argument."""
    hints = typing.get_type_hints(record, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(record)
    ]


def takes(record: type[_Record]) -> Callable[[Callable[[_Record], None]], Callable[..., None]]:
    """Makes a command of a function that takes one record.

    ::

        @takes(Request)
        def bench(request: Request) -> None: ...

    Args:
        record: The dataclass.
    """

    def decorate(function: Callable[[_Record], None]) -> Callable[..., None]:
        def run(**words: Any) -> None:
            function(record(**words))

        parameters = parameters_of(record)
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate
