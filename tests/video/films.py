"""Films that tests make."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
from pictures import gradient


def film(
    path: Path,
    times: Sequence[int] = tuple(range(0, 2400, 40)),
    *,
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    container: Mapping[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
) -> Path:
    """A film with a frame at each of the times (milliseconds); the brightness of frame n is 40 + 3 n."""
    options = {"g": "12"} if options is None else options
    base = Fraction(1, 1000) if any(time % 40 for time in times) else Fraction(1, 25)
    with av.open(str(path), "w", options=dict(container or {})) as file:
        stream = file.add_stream(codec, rate=Fraction(25), options=dict(options))
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = base
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(gradient(40 + 3 * (number % 60), *size), format="bgr24")
            frame.pts, frame.time_base = int(Fraction(time, 1000) / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
