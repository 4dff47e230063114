"""Networks from MatConvNet's ``.mat`` files, SimpleNN and DagNN; nothing in them is executed."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.importers.store import Store
from slimtrack.networks.network import Network
from slimtrack.networks.sources import digest, read_bytes

__all__ = ["import_matconvnet"]

_ENDS = ("softmax", "softmaxloss", "loss")
"""Layers that turn the last result into scores or a loss: what comes before them is the network."""

_PASSING = ("dropout", "dropoutlayer")
"""Layers that do nothing in a trained network."""

_FIELDS = {
    "conv": ("weights", "filters", "biases", "pad", "stride", "dilate", "hasbias"),
    "relu": ("leak",),
    "pool": ("method", "pool", "poolsize", "pad", "stride", "dilate"),
    "lrn": ("param",),
    "bnorm": ("weights", "filters", "biases", "moments", "epsilon", "numchannels"),
    "sum": ("numinputs",),
    "concat": ("dim", "numinputs"),
}
"""Fields, in lower case, that are read of a layer of each kind."""

_HARMLESS = ("type", "name", "opts", "precious", "size", "dimensions", "aux", "useshortcircuit", "momentum")
"""Fields of any layer that do not change what it computes."""

_LEARNING = ("learningrate", "weightdecay", "momentum")
"""Ends of the names of fields that are for learning alone."""

_KINDS = {"pooling": "pool", "normalize": "lrn", "batchnorm": "bnorm"}
"""Other names for kinds of layers."""


def import_matconvnet(path: str | Path, card: Card | None = None, sha256: str | None = None) -> Network:
    """A network from a ``.mat`` file; every layer is a tap of its name.

    Convolutions, ReLU (also leaky), pooling with any padding, local response and batch normalisation, sums
    and concatenations are read; losses at the end and dropout are left out. The mean is the file's.

    Args:
        path: The file.
        card: What is known about it; the file's name and mean when ``None``.
        sha256: Its hash or the first digits, where known.

    Raises:
        InputError: The file is damaged, has another hash, or holds layers or fields that are not known.
    """
    data = read_bytes(path, sha256)
    content = _loaded(data, str(path))
    mean = _mean(content)
    if card is None:
        card = Card(Path(path).stem, mean=mean or (0.0, 0.0, 0.0))
    elif mean is not None:
        card = replace(card, mean=mean)
    builder = _built(content, str(path))
    return Network(builder.graph(), builder.taps, replace(card, sha256=digest(data)))


def _loaded(data: bytes, what: str) -> dict[str, Any]:
    import scipy.io

    try:
        file: Any = io.BytesIO(data)  # the stubs allow only file names
        raw = scipy.io.loadmat(file, struct_as_record=False, squeeze_me=False)
        content = {name: _plain(value) for name, value in raw.items() if not name.startswith("__")}
    except Exception as error:  # scipy raises many kinds for damaged files
        raise InputError(
            f"{what} is not a MATLAB file (version 5 to 7) or is damaged: take it again"
        ) from error
    net = content.get("net", content)
    return net if isinstance(net, dict) else content


def _plain(value: Any) -> Any:
    """MATLAB's structs as dicts, cells as lists, text as str; numbers stay arrays."""
    if hasattr(value, "_fieldnames"):
        return {name: _plain(getattr(value, name)) for name in value._fieldnames}
    if isinstance(value, np.ndarray) and value.dtype == object:
        items = [_plain(each) for each in value.ravel(order="F")]
        return items[0] if value.size == 1 and isinstance(items[0], dict) else items
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return str(value.ravel()[0]) if value.size else ""
    return value


def _built(content: dict[str, Any], what: str) -> Builder:
    layers = content.get("layers")
    if layers is None and "conv1_w" in content:
        return plans.dcfnet(Store(_parameters(content), what))
    if not layers:
        raise InputError(f"{what} holds no MatConvNet network: it has no field 'layers'")
    layers = layers if isinstance(layers, list) else [layers]
    return _dag(content, layers, what) if "block" in layers[0] else _simple(layers, what)


def _parameters(content: Mapping[str, Any]) -> dict[str, AnyArray]:
    """Bare arrays ``conv1_w`` (kh, kw, I, O), ``conv1_b``, as some files have them."""
    return {
        name: _filters(value) if name.endswith("_w") else value.ravel()
        for name, value in content.items()
        if name.endswith(("_w", "_b"))
    }


def _filters(array: AnyArray) -> AnyArray:
    """(kh, kw, I, O) to (O, I, kh, kw); MATLAB drops trailing axes of length 1."""
    return array.reshape(array.shape + (1,) * (4 - array.ndim)).transpose(3, 2, 0, 1)


