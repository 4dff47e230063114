"""Networks by name, from files that lie in the folders of ``SLIMTRACK_NETWORKS``. Nothing is ever fetched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from slimtrack.errors import MissingError, UnknownNameError
from slimtrack.networks.card import Card
from slimtrack.networks.find import find_network, network_folders
from slimtrack.networks.importers.matconvnet import import_matconvnet
from slimtrack.networks.importers.npz import import_npz
from slimtrack.networks.network import Network

__all__ = ["KNOWN", "find", "locate"]


@dataclass(frozen=True, slots=True)
class _File:
    """A file that holds a network.

    Attributes:
        path: Its place inside a folder of networks.
        sha256: Its hash.
        read: Reads it, given its path and hash.
        published: Whether it is as its authors publish it, not converted.
    """

    path: str
    sha256: str
    read: Callable[[Path, str], Network]
    published: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A network that is known by name.

    Attributes:
        files: Files it can be read from, the best first.
        source: Where a user gets it.
    """

    files: tuple[_File, ...]
    source: str


def _npz(path: str, sha256: str, name: str) -> _File:
    return _File(path, sha256, lambda file, digest: import_npz(file, name, digest), False)


def _mat(path: str, sha256: str, card: Card) -> _File:
    return _File(path, sha256, lambda file, digest: import_matconvnet(file, card, digest), True)


_DCFNET = Card("dcfnet", "MIT", "DCFNet (Wang et al., 2017), its authors' weights")
_UDT = Card("udt", "MIT", "UDT (Wang et al., CVPR 2019), trained without labels, its authors' weights")
_CF_VGGM = Card("cf_vggm", origin="CF-VGG of paper 002, its authors' weights")

KNOWN: Mapping[str, _Entry] = {
    "cf_vggm": _Entry(
        (
            _npz(
                "cf_vggm/cf_vggm.npz",
                "38c323418b651b79b70f408163c500cd8b433a7d91e92c49205db407d62fc691",
                "cf_vggm",
            ),
            _mat(
                "cf_vggm/CF_VGGM.mat",
                "9fb9836c8d7392755e01959b36fb3882f389180d91334d20a68fd0c1b3d0ad7a",
                _CF_VGGM,
            ),
        ),
        "the authors of paper 002 (CF_VGGM.mat)",
    ),
    "vgg19": _Entry(
        (
            _npz(
                "vgg19_conv1-3/vgg19_conv1-3.fp16.npz",
                "fd7c919954a6e2816faaecac8dfe0640bde7191109120e158c24c3b53680cb19",
                "vgg19",
            ),
        ),
        "https://www.robots.ox.ac.uk/~vgg/research/very_deep/ (converted to .npz, conv1_1 .. conv3_4)",
    ),
    "dcfnet": _Entry(
        (
            _mat(
                "dcfnet/DCFNet-net-7-125-2.mat",
                "394e15a6b26594dbf2f36ffeeacc3b2cf3ec6bf9f29c5084d24f02830572120c",
                _DCFNET,
            ),
            _mat(
                "dcfnet/net_param.mat",
                "0095109bdd7e343065920dd8d8e370fa3cfff51478492637dfb8fad83c43c0fa",
                _DCFNET,
            ),
        ),
        "https://github.com/foolwood/DCFNet",
    ),
    "udt": _Entry(
        (
            _mat(
                "udt/UDT_Unsupervised.mat",
                "62049de12c5f5b4497d7f1f2d03b73478607b095d7a7a4bb22d540ea2f5f0dfb",
                _UDT,
            ),
        ),
        "https://github.com/594422814/UDT",
    ),
    "squeezenet1.1": _Entry(
        (
            _npz(
                "squeezenet1.1/squeezenet1.1.fp16.npz",
                "c678f76aa68b2c578e50792197cc1848a5935465a68806ad7112beee2bdd7701",
                "squeezenet1.1",
            ),
        ),
        "https://github.com/forresti/SqueezeNet (converted to .npz)",
    ),
    "squeezenet1.0_dc": _Entry(
        (
            _npz(
                "squeezenet1.0_dc/squeezenet1.0_dc.npz",
                "3459a00a0fa6dec79003bc6059d3f6426d77d852c67aca41ebfd98308b5cf8aa",
                "squeezenet1.0_dc",
            ),
        ),
        "https://github.com/songhan/SqueezeNet-Deep-Compression (decoded to .npz)",
    ),
    "resnet18": _Entry(
        (
            _npz(
                "resnet18_partial/resnet18_conv1-layer3_folded.fp16.npz",
                "226450f420c1fac40aec6cf922ef639faf6d713c5e3529e05ff27fce55a200e1",
                "resnet18",
            ),
        ),
        "https://download.pytorch.org/models/resnet18-f37072fd.pth (`slimtrack network import`)",
    ),
}
"""Networks by name."""


def find(name: str) -> Network:
    """A network by its name, or from a file.

    Reading takes up to a second, so a process keeps what it has read; networks cannot be changed and may be
    shared.

    Args:
        name: One of `KNOWN`; or NAME of a file ``NAME.onnx`` in a folder of networks; or the path of an
            ``.onnx`` file. The first folder that holds a file of that name counts.

    Raises:
        UnknownNameError: There is no network of that name.
        MissingError: Its file was not found; the sentence says where it was looked for and how to get it.
        InputError: The file is damaged or another version.
    """
    path = Path(name)
    if path.suffix != ".onnx":
        file, path = locate(name)
        if file is not None:
            return _known(name, file, path)
    return _from_file(path.resolve(), path.stat().st_mtime_ns if path.is_file() else 0)


def locate(name: str) -> tuple[_File | None, Path]:
    """Where a network lies, and how it is read; ``None`` for an ``.onnx`` file of that name.

    Raises:
        UnknownNameError: There is no network of that name.
        MissingError: It was not found.
    """
    files = {each.path: each for each in KNOWN[name].files} if name in KNOWN else {}
    for folder in network_folders():
        for relative in (*files, f"{name}.onnx"):
            if (folder / relative).is_file():
                return files.get(relative), folder / relative
    if not files:
        raise UnknownNameError.of("network", name, KNOWN)
    file = next((each for each in files.values() if each.published), next(iter(files.values())))
    proof = f" (sha256 {file.sha256})" if file.published else ""
    try:
        return file, find_network(file.path)
    except MissingError as error:
        raise MissingError(f"{error}; get it from {KNOWN[name].source}{proof}") from None


@lru_cache(maxsize=16)
def _known(name: str, file: _File, place: Path) -> Network:
    return file.read(place, file.sha256)


@lru_cache(maxsize=16)
def _from_file(path: Path, changed: int) -> Network:
    return Network.load(path)
