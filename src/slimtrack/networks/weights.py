"""Weights alone that torchvision publishes, by name: file, hash, and card of the network made of them."""

from collections.abc import Mapping

from slimtrack.networks.card import Card
from slimtrack.networks.entry import TORCHVISION, Published

__all__ = ["CAFFE_BGR", "IMAGENET_MEAN", "IMAGENET_SCALE", "WEIGHTS"]

CAFFE_BGR = (104.0, 117.0, 123.0)
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_SCALE = (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225))
"""Colours that networks were trained with; torchvision's in RGB, Caffe's in BGR."""


def _torchvision(name: str, file: str, size: str = "") -> Published:
    """Weights of torchvision's classifiers, all trained on ImageNet in RGB."""
    origin = f"torchvision's {name}, ImageNet, {TORCHVISION}/{file}"
    card = Card(name, "BSD-3-Clause", origin, mean=IMAGENET_MEAN, scale=IMAGENET_SCALE)
    return Published(card, file, size)


_PUBLISHED = (
    _torchvision("vgg11", "vgg11-8a719046.pth"),
    _torchvision("vgg13", "vgg13-19584684.pth"),
    _torchvision("vgg16", "vgg16-397923af.pth", "528 MB"),
    _torchvision("vgg19", "vgg19-dcbb9e9d.pth", "548 MB"),
    _torchvision("vgg11_bn", "vgg11_bn-6002323d.pth"),
    _torchvision("vgg13_bn", "vgg13_bn-abd245e5.pth"),
    _torchvision("vgg16_bn", "vgg16_bn-6c64b313.pth"),
    _torchvision("vgg19_bn", "vgg19_bn-c79401a0.pth"),
    _torchvision("alexnet", "alexnet-owt-7be5be79.pth"),
    Published(  # as first published: trained on Caffe's colours
        Card("alexnet-groups", "BSD-3-Clause", "AlexNet in two groups", colors="bgr", mean=CAFFE_BGR), ""
    ),
    _torchvision("squeezenet1.0", "squeezenet1_0-b66bff10.pth"),
    _torchvision("squeezenet1.1", "squeezenet1_1-b8a52dc0.pth", "5 MB"),
    _torchvision("resnet18", "resnet18-f37072fd.pth", "45 MB"),
    _torchvision("resnet34", "resnet34-b627a593.pth"),
    _torchvision("resnet50", "resnet50-0676ba61.pth"),
    _torchvision("resnet101", "resnet101-63fe2227.pth"),
    _torchvision("mobilenet_v2", "mobilenet_v2-b0353104.pth"),
)

WEIGHTS: Mapping[str, Published] = {each.card.name: each for each in _PUBLISHED}
"""Weights alone that `slimtrack network import FILE --as NAME` makes a network of, by name."""
