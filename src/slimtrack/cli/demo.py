"""``slimtrack demo``: tracks a synthetic clip with exact ground truth; nothing is downloaded."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from slimtrack.box import Box, overlap
from slimtrack.cli.options import OverwriteOption, SetOption, TrackerOption
from slimtrack.cli.outputs import PICTURE, Wanted
from slimtrack.cli.screen import Meter, summary_table
from slimtrack.cli.track import parse_options
from slimtrack.errors import InputError, MissingError, UnknownNameError
from slimtrack.registry import create, default_tracker, with_threads
from slimtrack.timing import single_thread
from slimtrack.tracking import Outputs, Summary, track_video
from slimtrack.video.draw import require_matplotlib
from slimtrack.video.frames import open_frames
from slimtrack.video.synthetic import CLIPS

__all__ = ["demo"]

_FPS = 30.0


def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for the results. Default: out/demo, or out/demo-2 and so on if it exists.",
        ),
    ] = None,
    tracker: TrackerOption = None,
    settings: SetOption = None,
    clip: Annotated[str, typer.Option(help=f"One of: {', '.join(CLIPS)}.")] = "demo",
    seed: Annotated[int | None, typer.Option(help="Seed for another landscape and path.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Track a synthetic clip and write an annotated video, a table of boxes, a plot of score and speed."""
    if clip not in CLIPS:
        raise UnknownNameError.of("clip", clip, CLIPS)
    chosen = CLIPS[clip] if seed is None else CLIPS[clip].with_options(seed=seed)
    tracker = default_tracker() if tracker is None else tracker
    made = create(tracker, **with_threads(tracker, 1, parse_options(tracker, settings or ())))
    first = chosen.truth[0]
    if first is None:
        raise InputError(
            f"clip {clip!r} with seed {seed} has no target in its first frame: choose another seed"
        )
    note = _no_picture()
    wanted = Wanted(out, plot=not note, overwrite=overwrite)
    frames = open_frames(chosen.images(), name=clip, fps=_FPS, count=chosen.length)
    placed = wanted.placed("demo", None)
    with placed as (results, notes), frames, single_thread(), Meter(chosen.length) as meter:
        summary = track_video(
            frames,
            first.clipped(*frames.size),
            tracker=made,
            outputs=Outputs(results.files, results.picture),
            on_progress=meter,
        )
    summary.notes += note + notes
    Console().print(summary_table(summary, _accuracy(summary, chosen.truth)))
    if summary.interrupted:
        raise typer.Exit(130)


def _no_picture() -> list[str]:
    """Why there will be no picture: as a note, for the demo shall run without matplotlib too."""
    try:
        require_matplotlib(PICTURE)
    except MissingError as error:
        return [str(error)]
    return []


def _accuracy(summary: Summary, truth: list[Box | None]) -> dict[str, str]:
    """Overlap with the exact truth, over the frames after the first in which the target is in view."""
    pairs = [
        (tuple(row.track.box), tuple(box))
        for row in summary.rows[1:]
        if (box := truth[row.frame]) is not None
    ]
    if not pairs:
        return {}
    both = np.array(pairs)
    ious = overlap(both[:, 0], both[:, 1])
    above = f"{(ious > 0.5).mean():.0%} of the frames above 0.5"
    return {"mean IoU": f"{ious.mean():.3f} against the exact truth, {above}"}
