"""Whether boxes shrink with their targets: clips in which a target shrinks to a third, the true box known.

Command: ``SLIMTRACK_NETWORKS=weights python benchmarks/zoom_out.py sequences/dev --trackers staple,eco-hc``

Three kinds of clips, every one from a fixed seed: *synthetic* ones (a textured target that turns and bends on
moving clutter, blur that grows, noise), *camera* ones (real footage through a window that opens from a third
of the frame to all of it) and *walking* ones (a real target, cut out frame by frame, that shrinks on the
moving footage of another sequence). Footage is taken where nothing hides the target and its box keeps its
shape. Every other clip is held out: settings are chosen on the rest alone. Without the folder only the
synthetic ones are there.

A clip is passed when the last box has 0.6 to 1.7 times the true area. ``--zoom-in`` plays all of them
backwards.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from slimtrack.box import Box
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.runner import DecodedFrames
from slimtrack.registry import create
from slimtrack.timing import single_thread

FRAMES = 100
SMALLEST = 1 / 3
"""Side of the target in the last frame over that in the first."""
PASSED = 0.6, 1.7
"""Last box over the true one, areas."""

Frame: TypeAlias = tuple[npt.NDArray[np.uint8], Box]
Pixels: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A clip with its true boxes.

    Attributes:
        name: Its kind and number.
        held_out: Not looked at while settings are chosen.
        frames: Makes the frames.
    """

    name: str
    held_out: bool
    frames: Callable[[], Iterator[Frame]]


def sides(count: int) -> npt.NDArray[np.float64]:
    """The target's side over the first, falling by the same factor in every frame."""
    return np.asarray(SMALLEST ** (np.arange(count) / (count - 1)))


