"""RoI pooling of a few boxes while tracking, precise or standard.

Precise pooling computes what `roi` does, in loops over the cells under a box only. Standard pooling takes
whole cells (Girshick, ICCV 2015).

Maps are ``(h, w, C)`` float32, so that a cell's channels lie side by side.
"""

import numpy as np

from slimtrack._compiled import compiled

__all__ = ["pool", "pool_slopes", "pool_standard"]

_LEAST = 1e-6
"""Bins are at least this wide, in cells, as in `roi`."""


@compiled(fastmath=True)
def _integral(x):
    """Of the hat function max(0, 1 - abs(t)) from minus infinity to x."""
    x = min(max(x, -1.0), 1.0)
    return 0.5 + x - x * abs(x) / 2


@compiled(fastmath=True)
def _cells(low, high, cells):
    """The range of cells that a bin touches."""
    return max(int(np.floor(low)), 0), min(int(np.ceil(high)) + 1, cells)


@compiled(fastmath=True)
def _bins(box, size):
    """Where the first of ``size`` x ``size`` bins of a box begins, and the width and height of each."""
    left, top = float(box[0]), float(box[1])
    return left, top, max((float(box[2]) - left) / size, _LEAST), max((float(box[3]) - top) / size, _LEAST)


@compiled(fastmath=True)
def pool(maps, boxes, out):
    """`roi.precise_roi_pool` of boxes in cells ``(K, 4)`` into ``out`` ``(K, bins, bins, C)``."""
    h, w, channels = maps.shape
    count, size = out.shape[0], out.shape[1]
    out[:] = 0
    for k in range(count):
        left, top, across, down = _bins(boxes[k], size)
        for j in range(size):
            y0 = top + j * down
            y1 = y0 + down
            first, last = _cells(y0, y1, h)
            for y in range(first, last):
                of_row = (_integral(y1 - y) - _integral(y0 - y)) / down
                for i in range(size):
                    x0 = left + i * across
                    x1 = x0 + across
                    begin, end = _cells(x0, x1, w)
                    for x in range(begin, end):
                        share = np.float32(of_row * (_integral(x1 - x) - _integral(x0 - x)) / across)
                        for c in range(channels):
                            out[k, j, i, c] += share * maps[y, x, c]


@compiled()
def pool_standard(maps, boxes, out):
    """Standard RoI pooling: boxes and bins rounded to whole cells, the largest value of each bin.

    Args:
        maps: ``(h, w, C)``.
        boxes: ``(K, 4)``: left, top, right, bottom in cells.
        out: ``(K, bins, bins, C)``: is filled; 0 for bins outside the map.
    """
    h, w, channels = maps.shape
    count, size = out.shape[0], out.shape[1]
    out[:] = 0
    for k in range(count):
        left, top = np.floor(boxes[k, 0] + 0.5), np.floor(boxes[k, 1] + 0.5)
        across = max(np.floor(boxes[k, 2] + 0.5) - left + 1, 1.0) / size
        down = max(np.floor(boxes[k, 3] + 0.5) - top + 1, 1.0) / size
        for j in range(size):
            first = min(max(int(np.floor(top + j * down)), 0), h)
            last = min(max(int(np.ceil(top + (j + 1) * down)), 0), h)
            for i in range(size):
                begin = min(max(int(np.floor(left + i * across)), 0), w)
                end = min(max(int(np.ceil(left + (i + 1) * across)), 0), w)
                for c in range(channels):
                    if last > first and end > begin:
                        out[k, j, i, c] = maps[first:last, begin:end, c].max()


@compiled(fastmath=True)
def _hat(x):
    return max(1.0 - abs(x), 0.0)


@compiled(fastmath=True)
def _weight(start, width, index, size, cell, out):
    """A cell's share in a bin, and its derivatives by start and end of the box."""
    before, after = start + index * width - cell, start + (index + 1) * width - cell
    weight = (_integral(after) - _integral(before)) / width
    early, late = _hat(before), _hat(after)
    p, q = index / size, (index + 1) / size
    out[0] = weight
    out[1] = (late * (1 - q) - early * (1 - p) + weight / size) / width
    out[2] = (late * q - early * p - weight / size) / width


@compiled(fastmath=True)
def pool_slopes(maps, boxes, back, out):
    """Derivatives ``(K, 4)`` by the sides of the boxes, given those by the bins ``(K, bins, bins, C)``."""
    h, w, channels = maps.shape
    count, size = back.shape[0], back.shape[1]
    of_row, of_column = np.empty(3), np.empty(3)
    out[:] = 0
    for k in range(count):
        left, top, across, down = _bins(boxes[k], size)
        for j in range(size):
            first, last = _cells(top + j * down, top + (j + 1) * down, h)
            for y in range(first, last):
                _weight(top, down, j, size, y, of_row)
                for i in range(size):
                    begin, end = _cells(left + i * across, left + (i + 1) * across, w)
                    for x in range(begin, end):
                        _weight(left, across, i, size, x, of_column)
                        product = np.float32(0)
                        for c in range(channels):
                            product += back[k, j, i, c] * maps[y, x, c]
                        out[k, 0] += product * of_row[0] * of_column[1]
                        out[k, 1] += product * of_row[1] * of_column[0]
                        out[k, 2] += product * of_row[0] * of_column[2]
                        out[k, 3] += product * of_row[2] * of_column[0]
