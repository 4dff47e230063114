"""Calibrations of the trackers' scores, written by ``benchmarks/fit_calibration.py``; do not edit by hand."""

from slimtrack.confidence import Calibration

__all__ = ["CALIBRATIONS", "DEFAULT"]

DEFAULT = Calibration({"peak": 1.459, "psr": 0.512, "shape": 3.798, "grey": 4.523}, -4.555, 0.45)
"""For trackers that have none of their own: fitted on all of ours together."""

CALIBRATIONS: dict[str, Calibration] = {
    "mosse": Calibration({"peak": 3.767, "psr": -0.377, "shape": 3.726, "grey": 3.533}, -3.459, 0.45),
    "kcf": Calibration({"peak": 3.652, "psr": 0.004034, "shape": 2.928, "grey": 4.661}, -3.661, 0.7),
    "dcf": Calibration({"peak": 3.954, "psr": -0.08287, "shape": 2.895, "grey": 4.827}, -3.504, 0.7),
    "dsst": Calibration({"peak": 4.42, "psr": 0.1325, "shape": 4.625, "grey": 4.092}, -4.195, 0.65),
    "fdsst": Calibration({"peak": 5.027, "psr": 0.4612, "shape": 4.263, "grey": 4.917}, -5.611, 0.7),
    "samf": Calibration({"peak": 5.305, "psr": 0.9353, "shape": 2.645, "grey": 2.529}, -6.049, 0.65),
    "samf-ca": Calibration({"peak": 7.918, "psr": 1.003, "shape": 1.528, "grey": 3.535}, -6.137, 0.8),
    "dcf-ca": Calibration({"peak": 5.955, "psr": 0.136, "shape": 1.503, "grey": 5.493}, -4.17, 0.75),
    "staple": Calibration({"peak": 2.727, "psr": 2.377, "shape": 5.675, "grey": 3.066}, -7.272, 0.85),
    "cacf": Calibration({"peak": 5.269, "psr": 0.4829, "shape": 1.806, "grey": 5.422}, -4.885, 0.75),
    "strcf": Calibration({"peak": 11.39, "psr": 1.468, "shape": 4.741, "grey": 3.001}, -7.561, 0.8),
    "bacf": Calibration({"peak": 162.1, "psr": -0.06597, "shape": 5.202, "grey": 4.276}, -4.09, 0.85),
    "fdeepstrcf": Calibration({"peak": 13.24, "psr": 1.657, "shape": 3.771, "grey": 2.348}, -8.756, 0.65),
    "eco-hc": Calibration({"peak": 2.688, "psr": 0.3376, "shape": 5.991, "grey": 2.222}, -4.183, 0.55),
    "feco": Calibration({"peak": 1.871, "psr": 0.3553, "shape": 5.444, "grey": 2.269}, -3.753, 0.6),
    "fkcf": Calibration({"peak": 3.274, "psr": 1.182, "shape": 3.192, "grey": 2.908}, -6.814, 0.5),
    "fsamf": Calibration({"peak": 0.07014, "psr": 1.657, "shape": 4.73, "grey": 2.316}, -7.289, 0.7),
}
"""Per name of tracker."""
