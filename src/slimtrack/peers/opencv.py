"""OpenCV's own trackers behind slimtrack's interface, for comparison.

Their boxes, and their scores if they have one, are passed on unchanged. The wrapper only refuses sizes that
make them abort, crash or hang.
"""

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy.typing as npt

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.errors import InputError, InternalError, MissingError
from slimtrack.follower import as_box
from slimtrack.networks.catalogue import files_of
from slimtrack.networks.find import find_network
from slimtrack.tracker import Estimate, Track, Tracker

__all__ = ["OpenCvTracker", "flavour"]

_FLAVOURS = (
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-python",
)


def _files(network: str, *parameters: str) -> dict[str, str]:
    """Parameters of a constructor -> the files of a network of the catalogue, in its order."""
    return dict(zip(parameters, files_of(network), strict=True))


class OpenCvTracker(Tracker):
    """Common code of OpenCV's trackers: created at each `init`, whole-pixel first box, LOST if they fail."""

    thresholds = Thresholds(tracked=0.5, doubt=0.5, lost=0.0, found=0.0, patience=1)
    uses_appearance = False
    kind: ClassVar[str]
    """Name of its class in OpenCV, without ``Tracker``."""
    contrib: ClassVar[bool] = True
    """Whether only OpenCV's contrib packages have it."""
    since: ClassVar[str] = "4.5.1"
    """First version of OpenCV that has it."""
    files: ClassVar[Mapping[str, str]] = {}
    """Parameter of OpenCV's constructor -> network file."""
    scored: ClassVar[bool] = False
    """Whether it has a score of its own."""
    least_box: ClassVar[int] = 5
    """Least side in pixels of the part of the first box that lies in the frame."""
    least_frame: ClassVar[int] = 16
    """Least side of the frame in pixels."""

    def __init__(self) -> None:
        self.require()

    @classmethod
    def require(cls) -> None:
        """Raises an error if this OpenCV lacks the tracker, or a network file is missing.

        Raises:
            MissingError: Says what is missing and how to get it.
        """
        if _factory(cls.kind) is None:
            package = "opencv-contrib-python-headless" if cls.contrib else "opencv-python-headless"
            raise MissingError(
                f"{cls.name} is not in the OpenCV installed here ({flavour()} {cv2.__version__}): "
                f'install "{package}>={cls.since}" instead'
            )
        cls.reads({})

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> list[Path]:
        """Its network files.

        Raises:
            MissingError: A file is missing.
        """
        return [find_network(file) for file in cls.files.values()]

    def _start(self, image: Image, box: Box) -> None:
        self._anew = False
        self._check_size(image.shape, box)
        rectangle = _rectangle(box)
        self._inner = self._make()
        # The newer interface returns None, the legacy one whether it succeeded.
        if self._inner.init(image, rectangle) is False:
            raise InternalError(f"{self.name}: OpenCV's init refused box {box}")

    def _locate(self, image: Image) -> Estimate:
        if self._anew:
            self._start(image, self._place)
            return Estimate(self._place, score=1.0)
        found, (x, y, w, h) = self._inner.update(image)
        if not found or w <= 0 or h <= 0:
            return Estimate(None)
        score = float(self._inner.getTrackingScore()) if self.scored else 1.0
        return Estimate(Box(float(x), float(y), float(w), float(h)), score=score)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """Does nothing, because OpenCV's trackers learn inside their update."""

    def relocate(self, box: Box | npt.ArrayLike) -> None:
        """As `slimtrack.follower.Follower.relocate`, but forgets what was learned.

        OpenCV's trackers cannot be moved, so the tracker starts anew at this box in the next frame.
        """
        self._check_size(self._started().shape, as_box(box))
        super().relocate(box)
        self._anew = True

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Can be copied and pickled as long as it has no target.

        Raises:
            InputError: It has a target.
        """
        if "_inner" in vars(self):
            raise InputError(
                f"{self.name} cannot be copied or pickled while it follows a target, because OpenCV does not "
                f"expose what it learned: create another one with create({self.name!r}) and call init"
            )
        return super().__reduce_ex__(protocol)

    def _make(self) -> Any:
        factory = _factory(self.kind)
        assert factory is not None, "require() was asked when this object was made"
        if not self.files:
            return factory()
        parameters = getattr(cv2, f"Tracker{self.kind}_Params")()
        for key, file in self.files.items():
            setattr(parameters, key, str(find_network(file)))
        return factory(parameters)

    def _check_size(self, shape: tuple[int, ...], box: Box) -> None:
        height, width = shape[:2]
        if min(width, height) < self.least_frame:
            raise InputError(
                f"image is {width} x {height}: {self.name} needs at least {self.least_frame} pixels a side"
            )
        inside = box.clipped(width, height)
        if min(inside.w, inside.h) < self.least_box:
            raise InputError(
                f"box {box} has {inside.w:g} x {inside.h:g} pixels inside the frame: "
                f"{self.name} needs at least {self.least_box} a side"
            )


class Kcf(OpenCvTracker, name="opencv:kcf"):
    """OpenCV's KCF (kernelized correlation filter; gives up after its first failure)."""

    kind = "KCF"