def clutter(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Cloudy colours at several scales with hard-edged blobs on them."""
    out = np.full((height, width, 3), 110, np.float32)
    for cell, strength in ((6, 14), (20, 26), (70, 34)):
        noise = rng.standard_normal((height // cell + 3, width // cell + 3, 4)).astype(np.float32)
        noise = 0.8 * noise[..., :1] + 0.4 * noise[..., 1:]  # more light and dark than colour
        grown = cv2.resize(noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        out += strength * grown[:height, :width]
    for _ in range(width * height // 2500):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(3, 22)), int(rng.integers(3, 22))
        color = tuple(map(float, rng.integers(20, 236, 3)))
        cv2.ellipse(out, centre, axes, float(rng.integers(180)), 0, 360, color, -1, cv2.LINE_AA)
    return np.clip(out, 0, 255)


def planted(ground: Pixels, target: Pixels, alpha: Pixels, box: Box) -> Pixels:
    """The ground with a target drawn over it in a box: shrunk by areas, its corner where the box has it."""
    w, h = max(math.ceil(box.w), 1), max(math.ceil(box.h), 1)
    layer = np.dstack([target * alpha[..., None], alpha])
    small = cv2.resize(layer, (w, h), interpolation=cv2.INTER_AREA)
    place = np.array([[box.w / w, 0, box.x], [0, box.h / h, box.y]])
    drawn = cv2.warpAffine(small, place, (ground.shape[1], ground.shape[0]), flags=cv2.INTER_LINEAR)
    return ground * (1 - drawn[..., 3:]) + drawn[..., :3]


def oval(width: int, height: int) -> Pixels:
    """An ellipse that touches the sides, soft at its edge."""
    y, x = (np.abs((np.arange(n) + 0.5) / n * 2 - 1) for n in (height, width))
    away = (y[:, None] ** 4 + x[None] ** 4) ** 0.25
    return np.clip((1 - away) * 12, 0, 1).astype(np.float32)


def taken(scene: Pixels, rng: np.random.Generator, blur: float) -> npt.NDArray[np.uint8]:
    """The scene through a lens and a sensor."""
    soft = cv2.GaussianBlur(scene, (0, 0), blur) if blur > 0.3 else scene
    noisy = soft + rng.standard_normal(scene.shape).astype(np.float32) * 3
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def synthetic(seed: int) -> Iterator[Frame]:
    """A textured target that shrinks, turns and bends on clutter under a panning camera."""
    rng = np.random.default_rng(seed)
    width, height = 400, 300
    ground = clutter(rng, width + 120, height + 80)
    w, h = rng.uniform(55, 95), rng.uniform(55, 95)
    texture = clutter(rng, 160, 160)
    texture = np.clip(texture + rng.choice([-70, 0, 70], 3).astype(np.float32), 0, 255)
    alpha, phase, speed = oval(160, 160), rng.uniform(0, 6.28, 4), rng.uniform(0.04, 0.1, 4)
    for i, side in enumerate(sides(FRAMES)):
        wave = np.sin(phase + speed * i)
        pan = 60 + 50 * wave[0], 40 + 30 * wave[1]
        view = cv2.warpAffine(ground, np.array([[1, 0, -pan[0]], [0, 1, -pan[1]]]), (width, height))
        turn = cv2.getRotationMatrix2D((80, 80), 8 * wave[2], 1 + 0.05 * wave[3])
        turned = cv2.warpAffine(texture, turn, (160, 160), borderMode=cv2.BORDER_REFLECT)
        centre = width / 2 + 70 * wave[3], height / 2 + 50 * wave[2]
        box = Box.from_center(*centre, w * side, h * side)
        yield taken(planted(view, turned, alpha, box), rng, 1.2 * i / FRAMES), box


def camera(sequence: Sequence, start: int, seed: int) -> Iterator[Frame]:
    """Real footage through a window that opens; the target in the window's middle where the frame allows."""
    rng = np.random.default_rng(seed)
    indices = span(sequence, start)
    images = list(DecodedFrames([sequence.frames[i] for i in indices]))
    height, width = images[0].shape[:2]
    out = round(0.6 * width), round(0.6 * height)
    for image, index, side in zip(images, indices, sides(len(indices)), strict=True):
        box, part = Box(*sequence.truth[index]), SMALLEST / side
        w, h = width * part, height * part
        x, y = np.clip(box.cx - w / 2, 0, width - w), np.clip(box.cy - h / 2, 0, height - h)
        step = w / out[0]
        fine = cv2.GaussianBlur(image, (0, 0), 0.4 * step) if step > 1 else image
        place = np.array([[step, 0, x + step / 2 - 0.5], [0, h / out[1], y + step / 2 - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(fine, place, out, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        shown = Box((box.x - x) / step, (box.y - y) / step, box.w / step, box.h / step)
        yield taken(view.astype(np.float32), rng, 0.0), shown


def walking(target: Sequence, start: int, ground: Sequence, seed: int) -> Iterator[Frame]:
    """A real target that shrinks on the footage of another sequence."""
    rng = np.random.default_rng(seed)
    indices = span(target, start)
    behind = DecodedFrames([ground.frames[i % len(ground.frames)] for i in range(len(indices))])
    shown = DecodedFrames([target.frames[i] for i in indices])
    phase, speed = rng.uniform(0, 6.28, 2), rng.uniform(0.03, 0.07, 2)
    for i, (scene, image, side) in enumerate(zip(behind, shown, sides(len(indices)), strict=True)):
        height, width = scene.shape[:2]
        box = Box(*target.truth[indices[i]])
        whole = cv2.getRectSubPix(image, (round(box.w), round(box.h)), (box.cx - 0.5, box.cy - 0.5))
        first = Box(*target.truth[indices[0]])
        gain = 0.3 * height / math.sqrt(first.area) * min(1.0, 1.5 * math.sqrt(first.w / first.h))
        wave = np.sin(phase + speed * i)
        centre = width / 2 + 0.15 * width * wave[0], height / 2 + 0.12 * height * wave[1]
        place = Box.from_center(*centre, box.w * gain * side, box.h * gain * side)
        grown = cv2.resize(whole, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        alpha = oval(grown.shape[1], grown.shape[0])
        yield taken(planted(scene.astype(np.float32), grown, alpha, place), rng, 0.8 * i / FRAMES), place


def span(sequence: Sequence, start: int) -> list[int]:
    """Frames from one on, up to `FRAMES`, as long as the target is there."""
    there = ~sequence.absent[start : start + FRAMES]
    return list(range(start, start + (len(there) if there.all() else int(there.argmin()))))


def clips(folder: Path | None) -> list[Clip]:
    """All clips that can be made; every other one of each kind is held out."""
    made = [("synthetic", partial(synthetic, 100 + n)) for n in range(6)]
    if folder is not None and folder.exists():
        named = {one.name: one for one in Dataset.read(folder)}
        cameras = (
            ("TLD-pedestrian3", 80), ("TLD-pedestrian2", 220), ("TLD-car", 340), ("TLD-car", 0),
            ("TLD-pedestrian1", 40), ("VOT-ball1", 0),
        )  # fmt: skip
        walks = (
            ("TLD-pedestrian1", 20, "TLP-Bike"), ("TLD-pedestrian3", 20, "UAV-wakeboard4"),
            ("VOT-ball1", 0, "TLD-car"), ("TLP-Bike", 120, "VOT-bag"),
        )  # fmt: skip
        made += [("camera", partial(camera, named[a], at, 200 + n)) for n, (a, at) in enumerate(cameras)]
        made += [
            ("walking", partial(walking, named[a], at, named[b], 300 + n))
            for n, (a, at, b) in enumerate(walks)
        ]
    return [Clip(f"{kind}-{n}", n % 2 == 1, frames) for n, (kind, frames) in enumerate(made)]


def followed(name: str, frames: list[Frame]) -> tuple[float, float]:
    """The last box's area over the true one, and the mean overlap."""
    tracker = create(name)
    tracker.init(*frames[0])
    boxes = [tracker.update(image).box for image, _ in frames[1:]]
    truth = [box for _, box in frames[1:]]
    overlap = float(np.mean([a.iou(b) for a, b in zip(boxes, truth, strict=True)]))
    return boxes[-1].area / truth[-1].area, overlap


def row(name: str, results: dict[str, tuple[float, float]], held_out: set[str]) -> str:
    """A row of the table."""
    cells = []
    for part in ([n for n in results if n not in held_out], [n for n in results if n in held_out]):
        if not part:
            cells.append("| | ")
            continue
        ratios = [results[n][0] for n in part]
        passed = sum(PASSED[0] <= r <= PASSED[1] for r in ratios)
        overlap = np.mean([results[n][1] for n in part])
        cells.append(f"{passed} of {len(part)} | {min(ratios):.2f} .. {max(ratios):.2f} | {overlap:.2f}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="sequences to take footage from")
    parser.add_argument("--trackers", default="staple,eco-hc,feco,fdeepstrcf,dsst")
    parser.add_argument("--only", choices=("tuned", "held-out"), help="half of the clips")
    parser.add_argument("--zoom-in", action="store_true", help="play every clip backwards")
    parser.add_argument("--details", action="store_true", help="every clip's figures")
    args = parser.parse_args()
    names = args.trackers.split(",")
    chosen = [c for c in clips(args.folder) if args.only is None or c.held_out == (args.only == "held-out")]
    results: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in names}
    with single_thread():
        for clip in chosen:
            frames = list(clip.frames())[:: -1 if args.zoom_in else 1]
            for name in names:
                results[name][clip.name] = found = followed(name, frames)
                if args.details:
                    print(
                        f"{clip.name:14s} {name:14s} area x {found[0]:6.2f}  IoU {found[1]:.2f}", flush=True
                    )
    print(
        "| tracker | tuned on: passed | last area | IoU | held out: passed | last area | IoU |\n"
        + "|---" * 7
        + "|"
    )
    for name in names:
        print(row(name, results[name], {c.name for c in chosen if c.held_out}))


if __name__ == "__main__":
    main()
