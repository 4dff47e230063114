"""Felzenszwalb's histograms of oriented gradients: 31 channels a cell."""

import math

import numpy as np
from numba import njit

from slimtrack.arrays import Features, Image
from slimtrack.errors import InputError

__all__ = ["Hog", "fhog"]

_BINS = 18  # signed orientations of 20 degrees, the first centred at 0
_CLIP = np.float32(0.2)
_TEXTURE = np.float32(0.2357)  # 1 / sqrt(18): the published article's scale of the texture channels
# Tangents of the bins' edges. The widely used implementation looks arccos up in a table of steps of 1e-4, cut
# towards zero; its edges at 10, 30, 50, 70 degrees so lie at the next table entry, and ours with them.
_T10, _T30, _T50, _T70 = (np.float32(math.sqrt(1 - c * c) / c) for c in (0.9849, 0.8661, 0.6428, 0.3421))


def fhog(patch: Image, cell: int = 4) -> Features:
    """Histograms of oriented gradients with 18 signed, 9 unsigned and 4 texture channels.

    Felzenszwalb et al., "Object Detection with Discriminatively Trained Part Based Models", TPAMI 2010,
    section 6, in the form that correlation filter trackers use: gradients of the strongest colour channel
    in units of 1/255, bilinear in space and hard in orientation, border cells kept and scaled by 8/7, the
    norms of border blocks repeated outwards, and no channel that is always zero.

    Args:
        patch: ``(H, W, 3)`` or ``(H, W)`` uint8; one patch, or ``(S, H, W, 3)`` several of a size.
        cell: Side of a cell in pixels.

    Returns:
        ``(31, H // cell, W // cell)`` float32, with a leading ``S`` for several patches.

    Raises:
        InputError: The patch has another type or is smaller than one cell.
    """
    if patch.dtype != np.uint8 or patch.ndim not in (2, 3, 4):
        raise InputError(f"a HOG patch is uint8 of 2 to 4 axes, not {patch.dtype} of shape {patch.shape}")
    single = patch.ndim < 4
    batch = patch.reshape(1, *patch.shape[:2], -1) if single else patch
    h, w = batch.shape[1] // cell, batch.shape[2] // cell
    if h < 1 or w < 1 or min(batch.shape[1:3]) < 2:
        raise InputError(f"a HOG patch of {batch.shape[2]} x {batch.shape[1]} pixels is smaller than a cell")
    out = np.empty((len(batch), 31, h, w), np.float32)
    for one, features in zip(batch, out, strict=True):  # a scale each; the loops below are compiled
        _fhog(one, cell, features)
    return out[0] if single else out


class Hog:
    """HOG as a feature: 31 channels, a cell of ``cell`` pixels, the first cell's centre at half a cell.

    Attributes:
        channels: 31.
        stride: Pixels between cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
    """

    channels = 31

    def __init__(self, cell: int = 4) -> None:
        self.stride = cell
        self.offset = cell / 2

    def __call__(self, patch: Image) -> Features:
        """Features ``(31, h, w)`` of a patch ``(H, W, 3)``, or ``(S, 31, h, w)`` of several."""
        return fhog(patch, self.stride)


@njit(cache=True, fastmath=True, nogil=True)
def _row_gradient(up, row, down, half, strength, orientation):  # type: ignore[no-untyped-def]
    """Strength (in 1/255) and orientation bin of one pixel row; ``half`` is 1/2 inside, 1 at the border."""
    width, colours = row.shape
    for x in range(width):
        left, right = max(x - 1, 0), min(x + 1, width - 1)
        across = np.float32(0.5) if right - left == 2 else np.float32(1.0)
        best, gx, gy = np.float32(-1.0), np.float32(0.0), np.float32(0.0)
        for c in range(colours):
            dx = across * (np.int32(row[right, c]) - np.int32(row[left, c]))
            dy = half * (np.int32(down[x, c]) - np.int32(up[x, c]))
            square = dx * dx + dy * dy
            if square > best:
                best, gx, gy = square, dx, dy
        ax, ay = abs(gx), abs(gy)
        sector = (
            np.int32(ay > ax * _T10) + np.int32(ay > ax * _T30) + np.int32(ay > ax * _T50) + np.int32(ay > ax * _T70)
        )
        if gx < 0 or (gx == 0 and gy > 0):  # 90 degrees lies between two bins and belongs to the later
            sector = 9 - sector
        if gy < 0 and sector > 0:
            sector = 18 - sector
        strength[x] = math.sqrt(best)
        orientation[x] = sector


