"""The card that travels with a network's weights: their origin, licence and preprocessing."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from slimtrack.errors import InputError

__all__ = ["Card"]


@dataclass(frozen=True, slots=True)
class Card:
    """Where a network comes from and how its input is prepared.

    A pixel enters as ``(value - mean) * scale``, ``value`` in 0..255.

    Attributes:
        name: Short name such as ``"cf_vggm"``.
        licence: SPDX name where there is one; empty when not known.
        origin: Who trained it on what, and where the file is from.
        sha256: Hash of the file it was imported from; empty when it was not.
        colors: Order of the input's planes.
        mean: Subtracted from each plane, in the planes' order.
        scale: Each plane is multiplied by it afterwards, in the planes' order.
        note: Anything else about the input.
    """

    name: str
    licence: str = ""
    origin: str = ""
    sha256: str = ""
    colors: Literal["bgr", "rgb"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    note: str = ""

    def __post_init__(self) -> None:
        if self.colors not in ("bgr", "rgb"):
            raise InputError(f"card {self.name}: colors={self.colors!r} is not 'bgr' or 'rgb'")
        for what, values in (("mean", self.mean), ("scale", self.scale)):
            if len(values) != 3:
                raise InputError(f"card {self.name}: {what} has {len(values)} numbers, 3 are needed")

    def to_json(self) -> str:
        """The card as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """Reads the text that `to_json` wrote.

        Raises:
            InputError: The text is not a card.
        """
        try:
            values = json.loads(text)
            values["mean"], values["scale"] = tuple(values["mean"]), tuple(values["scale"])
            return cls(**values)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"the network's card cannot be read ({error})") from error
