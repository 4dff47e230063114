"""Size, operations and time of backbones: paper 002's tables I and II and its Fig. 6.

Command: ``python benchmarks/backbones.py [--networks DIR] [--side 224] [--seconds 4]``

The processor time of one thread, to which other work on the machine adds little: the lowest of all runs.
Shapes of VGG-M are filled at random, which changes neither; networks that are not at hand are left out.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.errors import MissingError
from slimtrack.learning.backbones.vggm import WIDTHS, vgg_m
from slimtrack.networks.find import add_folder
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.timing import cpu_name, gc_paused, single_thread

PUBLISHED = (("cf_vggm", "relu5"), ("squeezenet1.1", "fire9"), ("resnet18", "layer3"), ("vgg19", "relu3_4"))


def cases() -> Iterator[tuple[str, Network]]:
    for ratio, widths in WIDTHS.items():
        yield f"VGG-M's shape, ratio {ratio}", vgg_m(widths, batch_norm=False).truncate("relu5")
    yield "ours: ratio 64 without LRN", vgg_m(WIDTHS[64], lrn=False, batch_norm=False).truncate("relu5")
    for name, tap in PUBLISHED:
        try:
            yield f"{name} to {tap}", find(name).truncate(tap)
        except MissingError as error:
            print(f"left out: {error}")


def least_ms(run: Callable[[], Any], seconds: float) -> float:
    run()
    times, end = [], time.thread_time() + seconds
    while not times or time.thread_time() < end:
        start = time.thread_time_ns()
        run()
        times.append((time.thread_time_ns() - start) / 1e6)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each backbone")
    args = parser.parse_args()
    if args.networks:
        add_folder(args.networks)
    single_thread()
    image = np.random.default_rng(0).normal(0, 60, (1, 3, args.side, args.side)).astype(np.float32)
    print(f"{cpu_name()}, {args.side} x {args.side}, one thread")
    print("| backbone | cells | parameters | float32 MB | 10^9 operations (eq. 12) | ms |")
    print("|---|---|---|---|---|---|")
    for label, network in cases():
        (tap,) = network.taps
        cells = network.sizes(args.side)[tap][0]
        with gc_paused():
            lowest = least_ms(lambda: network.run(image), args.seconds)  # noqa: B023  run at once
        flops = network.flops(args.side, "double") / 1e9
        print(
            f"| {label} | {cells} | {network.parameters:,} | {4 * network.parameters / 1e6:.2f} | "
            f"{flops:.3f} | {lowest:.2f} |"
        )


if __name__ == "__main__":
    main()
