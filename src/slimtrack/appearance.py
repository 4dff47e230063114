"""What the target looked like, to judge whether a box still holds it."""

from slimtrack.arrays import Image
from slimtrack.box import Box

__all__ = ["Appearance"]


class Appearance:
    """Compares the content of a box with the target of the first frame and of the last believed one."""

    def __init__(self, image: Image, box: Box) -> None:
        pass

    def evidence(self, image: Image, box: Box) -> dict[str, float]:
        """Named figures for the calibration."""
        return {}

    def learn(self) -> None:
        """Takes the content last judged as the target's new look."""
