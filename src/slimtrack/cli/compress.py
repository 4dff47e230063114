"""``slimtrack compress``: make a network smaller for one target, and show what became of it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.cli.boxes import parse_box
from slimtrack.compression.channels import Amount, Indices, Reading
from slimtrack.compression.cpt import Method, Settings, compress
from slimtrack.compression.cpt import Progress as Tell
from slimtrack.compression.distilled import choices, keep_channels, write_channels
from slimtrack.compression.information import Metric
from slimtrack.compression.report import Size, changes, draw_channels, draw_maps, draw_ratios, summed
from slimtrack.compression.view import Shown, View
from slimtrack.errors import InputError
from slimtrack.features.network import NetworkFeature
from slimtrack.features.taps import NetworkStack
from slimtrack.files import make_folder
from slimtrack.networks.find import add_folder
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.registry import create
from slimtrack.timing import Stopwatch, cpu_name, gc_paused, single_thread
from slimtrack.tracker import Tracker, checked_box
from slimtrack.video.draw import require_matplotlib
from slimtrack.video.frames import open_frames
from slimtrack.video.guard import guard_files

if TYPE_CHECKING:
    from slimtrack.trackers.deepcd import DeepCd

__all__ = ["compress_app"]

compress_app = typer.Typer(
    name="compress",
    help="Make a network smaller for one target, and show what became of it.",
    no_args_is_help=True,
)

_WARM_UP, _RUNS = 3, 15
"""Runs of a network before the clock starts, and with it."""

_BEFORE, _AFTER = "whole network", "pruned"

MAPS, RATIOS, CHANNELS = "maps.png", "information_ratio.png", "channels.png"
"""Names of the pictures."""

Name = Annotated[str, typer.Argument(metavar="NETWORK", help="Name such as vgg19, or an .onnx file.")]
Video = Annotated[str, typer.Option("--video", help="Video file, image folder, quoted glob or URL.")]
Target = Annotated[str, typer.Option("--box", metavar="X,Y,W,H", help="Target in the first frame.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The .onnx file to write.")]
Pictures = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the pictures; beside --out if left out.")
]
Folder = Annotated[
    Path | None,
    typer.Option("--networks", metavar="DIR", help="Folder of networks, before SLIMTRACK_NETWORKS."),
]


@dataclass(slots=True)
class _Seen:
    """What both networks show over a video.

    Attributes:
        before: Target information ratio of the whole network, a frame each.
        after: Of the pruned one.
        rows: What the picture of the maps shows.
    """

    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    rows: list[tuple[str, Image, dict[str, np.ndarray]]] = field(default_factory=list)


@compress_app.command()
def cpt(
    name: Name,
    video: Video,
    box: Target,
    out: Out,
    ratio: Annotated[float, typer.Option(help="Share of every layer's channels to take out.")] = 0.5,
    configuration: Annotated[
        str | None,
        typer.Option(help="Layers and ratios instead of --ratio: 0.5/conv3_2, 0.25/deep, several with +."),
    ] = None,
    tap: Annotated[str | None, typer.Option(help="The layer to track with; the deepest.")] = None,
    d: Annotated[int, typer.Option(help="Dimensions of that layer.")] = 64,
    d_prime: Annotated[int, typer.Option(help="Its channels selected before PCA; 0: by the least loss.")] = 0,
    metric: Annotated[Metric, typer.Option(help="How information is measured.")] = "l2",
    error: Annotated[bool, typer.Option(help="Count the tracking error of equation 5.")] = True,
    method: Annotated[Method, typer.Option(help="How channels are chosen.")] = "proposed",
    reconstruct: Annotated[
        str, typer.Option(help="Layers made good: all, deep, none, names with +.")
    ] = "all",
    background: Annotated[float, typer.Option(help="Weight of the background's output.")] = 0.01,
    adaptive: Annotated[
        float, typer.Option(help="lambda_beta of the adaptive rule; 0: the ratios are met.")
    ] = 0.0,
    side: Annotated[float, typer.Option(help="Square root of the search window's pixels.")] = 96.0,
    frames: Annotated[int, typer.Option(min=1, help="Frames over which the ratio is shown.")] = 50,
    pictures: Pictures = None,
    networks: Folder = None,
) -> None:
    """Prune a network for the target of a video's first frame (paper 000)."""
    folder = _folder(name, out, pictures, networks)
    how = Settings(
        f"{ratio:g}/all" if configuration is None else configuration,
        method, d, d_prime, metric, error, reconstruct, background, adaptive=adaptive,
    )  # fmt: skip
    whole = find(name)
    tap = whole.tap(tap or list(whole.taps)[-1]).name
    with single_thread(), open_frames(video) as source:
        image = source.first
        first = checked_box(parse_box(box, source.size), image)
        before = NetworkFeature(whole, tap)
        view = View.around(first, before, side=side)
        guard_files(source.origin, [folder / name for name in (CHANNELS, MAPS, RATIOS)])
        make_folder(folder)
        watch = Stopwatch()
        with watch, _progress() as tell:
            found = compress(before.network, tap, view.patch(image, first), view.target, how, tell)
        found.network.save(out)
        follower = create("cpt-kcf", network=str(out.resolve()), tap=tap, method="none", window_side=side)
        places = _followed(follower, source, first, frames)
        seen = _compared(before, NetworkFeature(found.network, tap), view, places)
        lines = _layers(before.network, found.network)
        table = _table((before.network, found.network), view.patch(image, first), lines, seen)
    title = f"{whole.card.name} {tap}, {how.configuration}"
    drawn = [folder / MAPS, folder / RATIOS]
    draw_maps(drawn[0], seen.rows)
    draw_ratios(drawn[1], {_BEFORE: seen.before, _AFTER: seen.after}, title)
    _told(table, watch, out, *drawn)


