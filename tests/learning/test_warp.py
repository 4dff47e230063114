"""Objects that turn and bend: the box around what is seen of them."""

import math

import pytest

torch = pytest.importorskip("torch")

from slimtrack.learning.warp import Bend, Warp, drawn, outline, seen, straight  # noqa: E402

BOXES = torch.tensor([[40.0, 60.0, 50.0, 90.0], [10.0, 20.0, 80.0, 30.0], [70.0, 50.0, 40.0, 40.0]]).repeat(
    8, 1
)


def places(step: float = 0.5) -> tuple:
    line = torch.arange(-80, 260, step)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x.expand(len(BOXES), *x.shape), y.expand(len(BOXES), *y.shape)


def test_a_straight_warp_changes_nothing() -> None:
    x, y = places(5.0)
    px, py = seen(straight(BOXES), x, y)
    torch.testing.assert_close(px, x)
    torch.testing.assert_close(py, y)
    torch.testing.assert_close(outline(straight(BOXES), BOXES), BOXES)


def test_a_quarter_turn_swaps_the_sides() -> None:
    turned = straight(BOXES)._replace(matrix=torch.tensor([[0.0, -1.0], [1.0, 0.0]]).expand(len(BOXES), 2, 2))
    box = outline(turned, BOXES)
    torch.testing.assert_close(box[:, 2:], BOXES[:, [3, 2]])
    torch.testing.assert_close(box[:, :2] + box[:, 2:] / 2, BOXES[:, :2] + BOXES[:, 2:] / 2)


def test_the_box_is_around_what_is_seen_of_the_object() -> None:
    """Which places of the plane show the object, asked one by one, against the outline's inversion."""
    warp = drawn(BOXES, Bend(share=1.0), torch.Generator().manual_seed(3))
    x, y = places()
    px, py = seen(warp, x, y)
    middle, half = (BOXES[:, :2] + BOXES[:, 2:] / 2)[:, :, None, None], (BOXES[:, 2:] / 2)[:, :, None, None]
    away = (torch.stack([px, py], 1) - middle).abs() / half
    shown = (away**3).sum(1) <= 1
    for box, mask in zip(outline(warp, BOXES).tolist(), shown, strict=True):
        rows, columns = (
            torch.nonzero(mask.any(1)).flatten() / 2 - 80,
            torch.nonzero(mask.any(0)).flatten() / 2 - 80,
        )
        found = [float(value) for value in (columns[0], rows[0], columns[-1], rows[-1])]
        assert [box[0], box[1], box[0] + box[2], box[1] + box[3]] == pytest.approx(found, abs=1.0)


def test_so_many_bend_and_the_others_do_not() -> None:
    warp: Warp = drawn(BOXES.repeat(50, 1), Bend(share=0.3), torch.Generator().manual_seed(0))
    bent = (warp.matrix - torch.eye(2)).abs().amax((1, 2)) > 1e-6
    assert float(bent.float().mean()) == pytest.approx(0.3, abs=0.05)
    assert not (warp.waves[~bent, :, 3:] != 0).any()
    turn = torch.atan2(warp.matrix[:, 1, 0], warp.matrix[:, 0, 0])
    assert 0.45 < float(turn.abs().max()) <= Bend().turn < math.pi / 4
