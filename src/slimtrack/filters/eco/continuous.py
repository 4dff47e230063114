"""Features of different resolution as functions on one continuous, periodic window (C-COT, section 3).

The window's sides are the unit of length, and its centre is the origin, so that a target in the middle, the
desired response and the filter all lie at 0. A function is stored as the coefficients of its Fourier series,

    f(x, y) = sum_kl F[k, l] exp(2 pi i (k y + l x)),   |k| <= K,  |l| <= L,

of which, f being real, the half with l >= 0 is stored: ``(2 K + 1, L + 1)``, rows in the order
0 .. K, -K .. -1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slimtrack.arrays import AnyArray, Features, Floats, Spectrum
from slimtrack.filters.fft import irfft2, rfft2

__all__ = ["Block", "Layout", "cubic_spectrum", "frequencies", "samples", "desired_response"]


@dataclass(frozen=True, slots=True)
class Block:
    """A feature and its grid.

    Attributes:
        channels: Number of channels.
        size: Height and width of the grid in cells; the grid covers the window.
        offset: Centre of cell 0 from the window's corner, in cells (one half for cells that tile the window).
    """

    channels: int
    size: tuple[int, int]
    offset: float = 0.5

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its half spectrum; an even grid's highest frequency is left out."""
        rows, columns = ((n - 1) // 2 for n in self.size)
        return 2 * rows + 1, columns + 1


def frequencies(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """The rows' and the columns' frequencies of a half spectrum of that shape."""
    rows, columns = (np.arange(count, dtype=float) for count in shape)
    return np.where(rows > shape[0] // 2, rows - shape[0], rows), columns


def cubic_spectrum(f: Floats, a: float = -0.75) -> Floats:
    """Fourier transform of the cubic convolution kernel of Keys (IEEE TASSP 1981) with parameter ``a``.

    Args:
        f: Frequencies in cycles per sample.
        a: Slope of the kernel at 1; -0.75 as in C-COT.
    """
    safe = np.where(f == 0, 1.0, f)
    wide, double = np.sinc(f), np.sinc(2 * f)
    smooth = 3 * (wide**2 - double)
    sharp = 2 * a * (3 * double**2 - 2 * double - np.sinc(4 * f))
    return np.where(f == 0, 1.0, (smooth + sharp) / (math.pi * safe) ** 2)


class Layout:
    """Layout of the coefficients of all blocks in one flat vector; turns features into coefficients.

    Attributes:
        blocks: The blocks.
        shape: Half spectrum of the finest block, in which blocks are added.
        length: Complex numbers in the flat vector.
        table: A row ``(first, channels, rows, columns)`` a block, for compiled loops.
        twice: How often each real number of the vector counts in sums over the whole spectrum: the columns
            that stand for two count twice, ``(2 length,)`` float32.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self.shape = max(b.shape[0] for b in blocks), max(b.shape[1] for b in blocks)
        sizes = [b.channels * b.shape[0] * b.shape[1] for b in blocks]
        starts = [0, *np.cumsum(sizes).tolist()]
        self.length = starts[-1]
        rows = [(s, b.channels, *b.shape) for s, b in zip(starts[:-1], blocks, strict=True)]
        self.table = np.array(rows, np.int64)
        self.twice = np.full(2 * self.length, 2, np.float32)
        for part in self.views(self.twice.view(np.complex64)):
            part[..., 0] = 1 + 1j
        self._at = [self._places(b.shape) for b in blocks]
        self._kernels = [_interpolation(b) for b in blocks]

    def views(self, flat: Spectrum) -> list[Spectrum]:
        """The blocks ``(..., C, rows, columns)`` of flat vectors ``(..., length)``; no copies."""
        return [
            flat[..., first : first + c * h * w].reshape(*flat.shape[:-1], c, h, w)
            for first, c, h, w in self.table.tolist()
        ]

    def twice_in(self, block: int) -> Floats:
        """How often each coefficient of a block counts in sums over the whole: ``(rows, columns)``."""
        return np.asarray(self.views(self.twice.view(np.complex64))[block][0].real)

    def transform(self, features: Features, block: int) -> Spectrum:
        """Coefficients of the interpolated features (C-COT, equations 4 and 9), ``(..., C, rows, columns)``.

        Args:
            features: ``(..., C, h, w)``, the block's cells.
            block: Which block.
        """
        rows, columns = self.blocks[block].shape
        spectrum = rfft2(features)[..., :columns]
        k = rows // 2 + 1
        parts = [spectrum[..., :k, :]] + ([spectrum[..., -(k - 1) :, :]] if k > 1 else [])
        return np.asarray(np.concatenate(parts, axis=-2) * self._kernels[block])

    def add(self, total: Spectrum, part: Spectrum, block: int) -> None:
        """Adds a block's spectrum ``(..., rows, columns)`` to the finest, ``(..., *shape)``, in place."""
        total.reshape(*total.shape[:-2], -1)[..., self._at[block]] += part.reshape(*part.shape[:-2], -1)

    def cut(self, total: Spectrum, block: int) -> Spectrum:
        """A block's part of a spectrum ``(..., *shape)``: ``(..., rows, columns)``."""
        flat = total.reshape(*total.shape[:-2], -1)[..., self._at[block]]
        return flat.reshape(*total.shape[:-2], *self.blocks[block].shape)

    def shift(self, flat: Spectrum, dy: float, dx: float) -> Spectrum:
        """Flat vectors ``(..., length)`` of the functions shifted by a share of the window's sides."""
        out = np.empty_like(flat)
        for source, target in zip(self.views(flat), self.views(out), strict=True):
            rows, columns = frequencies((source.shape[-2], source.shape[-1]))
            turn = np.exp(-2j * np.pi * (rows[:, None] * dy + columns * dx)).astype(np.complex64)
            np.multiply(source, turn, out=target)
        return out

    def _places(self, shape: tuple[int, int]) -> AnyArray:
        """Flat positions of a block's coefficients in the finest half spectrum."""
        rows = np.arange(shape[0])
        rows = np.where(rows > shape[0] // 2, rows - shape[0] + self.shape[0], rows)
        return (rows[:, None] * self.shape[1] + np.arange(shape[1])).ravel()


def _interpolation(block: Block) -> Spectrum:
    """Coefficients of the kernel that interpolates a block's cells, including the shift of their centres."""
    axes = []
    for count, k in zip(block.size, frequencies(block.shape), strict=True):
        first = block.offset / count - 0.5
        axes.append(cubic_spectrum(k / count) / count * np.exp(-2j * np.pi * k * first))
    return np.asarray(np.outer(*axes), np.complex64)


def desired_response(shape: tuple[int, int], sigma: tuple[float, float]) -> Spectrum:
    """Coefficients of a Gaussian of height 1 at the window's centre (C-COT, section 3.3).

    Args:
        shape: Rows and columns of the half spectrum.
        sigma: Its width in y and x, as a share of the window's sides.
    """
    parts = [
        math.sqrt(2 * math.pi) * s * np.exp(-2 * (math.pi * s * k) ** 2)
        for s, k in zip(sigma, frequencies(shape), strict=True)
    ]
    return np.asarray(np.outer(*parts), np.complex64)


def samples(spectrum: Spectrum) -> Floats:
    """Samples ``(..., rows, 2 columns - 1)`` of continuous functions, the centre at (0, 0)."""
    shape = spectrum.shape[-2], 2 * spectrum.shape[-1] - 1
    return np.asarray(irfft2(spectrum, shape) * np.float32(shape[0] * shape[1]))
