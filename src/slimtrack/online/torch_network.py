"""A network of ours run by torch, so that it can teach, and learn."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.graph import Node
from slimtrack.networks.network import Network

__all__ = ["TorchNetwork"]


class _Step(NamedTuple):
    """One operator: what it is, the module or attributes it needs, the tensors it reads and writes."""

    op: str
    module: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    output: str


class TorchNetwork(nn.Module):
    """The graph of a network with its convolutions and batch norms as modules, named as its layers are.

    All else (the matrices inside of normalisations, too) is fixed.

    Args:
        network: Any network of convolutions, ReLU, maximum pooling, normalisation and sums.
        taps: Which of its taps are computed; all if none is named.

    Raises:
        InputError: It has an operator that is not known here.
    """

    def __init__(self, network: Network, taps: Sequence[str] = ()) -> None:
        super().__init__()
        self.taken = network.truncate(*taps) if taps else network
        self._outputs = {name: tap.tensor for name, tap in self.taken.taps.items()}
        self._steps = [self._step(node) for node in self.taken.graph.nodes]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Taps by name of prepared images ``(N, 3, H, W)``."""
        known = {self.taken.graph.input: image}
        for step in self._steps:
            read = [known[name] if name in known else getattr(self, _field(name)) for name in step.inputs]
            known[step.output] = self._run(step, read)
        return {name: known[tensor] for name, tensor in self._outputs.items()}

    def prepared(self, rgb: Tensor) -> Tensor:
        """RGB in 0..255 as the network's card wants it."""
        card = self.taken.card
        planes = rgb.flip(1) if card.colors == "bgr" else rgb
        mean, scale = (rgb.new_tensor(values).reshape(1, 3, 1, 1) for values in (card.mean, card.scale))
        return (planes - mean) * scale

    @torch.no_grad()
    def network(self) -> Network:
        """The network with the numbers that these modules have now."""
        graph, changed = self.taken.graph, dict[str, AnyArray]()
        for node in graph.nodes:
            module = getattr(self, _field(node.name), None)
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                numbers = _numbers(module)
                changed |= {name: _array(value) for name, value in zip(node.inputs[1:], numbers, strict=True)}
        taps = {name: tap.tensor for name, tap in self.taken.taps.items()}
        return Network(
            graph.with_weights(changed),
            taps,
            self.taken.card,
            aliases=self.taken.aliases,
            runtime=self.taken.runtime,
        )

    def _step(self, node: Node) -> _Step:
        """Makes the node's module, or keeps its constants."""
        graph = self.taken.graph
        learns = node.op in ("Conv", "BatchNormalization") and node.name not in graph.bands
        if node.op not in _OPERATORS or _is_same(node):
            raise InputError(
                f"network {self.taken.card.name}: torch cannot run its layer {node.name} ({node.op})"
            )
        constants = {name: torch.tensor(graph.weights[name]) for name in node.inputs if name in graph.weights}
        if learns:
            self.add_module(_field(node.name), _module(node, list(constants.values())))
            return _Step(node.op, _field(node.name), node.attributes, node.inputs[:1], node.output)
        for name, value in constants.items():
            self.register_buffer(_field(name), value, persistent=False)
        return _Step(node.op, "", node.attributes, node.inputs, node.output)

    def _run(self, step: _Step, read: list[Tensor]) -> Tensor:
        if step.module:
            x = _padded(read[0], step.attributes) if step.op == "Conv" else read[0]
            return getattr(self, step.module)(x)
        return _OPERATORS[step.op](step.attributes, *read)


def _field(name: str) -> str:
    """A layer's name as a field: torch allows no dots, and has fields of its own."""
    plain = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)
    return f"{plain}_" if hasattr(nn.Module, plain) or plain in ("taken", "network") else plain


def _module(node: Node, numbers: list[Tensor]) -> nn.Module:
    if node.op == "Conv":
        weight, given = numbers[0], node.attributes
        made: nn.Conv2d | nn.BatchNorm2d = nn.Conv2d(
            weight.shape[1] * given.get("group", 1), len(weight), tuple(weight.shape[2:]),
            tuple(given.get("strides", (1, 1))), dilation=tuple(given.get("dilations", (1, 1))),
            groups=given.get("group", 1), bias=len(numbers) > 1,
        )  # fmt: skip
    else:
        made = nn.BatchNorm2d(len(numbers[0]), eps=node.attributes.get("epsilon", 1e-5))
    with torch.no_grad():
        for own, value in zip(_numbers(made), numbers, strict=True):
            own.copy_(value)
    return made


def _numbers(module: nn.Conv2d | nn.BatchNorm2d) -> list[Tensor]:
    """In the order of ONNX's inputs."""
    if isinstance(module, nn.Conv2d):
        return [module.weight] if module.bias is None else [module.weight, module.bias]
    assert module.running_mean is not None and module.running_var is not None
    return [module.weight, module.bias, module.running_mean, module.running_var]


def _array(value: Tensor) -> AnyArray:
    return np.ascontiguousarray(value.detach().float().cpu().numpy())


def _is_same(node: Node) -> bool:
    return str(node.attributes.get("auto_pad", "")).startswith("SAME")


def _padded(x: Tensor, attributes: Mapping[str, Any], value: float = 0.0) -> Tensor:
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return functional.pad(x, (left, right, top, bottom), value=value) if top + left + bottom + right else x


def _pool(attributes: Mapping[str, Any], x: Tensor) -> Tensor:
    kernel, strides = tuple(attributes["kernel_shape"]), tuple(attributes["strides"])
    x = _padded(x, attributes, -torch.inf)
    return functional.max_pool2d(x, kernel, strides, ceil_mode=bool(attributes.get("ceil_mode", 0)))


_OPERATORS: Mapping[str, Any] = {
    "Add": lambda _, a, b: a + b,
    "BatchNormalization": None,
    "Clip": lambda _, x, low, high: torch.clamp(x, low, high),
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Conv": lambda _, x, weight, bias: functional.conv2d(x, weight, bias),
    "Div": lambda _, a, b: a / b,
    "LeakyRelu": lambda attributes, x: functional.leaky_relu(x, attributes["alpha"]),
    "MaxPool": _pool,
    "Mul": lambda _, a, b: a * b,
    "Pow": lambda _, a, b: a**b,
    "Relu": lambda _, x: torch.relu(x),
    "Sqrt": lambda _, x: torch.sqrt(x),
}
"""Without a module: a convolution here is the band of a local response normalisation."""
