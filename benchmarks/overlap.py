"""What ATOM's parts cost beside its network: classifier, pooling, box refinement, each with its floor.

Command: ``python benchmarks/overlap.py [--seconds 2]``

The processor time of one thread, to which other work on the machine adds little: the lowest of all runs, in
which the parts take turns. The floor is the time of the matrix products alone, of the same sizes, by the same
library. Numbers are drawn; they change no time.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from backbones import least_ms
from slimtrack.arrays import Features
from slimtrack.online.classifier import Classifier, Learning, label
from slimtrack.online.overlap import STRIDES, Head, Predictor, Searched, refined
from slimtrack.online.pooling import pool
from slimtrack.online.samples import SampleMemory
from slimtrack.timing import cpu_name, gc_paused, single_thread

PIXELS, CELLS = 288, (18, 18)
LOOKS, CAPACITY, PROPOSALS, STEPS = 21, 250, 10, 5
RNG = np.random.default_rng(0)


class Sizes(NamedTuple):
    """Channels of block 4, of the predictor, and between the classifier's layers."""

    name: str
    block4: int
    head: int
    dims: int


CASES = Sizes("ATOM", 256, 256, 64), Sizes("students", 96, 64, 32)

Run = Callable[[], Any]


def drawn(*shape: int) -> Features:
    return RNG.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)


def predictor(width: int) -> Predictor:
    shapes = {
        "reference3": 9 * width, "modulation3": 2 * width, "modulation4": 2 * width, "overlap3": 25 * width,
        "overlap4": 9 * width,
    }  # fmt: skip
    weights = {f"{name}_w": drawn(width, inputs) for name, inputs in shapes.items()}
    weights |= {f"{name}_b": drawn(width) for name in shapes}
    head = Head(weights | {"iou_w": drawn(1, 2 * width), "iou_b": drawn(1)})
    maps = [drawn(width, PIXELS // stride, PIXELS // stride) for stride in STRIDES]
    made = head.modulated(maps, np.array([115, 115, 173, 173]))
    made.look(lambda area: Searched(maps, [(0, 0)] * 2, np.array([-np.inf] * 2 + [np.inf] * 2)))
    return made


def boxes() -> Features:
    return np.asarray(np.array([115, 115, 173, 173]) + RNG.normal(0, 6, (PROPOSALS, 4)), np.float32)


def refinement(sizes: Sizes) -> tuple[Run, Run]:
    made, proposals = predictor(sizes.head), boxes()
    layers = [drawn(sizes.head, bins**2 * sizes.head) for bins in (5, 3)]
    pooled = [drawn(PROPOSALS, layer.shape[1]) for layer in layers]

    def floor() -> None:
        for layer, inputs in zip(layers, pooled, strict=True):
            for _ in range(STEPS):
                (layer @ inputs.T).T @ layer
            layer @ inputs.T

    return lambda: refined(made, proposals, steps=STEPS, length=1.0, best=3), floor


def pooling(sizes: Sizes) -> tuple[Run, Run]:
    """Both blocks; the floor is the products of 3 x 3 cells a bin."""
    maps = [drawn(PIXELS // stride, PIXELS // stride, sizes.head) for stride in STRIDES]
    outs = [np.empty((PROPOSALS, bins, bins, sizes.head), np.float32) for bins in (5, 3)]
    cells = [boxes() / stride for stride in STRIDES]
    touched = drawn(9, sizes.head), drawn(PROPOSALS * (25 + 9), 9)

    def run() -> None:
        for each, at, out in zip(maps, cells, outs, strict=True):
            pool(each, at, out)

    return run, lambda: touched[1] @ touched[0]


def first_frame(sizes: Sizes) -> tuple[Run, Run]:
    maps, labels = drawn(LOOKS, sizes.block4, *CELLS), np.stack([label((9, 9), CELLS, 0.9)] * LOOKS)
    learning = Learning(dims=sizes.dims)
    products = learning.steps * (learning.first_iterations + 2)
    flat, whole = maps.reshape(LOOKS, sizes.block4, -1), drawn(16, sizes.block4)

    def floor() -> None:
        for _ in range(products):
            (whole @ flat) @ flat.swapaxes(1, 2)

    return lambda: Classifier(sizes.block4, learning).start(maps, labels), floor


def update(sizes: Sizes) -> tuple[Run, Run]:
    labels = np.stack([label((9, 9), CELLS, 0.9)] * CAPACITY)
    learning = Learning(dims=sizes.dims)
    classifier = Classifier(sizes.block4, learning)
    classifier.start(drawn(LOOKS, sizes.block4, *CELLS), labels[:LOOKS])
    memory = SampleMemory(drawn(CAPACITY, sizes.dims, 18 * 18), labels, capacity=CAPACITY, rate=0.01)
    samples, whole = memory.samples, classifier.filter.copy()

    def floor() -> None:
        for _ in range(learning.iterations + 2):
            (whole @ samples) @ samples.swapaxes(1, 2)

    return lambda: classifier.train(memory), floor


def response(sizes: Sizes) -> tuple[Run, Run]:
    classifier = Classifier(sizes.block4, Learning(dims=sizes.dims))
    maps = drawn(sizes.block4, *CELLS)
    classifier.start(maps[None], label((9, 9), CELLS, 0.9)[None])
    flat = maps.reshape(sizes.block4, -1)

    def floor() -> None:
        classifier.filter @ (classifier.projection @ flat)

    return lambda: classifier.respond(classifier.see(maps)), floor


PARTS: dict[str, Callable[[Sizes], tuple[Run, Run]]] = {
    "classifier, first frame (6 x 10 iterations, 21 looks)": first_frame,
    "classifier, update (5 iterations, 250 samples), in 3 of 10 frames": update,
    "classifier, response": response,
    "precise pooling of 10 boxes, both blocks": pooling,
    "refinement (10 boxes, 5 steps)": refinement,
}


def rows(seconds: float) -> Iterator[str]:
    for sizes in CASES:
        runs: dict[str, Run] = {}
        for part, make in PARTS.items():
            runs[part], runs[f"{part}: floor"] = make(sizes)
        times = least_ms(runs, seconds)
        for part in PARTS:
            ms, floor = times[part], times[f"{part}: floor"]
            yield f"| {sizes.name} | {part} | {ms:.2f} | {floor:.2f} | {ms / floor:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each part")
    args = parser.parse_args()
    single_thread()
    print(f"{cpu_name()}, one thread")
    print("| sizes | part | ms | floor | times the floor |")
    print("|---|---|---|---|---|")
    with gc_paused():
        for row in rows(args.seconds):
            print(row)


if __name__ == "__main__":
    main()
