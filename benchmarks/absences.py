"""Makes clips in which the target disappears, from real footage: what LOST is fitted on and judged by.

Command: ``python benchmarks/absences.py sequences/dev absences``

Writes two data sets, ``absences/tune`` to choose by and ``absences/judge`` that only judges: from each
sequence three clips in the one and three of other kinds in the other, with fixed seeds; ``nan`` where the
target is absent. Kinds of disappearance:

- ``leaves``: a target that was cut out moves over other footage, out of the frame and back;
- ``behind``: a piece of the scene, cut from elsewhere in the frame, slides in front of the target and off
  again;
- ``cut``: the film cuts to another scene and back;
- ``fade``: the film fades to black and back;
- ``turns``: the camera turns to another scene and back;
- ``blurs``: the same, with the blur of a fast turn;
- ``backwards``: sequences that hold an absence, backwards (in ``tune``).

A target of which less than a quarter is to be seen is absent.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.datasets import Dataset, Sequence

BEFORE, GONE, AFTER = 70, 40, 40
"""Frames before the disappearance, without the target, and after."""

SEEN = 0.25
"""Share of the target's area under which it counts as absent."""

Frame = tuple[Image, Box | None]


@dataclass(frozen=True)
class Footage:
    """Frames of a sequence and its boxes, from its first frame on."""

    images: list[Image]
    boxes: list[Box | None]

    @classmethod
    def read(cls, sequence: Sequence, most: int = BEFORE + GONE + AFTER) -> "Footage":
        """The first frames of a sequence, as many as a clip takes."""
        images = [cv2.imread(str(file)) for file in sequence.frames[:most]]
        boxes = [None if np.isnan(row).any() else Box(*map(float, row)) for row in sequence.truth[:most]]
        return cls(images, boxes)

    def present(self) -> list[tuple[Image, Box]]:
        """The frames with a target, there and back again until there are enough for a clip."""
        first = next((i for i, box in enumerate(self.boxes) if box is None), len(self.boxes))
        there = [(i, b) for i, b in zip(self.images[:first], self.boxes[:first], strict=True) if b]
        count = BEFORE + GONE + AFTER
        period = there + there[-2:0:-1]
        return [period[k % len(period)] for k in range(count)]


def leaves(footage: Footage, other: Footage, random: np.random.Generator) -> Iterator[Frame]:
    """A target cut out of its footage moves over other footage, leaves at one side and comes back there."""
    scene = other.images + other.images[-2:0:-1]
    height, width = scene[0].shape[:2]
    side, y = random.choice([-1, 1]), random.uniform(0.35, 0.65) * height
    for k, (image, box) in enumerate(footage.present()):
        size = min(1.0, 0.3 * height / box.h, 0.25 * width / box.w)
        w, h = box.w * size, box.h * size
        away = min(_way(k, 0.45 * width, 0.45 * width + 0.6 * w), 0.5 * width + 0.6 * w)
        at = Box.from_center(width / 2 + side * away, y + 0.03 * height * np.sin(k / 9), w, h)
        frame = scene[k % len(scene)].copy()
        _paste(frame, image, box, at)
        yield frame, _seen(at, width, height)


def _way(k: int, near: float, far: float) -> float:
    """Distance from the middle: slowly out to ``near``, then away to ``far``, there, and back."""
    times = [0, BEFORE - 12, BEFORE + 2, BEFORE + GONE - 2, BEFORE + GONE + 12, BEFORE + GONE + AFTER]
    return float(
        np.interp(k, times, [0, 0.8 * near, far + near * 0.2, far + near * 0.2, 0.8 * near, 0.3 * near])
    )


