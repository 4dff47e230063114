"""Measures what paper 001 says of good channels, and what the pruned network is worth to the tracker.

Command: ``python benchmarks/channels.py PART [--sequences DIR] [--frames N] [--every N] [--networks DIR]``

Parts, each for itself:

- ``existence``: section III-B. Channels are ranked by their friendliness over the whole sequence, at the true
  boxes, and the last of them left out step by step; the set with the least error is that of the good
  channels. Beside them what a random order gives in as many tries, since the best of several is always
  better than the first, and what the tracker's choice from two frames gives.
- ``network``: updates of DeepCD with the network whole, pruned exactly, and with inner channels given up
  (``loss``), and of CF2 on the same layers, taking turns.
- ``turns``: updates of any trackers (``--trackers``), taking turns; how many times as fast as the first.

The error of a set of channels: a filter learns them at the true box of each frame and looks for the target
in the next one, from there; distance to the true centre over the target's mean side, cut at 1, mean. So no
drift of a whole track is in it.

Without ``--sequences`` it goes over the synthetic clips. One thread; milliseconds are those of the core, not
of the clock, so that other work on the machine counts little.
"""

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cpt import interval, rows, sequences
from slimtrack import create
from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.cli.bench import split_specs
from slimtrack.compression.channels import Indices, Level, friendliness, select
from slimtrack.compression.report import Size
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.response import gaussian_label, peak
from slimtrack.networks.find import add_folder
from slimtrack.networks.network import Network
from slimtrack.registry import settings, tracker_class
from slimtrack.search import SearchWindow, cosine_window
from slimtrack.timing import WARM_UP, cpu_name, gc_paused, single_thread
from slimtrack.trackers._network import network_of
from slimtrack.video.synthetic import CLIPS

AREA, SIDE, CELL, LABEL, RIDGE, RATE = 7.84, 160.0, 4, 0.1, 1e-4, 0.02
"""DeepCD's search window, grid and filter."""

KEEP = 0.5
"""Share of the energy that DeepCD keeps."""


def scenes(given: argparse.Namespace) -> Iterator[tuple[str, list[Image], list[Box]]]:
    """Name, frames and true boxes of each sequence; frames without target left out."""
    if given.sequences is not None:
        for name, images, boxes in sequences(given):
            yield name, images[:: given.every], boxes[:: given.every]
        return
    for name in given.names.split(",") if given.names else CLIPS:
        frames = itertools.islice(CLIPS[name].frames(), 0, given.frames, given.every)
        there = [(image, box) for image, box in frames if box is not None]
        yield name, [image for image, _ in there], [box for _, box in there]


# Existence of good channels.


