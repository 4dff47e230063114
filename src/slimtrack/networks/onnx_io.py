"""Graphs from and to ONNX models. The package ``onnx`` is imported here, on first use."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError, MissingError
from slimtrack.networks.graph import Graph, Node

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["halved", "onnx_package", "parse", "read_graph", "read_nodes", "to_model"]

_LARGE = 64
"""`halved` converts arrays of at least so many numbers."""

_IR_VERSION = 8
"""Version of the file format written: old enough for every ONNX Runtime since 2021."""


def onnx_package() -> Any:
    """The package ``onnx``.

    Raises:
        MissingError: It is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingError("networks need the package onnx: run `pip install onnx`") from error
    return onnx


def parse(data: bytes, what: str) -> "ModelProto":
    """An ONNX model from the bytes of its file.

    Args:
        data: The file's content.
        what: How a message names it, such as its path.

    Raises:
        InputError: It is damaged, not an ONNX model, or keeps weights in other files.
    """
    onnx = onnx_package()
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise InputError(f"{what} is not an ONNX model or is damaged: take the file again") from error
    if not model.graph.node:
        raise InputError(f"{what} is not an ONNX model or is damaged (it has no nodes): take the file again")
    _refuse_external(model, what)
    return model  # type: ignore[no-any-return]  # onnx ships no types


def _refuse_external(model: "ModelProto", what: str) -> None:
    """Refuses weights in other files: they could be any file of this computer, and have no hash."""
    onnx = onnx_package()
    tensors = list(model.graph.initializer)
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InputError(
                f"{what} keeps the weight {tensor.name!r} in another file, which is not read: "
                "save the model with its weights inside"
            )


def read_graph(model: "ModelProto", what: str) -> Graph:
    """The graph of a model with one image input ``(N, C, H, W)``, its nodes as `read_nodes` gives them.

    Raises:
        InputError: It has several inputs, another input shape, subgraphs, or unreadable weights.
    """
    nodes, weights = read_nodes(model, what)
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{what} has {len(inputs)} inputs ({names}): a feature network has one, an image")
    shape = inputs[0].type.tensor_type.shape.dim
    if len(shape) != 4 or not shape[1].dim_value:
        raise InputError(f"{what}: its input {inputs[0].name!r} is not an image (N, channels, H, W)")
    opsets = tuple((each.domain, each.version) for each in model.opset_import)
    return Graph(nodes, weights, inputs[0].name, int(shape[1].dim_value), opsets=opsets)


def read_nodes(model: "ModelProto", what: str) -> tuple[tuple[Node, ...], dict[str, AnyArray]]:
    """The nodes of a model in the order in which they run, and its constant tensors by name.

    Nodes without a name get their output's; constant nodes become weights; a weight that several nodes read
    is given to each of them, so that one node's can be changed.

    Raises:
        InputError: It has subgraphs or unreadable weights.
    """
    onnx = onnx_package()
    weights: dict[str, AnyArray] = {}
    try:
        for tensor in model.graph.initializer:
            weights[tensor.name] = onnx.numpy_helper.to_array(tensor)
        nodes = [_node(proto, index, weights) for index, proto in enumerate(model.graph.node)]
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} has contents that cannot be read ({error})") from error
    return _unshared(_uniquely_named([node for node in nodes if node is not None]), weights), weights


def _node(proto: Any, index: int, weights: dict[str, Any]) -> Node | None:
    """A node of a model; ``None`` for a constant or a cast of one, which is put into ``weights``."""
    onnx = onnx_package()
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
    if any(isinstance(value, onnx.GraphProto) for value in attributes.values()):
        raise ValueError(f"node {proto.name or index} ({proto.op_type}) has a subgraph")
    if proto.op_type == "Constant" and "value" in attributes:
        weights[proto.output[0]] = onnx.numpy_helper.to_array(attributes["value"])
        return None
    if proto.op_type == "Cast" and proto.input[0] in weights and attributes["to"] == onnx.TensorProto.FLOAT:
        weights[proto.output[0]] = weights[proto.input[0]].astype(np.float32)  # as `halved` stores them
        return None
    attributes = {k: list(v) if isinstance(v, Sequence) and not isinstance(v, str | bytes) else v
                  for k, v in attributes.items()}  # fmt: skip
    name = proto.name or proto.output[0] or f"{proto.op_type}_{index}"
    return Node(proto.op_type, name, tuple(proto.input), tuple(proto.output), attributes, proto.domain)


def _uniquely_named(nodes: Sequence[Node]) -> tuple[Node, ...]:
    seen: set[str] = set()
    named = []
    for node in nodes:
        name, count = node.name, 2
        while name in seen:
            name, count = f"{node.name}_{count}", count + 1
        seen.add(name)
        named.append(Node(node.op, name, node.inputs, node.outputs, node.attributes, node.domain))
    return tuple(named)


def _unshared(nodes: Sequence[Node], weights: dict[str, Any]) -> tuple[Node, ...]:
    """Gives each node weights of its own names; the arrays themselves stay shared."""
    seen: set[str] = set()
    own = []
    for node in nodes:
        names = []
        for name in node.inputs:
            if name in weights and name in seen:
                new = f"{name}@{node.name}"
                weights[new] = weights[name]
                name = new
            seen.add(name)
            names.append(name)
        own.append(Node(node.op, node.name, tuple(names), node.outputs, node.attributes, node.domain))
    return tuple(own)


def to_model(graph: Graph, outputs: Sequence[str], metadata: Mapping[str, str] | None = None) -> "ModelProto":
    """An ONNX model that computes ``outputs``; number of images, height and width are free.

    Args:
        graph: The network.
        outputs: Tensors, each of ``(N, C, h, w)`` float32.
        metadata: Texts to store in the model's ``metadata_props``.
    """
    onnx = onnx_package()
    helper = onnx.helper
    kind = onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node(
                    node.op, node.inputs, node.outputs, node.name, domain=node.domain, **node.attributes
                )
                for node in graph.nodes
            ],
            "network",
            [helper.make_tensor_value_info(graph.input, kind, ["N", graph.channels, "H", "W"])],
            [helper.make_tensor_value_info(name, kind, ["N", None, None, None]) for name in outputs],
            [
                onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
                for name, array in graph.weights.items()
            ],
        ),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in graph.opsets],
        producer_name="slimtrack",
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(model, dict(metadata or {}))
    return model  # type: ignore[no-any-return]  # onnx ships no types


def halved(model: "ModelProto") -> "ModelProto":
    """Changes the model in place: large float32 arrays become float16, each with a cast that runs once."""
    onnx, graph = onnx_package(), model.graph
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= _LARGE:
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model
