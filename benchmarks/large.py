"""What a large target costs: 900 pixels in a frame of 3840 x 2160, beside 40 pixels in the same frames.

Command: ``python benchmarks/large.py``

One thread. Each tracker follows both targets through the same frames, one update of each in turn; p50 of
either, in milliseconds of the processor, and their ratio. The frames are smoothed noise that moves by two
pixels to the left and one up a frame.
"""

import argparse
import time

import cv2
import numpy as np

from slimtrack import Box, create
from slimtrack.timing import single_thread

BOXES = {40: Box(1900, 1060, 40, 40), 900: Box(1470, 630, 900, 900)}
FRAMES, WARM_UP = 60, 5


def frames(count: int) -> list[np.ndarray]:
    """``count`` frames of 3840 x 2160."""
    noise = np.random.default_rng(0).integers(0, 256, (2160 + count, 3840 + 2 * count, 3), np.uint8)
    field = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    return [np.ascontiguousarray(field[i : i + 2160, 2 * i : 2 * i + 3840]) for i in range(count)]


def medians(name: str, clip: list[np.ndarray]) -> dict[int, float]:
    """Median milliseconds of the processor an update, for each size of the target."""
    trackers, took = {side: create(name) for side in BOXES}, {side: [] for side in BOXES}
    for side, tracker in trackers.items():
        tracker.init(clip[0], BOXES[side])
    there_and_back = [*range(1, len(clip)), *range(len(clip) - 2, 0, -1)]
    for index in (there_and_back * FRAMES)[: FRAMES + WARM_UP]:
        for side, tracker in trackers.items():
            start = time.process_time()
            tracker.update(clip[index])
            took[side].append(1e3 * (time.process_time() - start))
    return {side: float(np.median(times[WARM_UP:])) for side, times in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trackers", default="eco-hc,kcf,staple,fdsst")
    names = parser.parse_args().trackers.split(",")
    print("| tracker | 40 px, ms | 900 px, ms | ratio |\n|---|---|---|---|")
    with single_thread():
        clip = frames(20)
        for name in names:
            p50 = medians(name, clip)
            print(f"| {name} | {p50[40]:.2f} | {p50[900]:.2f} | {p50[900] / p50[40]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
