"""``slimtrack compress``: make a network smaller for one target, and show what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.cli.track import parse_box
from slimtrack.compression.cpt import Compressed, Method, Settings, compress
from slimtrack.compression.information import Metric
from slimtrack.compression.report import Size, changes, draw_maps, draw_ratios, summed
from slimtrack.compression.view import View, ratio_of
from slimtrack.errors import InputError
from slimtrack.features.network import NetworkFeature
from slimtrack.networks.find import add_folder
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.registry import create
from slimtrack.timing import Stopwatch, cpu_name, quiet, single_thread
from slimtrack.tracker import checked_box
from slimtrack.video.draw import require_matplotlib
from slimtrack.video.frames import open_frames

__all__ = ["compress_app"]

compress_app = typer.Typer(
    name="compress",
    help="Make a network smaller for one target, and show what became of it.",
    no_args_is_help=True,
)

_WARM_UP, _RUNS = 3, 15
"""Runs of a network before the clock starts, and with it."""

MAPS, RATIOS = "maps.png", "information_ratio.png"
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
    if out.suffix != ".onnx":
        raise InputError(f"--out {out}: the name must end in .onnx")
    folder = pictures or out.with_suffix("")
    require_matplotlib(folder / MAPS)
    if networks is not None:
        add_folder(networks)
    how = Settings(
        f"{ratio:g}/all" if configuration is None else configuration,
        method, d, d_prime, metric, error, reconstruct, background, adaptive=adaptive,
    )  # fmt: skip
    whole = find(name)
    tap = whole.tap(tap or list(whole.taps)[-1]).name
    with single_thread(), open_frames(video) as source:
        image = source.first
        first = checked_box(parse_box(box), image)
        feature = NetworkFeature(whole, tap)
        view = View.around(first, feature, side=side)
        watch = Stopwatch()
        with watch:
            found = _pruned(feature.network, tap, view.patch(image, first), view.target, how)
        found.network.save(out)
        follower = create("cpt-kcf", network=str(out.resolve()), tap=tap, method="none", side=side)
        follower.init(image, first)
        places = (
            (frame, follower.update(frame).box if at else first)
            for at, frame in zip(range(frames), source, strict=False)
        )
        seen = _compared(feature.network, found, view, places)
        table = _table(feature.network, found, view.patch(image, first), seen)
    draw_maps(folder / MAPS, seen.rows)
    series = {"whole network": seen.before, "pruned": seen.after}
    draw_ratios(folder / RATIOS, series, f"{whole.card.name} {tap}, {how.configuration}")
    console = Console()
    console.print(table)
    console.print(f"pruned in {watch.ms[0] / 1e3:.2f} s; one thread, {escape(cpu_name())}")
    console.print(f"written {escape(str(out))}, {escape(str(folder / MAPS))}, {escape(str(folder / RATIOS))}")


def _pruned(network: Network, tap: str, patch: Image, target: Box, how: Settings) -> Compressed:
    """Prunes behind a progress bar."""
    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pruning", total=None)

        def tell(what: str, done: int, steps: int) -> None:
            bar.update(task, description=what, completed=done, total=steps)

        return compress(network, tap, patch, target, how, tell)


def _compared(whole: Network, found: Compressed, view: View, places: Iterator[tuple[Image, Box]]) -> _Seen:
    """Both networks on every frame; pictures of the first and of the last."""
    seen = _Seen()
    for number, (image, box) in enumerate(places):
        patch = view.patch(image, box)
        batch = whole.prepare(patch)
        before, after = (net.run(batch, found.tap)[found.tap][0] for net in (whole, found.network))
        seen.before.append(ratio_of(whole, found.tap, before, view.target))
        seen.after.append(ratio_of(found.network, found.tap, after, view.target))
        row = (f"frame {number}", patch, {"whole network": summed(before), "pruned": summed(after)})
        seen.rows = [*seen.rows[:1], row]
    return seen


def _table(whole: Network, found: Compressed, patch: Image, seen: _Seen) -> Table:
    """Before, after and their ratio."""
    table = Table("", "before", "after", "after / before", title=f"{whole.card.name}, {found.tap}")
    for change in changes(whole, found.network):
        share = f"{change.after / change.before:.3f}" if change.before else "new"
        table.add_row(f"channels of {escape(change.name)}", str(change.before), str(change.after), share)
    table.add_section()
    side = patch.shape[0], patch.shape[1]
    before, after = (Size.of(network, side) for network in (whole, found.network))
    times = [_milliseconds(network, patch, found.tap) for network in (whole, found.network)]
    was, became = (float(np.mean(values)) for values in (seen.before, seen.after))
    figures: list[tuple[str, float, float, str]] = [
        ("M multiply-adds a patch", before.multiply_adds / 1e6, after.multiply_adds / 1e6, ",.1f"),
        ("parameters", before.parameters, after.parameters, ",.0f"),
        ("MB", before.megabytes, after.megabytes, ".2f"),
        (f"ms a patch {side[1]}x{side[0]}, p50", times[0][0], times[1][0], ".2f"),
        ("ms a patch, p95", times[0][1], times[1][1], ".2f"),
        (f"target information ratio, {len(seen.before)} frames", was, became, ".3f"),
    ]
    for label, old, new, form in figures:
        share = f"{new / old:.3f}" if old else "-"
        table.add_row(label, format(old, form), format(new, form), share)
    return table


def _milliseconds(network: Network, patch: Image, tap: str) -> tuple[float, float]:
    """Median and 95th percentile of a network's run on one patch."""
    watch = Stopwatch()
    batch = network.prepare(patch)
    with quiet():
        for _ in range(_WARM_UP):
            network.run(batch, tap)
        for _ in range(_RUNS):
            with watch:
                network.run(batch, tap)
    p50, p95 = np.percentile(watch.ms, (50, 95))
    return float(p50), float(p95)
