"""Calibrations of the trackers' scores, written by ``benchmarks/fit_calibration.py``; do not edit by hand."""

from slimtrack.confidence import Calibration

__all__ = ["CALIBRATIONS", "DEFAULT"]

DEFAULT = Calibration({"peak": 1.459, "psr": 0.512, "shape": 3.798, "grey": 4.523}, -4.555)
"""For trackers that have none of their own: fitted on all of ours together."""

CALIBRATIONS: dict[str, Calibration] = {
    "mosse": Calibration({"peak": 3.445, "psr": -0.2722, "shape": 3.586, "grey": 3.689}, -3.634),
    "kcf": Calibration({"peak": 2.851, "psr": 0.01767, "shape": 3.228, "grey": 5.116}, -3.859),
    "dcf": Calibration({"peak": 4.406, "psr": -0.1541, "shape": 3.113, "grey": 4.877}, -3.56),
    "dsst": Calibration({"peak": 4.83, "psr": 0.0007065, "shape": 4.645, "grey": 4.108}, -3.903),
    "fdsst": Calibration({"peak": 4.501, "psr": 0.4356, "shape": 3.852, "grey": 5.068}, -5.296),
    "samf": Calibration({"peak": 5.555, "psr": 0.9081, "shape": 2.753, "grey": 2.48}, -6.071),
    "samf-ca": Calibration({"peak": 14.47, "psr": 0.9954, "shape": 2.499, "grey": 2.879}, -6.36),
    "dcf-ca": Calibration({"peak": 165.1, "psr": 0.945, "shape": 3.094, "grey": 4.782}, -5.846),
    "staple": Calibration({"peak": 3.815, "psr": 2.641, "shape": 6.291, "grey": 1.135}, -7.853),
    "cacf": Calibration({"peak": 197.4, "psr": -0.3228, "shape": 3.825, "grey": 6.537}, -4.183),
}
"""Per name of tracker."""
