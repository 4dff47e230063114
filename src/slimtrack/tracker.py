"""The base class of trackers: `init` and `update` for users, three hooks for authors."""

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt

from slimtrack._blas import one_blas_thread
from slimtrack._halves import halved_once
from slimtrack.appearance import Appearance
from slimtrack.arrays import AnyImage, Image
from slimtrack.box import Box
from slimtrack.calibrations import calibration_of, common_calibration
from slimtrack.confidence import SHARE, Calibration, State, Thresholds
from slimtrack.errors import InputError, InternalError, NotStartedError, SlimtrackError
from slimtrack.follower import Track, checked_box, checked_image
from slimtrack.lookout import Lookout
from slimtrack.options import CheckedOptions
from slimtrack.plugins import is_from_file
from slimtrack.search import View
from slimtrack.session import Rules, Session

__all__ = ["Estimate", "State", "Track", "Tracker", "REGISTERED"]

_log = logging.getLogger(__name__)

REGISTERED: dict[str, type["Tracker"]] = {}
"""Every tracker class whose module has been imported, by name; those in a user's files are found there."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The result of a tracker's `_locate` in one frame.

    Attributes:
        box: The most likely box, or ``None`` if nothing was found.
        evidence: Named figures that the calibration turns into a score (see `slimtrack.filters.response`).
        score: The tracker's own score; the evidence is then ignored.
        clear: The answer is so clear that the box is followed whatever its score: the target is UNCERTAIN
            then, not LOST (`slimtrack.confidence.Hysteresis`). For trackers that learn nothing wrong from it.
        view: A picture of the box's surroundings, if the tracker has one, which saves making another.
    """

    box: Box | None
    evidence: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    clear: bool = False
    view: View | None = field(default=None, compare=False)