class Scene:
    """A target as DeepCD sees it: all channels at the level of the first frame, windowed."""

    def __init__(self, given: argparse.Namespace, image: Image, box: Box) -> None:
        told = settings(given.tracker)
        self.first = box
        self._stack = NetworkStack(network_of(told["network"]), told["taps"].split("+"), cell=CELL)
        self.slices = self._stack.slices
        self._window = SearchWindow.around(box, area=AREA, stride=CELL, pixels=(given.side or SIDE) ** 2)
        w, h = (side // CELL for side in self._window.patch)
        self._cosine = cosine_window(h, w)
        self.label = gaussian_label(h, w, LABEL * math.sqrt(math.prod(self._window.target)) / CELL)
        self._level = Level(self._stack(self._patch(image, box)), self.slices)

    def features(self, image: Image, box: Box) -> Features:
        """Around a box, at its size."""
        return self._level(self._stack(self._patch(image, box)), self._cosine)

    def _patch(self, image: Image, box: Box) -> Image:
        return self._window.extract(image, box.cx, box.cy, self._scale(box), self._stack.margin)

    def _scale(self, box: Box) -> float:
        return math.sqrt(box.area / self.first.area)

    def found(self, box: Box, response: Floats) -> Box:
        """Where a response to what is around a box has its peak."""
        dy, dx = (shift * CELL for shift in peak(response))
        return self._window.moved(box, dx, dy, scale=self._scale(box))


def errors(
    scene: Scene, images: list[Image], boxes: list[Box], sets: Mapping[str, Indices]
) -> dict[str, float]:
    """The error of each set of channels."""
    filters = {name: LinearFilter(scene.label, ridge=RIDGE, rate=RATE) for name in sets}
    found: dict[str, list[float]] = {name: [] for name in sets}
    for (image, box), (after, there) in itertools.pairwise(zip(images, boxes, strict=True)):
        x, z = rfft2(scene.features(image, box)), rfft2(scene.features(after, box))
        for name, at in sets.items():
            filters[name].learn(x[at])
            seen = scene.found(box, irfft2(filters[name].spectrum(z[at]), scene.label.shape))
            away = math.hypot(seen.cx - there.cx, seen.cy - there.cy) / math.sqrt(there.area)
            found[name].append(min(away, 1.0))
    return {name: float(np.mean(values)) for name, values in found.items()}


def best(found: Mapping[str, float], kind: str, sizes: list[int]) -> tuple[int, float]:
    """How many channels of an order have the least error, and that; the fewest of equals."""
    return min(((size, found[f"{kind} {size}"]) for size in sizes), key=lambda pair: (pair[1], pair[0]))


def existence(given: argparse.Namespace) -> str:
    body: list[tuple[object, ...]] = []
    by: dict[str, dict[str, float]] = {"all": {}, "good": {}, "random": {}, "two frames": {}}
    for name, images, boxes in scenes(given):
        scene = Scene(given, images[0], boxes[0])
        shown = (scene.features(*pair) for pair in zip(images, boxes, strict=True))
        priority = np.mean(
            [friendliness(pair, groups=scene.slices) for pair in itertools.pairwise(shown)], axis=0
        )
        total = len(priority)
        sizes = sorted({max(round(total * part / given.steps), 1) for part in range(1, given.steps + 1)})
        orders = {"good": np.argsort(-priority), "random": np.random.default_rng(0).permutation(total)}
        sets = {f"{kind} {size}": np.sort(at[:size]) for kind, at in orders.items() for size in sizes}
        two = [scene.features(*pair) for pair in zip(images[:2], boxes[:2], strict=True)]
        sets["two frames"] = select(two, scene.label, keep=KEEP, ridge=RIDGE, groups=scene.slices).channels
        found = errors(scene, images, boxes, sets)
        (good, by["good"][name]), (drawn, by["random"][name]) = (best(found, k, sizes) for k in orders)
        by["all"][name], by["two frames"][name] = found[f"good {total}"], found["two frames"]
        body.append(
            (name, total, *(f"{by[kind][name]:.3f}" for kind in ("all", "good")), good,
             f"{by['random'][name]:.3f}", drawn, f"{by['two frames'][name]:.3f}", len(sets["two frames"]))
        )  # fmt: skip
    means = {kind: f"{np.mean(list(values.values())):.3f}" for kind, values in by.items()}
    body.append(("mean", "", means["all"], means["good"], "", means["random"], "", means["two frames"], ""))
    head = ("sequence", "channels", "error of all", "of the good ones", "how many", "best of random",
            "how many", "chosen in two frames", "how many")  # fmt: skip
    text = rows(head, body)
    if len(by["all"]) > 1:
        gains = (f"{kind}: {interval(by['all'], by[kind])}" for kind in ("good", "random", "two frames"))
        text += f"\n\nerror of all channels less that of some, 95 % interval: {'; '.join(gains)}"
    return text


# Taking turns.


def turns_on(
    trackers: Mapping[str, Any], images: list[Image], first: Box, times: Mapping[str, list[float]]
) -> Iterator[dict[str, Box]]:
    """Where each tracker sees the target, frame by frame; adds to its times, in ms of the core."""
    for tracker in trackers.values():
        tracker.init(images[0], first)
    for number, image in enumerate(images[1:]):
        seen = {}
        for key, tracker in trackers.items():
            start = time.process_time_ns()
            seen[key] = tracker.update(image).box
            if number >= WARM_UP:
                times[key].append((time.process_time_ns() - start) / 1e6)
        yield seen


def turns(given: argparse.Namespace) -> str:
    trackers = {spec: create(spec) for spec in split_specs(given.trackers)}
    times: dict[str, list[float]] = {key: [] for key in trackers}
    for _, images, boxes in scenes(given):
        for _ in turns_on(trackers, images, boxes[0], times):
            pass
    first = times[next(iter(trackers))]
    body: list[tuple[object, ...]] = []
    for key, values in times.items():
        middle, mean, high = np.median(values), np.mean(values), np.percentile(values, 95)
        body.append((f"`{key}`", len(values), f"{middle:.2f}", f"{mean:.2f}", f"{high:.2f}",
                     f"{np.median(first) / middle:.2f}", f"{np.mean(first) / mean:.2f}"))  # fmt: skip
    head = ("tracker", "frames", "ms of one core, p50", "mean", "p95", "times as fast by p50", "by the mean")
    return rows(head, body)


# The joined tracker.


class Picked:
    """Chosen channels, from a network that is run whole."""

    def __init__(self, whole: NetworkStack, chosen: Mapping[str, Indices]) -> None:
        parts = zip(whole.slices, chosen.values(), strict=True)
        self._whole, self._at = whole, np.concatenate([part.start + at for part, at in parts])
        self.stride, self.offset, self.margin = whole.stride, whole.offset, whole.margin
        self.channels = len(self._at)

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)``, or of several patches."""
        return np.asarray(self._whole(patch)[..., self._at, :, :])


def with_whole_network(name: str, **options: Any) -> Any:
    """DeepCD that filters the chosen channels and has its network compute all of them."""

    class Unpruned(tracker_class(name)):  # type: ignore[misc]
        def _distil(self) -> None:
            super()._distil()
            self._sampler.features[0] = Picked(self._whole, self._chosen)

    return Unpruned(**settings(name, options))


def of_tracker(tracker: Any) -> tuple[Network, int]:
    """The network that a tracker runs, and how many channels it filters."""
    feature = tracker._features[0]
    if isinstance(feature, NetworkStack) and hasattr(feature, "network"):
        return feature.network, feature.channels
    return tracker._network.truncate(*tracker._taps), feature.channels


def network(given: argparse.Namespace) -> str:
    """All trackers take turns on each frame."""
    name, options = given.tracker, {} if given.side is None else {"max_side": given.side}
    joined = create(name, **options) if given.loss is None else create(name, loss=given.loss, **options)
    trackers = {
        "CF2": create(name.replace("deepcd", "cf2"), **options),
        "network whole": with_whole_network(name, loss=0, **options),
        "pruned exactly": create(name, loss=0, **options),
        f"pruned, loss={joined._loss:g}": joined,
    }
    times: dict[str, list[float]] = {key: [] for key in trackers}
    sizes: dict[str, list[tuple[int, float]]] = {key: [] for key in trackers}
    apart = dict.fromkeys(trackers, 0.0)
    for _, images, boxes in scenes(given):
        for seen in turns_on(trackers, images, boxes[0], times):
            there = seen["network whole"]
            for key, box in seen.items():
                apart[key] = max(apart[key], math.hypot(box.cx - there.cx, box.cy - there.cy))
        for key, tracker in trackers.items():
            run, count = of_tracker(tracker)
            w, h = (side + tracker._features[0].margin[1] for side in tracker.window.patch)
            sizes[key].append((count, Size.of(run, (h, w)).multiply_adds / 1e6))
    p50 = {key: float(np.median(values)) for key, values in times.items()}
    body: list[tuple[object, ...]] = []
    for key in trackers:
        count, adds = np.mean(sizes[key], axis=0)
        body.append((key, f"{count:.0f}", f"{adds:,.0f}", f"{p50[key]:.1f}", f"{1000 / p50[key]:.0f}",
                     f"{p50['network whole'] / p50[key]:.2f}", f"{apart[key]:.2f}"))  # fmt: skip
    head = ("", "channels", "M multiply-adds a patch", "ms of one core, p50", "frames a second",
            "times as fast as with the network whole", "farthest from its boxes, px")  # fmt: skip
    return rows(head, body)


PARTS = {"existence": existence, "network": network, "turns": turns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--networks", type=Path, help="folder of networks, before SLIMTRACK_NETWORKS")
    parser.add_argument("--sequences", type=Path, help="a dataset; the synthetic clips if left out")
    parser.add_argument("--names", help="only these sequences, comma between")
    parser.add_argument("--frames", type=int, default=108, help="only so many frames of each")
    parser.add_argument("--every", type=int, default=1, help="of those every so-many-th")
    parser.add_argument("--tracker", default="deepcd-v-11+12+21", help="its network and layers")
    parser.add_argument("--trackers", default="feco,feco-cd", help="those that take turns")
    parser.add_argument("--side", type=float, help="the tracker's option; its default")
    parser.add_argument("--steps", type=int, default=16, help="sizes of the sets that are tried")
    parser.add_argument("--loss", type=float, help="the tracker's option; its default")
    given = parser.parse_args()
    if given.networks:
        add_folder(given.networks)
    with single_thread(), gc_paused():
        table = PARTS[given.part](given)
    where = given.sequences.name if given.sequences else "synthetic clips"
    frames = f"first {given.frames} frames, one in {given.every}"
    print(f"{table}\n\n{where}, {frames}; one thread, {cpu_name()}")


if __name__ == "__main__":
    main()
