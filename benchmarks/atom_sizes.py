"""Sizes and operations of the networks of paper 003's tables 4.1, 4.3 and 4.5, beside what it prints.

Command: ``python benchmarks/atom_sizes.py``

The paper's sizes are those of training's checkpoint files: beside the network that tracks they hold what an
ImageNet backbone has behind block 4, and Adam's two moments of all that learns. Its operations: see
docs/paper-003.md.
"""

from typing import NamedTuple

import torch

from slimtrack.learning.backbones.resnet import ResNet, resnet18, resnet50
from slimtrack.learning.overlap.blocks import blocks
from slimtrack.learning.overlap.cost import Cost, cost, multiply_adds, numbers
from slimtrack.learning.overlap.geometry import SIDE
from slimtrack.learning.overlap.network import Kind, OverlapNetwork

CLASSES = 1000
MOBILENET_BEHIND = 2_223_872 - 542_528
"""Parameters of MobileNetV2's features behind block 4 (torchvision's `features`, less ours)."""


class Row(NamedTuple):
    """A network as the paper has it.

    Attributes:
        name: Ours.
        backbone: Name.
        head: Channels of the predictor.
        kind: Of the predictor.
        megabytes: Printed.
        billions: Printed, operations.
        learned: What Adam keeps moments of in the file: nothing, the predictor, or all.
    """

    name: str
    backbone: str
    head: int
    kind: Kind
    megabytes: float
    billions: float
    learned: str


ROWS = (
    Row("ATOM", "resnet18", 256, "atom", 109, 3.35, "predictor"),
    Row("mATOM", "mobilenetv2", 64, "atom", 18, 0.33, "all"),
    Row("ResNet-18-m", "resnet18-m", 128, "atom", 34, 0.87, "all"),
    Row("ResNet-18-s", "resnet18-s", 64, "atom", 8.7, 0.25, "all"),
    Row("ResNet-18-t", "resnet18-t", 32, "atom", 2.4, 0.073, "all"),
    Row("DRNet", "resnet50", 256, "drnet", 145.1, 7.84, "nothing"),
)


def whole(row: Row) -> ResNet | None:
    """The ResNet with its fourth layer."""
    widths = {"resnet18": 64, "resnet18-m": 32, "resnet18-s": 16, "resnet18-t": 8}
    if row.backbone in widths:
        return resnet18(width=widths[row.backbone])
    return resnet50() if row.backbone == "resnet50" else None


def behind(row: Row, own: Cost) -> int:
    """Parameters of the ImageNet network behind block 4; of MobileNetV2 without its classifier."""
    network = whole(row)
    if network is None:
        return MOBILENET_BEHIND
    out = network.layer4[-1].get_submodule("bn3" if row.backbone == "resnet50" else "bn2").num_features
    return numbers(network) - own.backbone + (out + 1) * CLASSES


def checkpoint(row: Row, own: Cost) -> int:
    """Numbers in the file of a training."""
    moments = {"nothing": 0, "predictor": own.predictor, "all": own.backbone + own.predictor}
    return own.backbone + own.predictor + behind(row, own) + 2 * moments[row.learned]


def operations(row: Row, own: Cost) -> float:
    """The reading that comes nearest to the printed billions."""
    network = whole(row)
    if network is None:
        return own.features / 1e9
    if row.backbone == "resnet50":
        return own.by_input / 1e9
    all_layers = multiply_adds(network.eval(), lambda: network(torch.zeros(1, 3, SIDE, SIDE)))
    return (all_layers + own.reference) / 1e9


def main() -> None:
    """Prints the table."""
    print(
        "| network | files for tracking in float16, MB | training checkpoint, MB (MiB) | paper, MB |", end=""
    )
    print(" G operations a frame: backbone + predictor | by (4.5) | counted as in the paper | paper |")
    print("|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        own = cost(OverlapNetwork(blocks(row.backbone), row.head, row.kind))
        file = 4 * checkpoint(row, own)
        cells = [
            row.name,
            f"{2 * (own.backbone + own.predictor) / 1e6:.1f}",
            f"{file / 1e6:.1f} ({file / 2**20:.1f})",
            f"{row.megabytes:g}",
            f"{own.features / 1e9:.3f} + {own.search / 1e9:.3f}",
            f"{own.by_input / 1e9:.3f}",
            f"{operations(row, own):.3f}",
            f"{row.billions:g}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
