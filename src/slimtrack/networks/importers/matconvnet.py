"""Networks from MatConvNet's ``.mat`` files, SimpleNN and DagNN; nothing in them is executed."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.network import Network
from slimtrack.networks.sources import digest, read_bytes

__all__ = ["import_matconvnet"]

_IGNORED = ("softmax", "softmaxloss", "loss", "dropout", "dropoutlayer")


def import_matconvnet(path: str | Path, card: Card | None = None, sha256: str | None = None) -> Network:
    """A network from a ``.mat`` file; every layer is a tap of its name.

    Convolutions, ReLU, pooling with any padding, local response and batch normalisation, sums and
    concatenations are read; losses and dropout at the end are left out. The mean is the file's.

    Args:
        path: The file.
        card: What is known about it; the file's name and mean when ``None``.
        sha256: Its hash or the first digits, where known.

    Raises:
        InputError: The file is damaged, has another hash, or holds layers that are not known.
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
        file: Any = io.BytesIO(data)  # the stubs know names of files only
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
        return plans.dcfnet(plans.Store(_parameters(content), what))
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


def _numbers(value: Any, default: Sequence[float]) -> list[float]:
    numbers = [float(v) for v in np.ravel(value)] if value is not None and np.size(value) else list(default)
    return numbers * (len(default) // len(numbers)) if len(numbers) == 1 else numbers


def _pads(layer: Mapping[str, Any]) -> list[int]:
    """MatConvNet's [top, bottom, left, right] as (top, left, bottom, right)."""
    top, bottom, left, right = (int(v) for v in _numbers(layer.get("pad"), (0, 0, 0, 0)))
    return [top, left, bottom, right]


def _stride(layer: Mapping[str, Any]) -> list[int]:
    return [int(v) for v in _numbers(layer.get("stride"), (1, 1))]


def _simple(layers: Sequence[dict[str, Any]], what: str) -> Builder:
    builder = Builder()
    for index, layer in enumerate(layers):
        kind = str(layer.get("type", "")).lower()
        name = str(layer.get("name") or f"{kind}{index + 1}")
        if kind in _IGNORED:
            continue
        arrays = layer.get("weights") or [layer[key] for key in ("filters", "biases") if key in layer]
        _step(builder, kind, name, layer, arrays, what)
    return builder


def _step(
    builder: Builder, kind: str, name: str, layer: Mapping[str, Any], arrays: Sequence[AnyArray], what: str
) -> None:
    """Adds one layer of either format."""
    if kind == "conv":
        weight = _filters(arrays[0])
        bias = arrays[1].ravel() if len(arrays) > 1 and arrays[1].size else None
        have = builder.channels
        groups = have // weight.shape[1] if weight.shape[1] else 1
        dilation = int(_numbers(layer.get("dilate"), (1,))[0])
        builder.conv(
            name,
            weight,
            bias,
            stride=_stride(layer),
            pads=_pads(layer),
            groups=max(groups, 1),
            dilation=dilation,
        )
    elif kind == "relu":
        builder.relu(name)
    elif kind in ("pool", "pooling"):
        kernel = [int(v) for v in _numbers(layer.get("pool", layer.get("poolSize")), (1, 1))]
        average = str(layer.get("method", "max")) == "avg"
        builder.pool(name, kernel, _stride(layer), _pads(layer), average=average)
    elif kind in ("lrn", "normalize"):
        size, bias_, alpha, beta = _numbers(layer["param"], (5, 1, 1, 0.5))
        builder.lrn(name, int(size), bias_, alpha, beta)
    elif kind in ("bnorm", "batchnorm"):
        scale, shift, moments = arrays[0].ravel(), arrays[1].ravel(), arrays[2].reshape(-1, 2)
        # The second moment is already the square root of variance plus epsilon.
        builder.batch_norm(name, scale, shift, moments[:, 0], moments[:, 1] ** 2, 0.0)
    else:
        raise InputError(f"{what}: layer {name!r} is of type {kind!r}, which is not known")


def _dag(content: dict[str, Any], layers: Sequence[dict[str, Any]], what: str) -> Builder:
    params = content.get("params") or []
    params = params if isinstance(params, list) else [params]
    values = {str(each["name"]): each["value"] for each in params}
    builder = Builder()
    tensors: dict[str, str] = {}
    for layer in layers:
        kind = str(layer["type"]).rpartition(".")[2].lower()
        reads, writes = _names(layer["inputs"]), _names(layer["outputs"])
        sources = [tensors.get(name, builder.input) for name in reads]
        if kind in _IGNORED:
            tensors[writes[0]] = sources[0]
            continue
        builder.last = sources[0]
        name, arrays = str(layer["name"]), [values[each] for each in _names(layer.get("params"))]
        if kind == "concat":
            builder.concat(name, sources)
        elif kind == "sum":
            builder.add(name, *sources)
        else:
            _step(builder, kind, name, layer["block"], arrays, what)
        tensors[writes[0]] = builder.last
    return builder


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
