"""Trackers by name: lists them, creates them, and says what is missing."""

import importlib
import importlib.util
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slimtrack.errors import InputError, SlimtrackError, UnknownNameError
from slimtrack.names import NAMES, in_case, in_names_file, names
from slimtrack.options import Option, checked, options_of, parsed
from slimtrack.plugins import class_in_file, entry_points, is_in_file, load
from slimtrack.tracker import REGISTERED, Tracker

__all__ = [
    "DEFAULT_TRACKER", "create", "default_tracker", "list_trackers", "options_named", "parse_spec",
    "settings", "spelt", "tracker_class", "why_missing", "with_threads",
]  # fmt: skip

_BEST, _WITHOUT_RUNTIME = "slim", "eco-hc"
_RUNTIME = "onnxruntime"
# What is imported already is not searched for: a stand-in for it need not say where it comes from.
DEFAULT_TRACKER = (
    _BEST if sys.modules.get(_RUNTIME) or importlib.util.find_spec(_RUNTIME) else _WITHOUT_RUNTIME
)
"""The tracker that is used if none is named: `slim`, or `eco-hc` where ONNX Runtime is not installed."""

_log = logging.getLogger(__name__)

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
    "trackers.hcf": ("hcf",),
    "trackers.deepcd": ("deepcd",),
    "trackers.cpt": ("cpt-kcf", "cpt-samf"),
    "trackers.slim": ("slim", "slim-large"),
    "trackers.atom": ("atom", "matom", "drnet", "mdrnet"),
    "peers.opencv": tuple(
        f"opencv:{name}" for name in ("kcf", "csrt", "mil", "mosse", "medianflow", "dasiamrpn", "nano", "vit")
    ),
    "peers.onnx_tracker": ("nanotrack-v1", "nanotrack-v2", "nanotrack-v3", "fear-xs", "vittrack"),
}
_MODULES = {name: f"slimtrack.{module}" for module, names in _BY_MODULE.items() for name in names}
"""Name -> the module that defines it, so that listing names imports nothing."""


def default_tracker() -> str:
    """`DEFAULT_TRACKER`, for those who have named none; the log says so where it is not the best one."""
    if DEFAULT_TRACKER != _BEST:
        _log.info(
            "the tracker is %s, as ONNX Runtime is not installed: `pip install onnxruntime` brings %s, which "
            "is more accurate",
            DEFAULT_TRACKER,
            _BEST,
        )
    return DEFAULT_TRACKER


def create(name: str | None = None, **options: Any) -> Tracker:
    """Creates a tracker.

    Args:
        name: Its name, in upper or lower case; possibly with options, ``"kcf[kernel=linear]"``, or
            ``"FILE.py:NAME"`` for a tracker in a file of yours. Default: `DEFAULT_TRACKER`.
        **options: Its options, the constructor's keyword-only parameters.

    Raises:
        UnknownNameError: There is no such tracker or option.
        InputError: The value of an option does not fit.
        MissingError: A package or network that it needs is missing.
    """
    listed, cls, values = _named(default_tracker() if name is None else name)
    made = cls(**{**values, **options})
    if listed in names():
        made.name = listed
    return made


