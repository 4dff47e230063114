"""Views of scenes: what a box says is where its object is seen."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from slimtrack.learning.augment import CALM, STRONG, Strength, batch, covered  # noqa: E402
from slimtrack.learning.data import PairSampler, read_training_set  # noqa: E402
from slimtrack.learning.scenes import BLUR, _blurred, render  # noqa: E402
from slimtrack.learning.warp import Bend  # noqa: E402

SHAPES = Strength(1.0, 0.4, 0.3, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, Bend(share=0.0))
"""Moves, scales, stretches and mirrors, and nothing else."""


def drawn(folder: Path, strength: Strength, seed: int = 0, count: int = 24):
    data = read_training_set(folder, "train")
    generator = torch.Generator().manual_seed(seed)
    pairs = PairSampler(data.objects, absent=0.0).draw(count, generator)
    return data.pictures, batch(data.pictures, data.objects, pairs, strength, generator), generator


def test_the_box_is_where_the_object_is_seen(training_set: Path) -> None:
    """The object is a bright rectangle; where backdrops show others, those are masked by where it must be."""
    pictures, pairs, generator = drawn(training_set, SHAPES)
    scene = pairs.search._replace(plain=torch.ones(24, dtype=torch.bool))
    view = render(pictures, scene, pairs.search_window, 160, generator)
    bright = view[:, 1] > 175
    for seen, (left, top, right, bottom) in zip(bright, pairs.box(160).tolist(), strict=True):
        rows, columns = torch.nonzero(seen.any(1)).flatten(), torch.nonzero(seen.any(0)).flatten()
        assert columns[0] == pytest.approx(max(left, 0), abs=1.01)
        assert columns[-1] + 1 == pytest.approx(min(right, 160), abs=1.01)
        assert rows[0] == pytest.approx(max(top, 0), abs=1.01)
        assert rows[-1] + 1 == pytest.approx(min(bottom, 160), abs=1.01)


def test_beyond_the_picture_lies_another_one(training_set: Path) -> None:
    pictures, pairs, generator = drawn(training_set, CALM)
    far = pairs.search_window.clone()
    far[:, :2] += 500
    ends = pairs.search._replace(plain=torch.ones(24, dtype=torch.bool))
    goes_on = pairs.search._replace(plain=torch.zeros(24, dtype=torch.bool))
    assert render(pictures, ends, far, 32, generator).std((2, 3)).max() < 1e-3
    assert render(pictures, goes_on, far, 32, generator).std((2, 3)).min() > 1


def test_a_patch_leaves_half_of_the_target(training_set: Path) -> None:
    _, pairs, _ = drawn(training_set, STRONG._replace(patched=1.0, hidden=0.0), count=200)
    area, box = pairs.search.patch_area, pairs.search_box
    low, high = torch.maximum(area[:, :2], box[:, :2]), torch.minimum(area[:, 2:], box[:, :2] + box[:, 2:])
    share = (high - low).clamp(min=0).prod(1) / box[:, 2:].prod(1)
    assert share.max() <= 0.5
    assert (share > 0.1).any()


def test_a_blur_is_the_correlation_with_its_kernel() -> None:
    """By spectra as it is without; the border is dark."""
    generator = torch.Generator().manual_seed(0)
    view, kernels = (torch.rand(shape, generator=generator) for shape in ((2, 3, 40, 40), (2, BLUR, BLUR)))
    slow = [
        torch.nn.functional.conv2d(image[:, None], kernel[None, None], padding=BLUR // 2)[:, 0]
        for image, kernel in zip(view, kernels, strict=True)
    ]
    torch.testing.assert_close(_blurred(view, kernels), torch.stack(slow), atol=1e-3, rtol=0)


def test_cells_say_how_much_of_them_is_covered() -> None:
    shares = covered(torch.tensor([[0.5, 1.0, 2.25, 3.0]]), 4)[0, 0]
    assert shares[0].tolist() == [0, 0, 0, 0]
    assert shares[1].tolist() == [0.5, 1.0, 0.25, 0]
    assert shares.sum() == pytest.approx(1.75 * 2)


def test_the_same_seed_gives_the_same_views(training_set: Path) -> None:
    views = []
    for seed in (5, 5, 6):
        pictures, pairs, generator = drawn(training_set, STRONG, seed, 8)
        views.append(render(pictures, pairs.search, pairs.search_window, 48, generator))
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert all(view.min() >= 0 and view.max() <= 255 for view in views)


def test_a_hidden_target_is_absent_and_out_of_sight(training_set: Path) -> None:
    """Objects are bright green; patches that hide them show what is not."""
    strength = SHAPES._replace(hidden=0.5, jitter=0.0)
    _, pairs, _ = drawn(training_set, strength, count=200)
    gone = ~pairs.present
    assert float(gone.float().mean()) == pytest.approx(0.5, abs=0.1)
    area, box = pairs.search.patch_area[gone], pairs.search_box[gone]
    assert (area[:, :2] < box[:, :2]).all()
    assert (area[:, 2:] > box[:, :2] + box[:, 2:]).all()
    corner = 2 * (box[:, :2] - area[:, :2]) / (area[:, 2:] - area[:, :2]) - 1
    assert ((corner.abs() ** pairs.search.roundness[gone, None]).sum(1) < 1).all()
