"""Draws tracks into frames, and plots score and speed over time."""

import importlib.util
import io
import itertools
import operator
import os
from collections.abc import Mapping, Sequence

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyImage, Image
from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import InputError, MissingError
from slimtrack.files import atomic_write
from slimtrack.follower import Track, checked_image

__all__ = ["COLORS", "draw", "draw_box", "require_matplotlib", "timeline"]

COLORS: dict[State, tuple[int, int, int]] = {
    State.TRACKED: (115, 205, 70),
    State.UNCERTAIN: (40, 170, 250),
    State.LOST: (85, 75, 235),
}
"""BGR of each state: green, amber and red, bright enough for dark text."""

_INK = (25, 25, 25)
_SHIFT = 4  # cv2 draws in sixteenths of a pixel, so that boxes move smoothly


def draw(
    image: AnyImage,
    track: Track | Mapping[int, Track],
    *,
    colors: Mapping[State | str, tuple[int, int, int]] | None = None,
    number: int | None = None,
) -> Image:
    """A copy of a frame with box, score and state drawn in.

    Args:
        image: Any image that `Tracker.update` takes; not changed.
        track: The track to draw. While LOST its box is dashed, because it is only the last believed one. For
            several targets, a mapping from number to track; the number is drawn before the state.
        colors: BGR for some of the states: ``{"lost": (0, 0, 255)}``.
        number: Number to draw in the corner.

    Returns:
        ``(H, W, 3)`` uint8 BGR.

    Raises:
        InputError: The image or the colours cannot be used.
    """
    canvas = checked_image(image).copy()
    palette = _palette(colors or {})
    named = {"": track} if isinstance(track, Track) else {f"{name}: ": each for name, each in track.items()}
    for name, each in named.items():
        color = palette[each.state]
        draw_box(canvas, each.box, color, dashed=each.state is State.LOST)
        label = f"{name}{each.state.value} {each.score:.2f}"
        _label(canvas, label, (each.box.x, each.box.y - 2 * _unit(canvas)), color)
    unit = _unit(canvas)
    if number is not None:
        _label(canvas, str(number), (3 * unit, canvas.shape[0] - 3 * unit), (225, 225, 225))
    return canvas


def _palette(colors: Mapping[State | str, tuple[int, int, int]]) -> dict[State, tuple[int, int, int]]:
    """The default colours, with some replaced."""
    palette = dict(COLORS)
    for state, color in colors.items():
        try:
            blue, green, red = map(operator.index, color)
            palette[State(state)] = blue, green, red
        except (TypeError, ValueError) as error:
            raise InputError(
                f"colors has {state!r}: {color!r}, not one of {', '.join(State)} and three whole numbers "
                "blue, green, red"
            ) from error
        if not all(0 <= value <= 255 for value in palette[State(state)]):
            raise InputError(f"colors has {color!r} for {state}, not numbers from 0 to 255")
    return palette


def draw_box(canvas: Image, box: Box, color: tuple[int, int, int], *, dashed: bool = False) -> None:
    """Draws a box into an image, with a dark outline so that it stands out from any background.

    Args:
        canvas: ``(H, W, 3)`` uint8 BGR; changed.
        box: The box; parts outside are cut off, and a box that is not finite is not drawn.
        color: BGR.
        dashed: Draw only its corners.
    """
    if not box.is_finite or max(map(abs, box)) > 1e6:  # cv2's fixed-point coordinates overflow beyond
        return
    thick = max(round(_unit(canvas) * 1.2), 1)
    for ink, width in ((_INK, thick + 2), (color, thick)):
        for start, end in _edges(box, dashed):
            cv2.line(canvas, _fixed(start), _fixed(end), ink, width, cv2.LINE_AA, _SHIFT)


def _edges(box: Box, dashed: bool) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    corners = [(box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom)]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    if not dashed:
        return sides
    cut = []
    for (x0, y0), (x1, y1) in sides:
        dx, dy = (x1 - x0) / 4, (y1 - y0) / 4
        cut += [((x0, y0), (x0 + dx, y0 + dy)), ((x1 - dx, y1 - dy), (x1, y1))]
    return cut


def _fixed(point: tuple[float, float]) -> tuple[int, int]:
    # our coordinates are pixel edges, cv2's are pixel centres
    return round((point[0] - 0.5) * (1 << _SHIFT)), round((point[1] - 0.5) * (1 << _SHIFT))


