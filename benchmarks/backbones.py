"""Size, operations and time of backbones: paper 002's tables I and II and its Fig. 6.

Command: ``python benchmarks/backbones.py [--networks DIR] [--side 224] [--seconds 4]``

The processor time of one thread, to which other work on the machine adds little: the lowest of all runs, in
which the backbones take turns.
Shapes of VGG-M are filled at random, which changes neither; networks that are not at hand are left out.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.errors import MissingError
from slimtrack.learning.backbones.vggm import WIDTHS, vgg_m
from slimtrack.networks.find import add_folder
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.timing import cpu_name, gc_paused, single_thread

KNOWN = (
    ("cf-vgg", "relu5"),
    ("cf_vggm", "relu5"),
    ("squeezenet1.1", "fire9"),
    ("resnet18", "layer3"),
    ("vgg19", "relu3_4"),
)


def cases() -> Iterator[tuple[str, Network]]:
    for ratio, widths in WIDTHS.items():
        yield f"VGG-M's shape, ratio {ratio}", vgg_m(widths, batch_norm=False).truncate("relu5")
    yield "ours: ratio 64 without LRN", vgg_m(WIDTHS[64], lrn=False, batch_norm=False).truncate("relu5")
    for name, tap in KNOWN:
        try:
            yield f"{name} to {tap}", find(name).truncate(tap)
        except MissingError as error:
            print(f"left out: {error}")


TURNS = 4


def least_ms(runs: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """The lowest time of each, so many seconds each in all."""
    times = dict.fromkeys(runs, math.inf)
    for _ in range(TURNS):
        for label, run in runs.items():
            run()  # the others' numbers are in the cache
            end = time.thread_time() + seconds / TURNS
            while True:
                start = time.thread_time()
                run()
                times[label] = min(times[label], 1e3 * (time.thread_time() - start))
                if time.thread_time() > end:
                    break
    return times


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
    networks = dict(cases())
    with gc_paused():
        times = least_ms({label: partial(net.run, image) for label, net in networks.items()}, args.seconds)
    for label, network in networks.items():
        (tap,) = network.taps
        cells = network.sizes(args.side)[tap][0]
        flops = network.flops(args.side, "double") / 1e9
        print(
            f"| {label} | {cells} | {network.parameters:,} | {4 * network.parameters / 1e6:.2f} | "
            f"{flops:.3f} | {times[label]:.2f} |"
        )


if __name__ == "__main__":
    main()
