"""First-frame adaptation: the losses fall, features stay near, the given network stays as it is."""

from collections.abc import Iterator

import numpy as np
import pytest

import small_networks
from adaptation_scene import scene
from slimtrack.box import Box
from slimtrack.networks import zoo

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from slimtrack.online.adaptation import Adaptation, _beside, _lesson, _loss, adapted  # noqa: E402
from slimtrack.online.torch_network import TorchNetwork  # noqa: E402

SHORT = Adaptation(iterations=3, patches=3)


@pytest.fixture(scope="module", autouse=True)
def networks() -> Iterator[None]:
    with small_networks.installed():
        yield


@pytest.mark.parametrize("taps", [("relu1",), ("norm1", "relu5")])
def test_the_loss_falls_and_what_was_given_stays(taps: tuple[str, ...]) -> None:
    network, (image, box) = zoo.find("cf_vggm"), scene()
    before = network.weights("conv1")[0].copy()
    changed = adapted(network, taps, image, box, SHORT)
    lesson = _lesson(image, box, SHORT)
    batch = torch.from_numpy(network.prepare(lesson.images))
    with torch.no_grad():
        old, new = (TorchNetwork(each, taps)(batch) for each in (network, changed))
        assert float(_loss(new, old, lesson, SHORT)) < float(_loss(old, old, lesson, SHORT))
    assert list(changed.taps) == list(taps)
    np.testing.assert_array_equal(network.weights("conv1")[0], before)
    moved = np.abs(changed.weights("conv1")[0] - before).max() / np.abs(before).max()
    assert 0 < moved < 0.05


def test_the_same_frame_gives_the_same_network_whatever_torch_is_at() -> None:
    image, box = scene()
    first = adapted(zoo.find("cf_vggm"), ["relu1"], image, box, SHORT)
    with torch.inference_mode():
        second = adapted(zoo.find("cf_vggm"), ["relu1"], image, box, SHORT)
    np.testing.assert_array_equal(first.weights("conv1")[0], second.weights("conv1")[0])


def test_negatives_show_nothing_of_the_target() -> None:
    image, box = scene()
    for x, y in _beside(image, box, 100, 20, np.random.default_rng(0)):
        assert Box.from_center(x, y, 100, 100).iou(box) == 0
        assert 0 <= x < 320 and 0 <= y < 240


def test_labels_lie_where_the_target_went() -> None:
    """Each positive's middle of mass of the bright stripes, against what its label says."""
    image = np.zeros((240, 320, 3), np.uint8)
    image[100:130, 140:170] = 255
    plan = Adaptation(patches=12, shift=0.4)
    lesson = _lesson(image, Box(140, 100, 30, 30), plan)
    for patch, shift in zip(lesson.images[1:13], lesson.shift, strict=False):
        bright = np.clip(patch[..., 0].astype(float) - patch[0, 0, 0] - 5, 0, None)
        y, x = ((bright * at).sum() / bright.sum() for at in np.indices(bright.shape))
        found = (np.array([x, y]) + 0.5) / plan.side - 0.5
        np.testing.assert_allclose(found, shift.numpy(), atol=0.01)
    assert int(lesson.present.sum()) == 12


def test_a_target_that_fills_the_frame_has_no_negatives() -> None:
    image, _ = scene()
    lesson = _lesson(image, Box(20, 20, 280, 200), SHORT)
    assert lesson.present.all()
    adapted(zoo.find("cf_vggm"), ["relu1"], image, Box(20, 20, 280, 200), SHORT)
