"""Felzenszwalb's histograms of oriented gradients, with 31 channels per cell."""

import math

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Features, Image
from slimtrack.errors import InputError
from slimtrack.features.cells import CellFeature

__all__ = ["Hog", "fhog"]

_BINS = 18  # signed orientations of 20 degrees, the first centred at 0
_UNIT = np.arange(256, dtype=np.float32) / np.float32(255)
_CLIP = np.float32(0.2)
_TEXTURE = np.float32(0.2357)  # 1 / sqrt(18): the published article's scale of the texture channels
_T10, _T30, _T50, _T70 = (np.float32(math.tan(math.radians(a))) for a in (10, 30, 50, 70))


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
    _fhogs(batch, cell, out)
    return out[0] if single else out


class Hog(CellFeature):
    """HOG as a feature: 31 channels."""

    channels = 31

    def __call__(self, patch: Image) -> Features:
        """Features ``(31, h, w)`` of a patch ``(H, W, 3)``, or ``(S, 31, h, w)`` of several."""
        return fhog(patch, self.stride)


@compiled()
def _load(row, plane):
    """One pixel row in units of 1/255, one colour after the other: contiguous for later loops."""
    width, colours = row.shape
    for x in range(width):
        for c in range(colours):
            plane[c, x] = _UNIT[row[x, c]]


# Not fastmath: of equally strong colours, float32 rounding decides which one wins.
@compiled()
def _strongest(up, row, down, half, buffers):
    """Squared magnitude, horizontal and vertical part of the strongest colour's gradient, for a row."""
    colours, width = row.shape
    strength, gx, gy = buffers[0], buffers[1], buffers[2]
    for x in range(1, width - 1):
        best, bx, by = np.float32(-1), np.float32(0), np.float32(0)
        for c in range(colours):
            dx = np.float32(0.5) * (row[c, x + 1] - row[c, x - 1])
            dy = half * (down[c, x] - up[c, x])
            square = dx * dx + dy * dy
            better = square > best
            best = square if better else best
            bx = dx if better else bx
            by = dy if better else by
        strength[x], gx[x], gy[x] = best, bx, by
    for x, left, right in ((0, 0, 1), (width - 1, width - 2, width - 1)):
        strength[x] = -1
        for c in range(colours):
            dx = row[c, right] - row[c, left]
            dy = half * (down[c, x] - up[c, x])
            square = dx * dx + dy * dy
            if square > strength[x]:
                strength[x], gx[x], gy[x] = square, dx, dy


@compiled(fastmath=True)
def _orient(buffers, orientation):
    """Magnitude and orientation bin of the gradients of a row."""
    strength, gx, gy = buffers[0], buffers[1], buffers[2]
    for x in range(len(orientation)):
        ax, ay = abs(gx[x]), abs(gy[x])
        sector = np.int32(ay > ax * _T10) + np.int32(ay > ax * _T30)
        sector += np.int32(ay > ax * _T50) + np.int32(ay > ax * _T70)
        # 90 degrees is the border of two bins and belongs to the later one.
        turned = (gx[x] < 0) | ((gx[x] == 0) & (gy[x] > 0))
        sector = np.int32(9) - sector if turned else sector
        sector = np.int32(18) - sector if gy[x] < 0 else sector
        orientation[x] = np.int32(0) if sector == 18 else sector
        strength[x] = np.sqrt(strength[x])


@compiled(fastmath=True)
def _spread(strength, orientation, cell, line):
    """Adds one pixel row to the cells of its line, bilinear in x."""
    line[:] = 0
    for inside in range(cell):
        at = (inside + np.float32(0.5)) / cell + np.float32(0.5)
        late = int(at)
        share = at - late
        for i in range(line.shape[0] - 2):
            value, bin_ = strength[i * cell + inside], orientation[i * cell + inside]
            line[i + late, bin_] += value * (1 - share)
            line[i + late + 1, bin_] += value * share


@compiled(fastmath=True)
def _add(line, cells, share):
    for i in range(len(line)):
        cells[i] += line[i] * share


@compiled(fastmath=True)
def _histograms(patch, cell, cells):
    """Fills ``cells`` ``(h + 2, w + 2, 18)``: one spare cell on each side takes values from outside."""
    height, width, colours = patch.shape
    planes = np.empty((3, colours, width), np.float32)  # the rows y - 1, y, y + 1, in turn
    buffers = np.empty((3, width), np.float32)
    orientation = np.empty(width, np.int32)
    line = np.empty((cells.shape[1], _BINS), np.float32)
    unit = np.float32(1.0 / (cell * cell))
    _load(patch[0], planes[0])
    for y in range((cells.shape[0] - 2) * cell):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        if down > y:
            _load(patch[down], planes[down % 3])
        half = np.float32(0.5) if down - up == 2 else np.float32(1.0)
        _strongest(planes[up % 3], planes[y % 3], planes[down % 3], half, buffers)
        _orient(buffers, orientation)
        _spread(buffers[0], orientation, cell, line)
        at = (y + np.float32(0.5)) / cell + np.float32(0.5)
        first = int(at)
        share = (at - first) * unit
        rest = unit - share
        _add(line.reshape(-1), cells[first].reshape(-1), rest)
        _add(line.reshape(-1), cells[first + 1].reshape(-1), share)


@compiled()
def _fhogs(patches, cell, out):
    for i in range(len(patches)):
        _fhog(patches[i], cell, out[i])


@compiled(fastmath=True)
def _fhog(patch, cell, out):
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


@compiled(fastmath=True)
def _block_norms(signed, cell):
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
            up, lf = b - 1, r - 1
            b, r = min(b, h - 1), min(r, w - 1)
            norms[y, x] = 1 / math.sqrt(energy[up, lf] + energy[up, r] + energy[b, lf] + energy[b, r] + tiny)
    return norms


@compiled(fastmath=True)
def _channels(signed, norms, out):
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
