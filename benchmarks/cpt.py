"""Measures what paper 000's pruning is held to; writes its tables into docs/paper-000.md.

Command: ``python benchmarks/cpt.py PART [--networks DIR] [--sequences DIR] [--frames N] [--write]``

Parts, each for itself:

- ``pruning``: seconds of pruning in the first frame, VGG16's sizes to conv4_3 (generated weights) and VGG-19
  to conv3_4, all layers at 0.5, reconstructed; and how far sampled cells change the choice of channels.
- ``speed``: features and updates of VGG-19 conv3_4 at 0.75/all against Base, taking turns.
- ``ratio``: mean target information ratio, pruned over original, at the true boxes.
- ``accuracy``: AUC of the paper's kind of configuration, of Base and of PCA alone, for KCF and SAMF.
- ``layers``: AUC of single layers and ratios for proposed, maxK and firstK (the paper's Fig. 5).

One thread. Where the machine is shared, seconds of one core say more than seconds by the clock: both are
given. ``--frames`` cuts the sequences, ``--write`` puts the table between its marks on the page. With
``--runs`` an interrupted accuracy or layers goes on where it was; the folder may be that of a bench.
"""

import argparse
import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from slimtrack import create
from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Image
from slimtrack.box import Box
from slimtrack.compression.pruning import compress
from slimtrack.compression.settings import Settings
from slimtrack.compression.view import View, ratio_of
from slimtrack.datasets import Dataset
from slimtrack.evaluation.metrics import bootstrap_difference
from slimtrack.evaluation.runner import Running, evaluate
from slimtrack.evaluation.runs import Store
from slimtrack.evaluation.summary import summarise
from slimtrack.features.network import NetworkFeature
from slimtrack.networks.card import Card
from slimtrack.networks.find import add_folder
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.importers.store import Store as Weights
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.timing import cpu_name, gc_paused, single_thread

PAGE = Path(__file__).parents[1] / "docs" / "paper-000.md"
NETWORK, TAP = "vgg19", "relu3_4"
EVERYTHING = Settings("0.5/all", reconstruct="all")
BASE = "method=none"
SINGLE = tuple(
    f"{ratio}/{layer}" for layer in ("conv1_2", "conv2_2", "conv3_2") for ratio in (0.25, 0.5, 0.75)
)


def rows(head: tuple[str, ...], body: list[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


# Pruning time.


def vgg16() -> Network:
    """VGG16 to conv4_3 with weights made up."""
    rng, arrays, before = np.random.default_rng(0), {}, 3
    for block, (count, filters) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512)), 1):
        for index in range(1, count + 1):
            shape = (filters, before, 3, 3)
            weight = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / (9 * before)))
            arrays |= {f"conv{block}_{index}_w": weight, f"conv{block}_{index}_b": np.zeros(filters)}
            before = filters
    builder = plans.vgg(Weights(arrays, "generated"), (2, 2, 3, 3, 3))
    return Network(builder.graph(), builder.taps, Card("vgg16", mean=(128.0,) * 3, scale=(1 / 64,) * 3))


def scene(side: int = 224) -> tuple[Image, Box]:
    """A patch of shapes, its middle third the target."""
    rng = np.random.default_rng(0)
    patch = cv2.resize(rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8), (side, side))
    third = side / 3
    return patch, Box(third, third, third, third)


def pruning(_: argparse.Namespace) -> str:
    body: list[tuple[object, ...]] = []
    for name, network, tap, bar in (("VGG16", vgg16(), "relu4_3", 5), ("VGG-19", find(NETWORK), TAP, 3)):
        took = []
        for _ in range(2):
            start = time.process_time(), time.perf_counter()
            found = compress(network, tap, *scene(), EVERYTHING)
            took.append((time.process_time() - start[0], time.perf_counter() - start[1]))
        cpu, wall = min(took)
        whole = compress(network, tap, *scene(), replace(EVERYTHING, cells=1 << 20))
        same = np.mean(
            [len(np.intersect1d(found.kept[n], whole.kept[n])) / len(found.kept[n]) for n in found.kept]
        )
        body.append((f"{name} to {tap}", f"{cpu:.2f}", f"{wall:.2f}", f"<= {bar}", f"{same:.1%}"))
    head = ("network", "s of one core", "s by the clock", "bar", "channels chosen as from all cells")
    return rows(head, body)