@compress_app.command()
def cd(
    name: Name,
    video: Video,
    box: Target,
    out: Out,
    taps: Annotated[
        str | None,
        typer.Option(help="Layers to choose of, with + between: relu1_1+relu1_2; the deepest."),
    ] = None,
    ratio: Annotated[
        float | None, typer.Option(help="Share of the channels to drop, instead of --keep.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option(help="How much is kept, 0.5; what the number means says --by.")
    ] = None,
    by: Annotated[Amount, typer.Option(help="Share of the energy, of the channels, or their number.")] = (
        "energy"
    ),
    reading: Annotated[
        Reading, typer.Option(help="Friendliness: salient and stable, or the printed formula.")
    ] = "similarity",
    loss: Annotated[
        float, typer.Option(help="Share of inner channels' variation that may be lost; 0: pruned exactly.")
    ] = 0.0,
    side: Annotated[float, typer.Option(help="Square root of the search window's most pixels.")] = 160.0,
    level: Annotated[float, typer.Option(help="How far channels come to one level: 1 wholly, 0 not.")] = 1.0,
    cell: Annotated[int, typer.Option(help="Side of the common grid's cells in pixels.")] = 4,
    frames: Annotated[int, typer.Option(min=2, help="Frames over which the ratio is shown.")] = 50,
    pictures: Pictures = None,
    networks: Folder = None,
) -> None:
    """Prune a network to the channels that are good for a target, from two frames (paper 001)."""
    folder = _folder(name, out, pictures, networks)
    keep, by = _amount(ratio, keep, by)
    whole = _cut(find(name), taps)
    from slimtrack.trackers.deepcd import DeepCd  # numba comes with it, and --help should not wait for that

    follower = DeepCd(
        network=name,
        taps="+".join(whole.taps),
        keep=keep,
        by=by,
        reading=reading,
        loss=loss,
        max_side=side,
        level=level,
        cell=cell,
    )
    with single_thread(), open_frames(video) as source:
        first = checked_box(parse_box(box, source.size), source.first)
        before = NetworkStack(whole, list(whole.taps), cell=cell)
        guard_files(source.origin, [folder / name for name in (CHANNELS, MAPS, RATIOS)])
        make_folder(folder)
        places = _followed(follower, source, first, frames)
        watch = Stopwatch()
        with watch, _progress() as tell:
            opening = _until_chosen(follower, places, tell)
            view = View(follower.window, before.margin)
            patches = [view.patch(*opening[at]) for at in (0, -1)]
            tell("network", 2, 3)
            after = keep_channels(whole, follower.channels, patches[0], loss, cell=cell)
        after.network.save(out)
        listed = out.with_suffix(".json")
        write_channels(listed, whole, follower.channels, after)
        seen = _compared(before, after, view, chain(opening, places))
        lines = [*_layers(whole, after.network), *_kept(whole, follower.channels)]
        table = _table((whole, after.network), patches[0], lines, seen)
    title = f"{whole.card.name} {'+'.join(whole.taps)}, {after.channels} of {before.channels} channels"
    drawn = [folder / CHANNELS, folder / MAPS, folder / RATIOS]
    names = ["frame 0", f"frame {len(opening) - 1}"]
    draw_channels(
        drawn[0], dict(zip(names, patches, strict=True)), choices(before, patches, follower.channels)
    )
    draw_maps(drawn[1], seen.rows)
    draw_ratios(drawn[2], {_BEFORE: seen.before, _AFTER: seen.after}, title)
    _told(table, watch, out, listed, *drawn)


# What the commands share.


def _folder(name: str, out: Path, pictures: Path | None, networks: Path | None) -> Path:
    """The folder for the pictures, when all that needs no network is in order."""
    if out.suffix != ".onnx":
        raise InputError(f"--out {out}: the name must end in .onnx")
    guard_files(str(Path(name).resolve()), [out])
    folder = pictures or out.with_suffix("")
    require_matplotlib(folder / MAPS)
    if networks is not None:
        add_folder(networks)
    return folder


@contextmanager
def _progress() -> Iterator[Tell]:
    """A progress bar; tell it what is done next, how many steps are done and how many there are."""
    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pruning", total=None)

        def tell(what: str, done: int, steps: int) -> None:
            bar.update(task, description=what, completed=done, total=steps)

        yield tell


def _followed(
    tracker: Tracker, source: Iterable[Image], first: Box, frames: int
) -> Iterator[tuple[Image, Box]]:
    """At most so many frames, and where the target is on them."""
    for at, image in zip(range(frames), source, strict=False):
        if at == 0:
            tracker.init(image, first)
        yield image, tracker.update(image).box if at else first


def _compared(before: Shown, after: Shown, view: View, places: Iterable[tuple[Image, Box]]) -> _Seen:
    """Both networks on every frame; pictures of the first and of the last."""
    seen = _Seen()
    # Where a distilled network has lost its deepest tap it wants less around the window.
    views = [View(view.window, feature.margin) for feature in (before, after)]
    for number, (image, box) in enumerate(places):
        patch, smaller = (each.patch(image, box) for each in views)
        old, new = before(patch), after(smaller)
        seen.before.append(views[0].ratio(before, old))
        seen.after.append(views[1].ratio(after, new))
        row = (f"frame {number}", patch, {_BEFORE: summed(old), _AFTER: summed(new)})
        seen.rows = [*seen.rows[:1], row]
    return seen


def _layers(before: Network, after: Network) -> list[tuple[str, int, int]]:
    """A line for each layer: what it says, channels before and after."""
    return [(f"channels of {each.name}", each.before, each.after) for each in changes(before, after)]


def _table(
    networks: tuple[Network, Network], patch: Image, lines: Sequence[tuple[str, int, int]], seen: _Seen
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


# Paper 001.


def _amount(ratio: float | None, keep: float | None, by: Amount) -> tuple[float, Amount]:
    """What is kept, in the terms of the selector."""
    if ratio is None:
        return 0.5 if keep is None else keep, by
    if keep is not None:
        raise InputError("give --ratio or --keep, not both: each says how many channels are kept")
    if not 0 <= ratio < 1:
        raise InputError(
            f"--ratio {ratio:g}: the share of channels to drop must be at least 0 and less than 1"
        )
    return 1 - ratio, "ratio"


def _cut(network: Network, taps: str | None) -> Network:
    """The network with only these of its taps; the deepest if none is named."""
    named = re.split(r"[+,\s]+", taps.strip()) if taps else [list(network.taps)[-1]]
    return network.truncate(*dict.fromkeys(named))


def _until_chosen(
    follower: "DeepCd", places: Iterator[tuple[Image, Box]], tell: Tell
) -> list[tuple[Image, Box]]:
    """The frames that it took to choose channels: two, more where the target was lost."""
    opening: list[tuple[Image, Box]] = []
    tell("good channels", 0, 3)
    for place in places:
        opening.append(place)
        tell("good channels", min(len(opening), 2), 3)
        if follower.channels:
            return opening
    raise InputError(
        f"good channels need the target in two frames; among the first {len(opening)} there are not as many: "
        "give more --frames, a longer --video or another --box"
    )


def _kept(whole: Network, chosen: Mapping[str, Indices]) -> list[tuple[str, int, int]]:
    """Lines of the table: a tap that layers read stays whole in the network, whatever is chosen of it."""
    lines = [(f"chosen of {tap}", whole.tap(tap).channels, len(at)) for tap, at in chosen.items()]
    return [*lines, ("chosen in all", sum(line[1] for line in lines), sum(line[2] for line in lines))]
