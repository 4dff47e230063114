"""Makes the moving picture of the README from a synthetic clip: box, score, state, and the score over time.

    python benchmarks/moving_picture.py docs/images/demo.webp

The target leaves the frame and comes back, so that LOST is shown. The tracker is the default one.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Picture

import slimtrack
from slimtrack import Track
from slimtrack.registry import DEFAULT_TRACKER
from slimtrack.video.draw import COLORS
from slimtrack.video.synthetic import Clip

CLIP = Clip(
    width=640, height=360, length=120, size=84, seed=21, motion=0.6, camera=0.8, scale=0.25, rotation=18,
    illumination=0.25, out_of_view=True, noise=0,
)  # fmt: skip
STRIP = 56
"""Height of the curve under the frame, pixels."""


def tracked(tracker: str) -> Iterator[tuple[np.ndarray, Track]]:
    """Frames of the clip and what was found in them."""
    first = CLIP.truth[0]
    assert first is not None
    for step in slimtrack.follow(CLIP.images(), first, tracker=tracker):
        yield step.image, step.track


def curve(tracks: Sequence[Track], width: int, length: int) -> np.ndarray:
    """The score so far, coloured by state."""
    strip = np.full((STRIP, width, 3), 32, np.uint8)
    step = width / length
    for index, track in enumerate(tracks):
        top = round((STRIP - 6) * (1 - track.score)) + 3
        left, right = round(index * step), round((index + 1) * step)
        strip[:, left:right] = np.array(COLORS[track.state]) // 4
        strip[top : STRIP - 3, left:right] = COLORS[track.state]
    cv2.putText(strip, "score", (8, STRIP - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (25, 25, 25), 1, cv2.LINE_AA)
    return strip


def frames(tracker: str, every: int) -> Iterator[Picture.Image]:
    """The pictures of the film."""
    tracks: list[Track] = []
    for index, (image, track) in enumerate(tracked(tracker)):
        tracks.append(track)
        if index % every == 0:
            drawn = slimtrack.draw(image, track)
            whole = np.vstack([drawn, curve(tracks, drawn.shape[1], CLIP.length)])
            yield Picture.fromarray(np.ascontiguousarray(whole[..., ::-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="ends with .webp or .gif")
    parser.add_argument("--tracker", default=DEFAULT_TRACKER)
    parser.add_argument("--every", type=int, default=2, help="takes one frame in so many")
    parser.add_argument("--quality", type=int, default=50)
    arguments = parser.parse_args()
    first, *others = frames(arguments.tracker, arguments.every)
    first.save(
        arguments.out,
        save_all=True,
        append_images=others,
        duration=round(arguments.every * 1000 / 30),
        loop=0,
        quality=arguments.quality,
        method=4,
    )
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB, {len(others) + 1} pictures")


if __name__ == "__main__":
    main()
