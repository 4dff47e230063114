"""Makes synthetic clips: a patterned target over a moving landscape, with exact ground truth.

Every effect is an independent option of `Clip`. The same options give the same pixels.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Image
from slimtrack.box import Box
from slimtrack.video import _art

__all__ = ["CLIPS", "Clip", "synthesize"]

Matrix: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """A synthetic clip; `frames` gives its images with their ground truth.

    Attributes:
        target: The target's kind.
        seed: Seed of landscape, path and noise.
        length: Number of frames.
        width: Width of a frame, pixels.
        height: Height of a frame, pixels.
        size: Length of the target, pixels.
        motion: How far the target moves: 1 is most of the frame, 0 stands still.
        speed: Number of rounds on its path.
        camera: Pixels a frame by which the landscape moves under the camera.
        scale: Growth and shrinkage: 0.4 is between 1 / 1.4 and 1.4 times its size.
        rotation: Degrees by which it turns to either side.
        illumination: Change of brightness and contrast: 0.5 goes down to a half.
        blur: Greatest length of the motion blur, pixels.
        occlusion: Width of a tree trunk, in widths of the target, behind which it passes in the middle of the
            clip; 1 hides all of it, 0: no tree.
        out_of_view: Whether it leaves the frame for a fifth of the clip and comes back.
        distractor: Whether a look-alike crosses its path.
        noise: Standard deviation of the sensor's noise, grey levels.
    """

    target: Literal["ladybird", "car", "ball"] = "ladybird"
    seed: int = 0
    length: int = 90
    width: int = 320
    height: int = 240
    size: float = 52.0
    motion: float = 0.6
    speed: float = 1.0
    camera: float = 0.4
    scale: float = 0.0
    rotation: float = 0.0
    illumination: float = 0.0
    blur: float = 0.0
    occlusion: float = 0.0
    out_of_view: bool = False
    distractor: bool = False
    noise: float = 2.0

    def frames(self) -> Iterator[tuple[Image, Box | None]]:
        """The frames, each with its ground truth.

        Yields:
            ``(height, width, 3)`` uint8 BGR, and the target's box: tight around its outline, exact to a
            fraction of a pixel, and complete even if a part is hidden or outside; ``None`` if all of it is
            outside the frame.
        """
        scene = _Scene(self)
        for index, box in enumerate(self.truth):
            yield scene.image(index), box

    def images(self) -> Iterator[Image]:
        """The frames alone, as `open_frames` and `follow` take them."""
        return (image for image, _ in self.frames())

    @cached_property
    def truth(self) -> list[Box | None]:
        """The target's box in every frame; ``None`` if it is out of view."""
        boxes = (_bounds(_pose(self, index), _sprite(self).outline) for index in range(self.length))
        return [box if box.clipped(self.width, self.height).area > 0 else None for box in boxes]

    def mask(self, index: int) -> Image:
        """How much of each pixel the target covers in a frame, if nothing hides it.

        Returns:
            ``(height, width)`` uint8; 255: the whole pixel.
        """
        alpha = np.zeros((self.height, self.width), np.float32)
        layer = _warped(_sprite(self), _pose(self, index), self.width, self.height)
        if layer is not None:
            rows, columns, pixels = layer
            alpha[rows, columns] = pixels[..., 3]
        return np.asarray(np.rint(alpha * 255), np.uint8)

    def with_options(self, **options: Any) -> "Clip":
        """The same clip with other options, such as another seed."""
        return replace(self, **options)


def synthesize(clip: Clip | str | None = None, **options: Any) -> Iterator[tuple[Image, Box | None]]:
    """The frames of a clip with their ground truth, as `Clip.frames` gives them.

    Args:
        clip: A clip, or the name of one in `CLIPS`. Default: the plain one.
        **options: Options of `Clip` that differ.
    """
    base = CLIPS[clip] if isinstance(clip, str) else clip or Clip()
    return base.with_options(**options).frames()


CLIPS: dict[str, Clip] = {
    "plain": Clip(),
    "motion": Clip(motion=0.9, speed=2.0, seed=1, target="ball"),
    "scale": Clip(scale=0.6, motion=0.3, seed=2, target="car", size=60),
    "rotation": Clip(rotation=60, motion=0.4, seed=3),
    "illumination": Clip(illumination=0.6, seed=4, target="car", size=60),
    "blur": Clip(blur=13, motion=0.7, seed=5, target="ball"),
    "occlusion": Clip(occlusion=0.8, seed=6, length=100),
    "out-of-view": Clip(out_of_view=True, seed=7, target="car", size=60, length=120),
    "distractor": Clip(distractor=True, seed=8, length=100),
    "demo": Clip(
        width=640, height=360, length=150, size=70, seed=12, motion=0.6, camera=0.8, scale=0.25, rotation=18,
        illumination=0.25, occlusion=0.35, distractor=True,
    ),
    "everything": Clip(
        seed=10, length=120, scale=0.3, rotation=25, illumination=0.4, blur=7, occlusion=0.7,
        out_of_view=True, distractor=True, noise=4,
    ),
}  # fmt: skip
"""Ready clips: one for each effect, and ``plain``, ``demo`` and ``everything``."""


