"""Importers, on generated files of the published formats, against forward passes written out in numpy."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference as plain

from slimtrack.errors import InputError, MissingError, UnknownNameError
from slimtrack.networks.importers.torchvision import ARCHITECTURES, import_torchvision

State = dict[str, np.ndarray]
Array = np.ndarray


class Torch:
    """A state dict that makes up weights when a forward pass first asks for them."""

    def __init__(self, seed: int = 0) -> None:
        self.state: State = {}
        self._rng = np.random.default_rng(seed)

    def _made(self, name: str, *shape: int, near: float = 0.0, spread: float = 0.1) -> Array:
        if name not in self.state:
            self.state[name] = (near + spread * self._rng.normal(size=shape)).astype(np.float32)
        return self.state[name].astype(np.float64)

    def conv(self, x: Array, name: str, out: int, kernel: int, bias: bool = True, **options: Any) -> Array:
        shape = (out, len(x) // options.get("groups", 1), kernel, kernel)
        weight = self._made(f"{name}.weight", *shape, spread=float(np.sqrt(2 / np.prod(shape[1:]))))
        return plain.conv(x, weight, self._made(f"{name}.bias", out) if bias else None, **options)

    def norm(self, x: Array, name: str) -> Array:
        c = len(x)
        scale, shift = self._made(f"{name}.weight", c, near=1.0), self._made(f"{name}.bias", c)
        mean = self._made(f"{name}.running_mean", c)
        variance = self._made(f"{name}.running_var", c, near=1.0)
        self.state[f"{name}.num_batches_tracked"] = np.array(7)
        return plain.batch_norm(x, scale, shift, mean, variance)


# Plans fix kernels, strides and names, not how many filters there are: a few make these quick.


def vgg(t: Torch, x: Array, blocks: tuple[int, ...], norm: bool = False) -> Array:
    index = 0
    for block, count in enumerate(blocks):
        for _ in range(count):
            x = t.conv(x, f"features.{index}", 8 * 2 ** min(block, 3), 3, pads=1)
            x = plain.relu(t.norm(x, f"features.{index + 1}") if norm else x)
            index += 2 + norm
        x, index = plain.max_pool(x, 2, 2), index + 1
    return x


def alexnet(t: Torch, x: Array) -> Array:
    x = plain.max_pool(plain.relu(t.conv(x, "features.0", 16, 11, stride=4, pads=2)), 3, 2)
    x = plain.max_pool(plain.relu(t.conv(x, "features.3", 24, 5, pads=2)), 3, 2)
    for index, out in ((6, 32), (8, 24), (10, 24)):
        x = plain.relu(t.conv(x, f"features.{index}", out, 3, pads=1))
    return plain.max_pool(x, 3, 2)


def alexnet_groups(t: Torch, x: Array) -> Array:
    x = plain.lrn(plain.relu(t.conv(x, "conv1", 96, 11, stride=4)), 5, 1.0, 1e-4 / 5, 0.75)
    x = plain.max_pool(x, 3, 2, ceil=True)
    x = plain.lrn(plain.relu(t.conv(x, "conv2", 256, 5, pads=2, groups=2)), 5, 1.0, 1e-4 / 5, 0.75)
    x = plain.max_pool(x, 3, 2, ceil=True)
    x = plain.relu(t.conv(x, "conv3", 384, 3, pads=1))
    x = plain.relu(t.conv(x, "conv4", 384, 3, pads=1, groups=2))
    x = plain.relu(t.conv(x, "conv5", 256, 3, pads=1, groups=2))
    return plain.max_pool(x, 3, 2, ceil=True)


def squeezenet(t: Torch, x: Array, version: str) -> Array:
    first, kernel = (96, 7) if version == "1.0" else (64, 3)
    pools = (2, 6, 11) if version == "1.0" else (2, 5, 8)
    x = plain.relu(t.conv(x, "features.0", first, kernel, stride=2))
    sizes = iter([(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)])
    for index in range(2, 13):
        if index in pools:
            x = plain.max_pool(x, 3, 2, ceil=True)
            continue
        small, large = next(sizes)
        x = plain.relu(t.conv(x, f"features.{index}.squeeze", small, 1))
        parts = [t.conv(x, f"features.{index}.expand{k}x{k}", large, k, pads=k // 2) for k in (1, 3)]
        x = plain.relu(np.concatenate(parts))
    return plain.relu(t.conv(x, "classifier.1", 1000, 1))


def resnet(t: Torch, x: Array, blocks: tuple[int, ...], deep: bool) -> Array:
    x = plain.relu(t.norm(t.conv(x, "conv1", 8, 7, bias=False, stride=2, pads=3), "bn1"))
    x = plain.max_pool(np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf), 3, 2)
    for layer, count in enumerate(blocks, 1):
        width = 8 * 2 ** (layer - 1)
        for block in range(count):
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            plan = (
                [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)]
                if deep
                else [(width, 3, stride), (width, 3, 1)]
            )
            y = x
            for i, (out, kernel, step) in enumerate(plan, 1):
                y = t.conv(y, f"{name}.conv{i}", out, kernel, bias=False, stride=step, pads=kernel // 2)
                y = t.norm(y, f"{name}.bn{i}")
                y = plain.relu(y) if i < len(plan) else y
            if stride == 2 or len(x) != len(y):
                x = t.conv(x, f"{name}.downsample.0", len(y), 1, bias=False, stride=stride)
                x = t.norm(x, f"{name}.downsample.1")
            x = plain.relu(x + y)
    return x


def mobilenet(t: Torch, x: Array) -> Array:
    def step(x: Array, name: str, out: int, kernel: int, **options: Any) -> Array:
        x = t.norm(t.conv(x, f"{name}.0", out, kernel, bias=False, **options), f"{name}.1")
        return np.clip(x, 0, 6)

    x = step(x, "features.0", 32, 3, stride=2, pads=1)
    plan = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    index = 0
    for expand, out, count, first in plan:
        for repeat in range(count):
            index, stride, y, at = index + 1, first if repeat == 0 else 1, x, 0
            if expand > 1:
                y, at = step(y, f"features.{index}.conv.0", expand * len(x), 1), 1
            y = step(y, f"features.{index}.conv.{at}", len(y), 3, stride=stride, pads=1, groups=len(y))
            y = t.conv(y, f"features.{index}.conv.{at + 1}", out, 1, bias=False)
            y = t.norm(y, f"features.{index}.conv.{at + 2}")
            x = x + y if stride == 1 and len(x) == out else y
    return step(x, "features.18", 1280, 1)


FORWARD: dict[str, tuple[Callable[[Torch, Array], Array], int]] = {
    "vgg11": (lambda t, x: vgg(t, x, (1, 1, 2, 2, 2)), 32),
    "vgg13": (lambda t, x: vgg(t, x, (2, 2, 2, 2, 2)), 32),
    "vgg16": (lambda t, x: vgg(t, x, (2, 2, 3, 3, 3)), 33),
    "vgg19": (lambda t, x: vgg(t, x, (2, 2, 4, 4, 4)), 32),
    "vgg11_bn": (lambda t, x: vgg(t, x, (1, 1, 2, 2, 2), True), 32),
    "vgg13_bn": (lambda t, x: vgg(t, x, (2, 2, 2, 2, 2), True), 32),
    "vgg16_bn": (lambda t, x: vgg(t, x, (2, 2, 3, 3, 3), True), 33),
    "vgg19_bn": (lambda t, x: vgg(t, x, (2, 2, 4, 4, 4), True), 32),
    "alexnet": (alexnet, 70),
    "alexnet-groups": (alexnet_groups, 75),
    "squeezenet1.0": (lambda t, x: squeezenet(t, x, "1.0"), 40),
    "squeezenet1.1": (lambda t, x: squeezenet(t, x, "1.1"), 40),
    "resnet18": (lambda t, x: resnet(t, x, (2, 2, 2, 2), False), 40),
    "resnet34": (lambda t, x: resnet(t, x, (3, 4, 6, 3), False), 33),
    "resnet50": (lambda t, x: resnet(t, x, (3, 4, 6, 3), True), 33),
    "resnet101": (lambda t, x: resnet(t, x, (3, 4, 23, 3), True), 33),
    "mobilenet_v2": (mobilenet, 40),
}


def safetensors(state: State) -> bytes:
    kinds = {"float32": "F32", "float16": "F16", "int64": "I64"}
    header, body = {}, b""
    for name, array in state.items():
        data = np.ascontiguousarray(array).tobytes()
        span = [len(body), len(body) + len(data)]
        header[name] = {"dtype": kinds[str(array.dtype)], "shape": list(array.shape), "data_offsets": span}
        body += data
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_every_architecture_is_tested() -> None:
    assert set(FORWARD) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", FORWARD)
def test_state_dicts_named_as_torchvision(name: str, tmp_path: Path) -> None:
    forward, side = FORWARD[name]
    x = np.random.default_rng(1).normal(size=(3, side, side + 6))
    made = Torch()
    forward(made, x)
    made.state["classifier.6.weight"] = np.zeros((2, 2), np.float32)  # of no use here, and no harm
    (tmp_path / "state.safetensors").write_bytes(safetensors(made.state))
    network = import_torchvision(tmp_path / "state.safetensors", name)
    tap = list(network.taps)[-1]
    wanted = forward(made, x)
    batch = x[None].astype(np.float32)
    assert plain.close(network.run(batch, tap)[tap][0], wanted, 1e-4)
    folded = network.truncate(tap).fold_batch_norm()
    assert not any(node.op == "BatchNormalization" for node in folded.graph.nodes)
    assert plain.close(folded.run(batch)[tap][0], wanted, 1e-4)
    assert (network.card.name, network.card.licence) == (name, "BSD-3-Clause")


def test_alexnet_in_groups_prunes_within_them(tmp_path: Path) -> None:
    made = Torch()
    x = np.random.default_rng(1).normal(size=(3, 75, 75))
    alexnet_groups(made, x)
    np.savez(tmp_path / "a.npz", **made.state)
    network = import_torchvision(tmp_path / "a.npz", "alexnet-groups")
    kept = [*range(40), *range(48, 88)]
    pruned = network.select_channels("conv1", kept)
    weight, bias = (array.copy() for array in network.weights("conv1"))
    weight[np.setdiff1d(range(96), kept)], bias[np.setdiff1d(range(96), kept)] = 0, 0
    batch = x[None].astype(np.float32)
    whole = network.replace("conv1", weight, bias).run(batch, "relu5")["relu5"]
    assert plain.close(pruned.run(batch, "relu5")["relu5"], whole, 1e-5)


def test_torch_files_are_read_without_executing_anything(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    made = Torch()
    wanted = alexnet(made, np.ones((3, 70, 70)))
    torch.save({k: torch.from_numpy(np.array(v)) for k, v in made.state.items()}, tmp_path / "a.pth")
    network = import_torchvision(tmp_path / "a.pth", "alexnet")
    result = network.run(np.ones((1, 3, 70, 70), np.float32), "pool5")["pool5"][0]
    assert plain.close(result, wanted, 1e-4)
    torch.save({"features.0.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="plain tensors"):
        import_torchvision(tmp_path / "evil.pth", "alexnet")
    assert not (tmp_path / "ran").exists()


class Evil:
    """Would write a file when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_torch_files_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.pth").write_bytes(b"anything")
    with pytest.raises(MissingError, match="pip install torch"):
        import_torchvision(tmp_path / "a.pth", "alexnet")


def test_bad_state_dicts(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    good = safetensors({"features.0.weight": np.zeros((64, 3, 11, 11), np.float32)})
    for data in (b"", b"1234567", good[:50], good[:-5], struct.pack("<Q", 3) + b"[1]", bytes(100)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="damaged"):
            import_torchvision(path, "alexnet")
    path.write_bytes(good)
    with pytest.raises(InputError, match=r"no array 'features\.3\.weight'"):
        import_torchvision(path, "alexnet")
    with pytest.raises(InputError, match=r"no array 'conv1\.weight'"):
        import_torchvision(path, "resnet18")
    with pytest.raises(UnknownNameError, match="did you mean vgg"):
        import_torchvision(path, "vgg17")
    (tmp_path / "a.bin").write_bytes(good)
    with pytest.raises(InputError, match="of an unknown kind"):
        import_torchvision(tmp_path / "a.bin", "alexnet")
    wide = {
        "features.0.weight": np.zeros((64, 3, 11, 11), np.float32),
        "features.3.weight": np.zeros((8, 9, 5, 5), np.float32),
    }
    path.write_bytes(safetensors(wide))
    with pytest.raises(InputError, match=r"layer conv2: .* do not fit an input of 64 channels"):
        import_torchvision(path, "alexnet")
