"""Calibrations of the trackers' scores, written by ``benchmarks/fit_calibration.py``; do not edit by hand."""

from slimtrack.confidence import Calibration

__all__ = ["CALIBRATIONS", "DEFAULT"]

DEFAULT = Calibration({"psr": 0.4}, -2.0)
"""For trackers that have none of their own."""

CALIBRATIONS: dict[str, Calibration] = {}
"""Per name of tracker."""
