"""Converts PIL images and torch tensors to arrays, without importing PIL or torch."""

import sys
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError

__all__ = ["as_array"]


def as_array(image: Any, what: str = "image") -> Any:
    """A PIL image or a torch tensor as an array; anything else is returned unchanged.

    Args:
        image: A PIL image of 8 bits in any mode (alpha is dropped), or a uint8 tensor on the CPU, ``(H, W)``,
            ``(C, H, W)`` or ``(H, W, C)`` with one channel or three: red, green, blue.
        what: How error messages call the image.

    Returns:
        ``(H, W)`` or ``(H, W, 3)`` uint8, BGR.

    Raises:
        InputError: The PIL image or tensor is of another kind.
    """
    # without the library imported, no such object can exist
    pil, torch = sys.modules.get("PIL.Image"), sys.modules.get("torch")
    if pil is not None and isinstance(image, pil.Image):
        return _of_pil(image, what)
    if torch is not None and isinstance(image, torch.Tensor):
        return _of_torch(image, what)
    return image


def _of_pil(image: Any, what: str) -> AnyArray:
    if image.mode.startswith(("I", "F")):  # 16 and 32 bits: the range of values is unknown
        raise InputError(
            f"{what} is a PIL image of mode {image.mode!r}, with more than 8 bits: scale it to 0..255 and "
            "convert it to 'L' first"
        )
    try:
        image = image.convert("LA") if image.mode == "La" else image  # this mode converts to no other
        pixels = np.asarray(image.convert("RGB"))
    except (
        OSError,
        ValueError,
        SyntaxError,
    ) as error:  # lazy images are read here, and modes such as LAB fail
        raise InputError(
            f"{what} is a PIL image of mode {image.mode!r} that cannot be read: {error}"
        ) from error
    return np.ascontiguousarray(pixels[..., ::-1])


def _of_torch(image: Any, what: str) -> AnyArray:
    shape = tuple(image.shape)
    if str(image.dtype) != "torch.uint8":
        raise InputError(
            f"{what} is a tensor of {image.dtype}, not torch.uint8: if it is in 0..1, give "
            "(image * 255).round().to(torch.uint8)"
        )
    if image.device.type != "cpu":
        raise InputError(f"{what} is a tensor on {image.device}, not on the CPU: give image.cpu()")
    if image.ndim == 4:
        raise InputError(f"{what} is a tensor {shape} with a batch axis: give one image, such as image[0]")
    if image.ndim == 2:
        return _plain(image)
    if image.ndim == 3 and shape[0] in (1, 3):
        return _reversed(_plain(image).transpose(1, 2, 0))
    if image.ndim == 3 and shape[2] in (1, 3):
        return _reversed(_plain(image))
    raise InputError(
        f"{what} is a tensor {shape}, not (3, H, W), (H, W, 3) or (H, W): give red, green, blue, no alpha"
    )


def _plain(image: Any) -> AnyArray:
    array: AnyArray = image.detach().numpy()
    return array


def _reversed(image: AnyArray) -> AnyArray:
    return np.ascontiguousarray(image[..., ::-1])
