"""How paper 000 prunes a network, as plain data."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from slimtrack.compression.information import Metric
from slimtrack.errors import InputError

__all__ = ["METHODS", "Rule", "Settings"]

Rule: TypeAlias = Literal["proposed", "firstK", "maxK", "pca", "none"]
METHODS: tuple[Rule, ...] = ("proposed", "firstK", "maxK", "pca", "none")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is pruned; the fields are named as the options of `slimtrack.compression.cpt.Cpt`.

    Attributes:
        configuration: Layers and ratios, see `Plan.parse`.
        method: ``proposed``; ``firstK`` or ``maxK`` choose channels by a simple rule; ``pca``: dimensions of
            the last layer by PCA alone, nothing pruned; ``none``: the network as it is.
        d: Dimensions of the last layer.
        d_prime: Channels selected before PCA; 0: by the least loss of equation 6.
        metric: How information is measured.
        error: Whether the tracking error of equation 5 counts.
        reconstruct: Layers whose loss is made good, see `Plan.parse`.
        background: ``lambda_B`` of equation 9, between losses per cell.
        refit: ``lambda_W`` of equation 20, relative to the mean energy of a filter's output.
        adaptive: ``lambda_beta`` of the adaptive rule; 0: the ratios of the configuration are met exactly.
        cells: Most cells of a map that are looked at, on the target and off it: shallow maps have more than
            the choice needs.
    """

    configuration: str = "0.5/all"
    method: Rule = "proposed"
    d: int = 64
    d_prime: int = 0
    metric: Metric = "l2"
    error: bool = True
    reconstruct: str = "all"
    background: float = 0.01
    refit: float = 0.1
    adaptive: float = 0.0
    cells: int = 1024

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r} is not one of {', '.join(METHODS)}")
        if self.d < 1 or self.cells < 1:
            raise InputError(f"d={self.d} and cells={self.cells} must be at least 1")
        if min(self.background, self.refit, self.adaptive) < 0:
            raise InputError("background, refit and adaptive must not be negative")
