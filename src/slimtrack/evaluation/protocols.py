"""The rules under which boxes are scored, as data: what the public toolkits differ in and nothing else."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from slimtrack.errors import UnknownNameError

__all__ = ["GOT10K", "OTB", "PROTOCOLS", "PYSOT", "Protocol", "protocol"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a toolkit turns boxes into curves.

    Boxes are x, y, w, h throughout, 0-based outer edges as `slimtrack.Box`; the toolkits' own 1-based numbers
    are larger by one in x and y, which matters for the validity of a truth row only.

    Attributes:
        name: Its name on the command line and in results.
        version: Raised when a rule below changes, so that results can be told apart.
        source: Whose rules they are.
        first_is_truth: The first box of a result is replaced by the true one.
        repair: A later row that is all ``nan`` or has no area is replaced by the row before it.
        overlap_validity: Which truth rows count in success: ``"box"`` those with four positive (1-based)
            numbers; any other row has IoU -1, a miss. ``"none"``: all of them.
        error_validity: The same for precision: an invalid row has error -1, a *hit*. ``"centre"``: rows
            whose (1-based) centre is positive.
        absent: What a truth row of ``nan`` is: ``"left out"`` of numerator and denominator, or ``"counted"``
            (under the rules above).
        overlap_thresholds: Success is the share of frames with IoU **greater** than each of these.
        error_thresholds: Precision is the share with a centre error **at most** each of these, in pixels.
        normalized_thresholds: The same for the error divided by the true width and height.
    """

    name: str
    version: int
    source: str
    first_is_truth: bool
    repair: bool
    overlap_validity: Literal["box", "none"]
    error_validity: Literal["box", "centre", "none"]
    absent: Literal["left out", "counted"]
    overlap_thresholds: tuple[float, ...]
    error_thresholds: tuple[float, ...] = tuple(float(k) for k in range(51))
    normalized_thresholds: tuple[float, ...] = tuple(k / 100 for k in range(51))


OTB = Protocol(
    name="otb",
    version=1,
    source="MATLAB toolkit of the Object Tracking Benchmark (Wu, Lim, Yang: TPAMI 2015)",
    first_is_truth=True,
    repair=True,
    overlap_validity="box",
    error_validity="box",
    absent="left out",
    # As MATLAB builds 0:0.05:1, from both ends: with other roundings single frames flip at ties.
    overlap_thresholds=tuple(k * 0.05 if k <= 10 else 1 - (20 - k) * 0.05 for k in range(21)),
)
"""One-pass evaluation as the OTB toolkit does it. Ours leaves absent frames out, which OTB does not have."""

PYSOT = Protocol(
    name="pysot",
    version=1,
    source="pysot-toolkit, OPEBenchmark",
    first_is_truth=False,
    repair=False,
    overlap_validity="box",
    error_validity="centre",
    absent="counted",
    overlap_thresholds=tuple(map(float, np.arange(0, 1.05, 0.05))),
)
"""One-pass evaluation as pysot-toolkit does it: nothing replaced, a ``nan`` box is a miss."""

GOT10K = Protocol(
    name="got10k",
    version=1,
    source="got10k-toolkit, ExperimentOTB",
    first_is_truth=True,
    repair=False,
    overlap_validity="none",
    error_validity="none",
    absent="counted",
    overlap_thresholds=tuple(map(float, np.linspace(0, 1, 21))),
)
"""One-pass evaluation as got10k-toolkit does it on OTB: every row counts as it is."""

PROTOCOLS = {rules.name: rules for rules in (OTB, PYSOT, GOT10K)}
"""All of them, by name."""


def protocol(name: str) -> Protocol:
    """The protocol of a name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError.of("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
