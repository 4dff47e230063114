"""A network file that a tracker runs as it is, in ONNX Runtime."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slimtrack.arrays import Features
from slimtrack.errors import InputError, MissingError, SlimtrackError
from slimtrack.networks.find import find_network
from slimtrack.networks.onnx_forms import freed
from slimtrack.networks.onnx_io import parse

__all__ = ["Model", "require_onnxruntime"]


def require_onnxruntime(tracker: str) -> None:
    """Raises an error if ONNX Runtime is not installed.

    Raises:
        MissingError: It is not; the message names the tracker.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingError(f"{tracker} needs ONNX Runtime: run `pip install onnxruntime`")


class Model:
    """A network file in ONNX Runtime; it cannot be changed, so that copies of a tracker share it.

    Args:
        data: The file's content; the file is not held open.
        threads: Threads of ONNX Runtime.
    """

    def __init__(self, data: bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._data, self._threads = data, threads
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    @classmethod
    def read(cls, name: str, threads: int, any_size: bool) -> "Model":
        """Reads a network file; where ``any_size`` is asked for, one made for a single size is opened to all.

        Raises:
            MissingError: It was not found, or is of one size and the package ``onnx`` is not installed.
            InputError: It cannot be loaded.
        """
        return cls.of(find_network(name), threads, any_size)

    @classmethod
    def of(cls, path: Path, threads: int, any_size: bool = False) -> "Model":
        """The same of a file at a known place.

        Raises:
            MissingError: ONNX Runtime cannot be imported; or the file is of one size and the package ``onnx``
                is not installed.
            InputError: It cannot be loaded.
        """
        try:
            model = cls(path.read_bytes(), threads)
            return model.freed(str(path)) if any_size and model.sized else model
        except SlimtrackError:
            raise
        except ImportError as error:  # installed, or `require_onnxruntime` would have said so
            raise MissingError(
                f"ONNX Runtime is installed but cannot be imported ({error}): run `pip install "
                "--force-reinstall onnxruntime`, or take a tracker that needs none, such as eco-hc"
            ) from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"network file {path} cannot be loaded ({reason})") from error

    @property
    def sized(self) -> bool:
        """Whether its first input is an image of one fixed size, and no map of features."""
        shape = self._session.get_inputs()[0].shape
        return len(shape) == 4 and shape[1] == 3 and any(isinstance(side, int) for side in shape[2:])

    @property
    def outputs(self) -> list[str]:
        """The names of its results."""
        return [output.name for output in self._session.get_outputs()]

    def freed(self, what: str) -> "Model":
        """The same for images of any size."""
        return Model(freed(parse(self._data, what)).SerializeToString(), self._threads)

    def run(self, inputs: dict[str, Features], outputs: Sequence[str] | None = None) -> list[Features]:
        """The results of those names, or all."""
        found: list[Features] = self._session.run(outputs, inputs)
        return found

    def __deepcopy__(self, _: object) -> "Model":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes make sessions of their own."""
        return Model, (self._data, self._threads)
