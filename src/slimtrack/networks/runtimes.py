"""What runs a network: ONNX Runtime, or OpenVINO."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from slimtrack.arrays import Features
from slimtrack.errors import InputError, MissingError

__all__ = ["Execute", "Runtime"]

Execute: TypeAlias = Callable[[Features], list[Features]]
"""Runs a prepared network on a batch ``(N, C, H, W)``; may be called from several threads."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A way to run networks, in float32.

    Attributes:
        name: ``"onnxruntime"`` or ``"openvino"``.
        threads: Threads that one call may use.
    """

    name: Literal["onnxruntime", "openvino"] = "onnxruntime"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.name not in ("onnxruntime", "openvino"):
            raise InputError(f"runtime {self.name!r} is not 'onnxruntime' or 'openvino'")
        if self.threads < 1:
            raise InputError(f"threads={self.threads} is not at least 1")

    def prepare(self, model: bytes, outputs: Sequence[str]) -> Execute:
        """Loads a model.

        Args:
            model: A serialised ONNX model with one input.
            outputs: Names of its outputs, in the order in which results are given.

        Raises:
            MissingError: The runtime is not installed.
            InputError: It cannot load the model.
        """
        opener = _onnxruntime if self.name == "onnxruntime" else _openvino
        try:
            return opener(model, list(outputs), self.threads)
        except ImportError as error:
            raise MissingError(f"{self.name} is not installed: run `pip install {self.name}`") from error
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(f"{self.name} cannot load the network ({reason})") from error


def _onnxruntime(model: bytes, outputs: list[str], threads: int) -> Execute:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # its errors come as exceptions, which say the same
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def execute(batch: Features) -> list[Features]:
        results: list[Features] = session.run(outputs, {name: batch})
        return results

    return execute


def _openvino(model: bytes, outputs: list[str], threads: int) -> Execute:
    import openvino

    core = openvino.Core()
    # Left to itself it computes in bfloat16 where the processor can, which changes the numbers.
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(core.read_model(model), "CPU", settings)
    request: Any = compiled.create_infer_request()
    lock = threading.Lock()

    def execute(batch: Features) -> list[Features]:
        with lock:  # one request holds the tensors of one call
            request.infer([batch])
            return [np.array(request.get_tensor(name).data) for name in outputs]

    return execute
