"""Draws the parts of synthetic clips: targets, landscape, tree trunk. All are pure functions of a seed."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image

__all__ = ["Sprite", "landscape", "sprite", "trunk"]

Pixels: TypeAlias = npt.NDArray[np.float32]

_FINE = 512
"""Side of the canvas that sprites are drawn on: large enough that a smaller copy has soft, exact edges."""


@dataclass(frozen=True)
class Sprite:
    """A drawing on the unit square, with its outline.

    Attributes:
        fine: ``(512, 512, 4)`` float32 premultiplied BGRA in [0, 1].
        outline: ``(n, 2)`` points x, y of its convex hull, the square's centre being 0, 0 and its side 1.
        sides: Sides of the smaller copies, which avoid skipping pixels when the sprite is drawn small.
    """

    fine: Pixels
    outline: npt.NDArray[np.float64]
    sides: tuple[int, ...]

    @cached_property
    def _levels(self) -> list[Pixels]:
        return [cv2.resize(self.fine, (side, side), interpolation=cv2.INTER_AREA) for side in self.sides]

    def level(self, side: float) -> Pixels:
        """The copy to draw at ``side`` pixels, chosen so that bilinear sampling uses every pixel of it."""
        fitting = [level for level in self._levels if level.shape[0] <= 2 * side]
        return max(fitting, key=len) if fitting else min(self._levels, key=len)

    @cached_property
    def shadow(self) -> "Sprite":
        """Its soft shadow, as an alpha channel."""
        dark = np.zeros_like(self.fine)
        dark[..., 3] = cv2.GaussianBlur(self.fine[..., 3], (0, 0), _FINE / 30)
        return Sprite(dark, self.outline, self.sides)


@lru_cache(maxsize=16)
def sprite(target: str, variant: int, size: int) -> Sprite:
    """A target, drawn for use at about ``size`` pixels.

    Args:
        target: ``"ladybird"``, ``"car"`` or ``"ball"``.
        variant: 1 for a look-alike: the same shape with slightly other colours and marks.
        size: Its side in the frames, pixels; copies from a quarter to four times this size are kept.
    """
    painter = {"ladybird": _ladybird, "car": _car, "ball": _ball}[target]
    canvas = _Canvas()
    painter(canvas, variant)
    alpha = canvas.alpha[..., None]
    fine = np.concatenate([canvas.color * alpha, alpha], axis=2).astype(np.float32)
    sides = tuple(sorted({min(max(round(size * factor), 2), _FINE) for factor in (0.25, 0.5, 1, 2, 4)}))
    return Sprite(fine, _outline(canvas.alpha), sides)


def _outline(alpha: Pixels) -> npt.NDArray[np.float64]:
    """The convex hull of the covered pixels' outer corners."""
    rows, columns = np.nonzero(alpha > 0.5)
    corners = [np.stack([columns + dx, rows + dy], axis=1) for dx in (0, 1) for dy in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.int32))
    return np.asarray(hull.reshape(-1, 2) / _FINE - 0.5, np.float64)


def _share(value: Any) -> Pixels:
    return np.asarray(np.clip(value, 0, 1), np.float32)


class _Canvas:
    """Paints anti-aliased shapes in unit coordinates; colours are BGR in [0, 1]."""

    def __init__(self) -> None:
        self.color = np.zeros((_FINE, _FINE, 3), np.float32)
        self.alpha = np.zeros((_FINE, _FINE), np.float32)
        self.y, self.x = ((np.mgrid[:_FINE, :_FINE] + 0.5) / _FINE).astype(np.float32)

    def paint(self, mask: Any, color: tuple[float, float, float] | Pixels) -> None:
        """Paints a colour where a mask in [0, 1] is set."""
        mask = np.asarray(mask, np.float32)
        self.color += mask[..., None] * (np.asarray(color, np.float32) - self.color)
        self.alpha = np.maximum(self.alpha, mask)

    def ellipse(self, x: float, y: float, a: float, b: float) -> Pixels:
        """Coverage of an ellipse with half axes a (across) and b (down)."""
        r = np.hypot((self.x - x) / a, (self.y - y) / b)
        return _share((1 - r) * min(a, b) * _FINE + 0.5)

    def rounded(self, x: float, y: float, a: float, b: float, radius: float) -> Pixels:
        """Coverage of a rectangle with half sides a and b and round corners."""
        dx, dy = np.abs(self.x - x) - a + radius, np.abs(self.y - y) - b + radius
        d = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius
        return _share(-d * _FINE + 0.5)

    def stroke(self, points: list[tuple[float, float]], width: float) -> Pixels:
        """Coverage of a line through points."""
        mask = np.zeros((_FINE, _FINE), np.uint8)
        fixed = np.rint(np.array(points) * _FINE * 16).astype(np.int32)
        cv2.polylines(mask, [fixed], False, 255, max(round(width * _FINE), 1), cv2.LINE_AA, 4)
        return np.asarray(mask / np.float32(255), np.float32)

    def light(self, x: float, y: float, reach: float) -> Pixels:
        """Brightness that is 1 at a point and falls to 0 at distance ``reach``."""
        return _share(1 - np.hypot(self.x - x, self.y - y) / reach)


