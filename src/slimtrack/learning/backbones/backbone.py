"""The base class of backbones with named taps: trained in torch, run as ONNX."""

from torch import Tensor, nn

from slimtrack.networks.card import Card
from slimtrack.networks.importers.torchvision import Architecture
from slimtrack.networks.network import Network

__all__ = ["Backbone"]


class Backbone(nn.Module):
    """A backbone of any width whose parameters have torchvision's names; it can become a `Network`.

    Args:
        architecture: The plan that builds it in ONNX from its state dict.
        taps: Names of the features that it gives, as the `Network` names them.
    """

    def __init__(self, architecture: Architecture, taps: tuple[str, ...]) -> None:
        super().__init__()
        self.architecture, self.taps = architecture, taps

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Features of prepared ``(N, 3, H, W)`` by tap, ``(N, C, h, w)`` each."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def network(self, card: Card, name: str) -> Network:
        """The backbone as a `Network`, batch norms folded in.

        Args:
            card: Its origin and the preparation of its input.
            name: How messages name it.
        """
        state = {key: value.detach().cpu().numpy() for key, value in self.state_dict().items()}
        builder, _ = self.architecture.built(state, name, name)
        return Network(builder.graph(), builder.taps, card)
