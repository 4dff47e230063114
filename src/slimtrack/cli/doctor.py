"""``slimtrack doctor``: shows what is installed, what is missing, and what each missing part is for."""

import importlib
import importlib.metadata
import importlib.util
import json as json_format
import os
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import threadpoolctl  # type: ignore[import-untyped]  # it ships no types
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import slimtrack
from slimtrack._cv2 import cv2
from slimtrack.cli.trackers import causes
from slimtrack.datasets import Dataset
from slimtrack.errors import InputError, MissingError, SlimtrackError
from slimtrack.names import VARIABLE as NAMES_VARIABLE
from slimtrack.names import names as known_names
from slimtrack.networks.find import VARIABLE, add_folder, network_folders
from slimtrack.registry import DEFAULT_TRACKER, create, list_trackers, why_missing
from slimtrack.timing import cpu_name

__all__ = ["DATA_VARIABLE", "Finding", "doctor", "examine"]

DATA_VARIABLE = "SLIMTRACK_DATA"
"""Environment variable with folders of sequences, separated as in ``PATH``."""

_PACKAGES = (
    ("onnxruntime", "running networks; without it the default tracker is eco-hc, less accurate than slim",
     "pip install onnxruntime"),
    ("onnx", "extra onnx: importing, cutting and compressing networks, and correlation filters on networks",
     "pip install onnx"),
    ("matplotlib", "plots and the picture of score and speed", "pip install matplotlib"),
)  # fmt: skip
"""Optional packages: name, what needs it, and how to install it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one part of the installation.

    Attributes:
        topic: The group that the part belongs to.
        name: The part.
        value: What was found.
        remedy: If it is missing, what needs it and how to get it; otherwise empty.
        required: Whether slimtrack does not work without it.
    """

    topic: str
    name: str
    value: str
    remedy: str = ""
    required: bool = False


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    networks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Folder of networks, searched before {VARIABLE}."),
    ] = None,
) -> None:
    """Show what is installed here (processor, OpenCV, runtimes, networks, data sets) and what is missing."""
    if networks is not None:
        add_folder(networks)
    findings = list(examine())
    if json:
        typer.echo(json_format.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(Console(), findings)
    if any(finding.required and finding.remedy for finding in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Examines the installation, part by part."""
    parts = (_machine, _names, _opencv, _numba, _video, _threads, _packages, _trackers, _networks, _datasets)
    for part in parts:
        yield from part()


def _print(console: Console, findings: Iterable[Finding]) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")  # paths and names are there to be copied
    topic, missing = "", []
    for finding in findings:
        table.add_row(
            f"[bold]{finding.topic if finding.topic != topic else ''}[/bold]",
            escape(finding.name),
            escape(finding.value),
        )
        topic = finding.topic
        if finding.remedy:
            missing.append(finding)
    console.print(table)
    if not missing:
        console.print("\nNothing is missing.")
        return
    console.print("\n[bold]Missing[/bold]")
    for finding in missing:
        mark = "required" if finding.required else "optional"
        console.print(
            f"  {escape(_shortened(finding.name))} ({mark}): {escape(finding.remedy)}", soft_wrap=True
        )


def _shortened(names: str) -> str:
    """The first few names; the table above has all of them."""
    first = names.split(", ", 3)
    return names if len(first) < 4 else ", ".join(first[:3]) + f" and {first[3].count(',') + 1} more"


def _machine() -> Iterator[Finding]:
    yield Finding("machine", "processor", cpu_name())
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("machine", "cores", f"{os.cpu_count()}, {usable} usable")
    yield Finding("machine", "system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Finding("machine", "python", platform.python_version())
    yield Finding("machine", "slimtrack", slimtrack.__version__)


def _threads() -> Iterator[Finding]:
    """Threads of each library that is loaded by now."""
    for pool in threadpoolctl.threadpool_info():
        library = f"{pool['internal_api']} ({Path(pool['filepath']).name.partition('.')[0]})"
        yield Finding("threads", library, str(pool["num_threads"]))
    with suppress(MissingError):
        yield Finding("threads", "OpenCV", str(cv2.getNumThreads()))
    limit = os.environ.get("OMP_NUM_THREADS", "not set")
    yield Finding("threads", "OMP_NUM_THREADS", f"{limit} (bench and track limit all of these to --threads)")


def _opencv() -> Iterator[Finding]:
    from slimtrack.peers.opencv import flavour

    try:
        version = str(cv2.__version__)
    except MissingError as error:
        yield Finding("OpenCV", "OpenCV", "missing", f"all image operations: {error}", required=True)
        return
    yield Finding("OpenCV", "package", f"{flavour()} {version}")
    found = [name.removeprefix("opencv:") for name in list_trackers() if name.startswith("opencv:")]
    yield Finding("OpenCV", "its trackers", ", ".join(found) or "none")


def _numba() -> Iterator[Finding]:
    """Compiles the features' loops, or loads them from numba's cache, and reports how long it took."""
    start = time.perf_counter()
    try:
        hog = importlib.import_module("slimtrack.features.hog")
        hog.fhog(np.zeros((16, 16, 3), np.uint8))
    except ImportError as error:
        remedy = f"fast HOG features: run `pip install numba` ({error})"
        yield Finding("numba", "numba", "missing", remedy, required=True)
        return
    seconds = time.perf_counter() - start
    stats = [each.stats for each in vars(hog).values() if hasattr(each, "stats")]
    compiled = sum(sum(stat.cache_misses.values()) for stat in stats)
    state = f"compiled now in {seconds:.1f} s" if compiled else f"loaded from its cache in {seconds:.1f} s"
    yield Finding("numba", "numba", f"{_version('numba')}, {state}")
    folders = {stat.cache_path for stat in stats}
    remedy = "faster starts: set NUMBA_CACHE_DIR to a folder that can be written" if None in folders else ""
    yield Finding("numba", "compiled code", ", ".join(filter(None, folders)) or "kept nowhere", remedy)


def _video() -> Iterator[Finding]:
    try:
        import av
    except ImportError as error:
        remedy = f"reading and writing video: run `pip install av` ({error})"
        yield Finding("video", "PyAV", "missing", remedy, required=True)
        return
    yield Finding("video", "PyAV", str(_version("av")))
    try:
        av.codec.Codec("libx264", "w")
    except Exception as error:
        remedy = f"annotated mp4: this PyAV has no libx264 ({error}); run `pip install --force-reinstall av`"
        yield Finding("video", "H.264 encoder", "missing", remedy)
    else:
        yield Finding("video", "H.264 encoder", "libx264")


def _packages() -> Iterator[Finding]:
    for package, purpose, command in _PACKAGES:
        version = _version(package) if importlib.util.find_spec(package) else None
        remedy = "" if version else f"{purpose}: run `{command}`"
        yield Finding("packages", package, version or "missing", remedy)


def _names() -> Iterator[Finding]:
    try:
        known_names()
    except InputError as error:
        yield Finding("trackers", NAMES_VARIABLE, "unreadable", f"correct {NAMES_VARIABLE}: {error}")
        os.environ.pop(NAMES_VARIABLE)  # all else is looked at without that file


def _trackers() -> Iterator[Finding]:
    names = list_trackers(missing=True)
    reasons = {name: why_missing(name) for name in names}
    here = [name for name, reason in reasons.items() if reason is None]
    yield Finding("trackers", "the default", DEFAULT_TRACKER, _why_default_fails())
    yield Finding("trackers", "available", ", ".join(here))
    for absent, cause in causes({name: reason for name, reason in reasons.items() if reason is not None}):
        yield Finding("trackers", ", ".join(absent), "missing", cause)


def _why_default_fails() -> str:
    """Why the default tracker cannot be made, such as a runtime that is there but does not load."""
    try:
        create(DEFAULT_TRACKER)
    except SlimtrackError as error:
        return str(error)
    return ""


def _networks() -> Iterator[Finding]:
    folders = network_folders()
    if not folders:
        yield Finding("networks", VARIABLE, "not set")  # the trackers that miss their files say what to do
    for folder in folders:
        try:
            reason = "" if folder.is_dir() else "this folder does not exist"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        if reason:
            yield Finding("networks", str(folder), "missing", f"correct {VARIABLE}: {reason}")
            continue
        kinds = {".onnx", ".npz", ".mat", ".safetensors"}
        found = [path for path in folder.rglob("*") if path.suffix in kinds]
        files = sorted({path.stem if path.parent == folder else path.parent.name for path in found})
        yield Finding("networks", str(folder), ", ".join(files) or "no network in it")


def _datasets() -> Iterator[Finding]:
    folders = [text for text in os.environ.get(DATA_VARIABLE, "").split(os.pathsep) if text.strip()]
    if not folders:
        remedy = (
            f"counting your sequences here: set {DATA_VARIABLE} to their folders; `bench` needs no setting"
        )
        yield Finding("data", DATA_VARIABLE, "not set", remedy)
    for folder in folders:
        try:
            count = len(Dataset.read(folder))
        except SlimtrackError as error:
            yield Finding("data", folder, "unreadable", f"correct {DATA_VARIABLE}: {error}")
        else:
            yield Finding("data", folder, f"{count} sequence{'s' if count != 1 else ''}")


def _version(package: str) -> str | None:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None