# Speed.


def quickest(run: Callable[[], object], rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        start = time.perf_counter_ns()
        run()
        yield (time.perf_counter_ns() - start) / 1e6


def speed(given: argparse.Namespace) -> str:
    """Base and pruned take turns: a round of features each, then updates each."""
    _, images, boxes = next(sequences(given))
    specs = {"Base": BASE, "0.75/all": "configuration=0.75/all,reconstruct=all"}
    trackers = {name: create(f"cpt-kcf[window_side=224,{options}]") for name, options in specs.items()}
    for tracker in trackers.values():
        tracker.init(images[0], boxes[0])
    times: dict[str, list[float]] = {
        f"{what} {name}": [] for what in ("features", "update") for name in specs
    }
    for image in images[1:]:
        for name, tracker in trackers.items():
            feature = tracker._features[0]  # type: ignore[attr-defined]
            patch = tracker.window.extract(image, boxes[0].cx, boxes[0].cy, 1.0, feature.margin)  # type: ignore[attr-defined]
            times[f"features {name}"] += quickest(lambda f=feature, p=patch: f(p), 2)  # type: ignore[misc]
            times[f"update {name}"] += quickest(lambda t=tracker, i=image: t.update(i), 1)  # type: ignore[misc]
    body: list[tuple[object, ...]] = []
    for what, bar in (("features", 5), ("update", 4)):
        whole, pruned = (float(np.median(times[f"{what} {name}"])) for name in specs)
        body.append((what, f"{whole:.1f}", f"{pruned:.1f}", f"{whole / pruned:.1f}", f">= {bar}"))
    return rows(("", "Base, ms p50", "0.75/all, ms p50", "times faster", "bar"), body)


# Target information ratio.


def sequences(given: argparse.Namespace) -> Iterator[tuple[str, list[Image], list[Box]]]:
    """Name, frames and true boxes of each sequence, as far as asked for; frames without target left out."""
    for sequence in dataset(given):
        there = np.flatnonzero(~sequence.absent)
        images = [cv2.imread(str(sequence.frames[at])) for at in there]
        yield sequence.name, images, [Box(*map(float, sequence.truth[at])) for at in there]


def ratio(given: argparse.Namespace) -> str:
    body: list[tuple[object, ...]] = []
    whole = NetworkFeature(find(NETWORK), TAP)
    plans_ = {"CPd": Settings("", reconstruct="none"), "CP": replace(EVERYTHING, reconstruct="none"),
              "CPr": EVERYTHING}  # fmt: skip
    means: dict[str, list[float]] = {name: [] for name in ("CNN", *plans_)}
    for name, images, boxes in sequences(given):
        view = View.around(boxes[0], whole)
        first = view.patch(images[0], boxes[0])
        networks = {"CNN": whole.network}
        networks |= {
            k: compress(whole.network, TAP, first, view.target, how).network for k, how in plans_.items()
        }
        for key, network in networks.items():
            means[key].append(
                float(np.mean([seen(network, view, *pair) for pair in zip(images, boxes, strict=True)]))
            )
        body.append(
            (
                name,
                *(f"{values[-1]:.3f}" for values in means.values()),
                f"{means['CPr'][-1] / means['CNN'][-1]:.2f}",
            )
        )
    total = {key: float(np.mean(values)) for key, values in means.items()}
    gains = np.array(means["CPr"]) / means["CNN"]
    body.append(("mean", *(f"{value:.3f}" for value in total.values()), f"{gains.mean():.2f} (bar 1.5)"))
    return rows(("sequence", *means, "CPr / CNN"), body)


def seen(network: Network, view: View, image: Image, box: Box) -> float:
    """Target information ratio of one frame, the patch and the target at the first frame's scale."""
    patch = view.patch(image, box)
    return ratio_of(network, TAP, network.run(network.prepare(patch), TAP)[TAP][0], view.target)


# Accuracy.


def dataset(given: argparse.Namespace) -> Dataset:
    found = Dataset.read(given.sequences, given.names.split(",") if given.names else None)
    cut = tuple(
        replace(s, frames=s.frames[: given.frames], truth=truncated(s.truth, given.frames)) for s in found
    )
    return Dataset(found.name, cut)


def truncated(truth: AnyArray, count: int) -> AnyArray:
    part = truth[:count].copy()
    part.setflags(write=False)
    return part


def measured(given: argparse.Namespace, specs: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """AUC of each sequence by the names of the trackers."""
    store = Store(given.runs) if given.runs else None
    running = Running(jobs=given.jobs)
    found = evaluate(tuple(specs.values()), dataset(given), jitter=given.jitter, running=running, store=store)
    result = summarise(found)
    return {
        name: {key: of["auc"] for key, of in result["trackers"][spec]["sequences"].items()}
        for name, spec in specs.items()
    }


def accuracy(given: argparse.Namespace) -> str:
    body: list[tuple[object, ...]] = []
    kinds = {"Base": f"[{BASE}]", "PCA": "[method=pca]",
             "0.25/deep": "[configuration=0.25/deep,reconstruct=deep]", "0.5/all": ""}  # fmt: skip
    wanted = given.kinds.split(",") if given.kinds else list(kinds)
    if wanted[0] != "Base" or not set(wanted) <= set(kinds):
        raise SystemExit(f"--kinds {given.kinds}: Base first, then any of {', '.join(list(kinds)[1:])}")
    for tracker in given.trackers.split(","):
        found = measured(given, {kind: f"{tracker}{kinds[kind]}" for kind in wanted})
        for kind, by in found.items():
            mean = float(np.mean(list(by.values())))
            gain = "-" if kind == "Base" or len(by) < 2 else interval(by, found["Base"])
            body.append((tracker, kind, f"{mean:.3f}", gain))
    return rows(("tracker", "configuration", "AUC", "over Base, 95 % interval"), body)


def interval(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    found = bootstrap_difference(one, other)
    return f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def layers(given: argparse.Namespace) -> str:
    methods = {"CPr": "reconstruct=all", "CP": "reconstruct=none", "maxK": "method=maxK,reconstruct=none",
               "firstK": "method=firstK,reconstruct=none"}  # fmt: skip
    specs = {
        f"{which} {name}": f"cpt-kcf[configuration={which},{options}]"
        for which, (name, options) in itertools.product(SINGLE, methods.items())
    }
    found = {key: float(np.mean(list(by.values()))) for key, by in measured(given, specs).items()}
    body: list[tuple[object, ...]] = [
        (which, *(f"{found[f'{which} {name}']:.3f}" for name in methods)) for which in SINGLE
    ]
    means = (np.mean([found[f"{which} {name}"] for which in SINGLE]) for name in methods)
    body.append(("mean", *(f"{value:.3f}" for value in means)))
    return rows(("ratio/layer", *methods), body)


PARTS = {"pruning": pruning, "speed": speed, "ratio": ratio, "accuracy": accuracy, "layers": layers}


def write(mark: str, text: str) -> None:
    """Puts a table between its marks on the page."""
    start, end = f"<!-- table:{mark} -->", f"<!-- end of table:{mark} -->"
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{PAGE} has no marks for {mark}")
    PAGE.write_text(pattern.sub(lambda _: f"{start}\n{text}\n{end}", page), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--networks", type=Path, help="folder of networks, before SLIMTRACK_NETWORKS")
    parser.add_argument("--sequences", type=Path, default=Path("sequences/dev"))
    parser.add_argument("--names", help="only these sequences, comma between")
    parser.add_argument("--frames", type=int, help="only so many frames of each")
    parser.add_argument("--jitter", type=float, default=1.0, help="see slimtrack bench")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--kinds", help="rows of accuracy, comma between, Base first; all if left out")
    parser.add_argument("--runs", type=Path, help="folder that keeps finished runs of accuracy and layers")
    parser.add_argument("--trackers", default="cpt-kcf,cpt-samf")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--mark", help="the marks to write between; the part's if left out")
    given = parser.parse_args()
    if given.networks:
        add_folder(given.networks)
    with single_thread(), gc_paused():
        table = PARTS[given.part](given)
    frames = "all frames" if given.frames is None else f"first {given.frames} frames"
    where = ""
    if given.part in ("speed", "ratio", "accuracy", "layers"):
        where = f"{given.sequences.name}, {frames}; "
    if given.part in ("accuracy", "layers"):
        where += "five first boxes; " if given.jitter else "first boxes as given; "
    shown = f"{table}\n\n{where}one thread, {cpu_name()}"
    print(shown)
    if given.write:
        write(given.mark or given.part, shown)


if __name__ == "__main__":
    main()
