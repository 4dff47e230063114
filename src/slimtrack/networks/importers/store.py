"""Weights of layers by name, from a file that may wrap them, and a check that none is left over."""

from collections.abc import Mapping
from typing import Any

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.build import Builder

__all__ = ["Store"]

_HEADS = ("classifier", "fc")
"""How the names of a classifier's arrays begin: it comes after the convolutions and is left out."""

_COUNTER = "num_batches_tracked"
"""The counter of a batch normalisation in training."""

_WRAPPER = "module"
"""What training on several processors inserts into names."""

_SHOWN = 3
"""Maximum number of names in a message."""


class Store:
    """Weights of layers by name.

    Every array must find its place: what a plan does not ask for makes `note` refuse the file, because then
    it is of another network or version. Where all names of the network begin alike (``module.``,
    ``state_dict.model.``), that is removed, and arrays without it are left out and named.

    Args:
        arrays: Array name -> array.
        what: How messages name the file.
        names: Layer name in the plan -> the array's name without its suffix; layers that it leaves out keep
            their name.
        suffixes: Ends of the names of weight and bias.
        first: The plan's first layer, which every file of the network holds; empty: nothing is taken off.

    Raises:
        InputError: The file holds the network more than once.
    """

    def __init__(
        self,
        arrays: Mapping[str, AnyArray],
        what: str,
        names: Mapping[str, str] | None = None,
        suffixes: tuple[str, str] = ("_w", "_b"),
        first: str = "",
    ) -> None:
        self._what, self._names, self._suffixes = what, names or {}, suffixes
        bare, self._prefix = arrays, ""
        if first:
            bare, self._prefix = _unwrapped(arrays, self._name(first) + suffixes[0], what)
        size = len(self._prefix)
        self._arrays = {name[size:]: array for name, array in bare.items() if name.startswith(self._prefix)}
        self._inner, self._beside = bare is not arrays, len(bare) - len(self._arrays)
        self._used: set[str] = set()
        self._end = ""
        self._normed: bool | None = None

    def __contains__(self, layer: str) -> bool:
        return self._name(layer) + self._suffixes[0] in self._arrays

    def _name(self, layer: str) -> str:
        return self._names.get(layer, layer)

    def ends_before(self, layer: str) -> bool:
        """Whether the file holds no more than what comes before this layer of the plan."""
        if layer in self:
            return False
        self._end = self._end or layer
        return True

    def array(self, name: str) -> AnyArray:
        """An array by its full name.

        Raises:
            InputError: The file has none of that name.
        """
        if name not in self._arrays:
            raise InputError(f"{self._what} has no array {name!r}: it is not a file of this network")
        self._used.add(name)
        return self._arrays[name]

    def conv(self, builder: Builder, layer: str, norm: str = "", *, kernel: int, **options: Any) -> str:
        """Adds a convolution and, where the file has it, the batch normalisation ``norm`` after it.

        Raises:
            InputError: The file has no such layer, or one with another kernel or number of inputs.
        """
        stem = self._name(layer)
        weight, bias = self.array(stem + self._suffixes[0]), stem + self._suffixes[1]
        if weight.shape[2:] != (kernel, kernel):
            raise InputError(
                f"{self._what}: layer {layer} has weights {weight.shape}, this network's are "
                f"{kernel}x{kernel}: it is a file of another network or version"
            )
        builder.conv(layer, weight, self.array(bias) if bias in self._arrays else None, **options)
        if norm and self._has_norm(layer, norm, bias):
            parts = ("weight", "bias", "running_mean", "running_var")
            scale, shift, mean, variance = (self.array(f"{self._name(norm)}.{part}") for part in parts)
            builder.batch_norm(norm, scale, shift, mean, variance)
        return builder.last

    def _has_norm(self, layer: str, norm: str, bias: str) -> bool:
        """Whether a normalisation follows: after every layer that can have one or, folded in, after none."""
        has = f"{self._name(norm)}.running_mean" in self._arrays
        if self._normed not in (None, has) or not (has or bias in self._arrays):
            stem = self._name(norm)
            raise InputError(
                f"{self._what}: layer {layer} lacks its batch normalisation {stem!r}: it is a file of "
                "another network, or was saved in part"
            )
        self._normed = has
        return has

    def note(self, network: str) -> str:
        """A note for the user on what was left out; call it when the plan is built.

        Args:
            network: How messages name the plan.

        Raises:
            InputError: The file holds arrays that the plan has no place for.
        """
        over = [n for n in self._arrays if n not in self._used and not _needless(n)]
        if over:
            shown = ", ".join(f"{name} {self._arrays[name].shape}" for name in over[:_SHOWN])
            more = f" and {len(over) - _SHOWN} more" if len(over) > _SHOWN else ""
            raise InputError(
                f"{self._what} is not a file of {network}: it holds {shown}{more}, which {network} does not "
                "have"
            )
        told = [f"the file ends before {self._end}"] if self._end else []
        if self._inner:
            told.append(f"{_WRAPPER + '.'!r} was taken out of the arrays' names")
        if self._prefix:
            told.append(f"{self._prefix!r} was taken off the arrays' names")
        if self._beside:
            told.append(f"{self._beside} arrays without it were left out")
        return "; ".join(told)


def _needless(name: str) -> bool:
    return name.startswith(_HEADS) or name.endswith(_COUNTER)


def _unwrapped(arrays: Mapping[str, AnyArray], first: str, what: str) -> tuple[Mapping[str, AnyArray], str]:
    """The arrays, and what those of the network begin with.

    Training on several processors also wraps parts: ``features.module.0.weight``.
    """
    prefix = _prefix(arrays, first, what)
    if prefix is None:
        bare = {
            ".".join(part for part in name.split(".") if part != _WRAPPER): a for name, a in arrays.items()
        }
        if len(bare) == len(arrays) and (prefix := _prefix(bare, first, what)) is not None:
            return bare, prefix
    return arrays, prefix or ""


def _prefix(arrays: Mapping[str, AnyArray], first: str, what: str) -> str | None:
    """What the network's arrays begin with, told by its first one; ``None`` where that is not there."""
    found = [name.removesuffix(first) for name in arrays if f".{name}".endswith(f".{first}")]
    roots = sorted(p for p in found if not any(p != q and p.startswith(q) for q in found))
    if len(roots) > 1:
        raise InputError(
            f"{what} holds the network {len(roots)} times, under {', '.join(map(repr, roots))}: "
            "save one of them in a file of its own"
        )
    return roots[0] if roots else None