def _numbers(layer: Mapping[str, Any], field: str, default: Sequence[float]) -> list[float]:
    """A field's numbers, as many as the default has; one number stands for all."""
    value = layer.get(field)
    numbers = [float(v) for v in np.ravel(value)] if value is not None and np.size(value) else [*default]
    if len(numbers) not in (1, len(default)):
        raise InputError(f"field {field!r} has {len(numbers)} numbers, {len(default)} or 1 are needed")
    return numbers * (len(default) // len(numbers))


def _pads(layer: Mapping[str, Any]) -> list[int]:
    """MatConvNet's [top, bottom, left, right] as (top, left, bottom, right)."""
    top, bottom, left, right = (int(v) for v in _numbers(layer, "pad", (0, 0, 0, 0)))
    return [top, left, bottom, right]


def _stride(layer: Mapping[str, Any]) -> list[int]:
    return [int(v) for v in _numbers(layer, "stride", (1, 1))]


def _simple(layers: Sequence[dict[str, Any]], what: str) -> Builder:
    builder = Builder()
    ended = ""
    for index, layer in enumerate(layers):
        kind = _kind(layer.get("type", ""))
        name = str(layer.get("name") or f"{kind}{index + 1}")
        with _about(what, name):
            if ended:
                raise InputError(f"it comes after {ended!r}, which ends a network")
            if kind in _ENDS:
                ended = name
            elif kind not in _PASSING:
                arrays = layer.get("weights") or [layer[key] for key in ("filters", "biases") if key in layer]
                moments = [layer["moments"]] if len(arrays) == 2 and "moments" in layer else []
                _step(builder, kind, name, layer, [*arrays, *moments])
    return builder


def _kind(text: Any) -> str:
    """A layer's kind in one word: ``"dagnn.BatchNorm"`` and ``"bnorm"`` are the same."""
    kind = str(text).rpartition(".")[2].lower()
    return _KINDS.get(kind, kind)


@contextmanager
def _about(what: str, name: str) -> Iterator[None]:
    """Says which layer of which file cannot be read, whatever is wrong with its fields."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: layer {name!r}: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{what}: layer {name!r} has fields that cannot be read ({reason})") from error


def _step(
    builder: Builder, kind: str, name: str, layer: Mapping[str, Any], arrays: Sequence[AnyArray]
) -> None:
    """Adds one layer of either format."""
    if kind not in _STEPS:
        raise InputError(f"it is of type {kind!r}, which is not known")
    _check_fields(kind, layer)
    _STEPS[kind](builder, name, layer, arrays)


def _check_fields(kind: str, layer: Mapping[str, Any]) -> None:
    """Refuses fields that could change what a layer computes in a way that is not known here."""
    for field, value in layer.items():
        short = field.lower()
        known = short in _FIELDS[kind] or short in _HARMLESS or short.endswith(_LEARNING)
        if not known and np.size(value):
            raise InputError(f"its field {field!r} is not known, and may change what it computes")


def _conv(builder: Builder, name: str, layer: Mapping[str, Any], arrays: Sequence[AnyArray]) -> None:
    if not 1 <= len(arrays) <= 2:
        raise InputError(f"a convolution has filters and biases, here are {len(arrays)} arrays")
    weight = _filters(arrays[0])
    bias = arrays[1].ravel() if len(arrays) > 1 and arrays[1].size else None
    down, across = (int(v) for v in _numbers(layer, "dilate", (1, 1)))
    if down != across:
        raise InputError(f"it is dilated {down} down and {across} across, which is not supported")
    groups = builder.channels // weight.shape[1] if weight.shape[1] else 1
    stride, pads = _stride(layer), _pads(layer)
    builder.conv(name, weight, bias, stride=stride, pads=pads, dilation=down, groups=max(groups, 1))


def _relu(builder: Builder, name: str, layer: Mapping[str, Any], _: Sequence[AnyArray]) -> None:
    builder.relu(name, _numbers(layer, "leak", (0,))[0])


def _pool(builder: Builder, name: str, layer: Mapping[str, Any], _: Sequence[AnyArray]) -> None:
    method = str(layer.get("method", "max")).lower()
    if method not in ("max", "avg"):
        raise InputError(f"it pools by {method!r}, not by 'max' or 'avg'")
    if _numbers(layer, "dilate", (1, 1)) != [1, 1]:
        raise InputError("it pools dilated windows, which is not supported")
    kernel = [int(v) for v in _numbers(layer, "poolSize" if "poolSize" in layer else "pool", (1, 1))]
    builder.pool(name, kernel, _stride(layer), _pads(layer), average=method == "avg")


def _lrn(builder: Builder, name: str, layer: Mapping[str, Any], _: Sequence[AnyArray]) -> None:
    size, bias, alpha, beta = _numbers(layer, "param", (5, 1, 1, 0.5))
    builder.lrn(name, int(size), bias, alpha, beta)


def _batch_norm(builder: Builder, name: str, _: Mapping[str, Any], arrays: Sequence[AnyArray]) -> None:
    if len(arrays) != 3:
        raise InputError(
            f"a batch normalisation needs scale, shift and moments, here are {len(arrays)} arrays: "
            "save the network with the moments that it learned"
        )
    scale, shift, moments = arrays[0].ravel(), arrays[1].ravel(), arrays[2].reshape(-1, 2)
    # The second moment is already the square root of variance plus epsilon.
    builder.batch_norm(name, scale, shift, moments[:, 0], moments[:, 1] ** 2, 0.0)


_STEPS: Mapping[str, Callable[[Builder, str, Mapping[str, Any], Sequence[AnyArray]], None]] = {
    "conv": _conv,
    "relu": _relu,
    "pool": _pool,
    "lrn": _lrn,
    "bnorm": _batch_norm,
}
"""Layers that read one tensor."""


def _dag(content: dict[str, Any], layers: Sequence[dict[str, Any]], what: str) -> Builder:
    params = content.get("params") or []
    params = params if isinstance(params, list) else [params]
    values = {str(each["name"]): each["value"] for each in params}
    builder = Builder()
    tensors: dict[str, str] = {}
    for layer in _in_order(layers, tensors, builder.input, what):
        kind, name = _kind(layer["type"]), str(layer["name"])
        sources = [tensors[each] for each in _names(layer["inputs"])]
        with _about(what, name):
            builder.last = sources[0]
            if kind not in _PASSING:
                arrays = [values[each] for each in _names(layer.get("params"))]
                _joined(builder, kind, name, layer["block"], arrays, sources)
        tensors[_names(layer["outputs"])[0]] = builder.last
    return builder


def _in_order(
    layers: Sequence[dict[str, Any]], tensors: dict[str, str], image: str, what: str
) -> Iterator[dict[str, Any]]:
    """The layers in an order in which they can run, whatever order they are listed in; losses are left out.

    Args:
        layers: As listed.
        tensors: What is there so far; whoever takes a layer adds what it writes. The image is added here.
        image: The tensor of the image.
        what: How messages name the file.
    """
    waiting = [layer for layer in layers if _kind(layer["type"]) not in _ENDS]
    written = {name for layer in layers for name in _names(layer["outputs"])}
    entries = sorted({name for layer in waiting for name in _names(layer["inputs"])} - written)
    if len(entries) != 1:
        names = ", ".join(entries) or "none"
        raise InputError(f"{what} has {len(entries)} inputs ({names}): a feature network has one, an image")
    tensors[entries[0]] = image
    while waiting:
        ready = [at for at, each in enumerate(waiting) if all(n in tensors for n in _names(each["inputs"]))]
        if not ready:
            names = ", ".join(str(layer["name"]) for layer in waiting[:3])
            raise InputError(f"{what}: layers {names} need each other's results, or that of a loss")
        yield waiting.pop(ready[0])


def _joined(
    builder: Builder,
    kind: str,
    name: str,
    block: Mapping[str, Any],
    arrays: Sequence[AnyArray],
    sources: Sequence[str],
) -> None:
    """Adds one layer, which may read several tensors."""
    if kind == "concat":
        _check_fields(kind, block)
        if _numbers(block, "dim", (3,))[0] != 3:
            raise InputError("it does not join channels (its dim is not 3)")
        builder.concat(name, sources)
    elif kind == "sum":
        _check_fields(kind, block)
        for index, source in enumerate(sources[1:], 2):
            builder.add(name if index == len(sources) else f"{name}:{index}", builder.last, source)
    elif len(sources) > 1:
        raise InputError(f"it reads {len(sources)} tensors, one is expected")
    else:
        _step(builder, kind, name, block, arrays)


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) and value else [str(each) for each in value or ()]


def _mean(content: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """The mean colour, RGB, from either place where versions of MatConvNet keep it."""
    meta = content.get("meta")
    holder = meta if isinstance(meta, dict) else content
    normalization = holder.get("normalization")
    image = normalization.get("averageImage") if isinstance(normalization, dict) else None
    if image is None or not np.size(image):
        return None
    red, green, blue = np.asarray(image, np.float64).reshape(-1, 3).mean(0) if np.ndim(image) != 3 else (
        np.asarray(image, np.float64).mean((0, 1))
    )  # fmt: skip
    return float(red), float(green), float(blue)