@njit(cache=True, fastmath=True, nogil=True)
def _histograms(patch, cell, cells):  # type: ignore[no-untyped-def]
    """Fills ``cells`` ``(h + 2, w + 2, 18)``: one spare cell on each side takes what falls outside."""
    height, width = patch.shape[:2]
    h, w = cells.shape[0] - 2, cells.shape[1] - 2
    strength = np.empty(width, np.float32)
    orientation = np.empty(width, np.int32)
    line = np.empty((w + 2, _BINS), np.float32)
    unit = np.float32(1.0 / (255.0 * cell * cell))
    for y in range(h * cell):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        half = np.float32(0.5) if down - up == 2 else np.float32(1.0)
        _row_gradient(patch[up], patch[y], patch[down], half, strength, orientation)
        line[:] = 0
        for x in range(w * cell):
            at = (x + np.float32(0.5)) / cell + np.float32(0.5)
            first = int(at)
            share = at - first
            value, bin_ = strength[x], orientation[x]
            line[first, bin_] += value * (1 - share)
            line[first + 1, bin_] += value * share
        at = (y + np.float32(0.5)) / cell + np.float32(0.5)
        first = int(at)
        share = (at - first) * unit
        rest = unit - share
        for i in range(w + 2):
            for k in range(_BINS):
                cells[first, i, k] += line[i, k] * rest
                cells[first + 1, i, k] += line[i, k] * share


@njit(cache=True, fastmath=True, nogil=True)
def _fhog(patch, cell, out):  # type: ignore[no-untyped-def]
    h, w = out.shape[1:]
    cells = np.zeros((h + 2, w + 2, _BINS), np.float32)
    _histograms(patch, cell, cells)
    signed = np.empty((_BINS, h, w), np.float32)
    edge = np.float32(8.0 / 7.0)
    for y in range(h):
        for x in range(w):
            gain = (edge if y == 0 or y == h - 1 else np.float32(1)) * (
                edge if x == 0 or x == w - 1 else np.float32(1)
            )
            if h == 1 and y == 0:
                gain *= edge
            if w == 1 and x == 0:
                gain *= edge
            for k in range(_BINS):
                signed[k, y, x] = cells[y + 1, x + 1, k] * gain
    norms = _block_norms(signed, cell)
    _channels(signed, norms, out)


@njit(cache=True, fastmath=True, nogil=True)
def _block_norms(signed, cell):  # type: ignore[no-untyped-def]
    """Inverse norms of the 2 x 2 blocks around each cell corner, ``(h + 1, w + 1)``, borders repeated."""
    h, w = signed.shape[1:]
    energy = np.zeros((h, w), np.float32)
    for k in range(9):
        for y in range(h):
            for x in range(w):
                value = signed[k, y, x] + signed[k + 9, y, x]
                energy[y, x] += value * value
    norms = np.empty((h + 1, w + 1), np.float32)
    tiny = np.float32(1e-4 / 4 / cell**4)  # the reference's constant, in units of squared cell averages
    for y in range(h + 1):
        for x in range(w + 1):
            b, r = min(max(y, 1), max(h - 1, 1)), min(max(x, 1), max(w - 1, 1))
            t, l = b - 1, r - 1  # noqa: E741
            b, r = min(b, h - 1), min(r, w - 1)
            norms[y, x] = 1 / math.sqrt(energy[t, l] + energy[t, r] + energy[b, l] + energy[b, r] + tiny)
    return norms


@njit(cache=True, fastmath=True, nogil=True)
def _channels(signed, norms, out):  # type: ignore[no-untyped-def]
    h, w = out.shape[1:]
    half = np.float32(0.5)
    texture = np.zeros((4, w), np.float32)
    for y in range(h):
        texture[:] = 0
        for k in range(_BINS):
            for x in range(w):
                value = signed[k, y, x]
                a = min(value * norms[y, x], _CLIP)
                b = min(value * norms[y, x + 1], _CLIP)
                c = min(value * norms[y + 1, x], _CLIP)
                d = min(value * norms[y + 1, x + 1], _CLIP)
                out[k, y, x] = (a + b + c + d) * half
                texture[0, x] += d
                texture[1, x] += b
                texture[2, x] += c
                texture[3, x] += a
        for k in range(9):
            for x in range(w):
                value = signed[k, y, x] + signed[k + 9, y, x]
                out[18 + k, y, x] = half * (
                    min(value * norms[y, x], _CLIP)
                    + min(value * norms[y, x + 1], _CLIP)
                    + min(value * norms[y + 1, x], _CLIP)
                    + min(value * norms[y + 1, x + 1], _CLIP)
                )
        for k in range(4):
            for x in range(w):
                out[27 + k, y, x] = texture[k, x] * _TEXTURE