# ------------------------------------------------------------------------------------------------ poses


def _round(clip: Clip, index: float, phase: float, cycles: float) -> float:
    """A sine over the length of the clip, in [-1, 1]."""
    return math.sin(2 * math.pi * (cycles * index / max(clip.length, 1) + phase))


def _pose(clip: Clip, index: int) -> Matrix:
    """``(2, 3)``: from the sprite's unit square, centred at 0, to pixels of the frame."""
    phase = np.random.default_rng((clip.seed, 1)).uniform(size=4)
    reach = 0.5 * clip.motion
    x = clip.width / 2 + reach * (clip.width - clip.size) * _round(clip, index, phase[0], clip.speed)
    y = clip.height / 2 + 0.8 * reach * (clip.height - clip.size) * _round(
        clip, index, phase[1], 0.7 * clip.speed
    )
    if clip.out_of_view:
        # a raised cosine: outside from 45 % to 65 % of the clip, 12 % each for leaving and returning
        away = min(max((0.22 - abs(index / max(clip.length, 1) - 0.55)) / 0.12, 0.0), 1.0)
        x += (clip.width + clip.size - x) * (0.5 - 0.5 * math.cos(math.pi * away))
    grown = (1 + clip.scale) ** _round(clip, index, 0.0, 1.5)
    angle = math.radians(clip.rotation * _round(clip, index, 0.0, 1.3))
    return _placed(x, y, clip.size * grown, angle)


