"""Sizes and operations of paper 003's tables, by counting."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from slimtrack.learning.overlap.blocks import blocks  # noqa: E402
from slimtrack.learning.overlap.cost import Cost, cost, multiply_adds  # noqa: E402
from slimtrack.learning.overlap.network import OverlapNetwork  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import atom_sizes  # noqa: E402


def test_operations_are_counted_where_the_kernel_stands() -> None:
    """By hand: 3x3, 4 to 6 channels in two groups, every other place of 10 x 8; then 120 numbers to 3."""
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3, 2, 1, groups=2), torch.nn.Flatten(), torch.nn.Linear(120, 3)
    )
    image = torch.zeros(1, 4, 10, 8)
    places, weights, dense = 5 * 4, 6 * 2 * 9, 120 * 3
    assert multiply_adds(layers, lambda: layers(image)) == weights * places + dense
    by_input = multiply_adds(layers, lambda: layers(image), by_input=True)
    assert by_input == weights * 80 + 6 * places + dense


@pytest.mark.parametrize("row", atom_sizes.ROWS, ids=lambda row: row.name)
def test_sizes_are_the_papers(row: atom_sizes.Row) -> None:
    """Tables 4.1, 4.3, 4.5, megabytes of 10^6 or 2^20 bytes; operations as docs/paper-003.md reads them."""
    own: Cost = cost(OverlapNetwork(blocks(row.backbone), row.head, row.kind))
    file = 4 * atom_sizes.checkpoint(row, own)
    assert min(abs(file / unit / row.megabytes - 1) for unit in (1e6, 2**20)) < 0.05
    allowed = 0.06 if row.name == "mATOM" else 0.05  # the page says why
    assert atom_sizes.operations(row, own) == pytest.approx(row.billions, rel=allowed)


def test_students_fit_into_five_megabytes() -> None:
    own = cost(OverlapNetwork(blocks("mobilenetv2"), 64, "atom"))
    assert 2 * (own.backbone + own.predictor) < 5e6
