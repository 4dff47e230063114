"""Times the known networks at a tap and says how exact they are.

Command: ``python benchmarks/networks.py [--networks DIR] [--oracles DIR] [--rounds 40] [--json FILE]``

One thread. Each network runs in rounds of 20; the median of the quietest round is stated, because other work
on the machine can only add to it. "LRN operator" is the same network with its local response normalisation as
ONNX's own operator, for the two to be compared in the same minute.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.errors import MissingError
from slimtrack.networks.find import add_folder
from slimtrack.networks.graph import Graph, Node
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.timing import cpu_name, gc_paused, single_thread

CASES = (
    ("cf_vggm", "norm1", 224),
    ("cf_vggm", "relu3", 224),
    ("cf_vggm", "relu5", 224),
    ("dcfnet", "norm1", 125),
    ("vgg19", "relu2_1", 224),
    ("vgg19", "relu3_4", 224),
    ("squeezenet1.1", "fire5", 224),
    ("resnet18", "layer3", 224),
)
BAR_MS, BAR_ERROR = 1.5, 1e-5
"""For relu3 of CF-VGG at 224x224 on ONNX Runtime."""

ROUND = 20

LONGEST = 10.0
"""Seconds after which no further round is begun."""


def quietest(run: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Median and 95th percentile, in ms, of the round with the smallest median."""
    for _ in range(3):
        run()
    best = (np.inf, np.inf)
    end = time.monotonic() + LONGEST
    for index in range(rounds):
        if index and time.monotonic() > end:
            break
        times = []
        for _ in range(ROUND):
            start = time.perf_counter_ns()
            run()
            times.append((time.perf_counter_ns() - start) / 1e6)
        best = min(best, (float(np.median(times)), float(np.percentile(times, 95))))
    return best


def with_operator(network: Network) -> Network:
    """The network with ONNX's LRN operator instead of ours (for CF-VGG's constants)."""
    nodes: list[Node] = []
    for node in network.graph.nodes:
        if node.op == "Div":
            given = {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0}
            nodes.append(Node("LRN", node.name, node.inputs[:1], node.outputs, given))
        elif "/" not in node.name:
            nodes.append(node)
    graph: Graph = replace(network.graph, nodes=tuple(nodes), bands=frozenset())
    return Network(graph, {tap.name: tap.tensor for tap in network.taps.values()}, network.card)


def row(label: str, network: Network, tap: str, side: int, rounds: int) -> dict[str, Any]:
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    batch = network.prepare(image)
    p50, p95 = quietest(lambda: network.run(batch, tap), rounds)
    flops = network.truncate(tap).flops(side, "plain")
    return {"network": label, "tap": tap, "side": side, "p50_ms": p50, "p95_ms": p95, "multiply_adds": flops}


def error(network: Network, oracles: Path | None) -> float | None:
    """Largest difference from the stored activations of CF-VGG's relu3, relative to their largest value."""
    path = None if oracles is None else oracles / "networks" / "cf_vggm.npz"
    if path is None or not path.is_file():
        return None
    stored = np.load(path)
    ours = network.run(network.prepare(stored["image_bgr"]), "relu3")["relu3"][0]
    return float(abs(ours - stored["relu3"]).max() / abs(stored["relu3"]).max())


def measured(rounds: int) -> list[dict[str, Any]]:
    rows = []
    for name, tap, side in CASES:
        try:
            network = find(name).truncate(tap)
        except MissingError as missing:
            print(f"{name} left out: {missing}")
            continue
        rows.append(row(f"{name}, ONNX Runtime", network, tap, side, rounds))
        if (name, tap) == ("cf_vggm", "relu3"):
            rows.append(row(f"{name}, LRN operator", with_operator(network), tap, side, max(rounds // 3, 1)))
            rows.append(row(f"{name}, OpenVINO", network.on("openvino"), tap, side, rounds))
            image = np.zeros((side, side, 3), np.uint8)
            p50, p95 = quietest(lambda n=network, i=image: n.prepare(i), rounds)  # type: ignore[misc]
            rows.append(
                {"network": f"{name}, prepare", "tap": "-", "side": side, "p50_ms": p50, "p95_ms": p95}
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=Path, help="folder of networks, before SLIMTRACK_NETWORKS")
    parser.add_argument("--oracles", type=Path, help="folder with networks/cf_vggm.npz")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.networks:
        add_folder(given.networks)
    with single_thread(), gc_paused():
        rows = measured(given.rounds)
        exact = error(find("cf_vggm"), given.oracles)
    print("| network | tap | side | p50 ms | p95 ms | M multiply-adds | G multiply-adds a second |")
    print("|---|---|---|---|---|---|---|")
    for each in rows:
        count = each.get("multiply_adds")
        work = "- | -" if count is None else f"{count / 1e6:,.1f} | {count / each['p50_ms'] / 1e6:,.1f}"
        figures = f"{each['p50_ms']:.3f} | {each['p95_ms']:.3f}"
        print(f"| {each['network']} | {each['tap']} | {each['side']} | {figures} | {work} |")
    bar = next(
        each["p50_ms"]
        for each in rows
        if each["network"] == "cf_vggm, ONNX Runtime" and each["tap"] == "relu3"
    )
    print(f"\n{cpu_name()}; one thread; relu3 of CF-VGG: {bar:.2f} ms (bar {BAR_MS}), "
          f"error {'not measured' if exact is None else f'{exact:.1e}'} (bar {BAR_ERROR:.0e})")  # fmt: skip
    if given.json:
        text = json.dumps({"cpu": cpu_name(), "error": exact, "rows": rows}, indent=2)
        given.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