def _ladybird(c: _Canvas, variant: int) -> None:
    for y, out in ((0.38, -0.10), (0.53, 0.0), (0.69, 0.10)):
        for side in (-1, 1):
            knee = (0.5 + side * 0.40, y + out * 0.4)
            c.paint(c.stroke([(0.5, y), knee, (0.5 + side * 0.46, y + out)], 0.035), (0.08, 0.08, 0.10))
    for side in (-1, 1):
        c.paint(
            c.stroke([(0.5, 0.2), (0.5 + side * 0.1, 0.09), (0.5 + side * 0.17, 0.05)], 0.022),
            (0.1, 0.1, 0.1),
        )
    c.paint(c.ellipse(0.5, 0.22, 0.17, 0.13), (0.10, 0.09, 0.09))
    for side in (-1, 1):
        c.paint(c.ellipse(0.5 + side * 0.1, 0.19, 0.04, 0.045), (0.85, 0.93, 0.95))
    shell = c.ellipse(0.5, 0.58, 0.36, 0.38)
    red = (0.10, 0.14, 0.86) if variant == 0 else (0.08, 0.30, 0.88)
    depth = 1 - 0.55 * np.clip(np.hypot((c.x - 0.42) / 0.5, (c.y - 0.48) / 0.55), 0, 1) ** 2
    c.paint(shell, np.asarray(red, np.float32) * depth[..., None])
    dots = [(0.36, 0.42, 0.066), (0.64, 0.42, 0.066), (0.30, 0.62, 0.074), (0.70, 0.62, 0.074),
            (0.40, 0.80, 0.060), (0.60, 0.80, 0.060)]  # fmt: skip
    for x, y, r in dots[:: 1 if variant == 0 else -1][: 6 - variant]:
        c.paint(c.ellipse(x, y, r, r) * shell, (0.07, 0.06, 0.07))
    c.paint(c.stroke([(0.5, 0.24), (0.5, 0.95)], 0.018) * shell, (0.06, 0.05, 0.08))
    c.paint(0.65 * c.light(0.37, 0.36, 0.2) ** 1.5 * shell, (1.0, 1.0, 1.0))


def _car(c: _Canvas, variant: int) -> None:
    for x in (0.24, 0.76):
        for y in (0.24, 0.77):
            c.paint(c.rounded(x, y, 0.055, 0.09, 0.03), (0.08, 0.08, 0.08))
    body = c.rounded(0.5, 0.5, 0.25, 0.46, 0.12)
    paint = (0.78, 0.38, 0.08) if variant == 0 else (0.62, 0.52, 0.10)
    shade = 1.15 - 0.5 * np.abs(c.x - 0.45) / 0.3
    c.paint(body, np.asarray(paint, np.float32) * shade[..., None])
    for x in (0.46, 0.54):
        c.paint(c.rounded(x, 0.5, 0.022, 0.47, 0.01) * body, (0.95, 0.97, 0.98))
    c.paint(c.rounded(0.5, 0.56, 0.20, 0.24, 0.08), np.asarray((0.20, 0.16, 0.13), np.float32))
    c.paint(c.rounded(0.5, 0.57, 0.165, 0.14, 0.05), np.asarray(paint, np.float32) * (shade[..., None] + 0.1))
    for x in (0.46, 0.54):
        c.paint(c.rounded(x, 0.57, 0.022, 0.14, 0.0), (0.95, 0.97, 0.98))
    c.paint(0.8 * c.rounded(0.42, 0.365, 0.07, 0.02, 0.02), (0.95, 0.9, 0.8))
    for x in (0.33, 0.67):
        c.paint(c.ellipse(x, 0.085, 0.05, 0.032), (0.75, 0.97, 1.0))
        c.paint(c.rounded(x, 0.935, 0.05, 0.016, 0.01), (0.10, 0.10, 0.90))
    c.paint(c.ellipse(0.5, 0.2, 0.07, 0.07), (0.97, 0.97, 0.97))
    c.paint(c.ellipse(0.5, 0.2, 0.045, 0.045) * (np.abs(c.x - 0.5 + variant * 0.03) < 0.014), (0.1, 0.1, 0.7))


