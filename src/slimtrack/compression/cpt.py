"""CPT: prunes a network for one target in its first frame (paper 000, algorithm 1)."""

from collections.abc import Sequence
from typing import Annotated

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.compression.information import Metric
from slimtrack.compression.method import Method, Progress, silent
from slimtrack.compression.plans import Plan
from slimtrack.compression.pruning import Pruned, compress, planned
from slimtrack.compression.settings import Rule, Settings
from slimtrack.features.network import NetworkFeature
from slimtrack.networks.network import Network
from slimtrack.options import Range

__all__ = [
    "Background", "Cells", "Choosing", "Cpt", "Dimensions", "Measure", "Rebuilt", "Refit", "Selected",
    "TrackingError",
]  # fmt: skip

Choosing = Annotated[
    Rule, "How channels are chosen; pca: PCA of the last layer only; none: nothing is pruned."
]
Dimensions = Annotated[int, Range(1, 1 << 16), "Dimensions of the last layer after pruning."]
Selected = Annotated[
    int,
    Range(0, 1 << 16),
    "Channels of the last layer selected before PCA; 0: the number with the least loss, or d if the "
    "tracking error does not count.",
]
Measure = Annotated[Metric, "Measure of a channel's information."]
TrackingError = Annotated[bool, "Whether a channel's tracking error counts."]
Rebuilt = Annotated[
    str,
    "Layers whose pruned channels are made up for in the weights that read them: all, deep (the shallower "
    "of the two before the last), none, or names joined by +.",
]
Background = Annotated[
    float, Range(0, 1e6), "Weight of the output on the background against the loss on the target."
]
Refit = Annotated[
    float,
    Range(0, 1e6),
    "Weight of the regularisation when weights are refitted to make up for what was pruned.",
]
Cells = Annotated[
    int,
    Range(1, 1 << 20),
    "Maximum number of cells of a map, on and off the target, used to choose channels.",
]


class Cpt(Method[NetworkFeature]):
    """Prune a network for the target of a video's first frame (paper 000)."""

    name = "cpt"

    def __init__(
        self,
        *,
        tap: Annotated[str | None, "The layer to track with; the deepest if left out."] = None,
        ratio: Annotated[float, "Share of every layer's channels to take out."] = 0.5,
        configuration: Annotated[
            str | None, "Layers and ratios instead of ratio: 0.5/conv3_2, 0.25/deep, several with +."
        ] = None,
        method: Choosing = "proposed",
        d: Dimensions = 64,
        d_prime: Selected = 0,
        metric: Measure = "l2",
        error: TrackingError = True,
        reconstruct: Rebuilt = "all",
        background: Background = 0.01,
        refit: Refit = 0.1,
        adaptive: Annotated[
            float, Range(0, 1e6), "lambda_beta of the adaptive rule; 0: the ratios are met exactly."
        ] = 0.0,
        cells: Cells = 1024,
    ) -> None:
        self._tap = tap
        self.how = Settings(
            f"{ratio:g}/all" if configuration is None else configuration,
            method, d, d_prime, metric, error, reconstruct, background, refit, adaptive, cells,
        )  # fmt: skip

    def features(self, network: Network) -> NetworkFeature:
        """One tap of the network."""
        return NetworkFeature(network, self._tap or list(network.taps)[-1])

    def planned(self, whole: NetworkFeature) -> Plan:
        """Applies the options to a network.

        Raises:
            UnknownNameError: There is no such layer.
            InputError: The configuration is not of the required form.
        """
        return planned(whole.network, whole.tap.name, self.how)

    def compress(
        self, whole: NetworkFeature, patches: Sequence[Image], target: Box, progress: Progress = silent
    ) -> Pruned:
        """Prunes for the target in the first patch (algorithm 1, equations 21 and 22)."""
        return compress(whole.network, whole.tap.name, patches[0], target, self.how, progress)
