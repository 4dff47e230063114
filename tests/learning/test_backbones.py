"""Backbones: torch says what ONNX says, at any width; starts come from files of either form."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack.errors import SourceError  # noqa: E402
from slimtrack.learning.backbones.backbone import Backbone  # noqa: E402
from slimtrack.learning.backbones.chains import VGG19, alexnet, squeezenet, vgg  # noqa: E402
from slimtrack.learning.backbones.inverted import MOBILENET_V2, Inverted  # noqa: E402
from slimtrack.learning.backbones.resnet import resnet18, resnet50  # noqa: E402
from slimtrack.learning.backbones.starts import fill  # noqa: E402
from slimtrack.learning.overlap.blocks import aligned  # noqa: E402
from slimtrack.networks.card import Card  # noqa: E402
from slimtrack.networks.importers.npz import import_npz  # noqa: E402
from slimtrack.networks.importers.torchvision import import_torchvision  # noqa: E402

Module = TypeVar("Module", bound=torch.nn.Module)

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights"
shared = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="../shared/weights is not here")

BACKBONES: dict[str, Callable[[], Backbone]] = {
    "resnet18": lambda: resnet18(width=8),
    "resnet18 to layer3": lambda: resnet18(width=8, layers=3),
    "resnet50": lambda: resnet50(width=4),
    "vgg16": lambda: vgg("vgg16", ((4, 4), (6, 6), (8,) * 3, (8,) * 3, (8,) * 3)),
    "vgg19 to conv3": lambda: vgg("vgg19", ((4, 4), (6, 6), (8,) * 4)),
    "alexnet": lambda: alexnet((4, 6, 8, 8, 8)),
    "squeezenet1.1": squeezenet,
}


def lively(backbone: Module) -> Module:
    """Weights and statistics unlike those of a fresh network, the same each time."""
    torch.manual_seed(0)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.6, 1.4)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return backbone.eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_torch_says_what_onnx_says(name: str) -> None:
    backbone = lively(BACKBONES[name]())
    image = np.random.default_rng(0).normal(size=(2, 3, 97, 113)).astype(np.float32)
    with torch.no_grad():
        ours = backbone(torch.from_numpy(image))
    theirs = backbone.network(Card(name), name).run(image, *backbone.taps)
    assert tuple(ours) == backbone.taps
    for tap in backbone.taps:
        np.testing.assert_allclose(ours[tap], theirs[tap], rtol=1e-3, atol=1e-4 * np.abs(theirs[tap]).max())


def test_mobilenet_is_the_catalogues(tmp_path: Path) -> None:
    """Its state dict is one that the importer of torchvision's files reads."""
    backbone = lively(Inverted(MOBILENET_V2))
    torch.save(backbone.state_dict(), tmp_path / "m.pth")
    network = import_torchvision(tmp_path / "m.pth", "mobilenet_v2")
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 96)).astype(np.float32)
    with torch.no_grad():
        ours = backbone(torch.from_numpy(image)).numpy()
    theirs = network.run(image, "block13")["block13"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    backbone = lively(BACKBONES[name]())
    sum(value.square().mean() for value in backbone(torch.randn(1, 3, 97, 97)).values()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in backbone.parameters())


def test_stride_2_in_half_precision_says_what_it_says_in_whole() -> None:
    """The depthwise layers that compute in float32 where others do not: outputs, gradients, types."""
    layer = Inverted(MOBILENET_V2).features[2].conv[1][0]
    image = torch.randn(2, 96, 10, 10, generator=torch.Generator().manual_seed(0), requires_grad=True)
    whole = layer(image)
    whole.square().sum().backward()
    slopes, image.grad = image.grad, None
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(image.bfloat16())
    half.float().square().sum().backward()
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), whole, rtol=0.02, atol=0.02)
    torch.testing.assert_close(image.grad, slopes, rtol=0.02, atol=0.05)


def test_gradients_come_in_the_layout_of_layers() -> None:
    maps = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_(True)
    plain = maps * 1
    aligned(plain).backward(torch.arange(96.0).reshape(2, 3, 4, 4))
    torch.testing.assert_close(maps.grad, torch.arange(96.0).reshape(2, 3, 4, 4))
    seen: list[torch.Tensor] = []
    plain = maps * 1
    plain.grad_fn.register_prehook(lambda slopes: seen.extend(slopes))
    aligned(plain).backward(torch.arange(96.0).reshape(2, 3, 4, 4))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert aligned(maps.detach()).grad_fn is None


def test_strides_of_resnet_are_4_to_32() -> None:
    with torch.no_grad():
        found = resnet18(width=4)(torch.zeros(1, 3, 64, 96))
    assert [tuple(value.shape[1:]) for value in found.values()] == [
        (4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file", "make"),
    [
        ("resnet18", "resnet18_partial/resnet18_conv1-layer3_folded.fp16.npz", lambda: resnet18(layers=3)),
        ("vgg19", "vgg19_conv1-3/vgg19_conv1-3.fp16.npz", lambda: vgg("vgg19", VGG19[:3])),
        ("squeezenet1.1", "squeezenet1.1/squeezenet1.1.fp16.npz", squeezenet),
    ],
)  # fmt: skip
@shared
def test_published_weights_say_the_same_in_torch(name: str, file: str, make: Callable[[], Backbone]) -> None:
    backbone = make()
    fill(backbone, WEIGHTS / file)
    image = np.random.default_rng(0).normal(size=(1, 3, 65, 65)).astype(np.float32)
    last = backbone.taps[-1]
    with torch.no_grad():
        ours = backbone.eval()(torch.from_numpy(image))[last]
    expected = import_npz(WEIGHTS / file, name).run(image, last)[last]
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_start_from_a_state_dict_and_one_that_does_not_fit(tmp_path: Path) -> None:
    whole = lively(resnet18(width=4))
    torch.save(whole.state_dict(), tmp_path / "whole.pt")
    part = resnet18(width=4, layers=2)
    fill(part, tmp_path / "whole.pt")
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(part.eval()(image)["layer2"], whole(image)["layer2"])
    with pytest.raises(SourceError, match=r"lack conv1\.weight of shape \(8, 3, 7, 7\)"):
        fill(resnet18(width=8), tmp_path / "whole.pt")
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(SourceError, match=r"no\.npz cannot be read"):
        fill(part, tmp_path / "no.npz")
