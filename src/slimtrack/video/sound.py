"""Copies sound from one file to another without decoding it."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from slimtrack.video.feed import Sound
from slimtrack.video.film import ffmpeg_name

__all__ = ["copied", "heard", "second"]


def copied(source: Any, stream: Any, target: Any, shift: int) -> Iterator[Any]:
    """The packets of a stream, for another file, delayed by ``shift`` ticks."""
    for packet in source.demux(stream):
        if packet.dts is None or packet.pts is None:  # the end
            continue
        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, target
        yield packet


def second(packet: Any) -> Fraction:
    """The time in seconds at which a packet is decoded; files are written in this order."""
    return Fraction(packet.dts * packet.time_base)


@contextmanager
def heard(sound: Sound | None, target: Any, begin: float, end: float) -> Iterator[Iterator[Any]]:
    """The packets of a video's sound, for a file that shows a part of the video.

    Args:
        sound: The sound; ``None`` gives no packets.
        target: The file; it gets a stream for the sound.
        begin: Time in the source at which the file begins, seconds.
        end: Time in the source at which the file ends, seconds.

    Raises:
        ValueError: A file of this kind cannot hold the sound.
    """
    import av

    if sound is None:
        yield iter(())
        return
    with av.open(ffmpeg_name(sound.path)) as source:
        stream = source.streams.best("audio")
        if stream is None:
            yield iter(())
            return
        copy = target.add_stream_from_template(stream)
        yield _part(source, stream, copy, begin + sound.begin, end + sound.begin)


def _part(source: Any, stream: Any, target: Any, begin: float, end: float) -> Iterator[Any]:
    base = stream.time_base
    if begin > 1:
        source.seek(int((begin - 1) / base), stream=stream)
    for packet in copied(source, stream, target, -round(begin / base)):
        if packet.pts * base >= end - begin:
            return
        if (packet.pts + (packet.duration or 0)) * base > 0:
            yield packet
