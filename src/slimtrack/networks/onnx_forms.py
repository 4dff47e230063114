"""Converts ONNX models of other programs to the form that runs here.

That form is float32, channels first, with any number of images, any height and any width. What a model stores
as float16, bfloat16 or float64 is computed in float32, which costs no accuracy in tracking.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slimtrack.errors import InputError
from slimtrack.networks.onnx_io import onnx_package

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["channels_first", "freed", "widened"]

_TO_CHANNELS_FIRST = [0, 3, 1, 2]


def widened(model: "ModelProto") -> "ModelProto":
    """A copy of the model with all floating-point numbers, the image included, as float32.

    Args:
        model: Any model without subgraphs.
    """
    onnx = onnx_package()
    kinds = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    model = _copy(model)
    for tensor in _tensors(model):
        if tensor.data_type in kinds:
            array = onnx.numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i in kinds:
                attribute.i = onnx.TensorProto.FLOAT
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.tensor_type
        if kind.elem_type in {*kinds, onnx.TensorProto.UINT8}:
            kind.elem_type = onnx.TensorProto.FLOAT
    del model.graph.value_info[:]
    return model


def channels_first(model: "ModelProto", what: str) -> "ModelProto":
    """A copy of the model that reads ``(N, C, H, W)`` where it read ``(N, H, W, 3)`` and transposed that.

    Args:
        model: Any model.
        what: How a message names it.

    Raises:
        InputError: It reads channels last and does not transpose them at once.
    """
    value = _image(model)
    shape = [each.dim_value for each in value.type.tensor_type.shape.dim]
    if len(shape) != 4 or shape[3] != 3 or shape[1] == 3:
        return model
    model = _copy(model)
    nodes = model.graph.node
    readers = [node for node in nodes if value.name in node.input]
    if not all(node.op_type == "Transpose" and _order(node) == _TO_CHANNELS_FIRST for node in readers):
        raise InputError(
            f"{what}: its input {value.name!r} has its channels last (N, H, W, 3) and computes with them "
            "there: export it with channels first (N, 3, H, W)"
        )
    renamed = {node.output[0]: value.name for node in readers}
    for node in nodes:  # nothing reads the transposed image now
        node.input[:] = [renamed.get(name, name) for name in node.input]
    dims = _image(model).type.tensor_type.shape.dim
    for dim, size in zip(dims, (shape[0], 3, shape[1], shape[2]), strict=True):
        dim.Clear()
        if size:
            dim.dim_value = size
    return model


def freed(model: "ModelProto") -> "ModelProto":
    """A copy of the model with any number of images, height and width, whatever it was exported for.

    Inputs and outputs lose their fixed sizes. A constant shape of a ``Reshape`` that held them copies them
    from what is reshaped, or leaves one of them to be worked out. Where no constant can say that, the
    shape stays, and the model runs at its own size only.

    Args:
        model: Any model; inputs of four dimensions are taken for images or maps.
    """
    own = _shapes(model)
    model = _copy(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for number, value in enumerate((*inputs, *model.graph.output)):
        dims = value.type.tensor_type.shape.dim
        for axis in (0, 2, 3) if len(dims) == 4 else ():
            dims[axis].dim_param = "N" if axis == 0 else f"{'HW'[axis - 2]}{number}"
    del model.graph.value_info[:]
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    done: set[str] = set()
    while (node := _fixed_reshape(model, constants, done)) is not None:
        done.add(node.output[0])
        _free(model, node, constants[node.input[1]], own.get(node.input[0]))
    return model


def _fixed_reshape(model: "ModelProto", constants: dict[str, Any], done: set[str]) -> Any:
    """The first node, not yet seen, that gives a fixed shape to a tensor whose shape is now free."""
    free = _shapes(model)
    for node in model.graph.node:
        waits = node.op_type == "Reshape" and node.input[1] in constants and node.output[0] not in done
        if waits and None in free.get(node.input[0], []):
            return node
    return None


def _free(model: "ModelProto", node: Any, constant: Any, own: Sequence[int | None] | None) -> None:
    """Gives a ``Reshape`` a shape of its own that follows what it reads.

    Args:
        model: The model, whose list of constants grows.
        node: The ``Reshape``.
        constant: Its constant shape.
        own: The shape of what it reads as the model was exported.
    """
    onnx = onnx_package()
    free = _shapes(model)[node.input[0]]
    shape = onnx.numpy_helper.to_array(constant).tolist()
    if own is None:
        return
    kept = [axis < len(own) and size in (0, own[axis]) for axis, size in enumerate(shape)]
    wanted = [
        0 if same and free[axis] is None else size
        for axis, (same, size) in enumerate(zip(kept, shape, strict=True))
    ]
    lost = [axis for axis, size in enumerate(free) if size is None and (axis >= len(kept) or not kept[axis])]
    others = [axis for axis, same in enumerate(kept) if not same]
    if lost and -1 not in shape and len(others) == 1:
        wanted[others[0]] = -1
    name = f"{node.output[0]}@shape"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(wanted, np.int64), name))
    node.input[1] = name


def _shapes(model: "ModelProto") -> dict[str, list[int | None]]:
    """What is known of the shape of every tensor; ``None`` for a size that is free."""
    onnx = onnx_package()
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # a model that cannot be inferred may still run; nothing is known of it
        inferred = model
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    return {
        value.name: [
            dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim
        ]
        for value in values
        if value.type.tensor_type.HasField("shape")
    }


def _image(model: "ModelProto") -> Any:
    """The first input that is not a weight."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return next((value for value in model.graph.input if value.name not in weights), model.graph.input[0])


def _order(node: Any) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])


def _tensors(model: "ModelProto") -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _copy(model: "ModelProto") -> "ModelProto":
    copy = type(model)()
    copy.CopyFrom(model)
    return copy
