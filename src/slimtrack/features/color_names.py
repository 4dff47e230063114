"""Colour names: how well each of the eleven basic colour terms describes a colour."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats, Image
from slimtrack.errors import InputError
from slimtrack.features.cells import CellFeature, cell_means

__all__ = ["TERMS", "ColorNames", "load_table", "memberships"]

_FOCI = {
    # Typical sRGB values of the eleven basic terms of Berlin and Kay; several if a term spans a range.
    "black": ((0, 0, 0), (28, 28, 30)),
    "blue": ((0, 0, 255), (30, 60, 170), (70, 130, 200), (0, 0, 110)),
    "brown": ((110, 60, 20), (150, 95, 50), (80, 50, 30)),
    "grey": ((128, 128, 128), (90, 90, 90), (170, 170, 170)),
    "green": ((0, 160, 0), (0, 255, 0), (20, 90, 30), (130, 180, 70)),
    "orange": ((255, 140, 0), (240, 110, 30)),
    "pink": ((255, 170, 190), (255, 105, 180), (230, 140, 140)),
    "purple": ((128, 0, 128), (150, 80, 190), (80, 30, 110)),
    "red": ((255, 0, 0), (190, 20, 30), (120, 0, 10)),
    "white": ((255, 255, 255), (230, 230, 228)),
    "yellow": ((255, 255, 0), (225, 200, 50)),
}

TERMS = tuple(_FOCI)
"""The eleven basic colour terms, in the channels' order."""

_SOFTNESS = 18.0
"""CIELAB distance over which one term fades into the next."""


def memberships(rgb: npt.ArrayLike) -> Floats:
    """How well each term describes a colour: positive numbers that sum to 1.

    The value is a Gaussian of the CIELAB distance to the nearest typical colour of the term.

    Args:
        rgb: ``(..., 3)`` sRGB in 0..255.

    Returns:
        ``(..., 11)`` float32, in the order of `TERMS`.
    """
    lab = _lab(np.asarray(rgb, float))
    nearest = np.stack(
        [
            np.min([np.sum((lab - _lab(np.array(focus, float))) ** 2, axis=-1) for focus in foci], axis=0)
            for foci in _FOCI.values()
        ],
        axis=-1,
    )
    fit = np.exp(-0.5 * (nearest - nearest.min(axis=-1, keepdims=True)) / _SOFTNESS**2)
    return np.asarray(fit / fit.sum(axis=-1, keepdims=True), np.float32)


def load_table(path: str | Path) -> Floats:
    """Loads a table of colour names: 32768 rows, one per colour (r + 32 g + 1024 b, each 0..31).

    Args:
        path: Text or ``.npy``, each row with the weights of the terms. Rows may begin with the colour's own
            R, G, B, as in published tables.

    Raises:
        InputError: The file cannot be read or has another shape.
    """
    try:
        table = np.load(path, allow_pickle=False) if str(path).endswith(".npy") else np.loadtxt(path, ndmin=2)
        table = np.asarray(table, np.float32)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise InputError(f"colour table {path} cannot be read: {error}") from error
    if table.ndim != 2 or len(table) != 32**3 or table.shape[1] not in (10, 11, 13, 14):
        raise InputError(
            f"colour table {path} has shape {table.shape}, not 32768 x 10 or 11 (with R, G, B before)"
        )
    if not np.isfinite(table).all():
        raise InputError(f"colour table {path} holds numbers that are not finite")
    return np.ascontiguousarray(table[:, 3:] if table.shape[1] > 11 else table)


class ColorNames(CellFeature):
    """Colour names of each cell's mean colour, centred so that the mean over the terms is 0.

    There are 11 channels, or as many as the user's table has.
    """

    def __init__(self, cell: int = 4, table: Floats | None = None) -> None:
        super().__init__(cell)
        rows = _own_table() if table is None else table
        self._table = np.ascontiguousarray(rows - rows.mean(axis=1, keepdims=True), np.float32)
        self.channels = self._table.shape[1]

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)`` of a patch ``(H, W, 3)``, or ``(S, C, h, w)`` of several."""
        levels = (cell_means(patch, self.stride) >> 3).astype(np.intp)
        rows = self._table[levels[..., 2] + 32 * levels[..., 1] + 1024 * levels[..., 0]]
        return np.ascontiguousarray(np.moveaxis(rows, -1, -3))


@cache
def _own_table() -> Floats:
    level = np.arange(32) * 8 + 3.5
    blue, green, red = np.meshgrid(level, level, level, indexing="ij")
    return memberships(np.stack([red, green, blue], axis=-1).reshape(-1, 3))


def _lab(rgb: Floats) -> Floats:
    """CIELAB (D65) of sRGB in 0..255, by the definitions of IEC 61966-2-1 and CIE 15."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )
