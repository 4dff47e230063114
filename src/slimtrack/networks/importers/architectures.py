"""Networks by their published plans, filled with weights from a file."""

from collections.abc import Sequence

from slimtrack.networks.build import Builder
from slimtrack.networks.importers.store import Store

__all__ = ["alexnet", "cf_vgg", "dcfnet", "mobilenet_v2", "resnet", "squeezenet", "vgg"]


def cf_vgg(store: Store) -> Builder:
    """CF-VGG and VGG-M's convolutions as MatConvNet runs them (paper 002; Chatfield et al., BMVC 2014)."""
    builder = Builder()
    plan = ((7, 2, 0), (5, 2, 1), (3, 1, 1), (3, 1, 1), (3, 1, 1))
    for index, (kernel, stride, pad) in enumerate(plan, 1):
        store.conv(builder, f"conv{index}", kernel=kernel, stride=stride, pads=pad)
        builder.relu(f"relu{index}")
        if index <= 2:
            builder.lrn(f"norm{index}", 5, 2.0, 1e-4, 0.75)
            builder.pool(f"pool{index}", 3, 2, (0, 0, 1, 1))
    return builder


def dcfnet(store: Store) -> Builder:
    """DCFNet's two layers (Wang et al., 2017); UDT's are the same."""
    builder = Builder()
    store.conv(builder, "conv1", kernel=3, pads=1)
    builder.relu("relu1")
    store.conv(builder, "conv2", kernel=3, pads=1)
    builder.lrn("norm1", 5, 1.0, 2e-5, 0.75)
    return builder


def vgg(store: Store, blocks: Sequence[int]) -> Builder:
    """VGG's convolutions (Simonyan and Zisserman, ICLR 2015), as deep as the weights go.

    Args:
        store: Weights named ``conv1_1`` ..; normalisations ``bn1_1`` .. where the network has them.
        blocks: Convolutions in each block; a pool follows each.
    """
    builder = Builder()
    for block, count in enumerate(blocks, 1):
        for index in range(1, count + 1):
            if store.ends_before(f"conv{block}_{index}"):
                return builder
            store.conv(builder, f"conv{block}_{index}", f"bn{block}_{index}", kernel=3, pads=1)
            builder.relu(f"relu{block}_{index}")
        if f"conv{block + 1}_1" in store or block == len(blocks):
            builder.pool(f"pool{block}", 2, 2)
    return builder


def squeezenet(store: Store, kernel: int, pooled: Sequence[int]) -> Builder:
    """SqueezeNet's convolutions (Iandola et al., 2016).

    Args:
        store: Weights named ``conv1``, ``fire2_squeeze1x1`` ..
        kernel: Side of the first convolution's kernel.
        pooled: Numbers of the modules (1: conv1) that a pool follows.
    """
    builder = Builder()
    store.conv(builder, "conv1", kernel=kernel, stride=2)
    builder.relu("relu1")
    for index in range(2, 10):
        if index - 1 in pooled:
            builder.pool(f"pool{index - 1}", 3, 2, ceil=True)
        _fire(builder, store, f"fire{index}")
    if not store.ends_before("conv10"):
        store.conv(builder, "conv10", kernel=1)
        builder.relu("relu10")
    return builder