class Csrt(OpenCvTracker, name="opencv:csrt"):
    """OpenCV's CSRT (correlation filter with channel and spatial reliability)."""

    kind = "CSRT"


class Mil(OpenCvTracker, name="opencv:mil"):
    """OpenCV's MIL (boosted classifier, multiple instance learning).

    OpenCV seeds it by the clock, so two runs of it differ, unlike those of all other trackers here.
    """

    kind = "MIL"
    contrib = False
    least_frame = 64


class Mosse(OpenCvTracker, name="opencv:mosse"):
    """OpenCV's MOSSE (grey correlation filter)."""

    kind = "MOSSE"


class MedianFlow(OpenCvTracker, name="opencv:medianflow"):
    """OpenCV's MedianFlow (forward-backward optical flow)."""

    kind = "MedianFlow"


class DaSiamRpn(OpenCvTracker, name="opencv:dasiamrpn"):
    """OpenCV's DaSiamRPN (siamese region proposal network)."""

    kind = "DaSiamRPN"
    contrib = False
    since = "4.5.3"
    scored = True
    files: ClassVar[Mapping[str, str]] = _files("dasiamrpn", "model", "kernel_cls1", "kernel_r1")


class Nano(OpenCvTracker, name="opencv:nano"):
    """OpenCV's NanoTrack (small siamese network, v2)."""

    kind = "Nano"
    contrib = False
    since = "4.7.0"
    scored = True
    files: ClassVar[Mapping[str, str]] = _files("nanotrackv2", "backbone", "neckhead")


class Vit(OpenCvTracker, name="opencv:vit"):
    """OpenCV's VitTrack (small vision transformer; OpenCV 5.0 normalises its input wrongly)."""

    kind = "Vit"
    contrib = False
    since = "4.9.0"
    scored = True
    files: ClassVar[Mapping[str, str]] = _files("vittrack", "net")


def flavour() -> str:
    """The OpenCV package that is installed; ``"a build of OpenCV"`` if it is none of the packages."""
    found = [name for name in _FLAVOURS if _installed(name)]
    return " + ".join(found) or "a build of OpenCV"


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _factory(kind: str) -> Callable[..., Any] | None:
    """OpenCV's constructor of a tracker, in the main module or among the legacy ones; ``None`` without it."""
    for module in (cv2, getattr(cv2, "legacy", None)):
        factory: Callable[..., Any] | None = getattr(module, f"Tracker{kind}_create", None)
        if factory is not None:
            return factory
    return None


def _rectangle(box: Box) -> tuple[int, int, int, int]:
    """The nearest whole pixels; OpenCV's rectangles have our edges (x: left edge of the first pixel)."""
    x, y, w, h = map(round, box)
    return x, y, max(w, 1), max(h, 1)
