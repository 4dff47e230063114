"""Calibrations of the trackers' scores, written by ``benchmarks/fit_calibration.py``; do not edit by hand."""

from slimtrack.confidence import Calibration

__all__ = ["CALIBRATIONS", "DEFAULT"]

DEFAULT = Calibration({"peak": 1.459, "psr": 0.512, "shape": 3.798, "grey": 4.523}, -4.555)
"""For trackers that have none of their own: fitted on all of ours together."""

CALIBRATIONS: dict[str, Calibration] = {
    "mosse": Calibration({"peak": 3.767, "psr": -0.377, "shape": 3.726, "grey": 3.533}, -3.459),
    "kcf": Calibration({"peak": 3.652, "psr": 0.004034, "shape": 2.928, "grey": 4.661}, -3.661),
    "dcf": Calibration({"peak": 3.97, "psr": -0.09579, "shape": 2.892, "grey": 4.839}, -3.472),
    "dsst": Calibration({"peak": 4.42, "psr": 0.1325, "shape": 4.625, "grey": 4.092}, -4.195),
    "fdsst": Calibration({"peak": 5.505, "psr": 0.3782, "shape": 4.443, "grey": 4.84}, -5.526),
    "samf": Calibration({"peak": 5.305, "psr": 0.9353, "shape": 2.645, "grey": 2.529}, -6.049),
    "samf-ca": Calibration({"peak": 7.918, "psr": 1.003, "shape": 1.528, "grey": 3.535}, -6.137),
    "dcf-ca": Calibration({"peak": 6.098, "psr": 0.2202, "shape": 1.751, "grey": 5.47}, -4.55),
    "staple": Calibration({"peak": 2.727, "psr": 2.377, "shape": 5.675, "grey": 3.066}, -7.272),
    "cacf": Calibration({"peak": 6.556, "psr": 0.1466, "shape": 2.091, "grey": 5.359}, -4.321),
}
"""Per name of tracker."""
