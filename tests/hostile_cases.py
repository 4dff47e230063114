"""Hostile input, as data: what is thrown at a tracker and what has to come of it.

One table for the tests of our trackers (`test_hostile.py`) and for the comparison with OpenCV's
(``benchmarks/hostile.py``).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import numpy as np

__all__ = ["CASES", "Case", "scene"]

Outcome = Literal["refuses image", "refuses box", "refuses update", "survives", "lost"]
"""What has to come of a case.

``refuses image``, ``refuses box``: an `InputError` that starts with the argument's name;
``refuses update``: a `NotStartedError`; ``survives``: finite boxes and scores;
``lost``: the same, and LOST is said within ten frames and until the end.
"""

WIDTH, HEIGHT = 160, 120
BOX = (60, 40, 36, 28)


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        title: In a few words.
        expected: What has to come of it.
        first: The frame given to ``init``; no ``init`` at all when absent.
        box: The box given to ``init``.
        later: The frames given to ``update``, made when asked for.
    """

    title: str
    expected: Outcome
    first: Callable[[], Any] | None
    box: Any = BOX
    later: Callable[[], Iterator[Any]] = lambda: (scene(i) for i in range(1, 6))


def scene(index: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A textured target that drifts to the right over a textured ground, ``(height, width, 3)`` uint8."""
    rng = np.random.default_rng(7)
    ground = rng.integers(60, 130, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    image = ground.repeat(4, axis=0).repeat(4, axis=1)[:height, :width].copy()
    target = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    x, y = BOX[0] + index % 20, BOX[1]
    room = image[y : y + 28, x : x + 36]
    room[:] = target[: room.shape[0], : room.shape[1]]
    return image


def constant(value: int, count: int = 300) -> Iterator[np.ndarray]:
    """The same frame of one colour, many times."""
    return repeat(np.full((HEIGHT, WIDTH, 3), value, np.uint8), count)


def random_frames(count: int) -> Iterator[np.ndarray]:
    """Noise, another one each frame."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        yield rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def flashing(count: int) -> Iterator[np.ndarray]:
    """The scene, black, the scene, white, .."""
    for index in range(count):
        yield (
            scene(index) if index % 2 == 0 else np.full((HEIGHT, WIDTH, 3), 255 * (index % 4 == 3), np.uint8)
        )


def with_nan() -> np.ndarray:
    """A float frame with a hole of ``nan``."""
    image = scene().astype(np.float32)
    image[50:60, 70:80] = np.nan
    return image


def read_only(index: int = 0) -> np.ndarray:
    """A frame that cannot be written to."""
    image = scene(index)
    image.setflags(write=False)
    return image


def sizes(width: int, height: int) -> tuple[Callable[[], np.ndarray], Callable[[], Iterator[np.ndarray]]]:
    """A first frame of a size and five later ones."""

    def frames() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(5)
        return iter(rng.integers(0, 256, (6, height, width, 3), dtype=np.uint8))

    return lambda: next(frames()), lambda: iter(list(frames())[1:])


def box_case(title: str, expected: Outcome, box: Any) -> Case:
    """A good frame with this box."""
    return Case(f"box: {title}", expected, scene, box)


def first_case(title: str, make: Callable[[], Any]) -> Case:
    """A first frame that has to be refused."""
    return Case(f"first frame: {title}", "refuses image", make)


def later_case(title: str, make: Callable[[], Any], expected: Outcome = "refuses image") -> Case:
    """A good start, then this frame."""
    return Case(f"later frame: {title}", expected, scene, later=lambda: iter([scene(1), make()]))


def size_case(width: int, height: int, box: tuple[float, float, float, float]) -> Case:
    """Frames of an odd size."""
    first, later = sizes(width, height)
    return Case(f"frames of {width} x {height}", "survives", first, box, later)


CASES: list[Case] = [
    Case("update before init", "refuses update", None),
    # Boxes that are none
    box_case("empty, 0 x 0", "refuses box", (60, 40, 0, 0)),
    box_case("no width", "refuses box", (60, 40, 0, 28)),
    box_case("half a pixel", "refuses box", (60.0, 40.0, 0.5, 0.5)),
    box_case("negative size", "refuses box", (60, 40, -36, -28)),
    box_case("nan", "refuses box", (math.nan, 40.0, 36.0, 28.0)),
    box_case("infinite", "refuses box", (60.0, 40.0, math.inf, 28.0)),
    box_case("fully outside", "refuses box", (500, 400, 36, 28)),
    box_case("fully outside, negative", "refuses box", (-100, -100, 36, 28)),
    box_case("nearly outside", "refuses box", (-34, 40, 36, 28)),
    box_case("huge, a million pixels wide", "refuses box", (-500_000, -500_000, 1_000_000, 1_000_000)),
    box_case("1e308", "refuses box", (1e308, 1e308, 1e308, 1e308)),
    box_case("three numbers", "refuses box", (60, 40, 36)),
    box_case("a text", "refuses box", "60,40,36,28"),
    box_case("none", "refuses box", None),
    # Boxes that are odd
    box_case("1 x 1", "survives", (60, 40, 1, 1)),
    box_case("2 x 2", "survives", (60, 40, 2, 2)),
    box_case("1 x 80", "survives", (60, 20, 1, 80)),
    box_case("140 x 1", "survives", (10, 40, 140, 1)),
    box_case("fractions of pixels", "survives", (60.3, 40.7, 36.2, 28.9)),
    box_case("partly outside", "survives", (-18, -10, 36, 28)),
    box_case("the whole frame", "survives", (0, 0, WIDTH, HEIGHT)),
    box_case("larger than the frame", "survives", (-40, -30, WIDTH + 80, HEIGHT + 60)),
    box_case("twice the frame's sides", "survives", (-80, -60, 2 * WIDTH, 2 * HEIGHT)),
    # First frames that are none
    first_case("no pixels, 0 x 0", lambda: np.zeros((0, 0, 3), np.uint8)),
    first_case("no rows", lambda: np.zeros((0, 160, 3), np.uint8)),
    first_case("none", lambda: None),
    first_case("a list", lambda: scene().tolist()),
    first_case("one dimension", lambda: scene().ravel()),
    first_case("four dimensions", lambda: scene()[None]),
    first_case("two channels", lambda: scene()[..., :2].copy()),
    first_case("four channels", lambda: np.dstack([scene(), scene()[..., :1]])),
    first_case("float32", lambda: scene().astype(np.float32)),
    first_case("float64 with nan", lambda: with_nan().astype(np.float64)),
    first_case("uint16", lambda: scene().astype(np.uint16) * 257),
    first_case("bool", lambda: scene() > 99),
    first_case("objects", lambda: scene().astype(object)),
    # Later frames that are none, or other than the first
    later_case("no pixels", lambda: np.zeros((0, 0, 3), np.uint8)),
    later_case("none", lambda: None),
    later_case("smaller", lambda: scene()[:90, :120].copy()),
    later_case("larger", lambda: scene(0, 320, 240)),
    later_case("on its side", lambda: scene().transpose(1, 0, 2).copy()),
    later_case("one pixel", lambda: scene()[:1, :1].copy()),
    later_case("four channels", lambda: np.dstack([scene(), scene()[..., :1]])),
    later_case("float32", lambda: scene().astype(np.float32)),
    later_case("nan", with_nan),
    later_case("uint16", lambda: scene().astype(np.uint16) * 257),
    later_case("grey after colour", lambda: scene()[..., 0].copy(), "survives"),
    # Frames of odd sizes
    size_case(1, 1, (0, 0, 1, 1)),
    size_case(2, 2, (0, 0, 1, 1)),
    size_case(1, 200, (0, 50, 1, 60)),
    size_case(200, 1, (50, 0, 60, 1)),
    size_case(5, 3, (1, 1, 2, 1)),
    size_case(40_000, 4, (100, 1, 30, 2)),
    # Arrays of odd layouts
    Case("grey frames", "survives", lambda: scene()[..., 0].copy(),
         later=lambda: (scene(i)[..., 0].copy() for i in range(1, 6))),
    Case("every second column of an array", "survives", lambda: scene().repeat(2, axis=1)[:, ::2],
         later=lambda: (scene(i).repeat(2, axis=1)[:, ::2] for i in range(1, 6))),
    Case("upside down, colours swapped, as views", "survives", lambda: scene()[::-1, :, ::-1],
         later=lambda: (scene(i)[::-1, :, ::-1] for i in range(1, 6))),
    Case("column-major arrays", "survives", lambda: np.asfortranarray(scene()),
         later=lambda: (np.asfortranarray(scene(i)) for i in range(1, 6))),
    Case("read-only arrays", "survives", read_only, later=lambda: (read_only(i) for i in range(1, 6))),
    # Nothing to see
    Case("300 black frames", "lost", scene, later=lambda: constant(0)),
    Case("300 white frames", "lost", scene, later=lambda: constant(255)),
    Case("300 grey frames", "lost", scene, later=lambda: constant(128)),
    Case("black from the first frame on, 300", "lost", lambda: next(constant(0)), later=lambda: constant(0)),
    Case("grey from the first frame on, 300", "lost", lambda: next(constant(99)), later=lambda: constant(99)),
    Case("black first, then a scene", "survives", lambda: next(constant(0))),
    Case("noise in every frame", "survives", scene, later=lambda: random_frames(40)),
    Case("flashing black and white", "survives", scene, later=lambda: flashing(40)),
]  # fmt: skip
