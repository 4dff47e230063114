"""ONNX graphs run by torch, on whatever device their tensors are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.graph import Node

__all__ = ["TorchGraph", "layer_weights"]

_Attributes = Mapping[str, Any]


class _Step(NamedTuple):
    """One operator: what it is, the module or attributes it needs, the tensors it reads and writes."""

    op: str
    module: str
    attributes: _Attributes
    inputs: tuple[str, ...]
    output: str


class TorchGraph(nn.Module):
    """A graph with its convolutions and batch norms as modules, named as its layers are.

    All else is constant. A graph that was exported for one image runs on any number of them.

    Args:
        nodes: In an order in which they can run.
        weights: Constant tensors by name.
        inputs: Names of the tensors that are given.
        outputs: Name of an output -> its tensor.
        what: How a message names the graph, such as its file.
        constant: Names of convolutions that stay constant.

    Raises:
        InputError: It has an operator that is not known here.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        weights: Mapping[str, AnyArray],
        inputs: Sequence[str],
        outputs: Mapping[str, str],
        what: str,
        constant: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self._inputs, self._outputs, self._what = inputs, outputs, what
        self._numbers: dict[str, list[int]] = {}  # integers, because reading them from a GPU makes it wait
        self._buffer_names: dict[str, str] = {}
        self._steps = [self._step(node, weights, node.name in constant) for node in nodes]

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """The outputs by name, for inputs in the graph's order."""
        known: dict[str, Any] = dict(zip(self._inputs, inputs, strict=True)) | self._numbers | {"": None}
        for step in self._steps:
            read = [known[name] if name in known else self._constant(name) for name in step.inputs]
            known[step.output] = self._run(step, read)
        return {name: known[tensor] for name, tensor in self._outputs.items()}

    def field(self, name: str) -> str:
        """The name of a layer's module: torch allows no dots, and a module has methods of its own."""
        plain = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)
        return f"{plain}_" if hasattr(type(self), plain) else plain

    def _step(self, node: Node, weights: Mapping[str, AnyArray], constant: bool) -> _Step:
        """Makes the node's module, or keeps its constants."""
        if node.op not in _OPERATORS or str(node.attributes.get("auto_pad", "")).startswith("SAME"):
            raise InputError(f"{self._what}: torch cannot run its layer {node.name} ({node.op})")
        constants = {name: _tensor(weights[name]) for name in node.inputs if name in weights}
        is_layer = node.op in ("Conv", "BatchNormalization") and constants.keys() >= set(node.inputs[1:])
        if is_layer and not constant:
            self.add_module(self.field(node.name), _layer(node, list(constants.values())))
            return _Step(node.op, self.field(node.name), node.attributes, node.inputs[:1], node.output)
        for name, value in constants.items():
            self._keep(name, value)
        return _Step(node.op, "", node.attributes, node.inputs, node.output)

    def _keep(self, name: str, value: Tensor) -> None:
        if value.is_floating_point():
            self._buffer_names[name] = f"constant_{len(self._buffer_names)}"
            self.register_buffer(self._buffer_names[name], value, persistent=False)
        else:
            self._numbers[name] = value.tolist()

    def _constant(self, name: str) -> Tensor:
        return getattr(self, self._buffer_names[name])

    def _run(self, step: _Step, read: list[Any]) -> Tensor:
        if step.module:
            x = read[0] if _even_pads(step.attributes) else _padded(read[0], step.attributes)
            return getattr(self, step.module)(x)
        return _OPERATORS[step.op](step.attributes, *read)


def layer_weights(module: nn.Conv2d | nn.BatchNorm2d) -> list[Tensor]:
    """In the order of ONNX's inputs."""
    if isinstance(module, nn.Conv2d):
        return [module.weight] if module.bias is None else [module.weight, module.bias]
    assert module.running_mean is not None and module.running_var is not None
    return [module.weight, module.bias, module.running_mean, module.running_var]


def _tensor(array: AnyArray) -> Tensor:
    value = torch.tensor(array)
    return value.float() if value.is_floating_point() else value


def _layer(node: Node, weights: Sequence[Tensor]) -> nn.Conv2d | nn.BatchNorm2d:
    """A convolution, without its padding where that is uneven, or a batch norm."""
    if node.op == "Conv":
        kernel, given = weights[0], node.attributes
        layer: nn.Conv2d | nn.BatchNorm2d = nn.Conv2d(
            kernel.shape[1] * given.get("group", 1), len(kernel), tuple(kernel.shape[2:]),
            tuple(given.get("strides", (1, 1))), _even_pads(given) or 0,
            tuple(given.get("dilations", (1, 1))), given.get("group", 1), bias=len(weights) > 1,
        )  # fmt: skip
    else:
        layer = nn.BatchNorm2d(len(weights[0]), eps=node.attributes.get("epsilon", 1e-5))
    with torch.no_grad():
        for own, value in zip(layer_weights(layer), weights, strict=True):
            own.copy_(value)
    return layer


def _even_pads(attributes: _Attributes) -> tuple[int, int] | None:
    """Rows and columns added on each side; ``None`` where the sides differ."""
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return (top, left) if (top, left) == (bottom, right) else None


def _padded(x: Tensor, attributes: _Attributes, value: float = 0.0) -> Tensor:
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return functional.pad(x, (left, right, top, bottom), value=value) if top + left + bottom + right else x


def _conv(attributes: _Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    strides, dilations = attributes.get("strides", (1, 1)), attributes.get("dilations", (1, 1))
    return functional.conv2d(
        _padded(x, attributes), weight, bias, tuple(strides), 0, tuple(dilations), attributes.get("group", 1)
    )


def _batch_norm(attributes: _Attributes, x: Tensor, *weights: Tensor) -> Tensor:
    scale, shift, mean, variance = weights
    return functional.batch_norm(x, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


def _pool(attributes: _Attributes, x: Tensor) -> Tensor:
    kernel, strides = tuple(attributes["kernel_shape"]), tuple(attributes["strides"])
    x = _padded(x, attributes, -torch.inf)
    return functional.max_pool2d(x, kernel, strides, ceil_mode=bool(attributes.get("ceil_mode", 0)))


def _reshape(_: _Attributes, x: Tensor, shape: list[int]) -> Tensor:
    """The graph was made for one image: its leading 1 stands for any number of them."""
    return x.reshape(len(x), *shape[1:])


_OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "Add": lambda _, a, b: a + b,
    "BatchNormalization": _batch_norm,
    "Clip": lambda _, x, low, high: torch.clamp(x, low, high),
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Conv": _conv,
    "Div": lambda _, a, b: a / b,
    "Exp": lambda _, x: torch.exp(x.float()),
    "LeakyRelu": lambda attributes, x: functional.leaky_relu(x, attributes["alpha"]),
    "MatMul": lambda _, a, b: a @ b,
    "MaxPool": _pool,
    "Mul": lambda _, a, b: a * b,
    "Pow": lambda _, a, b: a**b,
    "Relu": lambda _, x: torch.relu(x),
    "Reshape": _reshape,
    "Sqrt": lambda _, x: torch.sqrt(x),
    "Transpose": lambda attributes, x: x.permute(*attributes["perm"]),
}