def settings(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All options of a tracker with the values that `create` would use, including defaults.

    Args:
        name: Its name, possibly with options.
        options: Its options.

    Raises:
        UnknownNameError: No such tracker, or no such option.
        InputError: An option has a value that does not fit.
    """
    _, cls, values = _named(name)
    defaults = {each.name: each.default for each in options_of(cls) if not each.required}
    return defaults | checked(cls, {**values, **(options or {})})


def options_named(name: str) -> tuple[Option, ...]:
    """The options of a tracker, with the defaults that its name implies.

    Raises:
        UnknownNameError: No such tracker.
    """
    _, cls, values = _named(name)
    return tuple(replace(each, default=values.get(each.name, each.default)) for each in options_of(cls))


def with_threads(name: str, threads: int, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Adds the number of threads to a tracker's options, if it has such an option and it is not set.

    Runtimes of networks fix their threads when the tracker is created; a later limit does not change them.

    Args:
        name: The tracker's name, possibly with options.
        threads: Number of threads that it may use.
        options: Its options.

    Raises:
        UnknownNameError: No such tracker.
    """
    _, cls, values = _named(name)
    given = dict(options or {})
    asks = any(option.name == "threads" for option in options_of(cls))
    return given if not asks or "threads" in {*values, *given} else {**given, "threads": threads}


def list_trackers(*, missing: bool = False) -> list[str]:
    """Names of the available trackers, slimtrack's own first.

    Args:
        missing: Also list those whose package or network is missing (`why_missing` says what).
    """
    stand = {name: parse_spec(spec)[0] for name, spec in NAMES.items()}
    found = [each for base in _MODULES for each in (base, *(name for name in stand if stand[name] == base))]
    found += [*(entry.name for entry in entry_points("tracker")), *REGISTERED, *names()]
    return [name for name in dict.fromkeys(found) if missing or why_missing(name) is None]


def why_missing(name: str) -> str | None:
    """One sentence that says why a known tracker is not available; ``None`` if it is."""
    try:
        cls = tracker_class(name)
        cls.require()
        cls.reads(settings(name))
    except SlimtrackError as error:
        return str(error)
    return None


def tracker_class(name: str) -> type[Tracker]:
    """The class of a name, in upper or lower case.

    Raises:
        UnknownNameError: There is no such tracker.
        SlimtrackError: Its module cannot be imported.
    """
    return _named(name)[1]


def _named(spec: str) -> tuple[str, type[Tracker], dict[str, Any]]:
    """A name as it is listed, its class, and the options in its brackets and in the name it stands for."""
    plain, texts = parse_spec(spec)
    name = base = spelt(plain)
    passed: dict[str, dict[str, str]] = {}
    while base in names():
        last = base
        with in_names_file(last):
            if base in _MODULES:
                raise InputError("a tracker has this name already: choose another")
            if base in passed:
                raise InputError(f"it stands for itself: {' -> '.join([*passed, base])}")
            base, passed[last] = parse_spec(spelt(names()[last]))
    with in_names_file(next(reversed(passed), "")):
        cls = _class(base)
    values: dict[str, Any] = {}
    for last, given in reversed(passed.items()):
        with in_names_file(last):
            values |= checked(cls, parsed(cls, given))
    return name, cls, values | parsed(cls, texts)


def _class(name: str) -> type[Tracker]:
    if is_in_file(name):
        found: type[Tracker] = class_in_file(name, "tracker", Tracker, lambda cls: vars(cls).get("name", ""))
        return found
    if name not in REGISTERED:
        _import_for(name)
    if name not in REGISTERED:
        raise UnknownNameError.of("tracker", name, list_trackers(missing=True), "`slimtrack trackers`")
    return REGISTERED[name]


def spelt(spec: str) -> str:
    """A tracker's name with its options, in the case in which it is listed: ``"kcf"`` for ``"KCF"``.

    Unknown names, and names in files, are returned unchanged.
    """
    name, bracket, options = spec.strip().partition("[")
    if name in REGISTERED or name in _MODULES or is_in_file(name):
        return spec.strip()
    known = [*REGISTERED, *_MODULES, *names(), *(entry.name for entry in entry_points("tracker"))]
    return in_case(name, known) + bracket + options


def parse_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Splits ``"kcf[kernel=linear,rate=0.01]"`` into a name and the texts of its options.

    Raises:
        InputError: The text is not of that form.
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
    """Imports the module that defines a tracker, if it is known."""
    if name in _MODULES:
        importlib.import_module(_MODULES[name])
    else:
        for entry in entry_points("tracker"):
            if entry.name == name:
                load(entry, "tracker")
