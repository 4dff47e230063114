"""Options that several trackers have, declared once.

The bounds lie beyond any use: they keep away what float32 cannot square, and windows of which the target is
no more than a dot.
"""

from typing import Annotated

from slimtrack.compression.distillation import ChannelAmount, Inner, Keep, check_keep
from slimtrack.filters.correlation import Kernel
from slimtrack.options import Formerly, Range

__all__ = [
    "Bandwidth", "ChannelAmount", "ColorTable", "Context", "Downsample", "HogCell", "Inner",
    "Interval", "Iterations", "Keep", "KernelName", "LabelWidth", "Memory", "NetworkName", "NewSample",
    "Rate", "Ridge", "ScaleCount", "ScaleRate", "ScaleStep", "SearchAreaRatio", "SearchScale", "Tap",
    "Temporal", "Threads", "check_keep",
]  # fmt: skip

SearchAreaRatio = Annotated[
    float, Range(1, 100), Formerly("area"), "Area of the search window, as a multiple of the target's."
]
SearchScale = Annotated[
    float,
    Range(1, 10),
    Formerly("side"),
    "Side of the square search window, as a multiple of the square root of the target's area.",
]
LabelWidth = Annotated[
    float,
    Range(1e-3, 10),
    Formerly("label"),
    "Width of the desired response, as a share of the target's mean side.",
]
Ridge = Annotated[float, Range(1e-12, 1e6), "Weight of the regularisation."]
Rate = Annotated[float, Range(0, 1), "Share of the newest frame in the model."]

KernelName = Annotated[Kernel, "The kernel."]
Bandwidth = Annotated[float, Range(1e-3, 1e3), "Bandwidth of the Gaussian kernel."]
Context = Annotated[
    float, Range(0, 1e6), "Weight of the penalty on responses in the four context patches around the target."
]
Temporal = Annotated[float, Range(0, 1e6), "Weight of staying close to the previous frame's filter."]
Iterations = Annotated[int, Range(1, 100), "ADMM iterations per frame."]

HogCell = Annotated[int, Range(1, 32), "Side of a HOG cell in patch pixels."]
ColorTable = Annotated[
    str | None,
    "File of a table of colour names (w2c: 32768 colours with their terms' weights) to use instead of ours.",
]

ScaleCount = Annotated[int, Range(1, 33), "Number of scales."]
ScaleStep = Annotated[float, Range(1, 2), "Ratio of neighbouring scales."]
ScaleRate = Annotated[float, Range(0, 1), "Share of the newest frame in a scale filter; 0 for none."]

NewSample = Annotated[float, Range(1e-6, 1), "Weight of a new sample."]
Memory = Annotated[int, Range(2, 500), "Maximum number of samples kept."]
Interval = Annotated[int, Range(1, 1000), "Number of frames from one training of the filter to the next."]

NetworkName = Annotated[str, "The network: its name, or an ONNX file."]
Tap = Annotated[str, "The layer."]
Downsample = Annotated[
    int, Range(1, 16), "Number of cells of the layer averaged into one, in each direction."
]
Adapt = Annotated[
    bool, "Fine-tune the network to the target in the first frame (paper 002); needs torch, takes seconds."
]
Threads = Annotated[int, Range(1), "Threads of ONNX Runtime."]