def _fire(builder: Builder, store: Store, name: str) -> None:
    store.conv(builder, f"{name}_squeeze1x1", kernel=1)
    squeezed = builder.relu(f"{name}_relu_squeeze1x1")
    parts = []
    for size in (1, 3):
        builder.last = squeezed
        store.conv(builder, f"{name}_expand{size}x{size}", kernel=size, pads=size // 2)
        parts.append(builder.relu(f"{name}_relu_expand{size}x{size}"))
    builder.concat(name, parts)


def resnet(store: Store, blocks: Sequence[int], *, bottleneck: bool = False) -> Builder:
    """ResNet's convolutions (He et al., CVPR 2016), torchvision's strides, as deep as the weights go.

    Args:
        store: Weights named ``conv1``, ``layer1_0_conv1``, ``layer2_0_downsample_0`` ..; normalisations
            ``bn1``, ``layer1_0_bn1``, ``layer2_0_downsample_1`` where they are not folded in.
        blocks: Residual blocks in each layer.
        bottleneck: Blocks of 1x1, 3x3, 1x1 instead of two of 3x3.
    """
    builder = Builder()
    store.conv(builder, "conv1", "bn1", kernel=7, stride=2, pads=3)
    builder.relu("relu1")
    builder.pool("pool1", 3, 2, 1)
    kernels = (1, 3, 1) if bottleneck else (3, 3)
    for layer, count in enumerate(blocks, 1):
        if store.ends_before(f"layer{layer}_0_conv1"):
            break
        for block in range(count):
            stride = 2 if layer > 1 and block == 0 else 1
            _residual(builder, store, f"layer{layer}_{block}", kernels, stride)
        builder.taps[f"layer{layer}"] = builder.last
    return builder


def _residual(builder: Builder, store: Store, name: str, kernels: Sequence[int], stride: int) -> None:
    entry = builder.last
    for index, kernel in enumerate(kernels, 1):
        # torchvision strides in the first 3x3 convolution, also of a bottleneck.
        step = stride if index == kernels.index(3) + 1 else 1
        layer, norm = f"{name}_conv{index}", f"{name}_bn{index}"
        store.conv(builder, layer, norm, kernel=kernel, stride=step, pads=kernel // 2)
        if index < len(kernels):
            builder.relu(f"{name}_relu{index}")
    branch = builder.last
    if f"{name}_downsample_0" in store or stride > 1:
        builder.last = entry
        layer, norm = f"{name}_downsample_0", f"{name}_downsample_1"
        entry = store.conv(builder, layer, norm, kernel=1, stride=stride)
    builder.add(f"{name}_sum", branch, entry)
    builder.relu(name)


def alexnet(store: Store, groups: int = 1) -> Builder:
    """AlexNet's convolutions.

    Args:
        store: Weights named ``conv1`` ..
        groups: 1: torchvision's (Krizhevsky, 2014), no normalisation. 2: the first published one (Krizhevsky
            et al., NIPS 2012) as Caffe has it: second, fourth and fifth convolution in two groups, local
            response normalisation after the first two.
    """
    builder = Builder()
    plan = ((11, 4, 2 if groups == 1 else 0), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))
    for index, (kernel, stride, pad) in enumerate(plan, 1):
        split = groups if index in (2, 4, 5) else 1
        store.conv(builder, f"conv{index}", kernel=kernel, stride=stride, pads=pad, groups=split)
        builder.relu(f"relu{index}")
        if index in (1, 2) and groups > 1:
            builder.lrn(f"norm{index}", 5, 1.0, 1e-4 / 5, 0.75)
        if index in (1, 2, 5):
            builder.pool(f"pool{index}", 3, 2, ceil=groups > 1)
    return builder


_INVERTED = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""MobileNetV2's blocks: expansion, channels, repeats, stride of the first (Sandler et al., 2018, table 2)."""


def mobilenet_v2(store: Store) -> Builder:
    """MobileNetV2's convolutions (Sandler et al., CVPR 2018), as deep as the weights go.

    Args:
        store: Weights named ``conv0``, ``block1_depthwise`` .. ``block17_project``, ``conv18``;
            normalisations ``bn0``, ``block1_depthwise_bn`` .. where they are not folded in.
    """
    builder = Builder()
    store.conv(builder, "conv0", "bn0", kernel=3, stride=2, pads=1)
    builder.relu6("relu0")
    strides = [stride if first == 0 else 1 for *_, n, stride in _INVERTED for first in range(n)]
    for index, stride in enumerate(strides, 1):
        if store.ends_before(f"block{index}_depthwise"):
            return builder
        _inverted(builder, store, f"block{index}", stride)
    if not store.ends_before("conv18"):
        store.conv(builder, "conv18", "bn18", kernel=1)
        builder.relu6("relu18")
    return builder


def _inverted(builder: Builder, store: Store, name: str, stride: int) -> None:
    """Expansion, depthwise convolution, projection, and a sum where shapes allow."""
    entry, before = builder.last, builder.channels
    if f"{name}_expand" in store:
        store.conv(builder, f"{name}_expand", f"{name}_expand_bn", kernel=1)
        builder.relu6(f"{name}_relu_expand")
    layer, norm, each = f"{name}_depthwise", f"{name}_depthwise_bn", builder.channels
    store.conv(builder, layer, norm, kernel=3, stride=stride, pads=1, groups=each)
    builder.relu6(f"{name}_relu_depthwise")
    store.conv(builder, f"{name}_project", f"{name}_project_bn", kernel=1)
    if stride == 1 and builder.channels == before:
        builder.add(f"{name}_sum", builder.last, entry)
    builder.taps[name] = builder.last
