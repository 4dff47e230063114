"""Where the milliseconds of a frame go, and how far each part is from its floor; writes docs/performance.md.

Command: ``SLIMTRACK_NETWORKS=weights python benchmarks/performance.py sequences/otb/Girl --write``

One thread. Every part is timed by a clock around it, less the parts inside it. A floor is what the part's
arithmetic would take at the speed of this core's matrix products, or its bytes at the speed of its copies,
whichever is longer; both speeds are measured first.
"""

import argparse
import contextlib
import functools
import importlib
import inspect
import pkgutil
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import slimtrack.features
import slimtrack.filters
from _names import ours
from slimtrack.box import Box
from slimtrack.datasets import Dataset
from slimtrack.evaluation.once import DecodedFrames
from slimtrack.features.hog import Hog
from slimtrack.filters.fft import rfft2
from slimtrack.registry import create
from slimtrack.timing import single_thread

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
MARKS = ("<!-- table:performance -->\n", "<!-- end of table:performance -->")
METHODS = {
    "learn": "learn",
    "respond": "respond",
    "spectrum": "respond",
    "transform": "respond",
    "best": "respond",
}
PARTS = ("cut", "HOG", "colour, grey", "network", "respond", "learn", "peak", "score", "rest")


class Parts:
    """Clocks around functions, each less what runs inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a clock around it."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - start
                self.seconds[part] += took - self._inside.pop()
                self._inside[-1] += took

        return timed


def _modules(package: Any) -> Iterator[Any]:
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(info.name)


def _feature_part(name: str) -> str | None:
    parts = {"Hog": "HOG", "ColorNames": "colour, grey", "Grey": "colour, grey"}
    return parts.get(name, "network" if name.startswith("Network") else None)


def install(parts: Parts) -> None:
    """Puts clocks around everything of interest, wherever it has been imported to."""
    for module in _modules(slimtrack.filters):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and not getattr(cls, "_is_protocol", False):
                for method, part in METHODS.items():
                    if method in vars(cls):
                        setattr(cls, method, parts.around(part, vars(cls)[method]))
    for module in _modules(slimtrack.features):
        for name, cls in inspect.getmembers(module, inspect.isclass):
            part = _feature_part(name)
            if part and cls.__module__ == module.__name__ and "__call__" in vars(cls):
                cls.__call__ = parts.around(part, vars(cls)["__call__"])
    for where, name, part in (
        ("search", "extract", "cut"),
        ("filters.response", "evidence", "score"),
        ("filters.response", "peak", "peak"),
        ("filters.newton", "newton_peak", "peak"),
    ):
        _replace(getattr(importlib.import_module(f"slimtrack.{where}"), name), part, parts)
    appearance = importlib.import_module("slimtrack.appearance").Appearance
    appearance.evidence = parts.around("score", appearance.evidence)


def _replace(function: Callable[..., Any], part: str, parts: Parts) -> None:
    timed = parts.around(part, function)
    for module in [m for n, m in sys.modules.items() if n.startswith("slimtrack")]:
        for name, value in list(vars(module).items()):
            if value is function:
                setattr(module, name, timed)


def profile(
    name: str, frames: DecodedFrames, first: Box, parts: Parts
) -> tuple[list[float], dict[str, float]]:
    """Milliseconds of every update, and the mean milliseconds of each part."""
    tracker, took = create(name), []
    for index, image in enumerate(frames):
        if index == 0:
            tracker.init(image, first)
            continue
        if index == 6:
            parts.seconds.clear()
            took.clear()
        start = time.perf_counter()
        tracker.update(image)
        took.append(1e3 * (time.perf_counter() - start))
    shares = {part: 1e3 * seconds / len(took) for part, seconds in parts.seconds.items()}
    shares["rest"] = float(np.mean(took)) - sum(shares.values())
    return took, shares


def best_of(work: Callable[[], Any], repeats: int = 30) -> float:
    """Fewest seconds of several runs: what the machine can do when nothing else runs."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def floors() -> tuple[str, str]:
    """The speed of this core, and how far parts of fixed size are from it."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1024, 1024)).astype(np.float32)
    flops = 2 * 1024**3 / best_of(lambda: a @ a, 10)
    block = np.zeros(1 << 25, np.uint8)
    other = np.empty_like(block)
    bandwidth = 2 * block.nbytes / best_of(lambda: np.copyto(other, block), 10)
    rows = [_row(name, work, n, size, flops, bandwidth) for name, work, n, size in _cases(rng)]
    speed = f"This core: {flops / 1e9:.0f} GFLOP/s in matrix products, {bandwidth / 1e9:.1f} GB/s in copies."
    head = "| part | ms | floor, arithmetic | floor, bytes | times the higher floor |\n|---|---|---|---|---|"
    return speed, "\n".join([head, *rows])


def _row(name: str, work: Callable[[], Any], n: float, size: float, flops: float, bandwidth: float) -> str:
    took = best_of(work)
    low = n / flops, size / bandwidth
    return f"| {name} | {1e3 * took:.2f} | {1e3 * low[0]:.3f} | {1e3 * low[1]:.3f} | {took / max(low):.1f} |"


def _cases(rng: np.random.Generator) -> Iterator[tuple[str, Callable[[], Any], float, float]]:
    """Name, work, operations, bytes that must be read and written at least."""
    patch = rng.integers(0, 256, (256, 256, 3), np.uint8)
    hog = Hog()
    pixels = 256 * 256
    # Gradient, its square and comparison for three colours; root, bin and four weighted sums a pixel.
    yield "HOG, 256 x 256 x 3", lambda: hog(patch), pixels * (3 * 6 + 20), pixels * 3 + 31 * 64 * 64 * 4
    x = rng.standard_normal((31, 64, 64)).astype(np.float32)
    operations = 31 * 2.5 * 64 * 64 * np.log2(64 * 64)
    yield "rfft2 of 31 x 64 x 64", lambda: rfft2(x), operations, 2 * x.nbytes
    z = rfft2(x)
    yield "product and sum of spectra", lambda: (z * z.conj()).sum(axis=0), 8 * z.size, 2 * z.nbytes
    with contextlib.suppress(Exception):  # without the network there is no row for it
        from slimtrack.networks import zoo

        network = zoo.find("cf_vggm").truncate("relu3")
        batch = network.prepare(rng.integers(0, 256, (224, 224, 3), np.uint8))
        held = batch.nbytes + network.bytes
        yield "CF-VGG to relu3, 224 x 224", lambda: network.run(batch), network.flops(224, "double"), held


def table(results: dict[str, tuple[list[float], dict[str, float]]]) -> str:
    lines = [
        "| tracker | p50 ms | p95 ms | mean | " + " | ".join(PARTS) + " |",
        "|---" * (4 + len(PARTS)) + "|",
    ]
    for name, (took, parts) in results.items():
        p50, p95 = np.percentile(took, [50, 95])
        cells = " | ".join(
            f"{parts.get(part, 0.0):.2f}" if parts.get(part, 0) > 0.005 else "" for part in PARTS
        )
        lines.append(f"| {name} | {p50:.2f} | {p95:.2f} | {np.mean(took):.2f} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sequence", type=Path, help="a folder with img/ and groundtruth_rect.txt")
    parser.add_argument("--trackers", default=",".join(ours()))
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    args = parser.parse_args()
    with single_thread():
        speed, parts_table = floors()
        parts = Parts()
        install(parts)
        sequence = next(one for one in Dataset.read(args.sequence.parent) if one.name == args.sequence.name)
        frames, first = DecodedFrames(sequence.frames), Box(*sequence.truth[0])
        names = args.trackers.split(",")
        results = {name: profile(name, frames, first, parts) for name in names}
    text = f"{table(results)}\n\n{speed}\n\n{parts_table}\n"
    print(text)
    if args.write:
        pattern = re.compile(f"({re.escape(MARKS[0])}).*?({re.escape(MARKS[1])})", re.DOTALL)
        PAGE.write_text(pattern.sub(lambda match: f"{match[1]}{text}{match[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()
