"""Networks run by torch give what they give in ONNX, and what was learned goes back into them."""

from collections.abc import Iterator

import numpy as np
import pytest

import small_networks
from slimtrack.errors import InputError
from slimtrack.networks import zoo
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from slimtrack.online.torch_network import TorchNetwork  # noqa: E402

NAMES = ("cf_vggm", "vgg19", "resnet18", "squeezenet1.1", "dcfnet")


@pytest.fixture(scope="module", autouse=True)
def networks() -> Iterator[None]:
    with small_networks.installed():
        yield


def image(side: int = 131) -> "torch.Tensor":
    return torch.randn(2, 3, side, side + 20, generator=torch.Generator().manual_seed(0))


def check(network: Network) -> None:
    """Every tap, to float32's precision."""
    with torch.no_grad():
        computed = TorchNetwork(network).eval()(image())
    for name, expected in network.run(image().numpy()).items():
        scale = max(float(np.abs(expected).max()), 1e-6)
        np.testing.assert_allclose(computed[name].numpy() / scale, expected / scale, atol=2e-5, err_msg=name)


def odd() -> Network:
    """What no network of the zoo has: groups, dilation, a leak, uneven padding, rounding up, a cap."""
    rng = np.random.default_rng(0)
    builder = Builder()
    builder.conv("a.b", rng.normal(size=(4, 3, 3, 3)).astype(np.float32), stride=2, pads=(1, 1, 2, 0))
    rows = rng.uniform(0.5, 2, (4, 4)).astype(np.float32)
    builder.batch_norm("train", *rows, epsilon=1e-3)
    builder.relu("forward", 0.1)
    builder.pool("pool", 3, 2, (0, 0, 1, 1), ceil=True)
    builder.conv(
        "two", rng.normal(size=(6, 2, 3, 3)).astype(np.float32), rows.ravel()[:6], groups=2, dilation=2
    )
    builder.relu6("relu6")
    builder.lrn("norm", 3, 1.0, 0.1, 0.5)
    return Network(builder.graph(), builder.taps, Card("odd"))


@pytest.mark.parametrize("name", NAMES)
def test_torch_computes_what_the_runtime_computes(name: str) -> None:
    check(zoo.find(name))


def test_torch_computes_unusual_layers_as_well() -> None:
    check(odd())


def test_only_the_taps_asked_for_are_computed() -> None:
    small = TorchNetwork(zoo.find("cf_vggm"), ["norm1"])
    assert list(small(image())) == ["norm1"]
    assert [name for name, _ in small.named_parameters()] == ["conv1.weight", "conv1.bias"]


def test_what_was_learned_goes_back() -> None:
    """Statistics of batch norm as well; the network that was given stays as it is."""
    network = odd()
    before = network.run(image().numpy(), "norm")["norm"]
    learning = TorchNetwork(network).train()
    learning(image())["norm"].sum().backward()
    with torch.no_grad():
        for parameter in learning.parameters():
            parameter -= 0.01 * parameter.grad.sign()
        after = learning.eval()(image())["norm"].numpy()
    np.testing.assert_allclose(learning.network().run(image().numpy(), "norm")["norm"], after, atol=2e-4)
    assert np.abs(after - before).max() > 0.01
    assert np.array_equal(network.run(image().numpy(), "norm")["norm"], before)


def test_colours_are_prepared_as_the_card_says() -> None:
    network = zoo.find("vgg19").with_card(Card("x", colors="bgr", mean=(1, 2, 3), scale=(2, 3, 4)))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 140, 140, 3), dtype=np.uint8)
    rgb = torch.from_numpy(pixels[..., ::-1].astype(np.float32)).permute(0, 3, 1, 2)
    prepared = TorchNetwork(network, ["relu1_1"]).prepared(rgb)
    np.testing.assert_allclose(prepared.numpy(), network.prepare(pixels), rtol=1e-6)


def test_what_torch_cannot_run_is_named() -> None:
    builder = Builder()
    builder.conv("conv1", np.zeros((4, 3, 3, 3), np.float32), pads="SAME")
    with pytest.raises(InputError, match=r"network odd: torch cannot run its layer conv1 \(Conv\)"):
        TorchNetwork(Network(builder.graph(), builder.taps, Card("odd")))