def _ball(c: _Canvas, variant: int) -> None:
    ball = c.ellipse(0.5, 0.5, 0.47, 0.47)
    # gores around a pole that is tilted towards the viewer
    px, py = 0.40, 0.36
    angle = (np.arctan2(c.y - py, c.x - px) / (2 * math.pi) + 0.08 + 0.04 * variant) % 1
    colors = np.array(
        [(0.20, 0.20, 0.92), (0.96, 0.96, 0.96), (0.90, 0.55, 0.15), (0.15, 0.80, 0.98), (0.96, 0.96, 0.96),
         (0.35, 0.72, 0.20)], np.float32
    )  # fmt: skip
    if variant:
        colors = colors[[2, 1, 0, 5, 4, 3]]
    place = angle * len(colors)
    first = np.floor(place).astype(int) % len(colors)
    mix = np.clip((place % 1) * np.hypot(c.x - px, c.y - py) * _FINE, 0, 1)[..., None]
    gores = colors[first - 1] * (1 - mix) + colors[first] * mix
    depth = 1.05 - 0.6 * np.clip(np.hypot(c.x - 0.38, c.y - 0.36) / 0.72, 0, 1) ** 2
    c.paint(ball, np.clip(gores * depth[..., None], 0, 1))
    c.paint(c.ellipse(px, py, 0.075, 0.075), (0.97, 0.97, 0.97))
    c.paint(0.6 * c.light(0.33, 0.27, 0.16) * ball, (1.0, 1.0, 1.0))


# -------------------------------------------------------------------------------------------- landscape


def _clouds(rng: np.random.Generator, width: int, height: int, cell: float, octaves: int = 5) -> Pixels:
    """Smooth noise of several octaves in about [0, 1], the largest features ``cell`` pixels wide."""
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for _ in range(octaves):
        size = (math.ceil(width / cell) + 3, math.ceil(height / cell) + 3)
        grid = rng.random(size[::-1], np.float32)
        big = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        total += weight * (big[:height, :width] - 0.5)
        weight, cell = weight * 0.55, max(cell / 2, 1.0)
    return _share(total / 1.6 + 0.5)


@lru_cache(maxsize=4)
def landscape(seed: int, width: int, height: int) -> Image:
    """A meadow with flowers, a winding cobbled path, boulders and a pond, lit from the upper left.

    Returns:
        ``(height, width, 3)`` uint8 BGR, read-only.
    """
    rng = np.random.default_rng((seed, 0))
    ground = _meadow(rng, width, height)
    _pond(ground, rng)
    _path(ground, rng)
    for _ in range(round(width * height / 9000)):
        _boulder(ground, rng)
    _flowers(ground, rng)
    ground *= (0.8 + 0.4 * _clouds(rng, width, height, 160, 2))[..., None]  # shadows of clouds
    image = np.asarray(np.clip(ground * 255, 0, 255), np.uint8)
    image.flags.writeable = False
    return image


def _mixed(low: Any, high: Any, share: Pixels) -> Pixels:
    a, b = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return np.asarray(a + (b - a) * share[..., None], np.float32)


def _meadow(rng: np.random.Generator, width: int, height: int) -> Pixels:
    patches, fine = _clouds(rng, width, height, 90), _clouds(rng, width, height, 10, 4)
    ground = _mixed((0.12, 0.32, 0.20), (0.22, 0.58, 0.48), patches)
    dry = np.clip((_clouds(rng, width, height, 70) - 0.55) * 5, 0, 1)
    ground += (_mixed((0.25, 0.42, 0.52), (0.42, 0.62, 0.72), fine) - ground) * (0.8 * dry[..., None])
    relief = cv2.Sobel(fine, cv2.CV_32F, 1, 1, ksize=3) + fine - 0.5
    blades = cv2.blur(rng.random((height, width), np.float32), (1, 5)) - 0.5  # grass: short upright strokes
    return np.asarray(ground * (1 + 0.5 * relief + 0.9 * blades)[..., None], np.float32)


def _pond(ground: Pixels, rng: np.random.Generator) -> None:
    height, width = ground.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy, r = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height, 0.2 * height
    shore = np.hypot((x - cx) / 1.5, y - cy) / r + 0.9 * (_clouds(rng, width, height, 60, 3) - 0.5)
    waves = _clouds(rng, width, height, 24, 3)
    waves = cv2.GaussianBlur(waves, (0, 0), sigmaX=3, sigmaY=0.7)
    sand = np.clip((1.12 - shore) * 14, 0, 1)[..., None]
    water = np.clip((1 - shore) * 20, 0, 1)[..., None]
    ground += (np.array([0.45, 0.66, 0.76], np.float32) * (0.75 + 0.5 * waves[..., None]) - ground) * sand
    ground += (_mixed((0.42, 0.30, 0.10), (0.86, 0.72, 0.42), np.clip(3 * waves - 1, 0, 1)) - ground) * water