def behind(footage: Footage, other: Footage, random: np.random.Generator) -> Iterator[Frame]:
    """Something of the scene slides in front of the target, stays there, and slides off."""
    frames = footage.present()
    height, width = frames[0][0].shape[:2]
    side = random.choice([-1, 1])
    for k, (image, box) in enumerate(frames):
        w, h = min(int(1.7 * box.w) + 2, width), min(int(1.5 * box.h) + 2, height)
        times = [0, BEFORE - 14, BEFORE, BEFORE + GONE, BEFORE + GONE + 14]
        away = float(np.interp(k, times, [4, 3, 0, 0, 3])) * box.w
        cover = Box.from_center(box.cx + side * away, box.cy, w, h)
        frame = image.copy()
        if away < 2.9 * box.w:
            _cover(frame, image, box, cover)
        hidden = cover.clipped(width, height)
        left = 1 - _overlap(box, hidden) / max(box.area, 1e-9) if away < 2.9 * box.w else 1.0
        yield frame, box if left >= SEEN else None


def cut(footage: Footage, other: Footage, random: np.random.Generator) -> Iterator[Frame]:
    """Another scene, between two cuts."""
    frames = footage.present()
    height, width = frames[0][0].shape[:2]
    start = random.integers(len(other.images) // 2)
    for k, (image, box) in enumerate(frames):
        if BEFORE <= k < BEFORE + GONE:
            elsewhere = other.images[(start + k - BEFORE) % len(other.images)]
            yield cv2.resize(elsewhere, (width, height), interpolation=cv2.INTER_AREA), None
        else:
            yield image, box


def fade(footage: Footage, other: Footage, random: np.random.Generator) -> Iterator[Frame]:
    """To black in ten frames, with a camera's noise, and back."""
    for k, (image, box) in enumerate(footage.present()):
        light = float(np.interp(k, [BEFORE - 8, BEFORE + 2, BEFORE + GONE, BEFORE + GONE + 10], [1, 0, 0, 1]))
        noise = random.normal(0, 1.5, image.shape)
        frame = np.clip(image * light + noise * (light < 1), 0, 255).astype(np.uint8)
        yield frame, box if light >= SEEN else None


def turns(
    footage: Footage, other: Footage, random: np.random.Generator, blurred: bool = False
) -> Iterator[Frame]:
    """The camera turns away, to another scene beside this one, and back."""
    frames = footage.present()
    height, width = frames[0][0].shape[:2]
    drift = np.cumsum(random.normal(0, 0.4, len(frames)))
    times = [BEFORE - 4, BEFORE + 4, BEFORE + GONE - 4, BEFORE + GONE + 4]
    pan = np.interp(range(len(frames)), times, [0, 1, 1, 0]) * 1.05 * width
    for k, (image, box) in enumerate(frames):
        wide = _joined(image, other.images[k % len(other.images)])
        x = int(np.clip(pan[k] + drift[k], 0, wide.shape[1] - width))
        frame = np.ascontiguousarray(wide[:, x : x + width])
        speed = abs(pan[k] - pan[max(k - 1, 0)])
        if blurred and speed > 4:
            frame = cv2.blur(frame, (int(speed / 4), 1))
        yield frame, _seen(Box(box.x - x, box.y, box.w, box.h), width, height)


def blurs(footage: Footage, other: Footage, random: np.random.Generator) -> Iterator[Frame]:
    """`turns` with motion blur."""
    yield from turns(footage, other, random, blurred=True)


def backwards(sequence: Sequence) -> Iterator[Frame]:
    """A sequence from its end, beginning with the target in the frame."""
    rows = [None if np.isnan(row).any() else Box(*map(float, row)) for row in sequence.truth]
    last = max(k for k, box in enumerate(rows) if box is not None)
    for file, box in zip(sequence.frames[last::-1], rows[last::-1], strict=True):
        yield cv2.imread(str(file)), box


KINDS: Mapping[str, Callable[[Footage, Footage, np.random.Generator], Iterator[Frame]]] = {
    "leaves": leaves, "behind": behind, "cut": cut, "fade": fade, "turns": turns, "blurs": blurs,
}  # fmt: skip


def _joined(image: Image, beside: Image) -> Image:
    """A frame with another scene on its right, 1.2 times as wide, blended over a tenth of the width."""
    height, width = image.shape[:2]
    seam, wide = width // 10, width + width // 5
    out = np.empty((height, width + wide - seam, 3), np.uint8)
    right = cv2.resize(beside, (wide, height), interpolation=cv2.INTER_LINEAR)
    out[:, :width], out[:, width:] = image, right[:, seam:]
    share = np.linspace(1, 0, seam)[None, :, None]
    out[:, width - seam : width] = image[:, -seam:] * share + right[:, :seam] * (1 - share)
    return out


def _seen(box: Box, width: int, height: int) -> Box | None:
    inside = box.clipped(width, height)
    return box if inside.area >= SEEN * box.area else None


def _overlap(a: Box, b: Box) -> float:
    w = min(a.right, b.right) - max(a.x, b.x)
    h = min(a.bottom, b.bottom) - max(a.y, b.y)
    return max(w, 0.0) * max(h, 0.0)


def _paste(frame: Image, image: Image, box: Box, at: Box) -> None:
    """Puts the content of a box elsewhere, in an ellipse with a soft edge."""
    w, h = max(round(at.w), 2), max(round(at.h), 2)
    step_x, step_y = box.w / w, box.h / h
    matrix = np.array([[step_x, 0, box.x + step_x / 2 - 0.5], [0, step_y, box.y + step_y / 2 - 0.5]])
    patch = cv2.warpAffine(
        image, matrix, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    y, x = np.mgrid[:h, :w]
    radius = ((x + 0.5 - w / 2) / (w / 2)) ** 4 + ((y + 0.5 - h / 2) / (h / 2)) ** 4
    alpha = np.clip((1.15 - radius) / 0.4, 0, 1)[..., None]
    _blend(frame, patch, alpha, round(at.x), round(at.y))


def _cover(frame: Image, image: Image, box: Box, at: Box) -> None:
    """Covers a place with a piece of the frame from away from the box."""
    height, width = image.shape[:2]
    w, h = round(at.w), round(at.h)
    x = 0 if box.cx > width / 2 else width - w
    y = int(np.clip(round(at.y) + h // 3, 0, height - h))
    patch = image[y : y + h, x : x + w]
    _blend(frame, patch, np.ones((*patch.shape[:2], 1)), round(at.x), round(at.y))


def _blend(frame: Image, patch: Image, alpha: np.ndarray, x: int, y: int) -> None:
    """Mixes a patch into a frame in place, where it lies inside."""
    height, width = frame.shape[:2]
    h, w = patch.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if right <= left or bottom <= top:
        return
    part = np.s_[top - y : bottom - y, left - x : right - x]
    under = frame[top:bottom, left:right]
    under[:] = (under * (1 - alpha[part]) + patch[part] * alpha[part]).astype(np.uint8)


def write(folder: Path, name: str, frames: Iterator[Frame]) -> None:
    """One clip as a sequence in the layout of the Object Tracking Benchmark."""
    images = folder / name / "img"
    images.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, (image, box) in enumerate(frames, 1):
        cv2.imwrite(str(images / f"{index:04d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        rows.append("nan,nan,nan,nan" if box is None else ",".join(f"{v:.2f}" for v in box.moved(1, 1)))
    (images.parent / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")


def plan(names: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Set, kind, sequence, and the sequence that the rest of the footage comes from."""
    kinds = list(KINDS)
    for k, name in enumerate(names):
        for step, part in enumerate(["tune"] * 3 + ["judge"] * 3):
            other = names[(k + 1 + step % 3) % len(names)]
            yield part, kinds[(k + step) % len(kinds)], name, other


def main() -> None:
    """Writes all clips."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sequences", type=Path, help="annotated sequences")
    parser.add_argument("out", type=Path, help="folder for the two sets")
    options = parser.parse_args()
    sequences = {sequence.name: sequence for sequence in Dataset.read(options.sequences)}
    for seed, (part, kind, name, other) in enumerate(plan(list(sequences))):
        footage, rest = Footage.read(sequences[name]), Footage.read(sequences[other])
        write(options.out / part, f"{kind}-{name}", KINDS[kind](footage, rest, np.random.default_rng(seed)))
    for name, sequence in sequences.items():
        if sequence.absent.any():
            write(options.out / "tune", f"backwards-{name}", backwards(sequence))


if __name__ == "__main__":
    main()