class Tracker(metaclass=CheckedOptions):
    """Follows one target: call `init` once per target and `update` once per frame.

    A subclass has a name and three hooks; checks, score, state and re-init are done here::

        class Mine(Tracker, name="mine"):
            def __init__(
                self, *, rate: Annotated[float, Range(0, 1), "Share of the newest frame."] = 0.02
            ) -> None: ...
            def _start(self, image: Image, box: Box) -> None: ...
            def _locate(self, image: Image) -> Estimate: ...
            def _learn(self, image: Image, box: Box, track: Track) -> None: ...

    Options are keyword-only constructor parameters with defaults; their annotations give type, range and
    meaning (`slimtrack.options`), and they are checked before the constructor runs.
    """

    name: str = ""
    """The registered name; of an object, the name by which it was created (`slimtrack.names`)."""

    calibration: ClassVar[Calibration | None] = None
    """Turns its evidence into a score; ``None``: use the file beside it (`slimtrack.calibrations`), or the
    common calibration."""

    thresholds: ClassVar[Thresholds] = Thresholds()
    """The scores at which the state changes."""

    uses_appearance: ClassVar[bool] = True
    """Whether the score also uses the appearance of the box, compared with the first frame."""

    newest: ClassVar[float] = SHARE
    """Share of the newest frame in the running means of the evidence."""

    lookout: ClassVar[type[Lookout]] = Lookout
    """Chooses the places to search while the target is LOST."""

    _session: Session | None = None

    def __init_subclass__(cls, *, name: str | None = None, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if name is None:
            return
        cls.name = name
        if is_from_file(cls.__module__):
            return  # it is found in its file, so that two files may use one name
        known = REGISTERED.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InputError(
                f"a tracker named {name!r} exists already: {known.__module__}.{known.__qualname__}"
            )
        REGISTERED[name] = cls

    @classmethod
    def require(cls) -> None:
        """Raises an error of one sentence if something that this tracker always needs is missing.

        Raises:
            MissingError: A package is missing.
        """

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> list[Path]:
        """The files, such as networks, that it reads with these options; most trackers read none.

        Results depend on these files, so a stored run is only valid while they are unchanged.

        Args:
            options: Options with their values; missing ones have their defaults.

        Raises:
            MissingError: A file is missing.
            UnknownNameError: An option names an unknown network.
        """
        return []

    def init(self, image: AnyImage, box: Box | npt.ArrayLike) -> None:
        """Starts with a target. May be called again at any time, and then forgets the earlier target.

        Args:
            image: The frame: ``(H, W, 3)`` BGR or ``(H, W)`` grey, uint8; or a PIL image; or a torch tensor
                on the CPU, uint8 RGB, ``(3, H, W)`` or ``(H, W, 3)``.
            box: The target in it, a `Box` or four numbers x, y, w, h.

        Raises:
            InputError: The image or the box cannot be used.
            InternalError: The tracker failed inside.
        """
        image = checked_image(image)
        box = checked_box(box, image.shape)
        self._session = None
        with self._guarded("init"), halved_once(image):
            self._session = self._begun(image, box)
            try:
                self._start(image, box)
            except BaseException:
                self._session = None
                raise

    def update(self, image: AnyImage) -> Track:
        """Finds the target in the next frame.

        Args:
            image: The frame, of the size given to `init`.

        Raises:
            NotStartedError: `init` has not been called.
            InputError: The image cannot be used, or its size has changed.
            InternalError: The tracker failed inside.
        """
        session = self._started()
        image = checked_image(image)
        if image.shape[:2] != session.shape:
            got, expected = (f"{w} x {h}" for h, w in (image.shape[:2], session.shape))
            raise InputError(f"image is {got} but init had {expected}: resize the frame, or call init again")
        with self._guarded("update"), halved_once(image):
            estimate = self._locate(image)
            box = _kept_in(estimate.box, image)
            score = None if box is None else self._score(image, box, estimate)
            track = session.believe(box, score, clear=estimate.clear)
            if box is not None and track.score >= self.thresholds.least and track.state is not State.LOST:
                session.learn(track.score)
                self._learn(image, box, track)
        return track

    def relocate(self, box: Box | npt.ArrayLike) -> None:
        """Moves the target to a box, because it was found again or corrected by hand; keeps what was learned.

        The state becomes TRACKED, and the next `update` searches there, in the size of the box.

        Args:
            box: The target in the frame that `init` or `update` saw last.

        Raises:
            NotStartedError: `init` has not been called.
            InputError: The box cannot be used.
        """
        session = self._started()
        session.relocate(checked_box(box, session.shape))

    @property
    def box(self) -> Box:
        """The last believed box.

        Raises:
            NotStartedError: `init` has not been called.
        """
        return self._started().box

    @property
    def _place(self) -> Box:
        """Where to search for the target: the last box; while LOST, the places that `Lookout` chooses."""
        return self._started().place

    @property
    def evidence(self) -> Mapping[str, float]:
        """The evidence of the last score, for fitting calibrations and for reports."""
        return self._started().evidence

    @abstractmethod
    def _start(self, image: Image, box: Box) -> None:
        """Learns the target, and forgets everything about an earlier one."""

    @abstractmethod
    def _locate(self, image: Image) -> Estimate:
        """Finds the target near `_place`, without learning."""

    @abstractmethod
    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """Adapts to the target at ``box``; not called while LOST, or if the score is too low for TRACKED.

        Multiply the learning rate by ``track.score``.
        """

    def _begun(self, image: Image, box: Box) -> Session:
        name = self.name or type(self).__name__
        rules = Rules(name, self._calibration(), self.thresholds, self.newest, self.lookout)
        return Session(image, box, rules, Appearance(image, box) if self.uses_appearance else None)

    def _started(self) -> Session:
        if self._session is None:
            raise NotStartedError(
                f"{self.name or type(self).__name__} has no target yet: call init(image, box)"
            )
        return self._session

    @classmethod
    def calibrated(cls, name: str = "") -> bool:
        """Whether its scores were fitted to be probabilities.

        Args:
            name: A name that stands for it with options (`slimtrack.names`). Default: its own name.
        """
        return cls.calibration is not None or calibration_of(cls, name or cls.name) is not None

    def _calibration(self) -> Calibration:
        """Its calibration: that of the name by which it was created, that of its class, or the common one."""
        cls = type(self)
        names = dict.fromkeys((self.name, cls.name))
        found = (self.calibration, *(calibration_of(cls, name) for name in names))
        return next((each for each in found if each is not None), None) or common_calibration()

    def _score(self, image: Image, box: Box, estimate: Estimate) -> float | None:
        """The score of a box; ``None`` if the box shows nothing but a flat colour."""
        session = self._started()
        if estimate.score is not None:
            return session.own_score(estimate.score)
        return session.score(image, box, estimate.evidence, estimate.view)

    @contextmanager
    def _guarded(self, verb: str) -> Iterator[None]:
        try:
            with one_blas_thread():
                yield
        except SlimtrackError:
            raise
        except Exception as error:
            _log.debug("%s failed in %s", self.name, verb, exc_info=True)
            raise InternalError(
                f"{self.name}: {verb} failed inside ({type(error).__name__}: {error})"
            ) from error


def _kept_in(box: Box | None, image: Image) -> Box | None:
    """The box, moved so that its centre is inside the frame; ``None`` if it is not finite."""
    if box is None or not box.is_finite or box.w <= 0 or box.h <= 0:
        return None
    height, width = image.shape[:2]
    cx, cy, w, h = map(
        float, (box.cx, box.cy, box.w, box.h)
    )  # Python's own numbers, whatever the tracker returns
    return Box.from_center(min(max(cx, 0.0), float(width)), min(max(cy, 0.0), float(height)), w, h)
