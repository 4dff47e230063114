"""Small networks and patches that the tests of this folder prune."""

from collections.abc import Callable

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from generated import Generated, made

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.network import Network
from slimtrack.search import SearchWindow
from slimtrack.video.synthetic import CLIPS

VGG16 = {"conv1_1": 64, "conv1_2": 64, "conv2_1": 128, "conv2_2": 128, "conv3_1": 256, "conv3_2": 256,
         "conv3_3": 256, "conv4_1": 512, "conv4_2": 512, "conv4_3": 512}  # fmt: skip


@pytest.fixture
def vgg() -> Callable[[int], Network]:
    """VGG16 to conv4_3, its filters divided by a number."""
    return lambda part: made(plans.vgg(Generated({k: v // part for k, v in VGG16.items()}), (2, 2, 3, 3, 3)))


@pytest.fixture
def scene() -> tuple[Image, Box]:
    """A patch three times as wide and high as the target in its middle."""
    image, box = next(iter(CLIPS["plain"].frames()))
    assert box is not None
    window = SearchWindow.around(box, area=9, stride=8, pixels=64.0**2, least=64.0**2)
    patch = window.extract(image, box.cx, box.cy)
    w, h = window.patch
    return patch, Box.from_center(w / 2, h / 2, *window.target)
