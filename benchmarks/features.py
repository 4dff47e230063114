"""Times fHOG on a patch of 256 x 256 pixels in colour, one thread.

Command: ``python benchmarks/features.py``
"""

import argparse

import numpy as np

from slimtrack.features.hog import fhog
from slimtrack.timing import WARM_UP, Stopwatch, Timing, cpu_name, gc_paused, single_thread, summarise

SIDE = 256


def timed(repeats: int) -> Timing:
    """Times of single calls; compilation and the first calls are not among them."""
    patch = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    watch = Stopwatch()
    with single_thread():
        for _ in range(WARM_UP):
            fhog(patch)
        with gc_paused():
            for _ in range(repeats):
                with watch:
                    fhog(patch)
    return summarise(watch.ms)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=1000)
    times = timed(parser.parse_args(arguments).repeats)
    print(
        f"fHOG, {SIDE} x {SIDE} x 3, one thread: p50 {times.p50_ms:.2f} ms, p95 {times.p95_ms:.2f} ms "
        f"({times.frames} calls, {cpu_name()})"
    )


if __name__ == "__main__":
    main()
