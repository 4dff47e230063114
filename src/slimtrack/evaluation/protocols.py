"""The rules by which boxes are scored, as data: exactly the points in which the public toolkits differ."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from slimtrack.errors import UnknownNameError
from slimtrack.evaluation.procedures import ONE_PASS, Procedure, Restarts

__all__ = ["GOT10K", "OTB", "PROTOCOLS", "PYSOT", "VOT", "Protocol", "protocol"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a toolkit turns boxes into curves.

    All boxes are x, y, w, h with 0-based outer edges, as `slimtrack.Box`. The toolkits' 1-based x and y are
    larger by one, which only matters for the validity of a truth row.

    Attributes:
        name: Name on the command line and in results.
        version: Increased if a rule below changes, so that results can be distinguished.
        source: The toolkit that the rules come from.
        first_is_truth: The first box of a result is replaced by the true one.
        repair: A later row that is all ``nan`` or has no area is replaced by the row before it.
        overlap_validity: Which truth rows are valid in success. ``"box"``: those with four positive (1-based)
            numbers; any other row has IoU -1, a miss. ``"none"``: all rows.
        error_validity: The same for precision, where an invalid row has error -1, a *hit*. ``"centre"``: rows
            whose (1-based) centre is positive.
        absent: Treatment of a truth row of ``nan``: ``"left out"`` of numerator and denominator, or
            ``"counted"`` by the rules above.
        overlap_thresholds: Success is the share of frames with IoU **greater** than each of these.
        error_thresholds: Precision is the share with a centre error **at most** each of these, in pixels.
        normalized_thresholds: The same for the error divided by the true width and height.
        procedure: Which frames the tracker sees, and where it starts. Any procedure with one result per
            sequence can be combined with any toolkit's rules: ``replace(OTB, procedure=RealTime(20))``.
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
    procedure: Procedure = ONE_PASS


OTB = Protocol(
    name="otb",
    version=1,
    source="MATLAB toolkit of the Object Tracking Benchmark (Wu, Lim, Yang: TPAMI 2015)",
    first_is_truth=True,
    repair=True,
    overlap_validity="box",
    error_validity="box",
    absent="left out",
    # As MATLAB builds 0:0.05:1, from both ends: other roundings change single frames at ties.
    overlap_thresholds=tuple(k * 0.05 if k <= 10 else 1 - (20 - k) * 0.05 for k in range(21)),
)
"""One-pass evaluation of the OTB toolkit. Absent frames, which OTB does not have, are left out."""

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
"""One-pass evaluation of pysot-toolkit: no row is replaced, a ``nan`` box is a miss."""

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
"""One-pass evaluation of got10k-toolkit on OTB: every row counts unchanged."""

VOT = replace(
    OTB, name="vot", source="vot-toolkit, supervised experiment (VOT2013 to VOT2019)", procedure=Restarts()
)
"""Accuracy and failures with restarts (`slimtrack.evaluation.restarts`). It has no curves."""

PROTOCOLS = {rules.name: rules for rules in (OTB, PYSOT, GOT10K, VOT)}
"""All protocols, by name."""


def protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        UnknownNameError: There is no protocol of that name.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError.of("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
