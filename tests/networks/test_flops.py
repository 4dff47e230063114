"""Operations and parameters, by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from slimtrack.errors import InputError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network


@pytest.fixture
def chain() -> Network:
    b = Builder()
    b.conv("a", np.zeros((4, 3, 3, 3), np.float32), np.zeros(4, np.float32), stride=2, pads=1)
    b.lrn("norm", 3, 1.0, 0.1, 0.75)
    b.conv("b", np.zeros((5, 4, 1, 1), np.float32))
    return Network(b.graph(), b.taps, Card("chain"))


def test_by_hand(chain: Network) -> None:
    # 10x8 in, 5x4 out of the first convolution and of the second.
    assert chain.flops((10, 8), "plain") == 20 * 3 * 9 * 4 + 20 * 4 * 5
    assert chain.flops((10, 8), "double") == 2 * 20 * (3 * 9 + 1) * 4 + 2 * 20 * (4 + 1) * 5
    assert chain.flops((10, 8)) == (9 * 3 * 80 * 4 + 20 * 4) + (4 * 20 * 5 + 20 * 5)
    assert chain.parameters == 4 * 27 + 4 + 20
    assert chain.bytes == 4 * chain.parameters
    with pytest.raises(InputError, match="convention 'triple'"):
        chain.flops(10, "triple")  # type: ignore[arg-type]


def test_depthwise_layers_count_one_input_each() -> None:
    b = Builder()
    b.conv("d", np.zeros((3, 1, 3, 3), np.float32), groups=3, pads=1)
    assert Network(b.graph(), b.taps, Card("d")).flops(4, "plain") == 16 * 9 * 3


def test_cf_vgg_is_as_large_as_paper_002_says(known: Callable[[str], Network]) -> None:
    # Paper 002: CF-VGG's convolutions take a fraction of a megabyte in float32 (1.5 MB is the .mat file).
    network = known("cf_vggm")
    assert [layer.out_channels for layer in network.layers] == [12, 32, 64, 64, 64]
    assert network.parameters == sum(layer.parameters + layer.out_channels for layer in network.layers)
    assert network.truncate("relu3").flops(224, "plain") == (
        109 * 109 * 147 * 12 + 26 * 26 * 300 * 32 + 13 * 13 * 288 * 64
    )