def _unit(image: Image) -> float:
    """The size of one drawing pixel: 1 on a 480-line picture, more on larger ones."""
    return max(float(min(image.shape[:2])) / 480, 0.75)


def _label(canvas: Image, text: str, corner: tuple[float, float], color: tuple[int, int, int]) -> None:
    """Writes dark text on a coloured plate with its bottom left at ``corner``, moved into the picture."""
    scale = 0.45 * _unit(canvas)
    thick = max(round(_unit(canvas)), 1)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    pad = max(round(3 * _unit(canvas)), 2)
    height += below
    rows, columns = canvas.shape[:2]
    if not all(abs(value) < 1e6 for value in corner):
        return
    left = int(min(max(corner[0], 0), max(columns - width - 2 * pad, 0)))
    bottom = int(min(max(corner[1], height + 2 * pad), rows))
    plate = canvas[max(bottom - height - 2 * pad, 0) : bottom, left : left + width + 2 * pad]
    plate[:] = color
    at = (left + pad, bottom - pad - below)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, thick, cv2.LINE_AA)


def timeline(
    path: str | os.PathLike[str],
    scores: Sequence[float],
    ms: Sequence[float | None],
    states: Sequence[State],
    *,
    at: Sequence[float] | None = None,
    unit: str = "frame",
    title: str = "",
) -> None:
    """Writes a PNG of score and speed over time.

    Args:
        path: The picture; replaced in one step.
        scores: Score of each frame, in [0, 1].
        ms: Milliseconds of each frame; ``None`` if not measured.
        states: State of each frame; drawn as a coloured background.
        at: Position of each frame on the time axis, ascending. Default: 0, 1, 2, ..
        unit: Label of that axis.
        title: Title of the plot.

    Raises:
        MissingError: matplotlib is not installed.
        OutputError: The file cannot be written.
    """
    require_matplotlib(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), dpi=120, layout="constrained")  # no pyplot: no global state, no windows
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    at = list(range(len(scores))) if at is None else at
    edges = _edges_between(at)
    for state, first, last in _runs(states):
        upper.axvspan(edges[first], edges[last + 1], color=_rgb(COLORS[state]), alpha=0.25, lw=0)
    upper.plot(at, scores, color="#20364f", lw=1.4)
    upper.set(ylim=(0, 1.03), ylabel="score", title=title, xlim=(edges[0], edges[-1]))
    present = list(dict.fromkeys(states))
    handles = [upper.axvspan(0, 0, color=_rgb(COLORS[s]), alpha=0.25, label=s.value) for s in present]
    if handles:
        upper.legend(handles=handles, loc="lower left", ncols=3, fontsize="small", framealpha=0.9)
    measured = [(t, value) for t, value in zip(at, ms, strict=True) if value is not None]
    lower.plot([t for t, _ in measured], [value for _, value in measured], color="#8a4b9c", lw=1)
    if measured:
        # so that one stall does not flatten the curve
        ceiling = sorted(value for _, value in measured)[int(0.99 * (len(measured) - 1))]
        lower.set_ylim(0, max(ceiling * 1.25, 1e-3))
    lower.set(ylabel="ms a frame", xlabel=unit)
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with atomic_write(path, "wb") as file:
        file.write(picture.getvalue())


def require_matplotlib(path: str | os.PathLike[str]) -> None:
    """Raises an error that says how to install matplotlib, if it is not installed.

    Args:
        path: The picture that is to be drawn with it.

    Raises:
        MissingError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingError(f'drawing {path} needs matplotlib: run `pip install "slimtrack[plot]"`')


def _edges_between(at: Sequence[float]) -> list[float]:
    """Where each value's interval begins, half-way between two values, and where the last one ends."""
    inner = [(a + b) / 2 for a, b in itertools.pairwise(at)]
    half = inner[0] - at[0] if inner else 0.5
    after = at[-1] - inner[-1] if inner else 0.5
    return [at[0] - half, *inner, at[-1] + after]


def _runs(states: Sequence[State]) -> list[tuple[State, int, int]]:
    """Runs of frames in one state: state, first and last frame."""
    runs: list[tuple[State, int, int]] = []
    for number, state in enumerate(states):
        if runs and runs[-1][0] is state:
            runs[-1] = (state, runs[-1][1], number)
        else:
            runs.append((state, number, number))
    return runs


def _rgb(color: tuple[int, int, int]) -> tuple[float, float, float]:
    blue, green, red = color
    return red / 255, green / 255, blue / 255
