"""``slimtrack compress``: make a network smaller for one target, and show what became of it."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.cli.boxes import parse_box
from slimtrack.cli.options import OverwriteOption
from slimtrack.cli.records import parameters_of
from slimtrack.compression.comparison import AFTER, BEFORE, Comparison, compare
from slimtrack.compression.cpt import Cpt
from slimtrack.compression.distillation import CHANNELS, Distillation
from slimtrack.compression.method import Method
from slimtrack.compression.method import Progress as Tell
from slimtrack.compression.methods import METHODS
from slimtrack.compression.report import Size, draw_maps, draw_ratios
from slimtrack.compression.view import View
from slimtrack.confidence import State
from slimtrack.errors import InputError
from slimtrack.files import keep_existing, make_folder
from slimtrack.follower import Follower, Track
from slimtrack.networks.find import add_folder
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.options import Option, options_of
from slimtrack.registry import create, tracker_class
from slimtrack.timing import Stopwatch, cpu_name, gc_paused, single_thread
from slimtrack.video.draw import require_matplotlib
from slimtrack.video.frames import open_frames
from slimtrack.video.guard import guard_files

if TYPE_CHECKING:
    from slimtrack.correlation.tracker import CorrelationTracker

__all__ = ["command_of", "compress_app"]

compress_app = typer.Typer(
    name="compress",
    help="Prune a network for one target, and show the result.",
    no_args_is_help=True,
)

_WARM_UP, _RUNS = 3, 15
"""Runs of a network before the clock starts, and with it."""

MAPS, RATIOS = "maps.png", "information_ratio.png"
"""Names of the pictures."""


@dataclass(frozen=True, slots=True)
class Request:
    """What every command is told.

    Attributes:
        name: The network.
        video: Where the target is seen.
        box: The target in the first frame, as text.
        out: The file to write.
        side: Square root of the search window's pixels; ``None``: as the method's tracker has it.
        frames: Frames over which the networks are compared.
        pictures: Folder for the pictures; ``None``: beside ``out``.
        overwrite: Whether files of an earlier run may be replaced.
        networks: Folder of networks.
    """

    name: Annotated[str, typer.Argument(metavar="NETWORK", help="Name such as vgg19, or an .onnx file.")]
    video: Annotated[str, typer.Option(help="Video file, image folder, quoted glob or URL.")]
    box: Annotated[str, typer.Option(metavar="X,Y,W,H", help="Target in the first frame.")]
    out: Annotated[Path, typer.Option("--out", "-o", help="The .onnx file to write.")]
    side: Annotated[
        float | None,
        typer.Option(
            help="Side of the search window in pixels (square root of its area). Default: the tracker's."
        ),
    ] = None
    frames: Annotated[
        int, typer.Option(min=1, help="Number of frames over which the target information ratio is plotted.")
    ] = 50
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the pictures. Default: that of --out.")
    ] = None
    overwrite: OverwriteOption = False
    networks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of networks, searched before SLIMTRACK_NETWORKS."),
    ] = None


def command_of(method: type[Method[Any]]) -> Callable[..., None]:
    """A command with the parameters of `Request` and the options of a method."""
    given = parameters_of(Request)

    def run(**words: Any) -> None:
        request = Request(**{each.name: words.pop(each.name) for each in given})
        _compress(method(**words), request, words)

    parameters = [*given, *(_parameter(option) for option in options_of(method))]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__doc__ = (inspect.getdoc(method) or "").partition("\n\n")[0]
    return run


def _parameter(option: Option) -> inspect.Parameter:
    """An option as typer has it; its range is looked at when the method is made."""
    annotation: Any = Annotated[option.type, typer.Option(help=option.help)]
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=annotation
    )


for _name, _method in METHODS.items():
    compress_app.command(_name)(command_of(_method))


def _compress(method: Method[Any], request: Request, options: Mapping[str, Any]) -> None:
    """Looks at frames, makes the network smaller, compares both, and writes all of it."""
    folder = _folder(request)
    whole = method.features(find(request.name))
    with single_thread(), open_frames(request.video) as source:
        first = parse_box(request.box, source.size)
        guard_files(source.origin, [folder / name for name in (CHANNELS, MAPS, RATIOS)])
        follower = _follower(method, request, whole, options)
        places = _followed(follower, source, first, request.frames)
        opening, looked_at = _opening(method, places)
        view = View(cast("CorrelationTracker", follower).window, whole.margin)
        patches = [view.patch(image, track.box) for image, track in looked_at]
        watch = Stopwatch()
        with watch, _progress() as tell:
            found = method.compress(whole, patches, view.target, tell)
        make_folder(folder)
        found.network.save(request.out)
        written = [request.out, *method.record(found, whole, patches, request.out)]
        everywhere = ((image, track.box) for image, track in chain(opening, places))
        shown = compare(whole, found.feature, view, everywhere)
        table = _table((whole.network, found.network), patches[0], found.lines(whole.network), shown)
    title = f"{whole.network.card.name} {'+'.join(whole.network.taps)}, {method.name}"
    written += [*method.draw(found, whole, patches, folder), folder / MAPS, folder / RATIOS]
    draw_maps(folder / MAPS, shown.rows)
    draw_ratios(folder / RATIOS, {BEFORE: shown.before, AFTER: shown.after}, title)
    _told(table, watch, *written)


def _folder(request: Request) -> Path:
    """The folder for the pictures, when all that needs no network is in order."""
    if request.out.suffix != ".onnx":
        raise InputError(f"--out {request.out}: the name must end in .onnx")
    guard_files(str(Path(request.name).resolve()), [request.out])
    folder = request.pictures or request.out.with_suffix("")
    pictures = [folder / name for name in (CHANNELS, MAPS, RATIOS)]
    keep_existing([request.out, request.out.with_suffix(".json"), *pictures], request.overwrite)
    require_matplotlib(folder / MAPS)
    if request.networks is not None:
        add_folder(request.networks)
    return folder


def _follower(method: Method[Any], request: Request, whole: Any, options: Mapping[str, Any]) -> Follower:
    """Who follows the target: the tracker that uses the method, with its options; else one without any."""
    taps = list(whole.network.taps)
    if isinstance(method, Distillation):
        name, side = "deepcd", "max_side"
        given = {"taps": "+".join(taps)} | ({"keep": method.keep, "by": method.by})
    else:
        name, side = "cpt-kcf", "window_side"
        given = {"tap": taps[-1], "method": "none"}
    if isinstance(method, Cpt):
        given |= {"method": method.pruning.method, "configuration": method.pruning.configuration or "none"}
    known = {option.name for option in options_of(tracker_class(name))} - set(given)
    given |= {key: value for key, value in options.items() if key in known}
    given |= {} if request.side is None else {side: request.side}
    return create(name, network=request.name, **given)


def _followed(
    tracker: Follower, source: Iterable[Image], first: Box, frames: int
) -> Iterator[tuple[Image, Track]]:
    """At most so many frames, and what was found on them."""
    for at, image in zip(range(frames), source, strict=False):
        if at == 0:
            tracker.init(image, first)
        yield image, tracker.update(image) if at else Track(first, 1.0, State.TRACKED)


def _opening(
    method: Method[Any], places: Iterator[tuple[Image, Track]]
) -> tuple[list[tuple[Image, Track]], list[tuple[Image, Track]]]:
    """The first frames, up to the last one that a method has to see; and those of them that it has to see."""
    opening: list[tuple[Image, Track]] = []
    seen: list[tuple[Image, Track]] = []
    for place in places:
        opening.append(place)
        seen += [place] if place[1].state is State.TRACKED else []
        if len(seen) == method.frames:
            return opening, seen
    raise InputError(
        f"{method.name} needs the target in {method.frames} frames; among the first {len(opening)} there are "
        "not as many: give more --frames, a longer --video or another --box"
    )


@contextmanager
def _progress() -> Iterator[Tell]:
    """A progress bar; tell it what is done next, how many steps are done and how many there are."""
    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pruning", total=None)

        def tell(what: str, done: int, steps: int) -> None:
            bar.update(task, description=what, completed=done, total=steps)

        yield tell


def _table(
    networks: tuple[Network, Network], patch: Image, lines: Sequence[tuple[str, int, int]], seen: Comparison
) -> Table:
    """Before, after and their ratio."""
    whole = networks[0]
    title = f"{whole.card.name}, {'+'.join(whole.taps)}"
    table = Table("", "before", "after", "after / before", title=escape(title))
    for label, was, is_ in lines:
        share = f"{is_ / was:.3f}" if was else "new"
        table.add_row(escape(label), str(was), str(is_), share)
    table.add_section()
    side = patch.shape[0], patch.shape[1]
    before, after = (Size.of(network, side) for network in networks)
    times = [_milliseconds(network, patch) for network in networks]
    ratios = [float(np.mean(values)) for values in (seen.before, seen.after)]
    figures: list[tuple[str, float, float, str]] = [
        ("M multiply-adds a patch", before.multiply_adds / 1e6, after.multiply_adds / 1e6, ",.1f"),
        ("parameters", before.parameters, after.parameters, ",.0f"),
        ("MB", before.megabytes, after.megabytes, ".2f"),
        (f"ms a patch {side[1]}x{side[0]}, p50", times[0][0], times[1][0], ".2f"),
        ("ms a patch, p95", times[0][1], times[1][1], ".2f"),
        (f"target information ratio, {len(seen.before)} frames", ratios[0], ratios[1], ".3f"),
    ]
    for label, old, new, form in figures:
        share = f"{new / old:.3f}" if old else "-"
        table.add_row(label, format(old, form), format(new, form), share)
    return table


def _milliseconds(network: Network, patch: Image) -> tuple[float, float]:
    """Median and 95th percentile of a network's run on one patch."""
    watch = Stopwatch()
    batch = network.prepare(patch)
    with gc_paused():
        for _ in range(_WARM_UP):
            network.run(batch)
        for _ in range(_RUNS):
            with watch:
                network.run(batch)
    p50, p95 = np.percentile(watch.ms, (50, 95))
    return float(p50), float(p95)


def _told(table: Table, watch: Stopwatch, *written: Path) -> None:
    """Prints what came out."""
    console = Console()
    console.print(table)
    console.print(f"pruned in {watch.ms[0] / 1e3:.2f} s; one thread, {escape(cpu_name())}")
    console.print(f"written {', '.join(escape(str(path)) for path in written)}")
