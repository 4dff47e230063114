"""Builds a graph layer by layer, for the importers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.graph import INPUT, Graph, Node
from slimtrack.networks.lrn import lrn_nodes

__all__ = ["Builder"]


class Builder:
    """Builds a graph that begins at the image; every step reads `last` and names its result after itself.

    Attributes:
        last: The tensor that the next step reads.
        taps: Tap name -> tensor; every step adds its own name.
    """

    def __init__(self, channels: int = 3) -> None:
        self.last = INPUT
        self.taps: dict[str, str] = {}
        self._channels = {INPUT: channels}
        self._nodes: list[Node] = []
        self._weights: dict[str, AnyArray] = {}
        self._bands: set[str] = set()

    @property
    def input(self) -> str:
        """The image tensor."""
        return INPUT

    @property
    def channels(self) -> int:
        """Channels of the tensor that the next step reads."""
        return self._channels[self.last]

    def conv(
        self,
        name: str,
        weight: AnyArray,
        bias: AnyArray | None = None,
        *,
        stride: int | Sequence[int] = 1,
        pads: int | str | Sequence[int] = 0,
        groups: int = 1,
        dilation: int = 1,
    ) -> str:
        """A convolution.

        Args:
            name: Its name and that of its result.
            weight: ``(O, I / groups, kh, kw)``, any float dtype.
            bias: ``(O,)``, or ``None``.
            stride: One number or (vertical, horizontal).
            pads: One number, (top, left, bottom, right), or ``"SAME"`` for TensorFlow's.
            groups: Number of groups of channels that are convolved separately.
            dilation: Cells between the kernel's cells.

        Raises:
            InputError: The shapes do not fit.
        """
        have, need = self._channels[self.last], weight.shape[1] * groups if weight.ndim == 4 else -1
        if have != need or (bias is not None and bias.shape != weight.shape[:1]):
            shapes = f"weights {weight.shape}, bias {None if bias is None else bias.shape}"
            raise InputError(
                f"layer {name}: {shapes} in {groups} groups do not fit an input of {have} channels"
            )
        inputs = [self.last, f"{name}_w"]
        self._weights[f"{name}_w"] = np.array(weight, np.float32)
        if bias is not None:
            inputs.append(f"{name}_b")
            self._weights[f"{name}_b"] = np.array(bias, np.float32)
        attributes = {
            "kernel_shape": list(weight.shape[2:]),
            "strides": _two(stride),
            "dilations": [dilation] * 2,
            "group": groups,
            **_padding(pads),
        }
        return self._add("Conv", name, inputs, attributes, weight.shape[0])

    def relu(self, name: str, leak: float = 0.0) -> str:
        """Negative values to 0, or times ``leak``."""
        if leak:
            return self._add("LeakyRelu", name, [self.last], {"alpha": leak})
        return self._add("Relu", name, [self.last])

    def relu6(self, name: str) -> str:
        """Values to 0..6."""
        low, high = f"{name}_low", f"{name}_high"
        self._weights |= {low: np.array(0, np.float32), high: np.array(6, np.float32)}
        return self._add("Clip", name, [self.last, low, high])

    def pool(
        self,
        name: str,
        kernel: int | Sequence[int],
        stride: int | Sequence[int],
        pads: int | str | Sequence[int] = 0,
        *,
        ceil: bool = False,
        average: bool = False,
    ) -> str:
        """Maximum over windows, or mean without the padding; arguments as for `conv`."""
        attributes = {"kernel_shape": _two(kernel), "strides": _two(stride), "ceil_mode": int(ceil)}
        op = "AveragePool" if average else "MaxPool"
        return self._add(op, name, [self.last], attributes | _padding(pads))

    def lrn(self, name: str, size: int, bias: float, alpha: float, beta: float) -> str:
        """Local response normalisation; ``alpha`` multiplies the plain sum, as in MatConvNet."""
        channels = self._channels[self.last]
        nodes, weights, band = lrn_nodes(name, self.last, channels, size, bias, alpha, beta)
        self._nodes += nodes
        self._weights |= weights
        self._bands.add(band)
        return self._done(name, channels)

    def batch_norm(
        self,
        name: str,
        scale: AnyArray,
        bias: AnyArray,
        mean: AnyArray,
        variance: AnyArray,
        epsilon: float = 1e-5,
    ) -> str:
        """Batch normalisation with fixed statistics, each ``(C,)``."""
        inputs = [self.last]
        for part, array in (("scale", scale), ("bias", bias), ("mean", mean), ("variance", variance)):
            if array.shape != (self.channels,):
                raise InputError(
                    f"layer {name}: its {part} has shape {array.shape}, ({self.channels},) is needed"
                )
            inputs.append(f"{name}_{part}")
            self._weights[inputs[-1]] = np.array(array, np.float32)
        return self._add("BatchNormalization", name, inputs, {"epsilon": epsilon})

    def add(self, name: str, first: str, second: str) -> str:
        """Sum of two tensors of equal channels."""
        if self._channels[first] != self._channels[second]:
            raise InputError(f"layer {name}: {first} and {second} differ in their channels")
        self.last = first
        return self._add("Add", name, [first, second])

    def concat(self, name: str, tensors: Sequence[str]) -> str:
        """Channels of several tensors one after the other."""
        channels = sum(self._channels[tensor] for tensor in tensors)
        return self._add("Concat", name, list(tensors), {"axis": 1}, channels)

    def graph(self) -> Graph:
        """The graph built so far."""
        return Graph(tuple(self._nodes), self._weights, INPUT, self._channels[INPUT], frozenset(self._bands))

    def _add(
        self,
        op: str,
        name: str,
        inputs: Sequence[str],
        attributes: dict[str, Any] | None = None,
        channels: int | None = None,
    ) -> str:
        self._nodes.append(Node(op, name, tuple(inputs), (name,), attributes or {}))
        return self._done(name, self._channels[self.last] if channels is None else channels)

    def _done(self, name: str, channels: int) -> str:
        if name in self._channels:
            raise InputError(f"two layers are named {name!r}")
        self._channels[name] = channels
        self.taps[name] = self.last = name
        return name


def _two(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else [int(each) for each in value]


def _padding(pads: int | str | Sequence[int]) -> dict[str, Any]:
    if isinstance(pads, str):
        return {"auto_pad": f"{pads}_UPPER"}
    return {"pads": [pads] * 4 if isinstance(pads, int) else [int(each) for each in pads]}
