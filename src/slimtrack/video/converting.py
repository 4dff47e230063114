"""Converts any image to BGR uint8; images of more than 8 bits keep their contrast."""

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import AnyImage, Image
from slimtrack.errors import SourceError
from slimtrack.foreign import as_array

__all__ = ["Converter"]

_FAINT = 0.25
"""Share of the range below which contrast is faint: it would get fewer than 64 of the 256 levels."""

_OUTLIERS = 0.1
"""Percent of the pixels at either end of the range that are ignored: dead pixels of thermal cameras."""

_MARGIN = 0.5
"""Margin on either side of a stretched range, relative to its width: later frames may be warmer or colder."""

_OUTSIDE = 0.1
"""Share of a frame outside the scale's range above which a new scale is chosen."""


class Converter:
    """Converts any image to BGR uint8, with one scale for all 16-bit images of a source.

    Args:
        notes: List that receives notes for the user about conversions.
    """

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._scale: _Scale | None = None
        self._widened = False

    def __call__(self, image: AnyImage, what: str) -> Image:
        """The image as ``(H, W, 3)`` uint8 BGR.

        Args:
            image: ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` BGR or ``(H, W, 4)`` BGRA, uint8 or uint16; or a
                PIL image or tensor (`slimtrack.foreign.as_array`).
            what: How error messages call the image.

        Raises:
            SourceError: The image has another type or number of channels.
            InputError: It is a PIL image or tensor that does not have 8 bits.
        """
        image = as_array(image, what)
        if not isinstance(image, np.ndarray) or image.ndim not in (2, 3) or image.size == 0:
            shape = getattr(image, "shape", type(image).__name__)
            raise SourceError(f"{what} is {shape}, not an image array (H, W) or (H, W, channels)")
        if image.dtype not in (np.uint8, np.uint16):
            raise SourceError(f"{what} holds {image.dtype}, not 8 or 16 bit whole numbers: convert it first")
        if image.ndim == 2:
            image = image[:, :, None]
        if image.shape[2] not in (1, 3, 4):
            raise SourceError(
                f"{what} has {image.shape[2]} channels, not 1 (grey), 3 (BGR) or 4 (BGR and alpha)"
            )
        image = image[:, :, :3]
        if image.dtype == np.uint16:
            image = self._to_8_bit(image, what)
        return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else np.ascontiguousarray(image)

    def _to_8_bit(self, image: npt.NDArray[np.uint16], what: str) -> Image:
        # one scale for all frames, as a changing one would flicker; a wider one only
        # if the old one shows little: the first frame was dark, or a thermal camera has readjusted
        if image.min() == image.max():  # a constant image does not tell a range
            return (self._scale or _Scale.of(image))(image)
        if self._scale is None:
            self._scale = _Scale.of(image)
            self._notes.append(f"16-bit images were {self._scale.note}")
        elif self._scale.outside(image) > _OUTSIDE:
            self._scale = _Scale.of(image, self._scale)
            if not self._widened:
                self._notes.append(f"their range grew: from {what} on they are scaled anew")
            self._widened = True
        return self._scale(image)


class _Scale:
    """Turns 16 bits into 8: ``low`` becomes 0 and ``high`` 255."""

    def __init__(self, low: float, high: float, note: str) -> None:
        self.low, self.high, self.note = low, high, note
        levels = np.rint((np.arange(1 << 16) - low) * (255 / (high - low)))
        self._table = np.clip(levels, 0, 255).astype(np.uint8)

    @classmethod
    def of(cls, image: npt.NDArray[np.uint16], before: "_Scale | None" = None) -> "_Scale":
        """The scale for images like this one, which also covers an earlier scale.

        Cameras store 10, 12 or 14 bits in 16, so dividing by 257 would give a black video. Thermal cameras
        use a small part of their range, so scaling even 14 bits to 8 would give a grey one.
        """
        low, high = map(float, np.percentile(image, (_OUTLIERS, 100 - _OUTLIERS)))
        most = float(image.max())
        if before is not None:
            low, high, most = min(low, before.low), max(high, before.high), max(most, before.high)
        bits = next(bits for bits in (8, 10, 12, 14, 16) if most < 1 << bits or bits == 16)
        if high == low or high - low >= _FAINT * (1 << bits):
            return cls(0.0, (1 << bits) - 1, f"taken as {bits}-bit ones and scaled to 0..255")
        room = _MARGIN * (high - low)
        note = f"of faint contrast ({low:.0f} to {high:.0f} of {(1 << bits) - 1}): it was stretched"
        return cls(low - room, high + room, note)

    def outside(self, image: npt.NDArray[np.uint16]) -> float:
        """Share of an image's pixels outside the range."""
        part = image[::4, ::4]
        return float(np.mean((part < self.low) | (part > self.high)))

    def __call__(self, image: npt.NDArray[np.uint16]) -> Image:
        shown: Image = self._table[image]
        return shown
