"""``slimtrack trackers``: what exists, with its options."""

import inspect
import json as json_format
import math
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slimtrack.cli.options import NamesOption, NetworksOption, add_places
from slimtrack.errors import MissingError, SlimtrackError
from slimtrack.names import names as names_known
from slimtrack.options import Option
from slimtrack.registry import list_trackers, options_named, parse_spec, spelt, tracker_class, why_missing

__all__ = ["causes", "trackers"]

_FETCH = r"network fetch (\S+)`"
"""The command that gets a network, as messages have it."""

_YES_NO = {True: "yes", False: "no"}

_UNCALIBRATED = "the order of its scores can be trusted, but their values are not probabilities"


def trackers(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show this tracker and its options. Default: list all trackers."),
    ] = None,
    options: Annotated[bool, typer.Option("--options", help="Show the options of every tracker.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    networks: NetworksOption = None,
    names: NamesOption = None,
) -> None:
    """List the trackers, their options, and what is missing for those that cannot run here."""
    add_places(networks, names)
    if name:
        entries = [_entry(parse_spec(spelt(name))[0])]
    else:
        entries = [_listed(each) for each in list_trackers(missing=True)]
    console = Console()
    if json:
        typer.echo(json_format.dumps([_as_data(entry) for entry in entries], indent=2))
    elif name:
        _print_one(console, entries[0])
    else:
        _print_all(console, entries, options)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tracker as it is listed."""

    name: str
    text: str
    options: tuple[Option, ...]
    missing: str | None

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def stands_for(self) -> str | None:
        """A tracker with options, where the name is one for such."""
        return names_known().get(self.name)

    @property
    def calibrated(self) -> bool:
        """Whether its score was fitted to be a probability."""
        try:
            return tracker_class(self.name).calibrated(self.name if self.stands_for else "")
        except SlimtrackError:  # a plug-in that cannot be imported
            return False


def causes(reasons: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Puts trackers that lack the same thing together.

    Args:
        reasons: Name of a tracker -> why it cannot be made here.

    Returns:
        Names and the sentence that holds for them; `slimtrack trackers NAME` has the one with its file.
    """
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        cause = re.sub(r"^network file \S+ was", "network files were", reason.removeprefix(f"{name} "))
        cause = re.sub(_FETCH, "network fetch NETWORKS`", cause).replace("make it", "make them")
        groups.setdefault(cause.replace("that holds it", "that holds them"), []).append(name)
    return [
        (
            names,
            reasons[names[0]] if len(names) == 1 else cause.replace("NETWORKS`", _fetched(names, reasons)),
        )
        for cause, names in groups.items()
    ]


def _fetched(names: list[str], reasons: Mapping[str, str]) -> str:
    """The networks that some trackers lack, as one command takes them."""
    networks = [network for name in names for network in re.findall(_FETCH, reasons[name])]
    return " ".join(dict.fromkeys(networks)) + "`"


def _listed(name: str) -> _Entry:
    """An entry of the list, which a wrong line in a file of names must not end."""
    try:
        return _entry(name)
    except SlimtrackError as error:
        if name not in names_known():
            raise
        return _Entry(name, "", (), str(error))


def _entry(name: str) -> _Entry:
    try:
        cls = tracker_class(name)
    except MissingError as error:
        return _Entry(name, "", (), str(error))
    return _Entry(name, (inspect.getdoc(cls) or "").strip(), options_named(name), why_missing(name))


def _as_data(entry: _Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "description": entry.title,
        "stands_for": entry.stands_for,
        "calibrated": entry.calibrated,
        "available": entry.missing is None,
        "missing": entry.missing,
        "options": [
            {
                "name": option.name,
                "type": _type_name(option.type),
                "choices": list(option.choices),
                "range": option.range and [_finite(option.range.low), _finite(option.range.high)],
                "default": option.default,
                "help": option.help,
            }
            for option in entry.options
        ],
    }


def _finite(end: float) -> float | None:
    """The end of a range; JSON knows no infinity."""
    return end if math.isfinite(end) else None


def _type_name(kind: Any) -> str:
    """A short name for a person: ``float``, ``gaussian | linear``, ``int | None``."""
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(map(str, typing.get_args(kind)))
    members = typing.get_args(kind)
    if members and typing.get_origin(kind) not in (list, tuple, dict):
        return " | ".join("none" if member is type(None) else _type_name(member) for member in members)
    return getattr(kind, "__name__", str(kind)) if not members else str(kind)


def _print_all(console: Console, entries: list[_Entry], options: bool) -> None:
    table = Table("tracker", "what it is", "calibrated", "options", title="Trackers", title_justify="left")
    absent = {entry.name: entry.missing for entry in entries if entry.missing is not None}
    for entry in entries:
        if entry.missing is None:
            summary = "\n".join(_line(o) for o in entry.options) if options else _names(entry)
            table.add_row(escape(entry.name), escape(entry.title), _YES_NO[entry.calibrated], escape(summary))
    console.print(table)
    if absent:
        table = Table("tracker", "what is missing", title="Not here", title_justify="left")
        for names, cause in causes(absent):
            table.add_row(escape("\n".join(names)), escape(cause))
        console.print(table)
    console.print(f"Where calibrated is no: {_UNCALIBRATED}.")
    console.print("`slimtrack trackers NAME` shows one with its options, which are set like this:")
    console.print("slimtrack track VIDEO --box X,Y,W,H --tracker NAME --set OPTION=VALUE", soft_wrap=True)


def _names(entry: _Entry) -> str:
    return ", ".join(option.name for option in entry.options)


def _line(option: Option) -> str:
    return f"{option.name}={option.default} ({_values(option)}) {option.help}".rstrip()


def _values(option: Option) -> str:
    """What it may be: ``float, between 0 and 1``."""
    kind = _type_name(option.type)
    return kind if option.range is None else f"{kind}, {option.range}"


def _print_one(console: Console, entry: _Entry) -> None:
    console.print(f"[bold]{escape(entry.name)}[/bold]: {escape(entry.text or 'no description')}")
    if entry.stands_for is not None:
        console.print(f"Stands for {escape(entry.stands_for)}.", soft_wrap=True)
    if not entry.calibrated:
        console.print(f"Not calibrated: {_UNCALIBRATED}.")
    if entry.missing:
        console.print(f"Not here: {escape(entry.missing)}")
    if not entry.options:
        console.print("It has no options.")
        return
    table = Table("option", "default", "values", "meaning")
    for option in entry.options:
        cells = (option.name, option.default, _values(option), option.help)
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)