def _rival(clip: Clip, index: int) -> Matrix:
    """The look-alike's pose: it comes from the other side and passes close by in the middle of the clip."""
    mx, my = _pose(replace(clip, out_of_view=False), clip.length // 2)[:, 2]
    time = (index - clip.length / 2) / max(clip.length, 1)
    away = 0.85 * clip.size + 0.25 * clip.height * abs(time)
    return _placed(mx + 1.1 * clip.width * time, my - away, clip.size, 0.3)


def _placed(x: float, y: float, size: float, angle: float) -> Matrix:
    cos, sin = size * math.cos(angle), size * math.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def _bounds(pose: Matrix, outline: npt.NDArray[np.float64]) -> Box:
    points = outline @ pose[:, :2].T + pose[:, 2]
    return Box.from_corners(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


# ---------------------------------------------------------------------------------------------- drawing


@lru_cache(maxsize=16)
def _drawn(target: str, variant: int, size: int) -> _art.Sprite:
    return _art.sprite(target, variant, size)


def _sprite(clip: Clip, variant: int = 0) -> _art.Sprite:
    return _drawn(clip.target, variant, round(clip.size))


Layer: TypeAlias = tuple[slice, slice, npt.NDArray[np.float32]]
"""The part of a layer inside the frame: rows, columns and premultiplied BGRA in [0, 1]."""


def _warped(sprite: _art.Sprite, pose: Matrix, width: int, height: int) -> Layer | None:
    """A sprite in its pose, cut to the frame; ``None`` if it is outside."""
    side = float(np.hypot(pose[0, 0], pose[1, 0]))
    pixels = sprite.level(side)
    reach = side * math.sqrt(0.5) + 2
    left, top = max(math.floor(pose[0, 2] - reach), 0), max(math.floor(pose[1, 2] - reach), 0)
    right, bottom = min(math.ceil(pose[0, 2] + reach), width), min(math.ceil(pose[1, 2] + reach), height)
    if left >= right or top >= bottom:
        return None
    n = pixels.shape[0]
    # from level pixels (centres at whole numbers) over the unit square to pixels of the cut
    matrix = np.hstack([pose[:, :2] / n, np.zeros((2, 1))])
    start = pose[:, :2] @ np.full(2, 0.5 / n - 0.5) + pose[:, 2]
    matrix[:, 2] = start - [left + 0.5, top + 0.5]
    size = (right - left, bottom - top)
    layer = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return slice(top, bottom), slice(left, right), layer


def _over(canvas: npt.NDArray[np.float32], layer: Layer | None) -> None:
    if layer is not None:
        rows, columns, pixels = layer
        part = canvas[rows, columns]
        part *= 1 - pixels[..., 3:]
        part += pixels[..., :3]


class _Scene:
    """Renders a clip's frames: landscape, shadows, look-alike, target, tree, light, blur, noise."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        margin = math.ceil(abs(clip.camera) * clip.length) + 4
        self._land = _art.landscape(clip.seed, clip.width + margin, clip.height + margin // 2 + 4)
        rng = np.random.default_rng((clip.seed, 2))
        shape = (clip.height + 32, clip.width + 32, 3)
        self._noise = np.rint(rng.normal(0, max(clip.noise, 1e-9), shape)).astype(np.int16)
        self._shift = rng.integers(0, 32, (clip.length, 2))
        self._behind = _bounds(
            _pose(replace(clip, out_of_view=False), clip.length // 2), _sprite(clip).outline
        )
        width = max(round(clip.occlusion * self._behind.w), 2)
        self._trunk = _art.trunk(clip.seed, width, clip.height) if clip.occlusion else None

    def image(self, index: int) -> Image:
        """One frame, ``(height, width, 3)`` uint8 BGR."""
        clip = self._clip
        canvas = self._ground(index)
        actors = [(_sprite(clip), _pose(clip, index))]
        if clip.distractor:
            actors.insert(0, (_sprite(clip, variant=1), _rival(clip, index)))
        for sprite, pose in actors:
            low = pose.copy()
            low[:, 2] += 0.06 * clip.size  # light from the upper left
            self._shade(canvas, _warped(sprite.shadow, low, clip.width, clip.height))
            _over(canvas, _warped(sprite, pose, clip.width, clip.height))
        if self._trunk is not None:
            self._plant(canvas, index)
        return self._taken(canvas, index)

    def _ground(self, index: int) -> npt.NDArray[np.float32]:
        clip = self._clip
        x, y = self._pan(index)
        matrix = np.array([[1, 0, -x], [0, 1, -y]])
        view = cv2.warpAffine(self._land, matrix, (clip.width, clip.height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(np.multiply(view, np.float32(1 / 255), dtype=np.float32))

    def _pan(self, index: float) -> tuple[float, float]:
        """The camera's position over the landscape."""
        room = abs(self._clip.camera) * self._clip.length
        x = abs(self._clip.camera) * index if self._clip.camera >= 0 else room + self._clip.camera * index
        return x + 1, 1 + room / 4 * (1 + _round(self._clip, index, 0.1, 0.8))

    def _shade(self, canvas: npt.NDArray[np.float32], layer: Layer | None) -> None:
        if layer is not None:
            rows, columns, pixels = layer
            canvas[rows, columns] *= 1 - 0.5 * pixels[..., 3:]

    def _plant(self, canvas: npt.NDArray[np.float32], index: int) -> None:
        """The tree trunk, fixed in the landscape so that the target passes behind it in mid-clip."""
        clip, trunk = self._clip, self._trunk
        assert trunk is not None
        width = trunk.shape[1]
        start = self._behind.cx - width / 2
        left = start + self._pan(clip.length // 2)[0] - self._pan(index)[0]
        whole = math.floor(left)
        matrix = np.array([[1, 0, left - whole], [0, 1, 0]], float)
        layer = cv2.warpAffine(trunk, matrix, (width + 1, clip.height), borderMode=cv2.BORDER_CONSTANT)
        first, last = max(whole, 0), min(whole + width + 1, clip.width)
        if first < last:
            _over(canvas, (slice(None), slice(first, last), layer[:, first - whole : last - whole]))

    def _taken(self, canvas: npt.NDArray[np.float32], index: int) -> Image:
        """Applies the camera's effects: illumination, blur, noise, 8 bits."""
        clip = self._clip
        low = 0.5 - 0.5 * _round(clip, index, 0.25, 1.0)  # 0 at first, 1 in mid-clip
        gain = 1 - clip.illumination * low
        image: AnyArray = cv2.convertScaleAbs(canvas, alpha=255 * gain, beta=14 * clip.illumination * low)
        strength = clip.blur * (0.5 - 0.5 * _round(clip, index, 0.25, 2.0))
        if strength > 1:
            image = cv2.filter2D(image, -1, _streak(strength, 0.5 + 2 * index / clip.length))
        if clip.noise > 0:
            x, y = self._shift[index]
            grain = self._noise[y : y + clip.height, x : x + clip.width]
            image = cv2.add(image, grain, dtype=cv2.CV_8U)
        return np.asarray(image, np.uint8)


def _streak(length: float, angle: float) -> npt.NDArray[np.float32]:
    """A symmetric motion-blur kernel, a line through the centre, so that the ground truth stays exact."""
    half = math.ceil(length / 2)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    along = np.abs(x * math.cos(angle) + y * math.sin(angle))
    across = np.abs(-x * math.sin(angle) + y * math.cos(angle))
    kernel = np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)
