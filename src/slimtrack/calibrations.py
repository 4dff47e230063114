"""Calibrations of the trackers' scores, written by ``benchmarks/fit_calibration.py``; do not edit by hand."""

from slimtrack.confidence import Calibration

__all__ = ["CALIBRATIONS", "DEFAULT"]

DEFAULT = Calibration(
    {
        "psr": 0.8,
        "second": -2,
        "shape": 2,
        "grey": 1.5,
        "color": 6,
        "peak_change": 1,
        "psr_change": 1,
    },
    -2.5,
)
"""For trackers that have none of their own: fitted on all of ours together."""

CALIBRATIONS: dict[str, Calibration] = {
    "kcf": Calibration(
        {
            "peak": 2.468,
            "psr": 0.5443,
            "second": -0.9499,
            "peak_change": 0.8681,
            "psr_change": 0.32,
            "shape": 0.4201,
            "grey": 1.39,
            "color": 4.534,
            "outside": -1.816,
            "scene": -0.5162,
        },
        -1.899,
    ),
    "dsst": Calibration(
        {
            "peak": 2.769,
            "psr": 0.5642,
            "second": -0.8406,
            "peak_change": 0.9694,
            "psr_change": 0.2401,
            "shape": 1.741,
            "grey": 1.655,
            "color": 4.474,
            "outside": -2.487,
            "scene": -0.2378,
        },
        -3.05,
    ),
    "fdsst": Calibration(
        {
            "peak": 2.628,
            "psr": 0.4857,
            "second": -0.838,
            "peak_change": 0.9417,
            "psr_change": 0.1021,
            "shape": 1.607,
            "grey": 1.695,
            "color": 4.022,
            "outside": -2.256,
            "scene": -0.5862,
        },
        -2.371,
    ),
    "staple": Calibration(
        {
            "peak": 4.021,
            "psr": 0.5357,
            "second": -1.487,
            "peak_change": 1.407,
            "psr_change": 1.059,
            "shape": 1.764,
            "grey": 1.454,
            "color": 3.314,
            "outside": -2.245,
            "scene": -0.8122,
        },
        -0.7671,
    ),
    "strcf": Calibration(
        {
            "peak": 3.461,
            "psr": 0.5087,
            "second": -2.544,
            "peak_change": 0.8558,
            "psr_change": 0.662,
            "shape": 2.485,
            "grey": 0.5677,
            "color": 2.618,
            "outside": -2.228,
            "scene": -0.432,
        },
        -0.505,
    ),
    "fdeepstrcf": Calibration(
        {
            "peak": 3.582,
            "psr": 0.6524,
            "second": -2.28,
            "peak_change": 0.8209,
            "psr_change": 0.7619,
            "shape": 1.579,
            "grey": 0.7589,
            "color": 2.551,
            "outside": -2.43,
            "scene": -0.7125,
        },
        -0.4774,
    ),
    "eco-hc": Calibration(
        {
            "peak": 1.46,
            "psr": 0.3664,
            "second": -1.635,
            "peak_change": 0.5436,
            "psr_change": 0.5938,
            "shape": 1.601,
            "grey": 0.7145,
            "color": 3.339,
            "outside": -3.455,
            "scene": -0.4044,
        },
        -0.2514,
    ),
    "feco": Calibration(
        {
            "peak": 0.8298,
            "psr": 0.3693,
            "second": -1.81,
            "peak_change": 0.6081,
            "psr_change": 0.5456,
            "shape": 1.308,
            "grey": 0.9934,
            "color": 2.905,
            "outside": -3.807,
            "scene": -0.3036,
        },
        -0.2104,
    ),
}
"""Per name of tracker."""