def _path(ground: Pixels, rng: np.random.Generator) -> None:
    """A cobbled path: Voronoi cells of random points, each in one colour, with dark joints."""
    height, width = ground.shape[:2]
    seeds = np.full((height, width), 255, np.uint8)
    step = 13
    for row, y in enumerate(range(3, height, step)):
        xs = np.arange(3 + (row % 2) * step // 2, width, step) + rng.integers(-3, 4, 1)
        ys = np.clip(y + rng.integers(-3, 4, xs.size), 0, height - 1)
        seeds[ys, np.clip(xs + rng.integers(-3, 4, xs.size), 0, width - 1)] = 0
    far, cells = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    stones = rng.uniform(0.42, 0.78, (cells.max() + 1, 1)) + rng.normal(0, 0.035, (cells.max() + 1, 3))
    stone = stones.astype(np.float32)[cells]
    edges = cv2.morphologyEx(cells.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    joints = cv2.GaussianBlur(edges.astype(np.float32), (0, 0), 0.8)
    stone *= (1.12 - 0.03 * far - 0.75 * joints)[..., None]
    x = np.arange(width, dtype=np.float32)
    center = height * (0.55 + 0.24 * np.sin(x / width * 2 * math.pi * 1.3 + rng.uniform(0, 6)))
    y = np.mgrid[:height, :width][0].astype(np.float32)
    across = np.abs(y - center) + 16 * (_clouds(rng, width, height, 30, 3) - 0.5)
    band = np.clip((0.12 * height - across) / 2, 0, 1)[..., None]
    ground += (stone - ground) * band


def _boulder(ground: Pixels, rng: np.random.Generator) -> None:
    height, width = ground.shape[:2]
    r = rng.uniform(4, 11)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    left, top = max(int(x - 2 * r), 0), max(int(y - 2 * r), 0)
    part = ground[top : int(y + 2 * r), left : int(x + 2 * r)]
    if part.size == 0:
        return
    v, u = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32) + 0.5
    u, v = (u + left - x) / r, (v + top - y) / (0.75 * r)
    wobble = 1 + 0.12 * np.sin(3 * np.arctan2(v, u) + x) + 0.06 * np.sin(7 * np.arctan2(v, u) + y)
    shadow = np.clip(1.4 - np.hypot(u - 0.35, v - 0.4) / wobble, 0, 1)[..., None]
    part *= 1 - 0.6 * np.minimum(2 * shadow, 1)
    inside = np.clip((1 - np.hypot(u, v) / wobble) * r * 0.8, 0, 1)[..., None]
    light = 0.62 - 0.28 * (u + v) + 0.1 * (rng.random(u.shape, np.float32) - 0.5)
    tint = np.array([0.95, 1.0, 1.03], np.float32) * np.float32(rng.uniform(0.7, 1.1))
    part += (light[..., None] * tint - part) * inside


def _flowers(ground: Pixels, rng: np.random.Generator) -> None:
    height, width = ground.shape[:2]
    colors = [
        (0.95, 0.97, 0.98),
        (0.20, 0.85, 0.98),
        (0.85, 0.45, 0.75),
        (0.30, 0.35, 0.95),
        (0.95, 0.60, 0.45),
    ]
    for _ in range(round(width * height / 12000)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        color = colors[rng.integers(len(colors))]
        for _ in range(int(rng.integers(4, 12))):
            at = (int(16 * (x + rng.normal(0, 9))), int(16 * (y + rng.normal(0, 9))))
            radius = int(16 * rng.uniform(1.0, 2.2))
            cv2.circle(ground, at, radius, color, -1, cv2.LINE_AA, 4)
            cv2.circle(ground, at, radius // 3, (0.1, 0.65, 0.85), -1, cv2.LINE_AA, 4)


@lru_cache(maxsize=4)
def trunk(seed: int, width: int, height: int) -> Pixels:
    """A tree trunk that crosses the picture from top to bottom.

    Returns:
        ``(height, width, 4)`` float32 premultiplied BGRA in [0, 1].
    """
    rng = np.random.default_rng((seed, 3))
    bark = _clouds(rng, width, height, 8, 3)
    bark = cv2.GaussianBlur(bark, (0, 0), sigmaX=0.6, sigmaY=5)
    bark = (bark - bark.min()) / max(float(np.ptp(bark)), 1e-6)
    across = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    round_ = np.sqrt(np.clip(1 - (0.9 * across) ** 2, 0, 1)) * (1 - 0.25 * across)
    color = _mixed((0.08, 0.14, 0.20), (0.36, 0.50, 0.62), bark) * round_[None, :, None]
    return np.dstack([np.clip(color, 0, 1), np.ones((height, width), np.float32)]).astype(np.float32)
