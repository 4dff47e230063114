"""The overlap predictor: against its definition, finite differences and torch, and as a climber."""

from pathlib import Path

import numpy as np
import pytest

import overlap_networks
from slimtrack.errors import InputError
from slimtrack.online.overlap import STRIDES, Head, Predictor, SearchMaps, refined
from slimtrack.online.roi import precise_roi_pool

BOXES = np.array([[40.0, 33, 90, 101], [-12, 20, 31, 70], [100, 80, 170, 150]], np.float32)
"""The second and the third leave the image of 144 pixels."""


def maps(seed: int, channels: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(channels, 144 // s, 144 // s)).astype(np.float32) for s in STRIDES]


def predictor(*, gives_boxes: bool = False) -> Predictor:
    head = Head(overlap_networks.head(channels=6, hidden=7, gives_boxes=gives_boxes))
    made = head.modulated(maps(1), np.array([50, 40, 95, 90]))
    made.look(lambda area: SearchMaps(maps(2), [(0, 0), (0, 0)], np.array([-np.inf] * 2 + [np.inf] * 2)))
    return made


def plainly(weights: dict[str, np.ndarray], last: str) -> np.ndarray:
    """The same by its definition: pool, weigh the channels, two layers."""
    box = np.array([[[50, 40, 95, 90]]], np.float32)
    pooled = [
        precise_roi_pool(m[None], box / s, bins).ravel()
        for m, s, bins in zip(maps(1), STRIDES, (3, 1), strict=True)
    ]
    first = np.maximum(weights["reference3_w"] @ pooled[0] + weights["reference3_b"], 0)
    joined, hidden = np.concatenate([first, pooled[1]]), []
    for n, m, s, bins in zip("34", maps(2), STRIDES, (5, 3), strict=True):
        vector = np.maximum(weights[f"modulation{n}_w"] @ joined + weights[f"modulation{n}_b"], 0)
        boxes = precise_roi_pool(m[None], BOXES[None] / s, bins)[0] * vector[:, None, None]
        hidden.append(
            np.maximum(
                boxes.reshape(len(BOXES), -1) @ weights[f"overlap{n}_w"].T + weights[f"overlap{n}_b"], 0
            )
        )
    return np.asarray(np.concatenate(hidden, 1) @ weights[f"{last}_w"].T + weights[f"{last}_b"])


@pytest.mark.parametrize("last", ["iou", "box"])
def test_it_is_pooling_weighing_and_two_layers(last: str) -> None:
    weights = overlap_networks.head(channels=6, hidden=7, gives_boxes=last == "box")
    expected = plainly(weights, last)
    assert predictor(gives_boxes=last == "box").values(BOXES) == pytest.approx(expected, abs=1e-4)


def test_overlaps_with_slopes_are_those_without() -> None:
    made = predictor()
    assert made.slopes(BOXES)[0] == pytest.approx(made.values(BOXES)[:, 0], abs=1e-5)


def test_slopes_are_those_of_finite_differences() -> None:
    made = predictor()
    _, slopes = made.slopes(BOXES)
    for side in range(4):
        step = np.zeros(4, np.float32)
        step[side] = 0.05
        change = made.values(BOXES + step)[:, 0] - made.values(BOXES - step)[:, 0]
        assert slopes[:, side] == pytest.approx(change / 0.1, abs=1e-2 * float(abs(slopes).max()))


def test_slopes_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    weights = {k: torch.from_numpy(v) for k, v in overlap_networks.head(channels=6, hidden=7).items()}
    boxes = torch.from_numpy(BOXES).requires_grad_()
    box = torch.tensor([[[50.0, 40, 95, 90]]])
    pooled = [
        precise_roi_pool(torch.from_numpy(m)[None], box / s, bins).flatten()
        for m, s, bins in zip(maps(1), STRIDES, (3, 1), strict=True)
    ]
    joined = torch.cat([torch.relu(weights["reference3_w"] @ pooled[0] + weights["reference3_b"]), pooled[1]])
    total = weights["iou_b"]
    for n, m, s, bins, part in zip("34", maps(2), STRIDES, (5, 3), weights["iou_w"].split(7, 1), strict=True):
        vector = torch.relu(weights[f"modulation{n}_w"] @ joined + weights[f"modulation{n}_b"])
        found = precise_roi_pool(torch.from_numpy(m)[None], boxes[None] / s, bins)[0] * vector[:, None, None]
        layer = torch.relu(found.flatten(1) @ weights[f"overlap{n}_w"].T + weights[f"overlap{n}_b"])
        total = total + layer @ part[0]
    total.sum().backward()
    overlaps, slopes = predictor().slopes(BOXES)
    assert overlaps == pytest.approx(total.detach().numpy(), abs=1e-4)
    assert slopes == pytest.approx(boxes.grad.numpy(), abs=1e-5)


class Hill(Predictor):
    """Knows the overlap: it falls with the squared distance of every side from the target."""

    def __init__(self, target: np.ndarray) -> None:
        self.target = target

    def values(self, boxes: np.ndarray) -> np.ndarray:
        return 1 - ((boxes - self.target) ** 2).sum(1, keepdims=True) / 30**2

    def slopes(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.values(boxes)[:, 0], -2 * (boxes - self.target) / 30**2


def test_boxes_climb_to_the_target_and_the_best_are_averaged() -> None:
    target = np.array([50, 40, 100, 110], np.float32)
    boxes = target + np.array([[6, 4, 9, -5], [-9, 3, 2, 8], [0, 9, 7, 0], [-80, -80, -80, -80]], np.float32)
    box, overlap = refined(Hill(target), boxes, steps=60, length=1.0, best=3)
    assert box == pytest.approx(target, abs=0.5)
    assert overlap == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("best", [1, 3])
def test_slivers_do_not_count_beside_others(best: int) -> None:
    sliver = np.array([50, 40, 100, 44], np.float32)
    other = np.array([50, 40, 100, 90], np.float32)
    box, overlap = refined(Hill(sliver), np.stack([sliver, other, sliver]), steps=0, length=1.0, best=best)
    assert box == pytest.approx(other)
    assert overlap == pytest.approx(float(Hill(sliver).values(other[None])[0, 0]))


def test_slivers_count_where_all_boxes_are_such() -> None:
    sliver = np.array([50, 40, 100, 44], np.float32)
    box, overlap = refined(Hill(sliver), np.stack([sliver, sliver]), steps=0, length=1.0, best=3)
    assert (box, overlap) == (pytest.approx(sliver), pytest.approx(1))


def test_a_head_without_a_matrix_is_refused_by_its_name(tmp_path: Path) -> None:
    weights = overlap_networks.head(channels=6, hidden=7)
    del weights["overlap4_b"]
    np.savez(tmp_path / "head.npz", **weights)
    with pytest.raises(InputError, match=r"head\.npz: .* has no overlap4_b"):
        Head.read(tmp_path / "head.npz")


def test_a_damaged_head_is_refused_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "head.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"head\.npz .* is damaged"):
        Head.read(tmp_path / "head.npz")


def test_a_head_of_text_is_refused(tmp_path: Path) -> None:
    weights = overlap_networks.head(channels=6, hidden=7)
    np.savez(tmp_path / "head.npz", **{**weights, "overlap4_b": np.array(["a", "b"])})
    with pytest.raises(InputError, match=r"head\.npz holds arrays that are no numbers"):
        Head.read(tmp_path / "head.npz")
