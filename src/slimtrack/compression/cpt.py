"""CPT: prunes a network for one target in its first frame (paper 000, algorithm 1)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.compression.information import Metric
from slimtrack.compression.method import Method, Progress, silent
from slimtrack.compression.plans import Plan
from slimtrack.compression.pruning import Pruned, compress, planned
from slimtrack.compression.settings import Rule, Settings
from slimtrack.features.network import NetworkFeature
from slimtrack.networks.network import Network
from slimtrack.options import CheckedOptions, Range

__all__ = ["Cpt", "CptOptions"]


class CptOptions(metaclass=CheckedOptions):
    """Options of paper 000 that the command and the trackers share.

    Attributes:
        pruning: How a network is pruned; nothing is, until a configuration is set.
    """

    def __init__(  # noqa: PLR0913  # an option each
        self,
        *,
        method: Annotated[
            Rule, "How channels are chosen; pca: PCA of the last layer only; none: nothing is pruned."
        ] = "proposed",
        d: Annotated[int, Range(1, 1 << 16), "Dimensions of the last layer after pruning."] = 64,
        d_prime: Annotated[
            int,
            Range(0, 1 << 16),
            "Channels of the last layer selected before PCA; 0: the number with the least loss, or d if the "
            "tracking error does not count.",
        ] = 0,
        metric: Annotated[Metric, "Measure of a channel's information."] = "l2",
        error: Annotated[bool, "Whether a channel's tracking error counts."] = True,
        reconstruct: Annotated[
            str,
            "Layers whose pruned channels are compensated for in the weights that read them: all, deep (the "
            "shallower of the two before the last), none, or names joined by +.",
        ] = "all",
        background: Annotated[
            float, Range(0, 1e6), "Weight of the output on the background against the loss on the target."
        ] = 0.01,
        refit: Annotated[
            float,
            Range(0, 1e6),
            "Weight of the regularisation when weights are refitted to compensate for pruned channels.",
        ] = 0.1,
        cells: Annotated[
            int,
            Range(1, 1 << 20),
            "Maximum number of cells of a map, on and off the target, used to choose channels.",
        ] = 1024,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.pruning = Settings(
            "", method, d, d_prime, metric, error, reconstruct, background, refit, cells=cells
        )


class Cpt(CptOptions, Method[NetworkFeature]):
    """Prune a network for the target of a video's first frame (paper 000)."""

    name = "cpt"

    def __init__(
        self,
        *,
        tap: Annotated[str | None, "The layer to track with. Default: the deepest."] = None,
        ratio: Annotated[float, "Share of every layer's channels to take out."] = 0.5,
        configuration: Annotated[
            str | None, "Layers and ratios instead of ratio: 0.5/conv3_2, 0.25/deep, several with +."
        ] = None,
        adaptive: Annotated[
            float, Range(0, 1e6), "lambda_beta of the adaptive rule; 0: the ratios are met exactly."
        ] = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._tap = tap
        layers = f"{ratio:g}/all" if configuration is None else configuration
        self.pruning = replace(self.pruning, configuration=layers, adaptive=adaptive)

    def features(self, network: Network) -> NetworkFeature:
        """One tap of the network."""
        return NetworkFeature(network, self._tap or list(network.taps)[-1])

    def planned(self, whole: NetworkFeature) -> Plan:
        """Applies the options to a network.

        Raises:
            UnknownNameError: There is no such layer.
            InputError: The configuration is not of the required form.
        """
        return planned(whole.network, whole.tap.name, self.pruning)

    def compress(
        self, whole: NetworkFeature, patches: Sequence[Image], target: Box, progress: Progress = silent
    ) -> Pruned:
        """Prunes for the target in the first patch (algorithm 1, equations 21 and 22)."""
        return compress(whole.network, whole.tap.name, patches[0], target, self.pruning, progress)
