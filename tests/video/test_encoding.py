"""The annotated video has the times, the pixels' shape and the sound of its source."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import film
from pictures import gradient

from slimtrack import Box, State, Track
from slimtrack.tracking import Summary, track_video
from slimtrack.video.feed import Footage, Sound
from slimtrack.video.frames import open_frames
from slimtrack.video.results import Row, open_writer

RATE = 16000
TRACK = Track(Box(4, 4, 9, 9), 1.0, State.TRACKED)
FLASHES = (0.4, 1.2, 2.0)  # seconds at which the picture is bright and the sound is loud, for 0.2


def loud(seconds: float, late: float = 0.0) -> np.ndarray:
    """A tone at the flashes, else silence: ``(1, N)`` float32."""
    at = np.arange(round(seconds * RATE)) / RATE + late
    on = np.any([(at >= flash) & (at < flash + 0.2) for flash in FLASHES], axis=0)
    return (0.5 * on * np.sin(2 * np.pi * 880 * at)).astype(np.float32)[None]


def talkie(
    path: Path,
    times: Sequence[int] = range(0, 2600, 40),
    *,
    codec: str = "aac",
    late: float = 0.0,
    lead: int = 0,
) -> Path:
    """A film whose picture is bright when its sound is loud.

    Args:
        path: The file.
        times: Milliseconds of the frames.
        codec: Of the sound.
        late: Seconds at which the sound begins.
        lead: Milliseconds after which the pictures begin.
    """
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"g": "12", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = file.add_stream(codec, rate=48000 if codec == "libopus" else RATE, layout="mono")
        packets = []
        for time in times:
            value = 200 if any(flash <= time / 1000 < flash + 0.2 for flash in FLASHES) else 60
            frame = av.VideoFrame.from_ndarray(gradient(value), format="bgr24")
            frame.pts, frame.time_base = time + lead, Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        wave = av.AudioFrame.from_ndarray(loud(2.6 - late, late), format="fltp", layout="mono")
        wave.sample_rate, wave.pts, wave.time_base = RATE, round(late * RATE), Fraction(1, RATE)
        resampler = av.AudioResampler(
            sound.format.name, "mono", sound.rate, frame_size=sound.codec_context.frame_size or 1024
        )
        for part in [*resampler.resample(wave), *resampler.resample(None)]:
            packets += sound.encode(part)
        packets += sound.encode()
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    return path


def seen(path: Path) -> list[float]:
    """Seconds at which pictures begin to be bright, by a player's clock."""
    frames = list(open_frames(path).numbered())
    bright = [float(np.median(frame.image)) > 130 for frame in frames]
    return [
        frame.time or 0.0 for frame, was, on in zip(frames[1:], bright, bright[1:], strict=False) if on > was
    ]


def heard(path: Path) -> list[float]:
    """Seconds at which the sound begins to be loud, by the same clock."""
    with av.open(str(path)) as file:
        begin = (file.start_time or 0) / 1e6
        parts = []
        for frame in file.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(np.float32)).reshape(-1)
            at = float(frame.pts * frame.time_base) - begin + np.arange(len(wave)) / frame.sample_rate
            parts.append(np.stack([at, wave / (32768 if frame.format.name.startswith("s16") else 1)]))
    at, wave = np.concatenate(parts, axis=1)
    loud = at[wave > 0.2]
    return [float(loud[0]), *(float(b) for a, b in itertools.pairwise(loud) if b - a > 0.1)]


def annotated(source: Path, **places: float) -> tuple[Path, Summary]:
    target = source.with_name("out.mp4")
    summary = track_video(source, (4, 4, 20, 20), tracker="mosse", outputs=[target], **places)  # type: ignore[arg-type]
    return target, summary


PHONE = [
    round(time) for time in np.cumsum(np.random.default_rng(0).choice([16, 17, 33, 34, 50, 66, 120], 60))
]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("times", [PHONE, [0, 40, 80, 1000, 1040, 5000], list(range(0, 990, 33))])
def test_uneven_times_are_kept(tmp_path: Path, suffix: str, times: list[int]) -> None:
    source = film(tmp_path / f"a.{suffix}", times)
    target, summary = annotated(source)
    said = [row.time for row in summary.rows]
    got = [frame.time for frame in open_frames(target).numbered()]
    assert said == pytest.approx([(time - times[0]) / 1000 for time in times], abs=1e-3)
    assert got == pytest.approx(said, abs=2e-5)


def test_a_steady_rate_stays_exact(tmp_path: Path) -> None:
    rows = [Row(number, TRACK, None, number * 1001 / 30000) for number in range(90)]
    with open_writer(tmp_path / "a.mp4", footage=Footage(30000 / 1001)) as writer:
        for row in rows:
            writer.add([row], gradient(90))
    with av.open(str(tmp_path / "a.mp4")) as file:
        stream = file.streams.video[0]
        assert stream.average_rate == Fraction(30000, 1001) and stream.frames == 90
        assert float(stream.duration * stream.time_base) == pytest.approx(90 * 1001 / 30000, abs=1e-3)


@pytest.mark.parametrize(
    "times",
    [
        [0, 0, 0, 0],
        [0.0, 0.04, 0.02, 0.08],
        [5.0, 4.0, 3.0, 2.0],
        [0.0, 1e-9, 2e-9, 0.2],
        [None, None, None, None],
    ],
)
def test_stamps_rise_whatever_the_source_says(tmp_path: Path, times: list[float | None]) -> None:
    with open_writer(tmp_path / "a.mp4") as writer:
        for time in times:
            writer.add([Row(7, TRACK, None, time)], gradient(90))
    with av.open(str(tmp_path / "a.mp4")) as file:
        stamps = [frame.pts for frame in file.decode(video=0)]
    assert len(stamps) == 4 and all(b > a for a, b in itertools.pairwise(stamps))


def test_a_broken_frame_leaves_its_time_to_the_one_before(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.mp4", footage=Footage(10)) as writer:
        for number in (3, 4, 7, 8):
            writer.add([Row(number, TRACK)], gradient(90))
    times = [frame.time for frame in open_frames(tmp_path / "a.mp4").numbered()]
    assert times == pytest.approx([0, 0.1, 0.4, 0.5])


@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(8, 9), Fraction(1)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_the_shape_of_the_pixels_is_kept(tmp_path: Path, aspect: Fraction, suffix: str) -> None:
    source = tmp_path / f"a.{suffix}"
    with av.open(str(source), "w") as file:
        stream = file.add_stream("libx264" if suffix == "ts" else "mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(5):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(gradient(90), format="bgr24")))
        file.mux(stream.encode())
    target, _ = annotated(source)
    with av.open(str(target)) as file:
        assert file.streams.video[0].sample_aspect_ratio == aspect


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "aac"), ("mkv", "aac"), ("mkv", "libopus"), ("ts", "aac"), ("mp4", "mp3"), ("mkv", "flac")],
)
def test_sound_is_heard_when_it_is_seen(tmp_path: Path, suffix: str, codec: str) -> None:
    source = talkie(tmp_path / f"a.{suffix}", codec=codec)
    assert heard(source) == pytest.approx(FLASHES, abs=0.07) and seen(source) == pytest.approx(
        FLASHES, abs=0.07
    )
    target, summary = annotated(source)
    assert summary.notes == [] and sorted(tmp_path.iterdir()) == sorted([source, target])
    assert seen(target) == pytest.approx(seen(source), abs=1e-3)
    assert heard(target) == pytest.approx(heard(source), abs=2e-3)
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.6), (0.92, 9.0), (1.0, 1.6), (25, 60), (1.84, 2.5)])
def test_a_part_has_its_part_of_the_sound(tmp_path: Path, suffix: str, start: float, end: float) -> None:
    source = talkie(tmp_path / f"a.{suffix}")
    target, _ = annotated(source, start=start, end=end)
    first, last = (place / 25 if isinstance(place, int) else place for place in (start, end))
    wanted = [flash - first for flash in FLASHES if first < flash < last]
    assert seen(target) == pytest.approx(wanted, abs=0.04)
    assert heard(target) == pytest.approx(seen(target), abs=0.03)
    with av.open(str(target)) as file:
        lengths = [float(stream.duration * stream.time_base) for stream in file.streams]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.1)


def test_sound_that_begins_late_and_pictures_that_begin_late(tmp_path: Path) -> None:
    late = talkie(tmp_path / "late.mkv", late=1.0)
    target, _ = annotated(late)
    assert heard(target) == pytest.approx(FLASHES[1:], abs=0.06) and len(seen(target)) == 3
    lead = talkie(tmp_path / "lead.mkv", range(0, 2200, 40), lead=400)  # what is heard at 0.4 is seen at 0.8
    target, _ = annotated(lead)
    assert seen(target) == pytest.approx([flash + 0.4 for flash in FLASHES], abs=0.04)
    assert heard(target) == pytest.approx(FLASHES, abs=0.04)


def test_a_clock_that_does_not_begin_at_zero(tmp_path: Path) -> None:
    plain = talkie(tmp_path / "plain.mkv")
    source = tmp_path / "late.mkv"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                shift = int(7 / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copies[packet.stream_index]
                new.mux(packet)
    assert open_frames(source).footage.sound == Sound(source, pytest.approx(7, abs=0.01))  # type: ignore[arg-type]
    target, _ = annotated(source, start=1.0)
    assert seen(target) == pytest.approx([0.2, 1.0], abs=0.04)
    assert heard(target) == pytest.approx(seen(target), abs=0.03)


def test_sound_that_no_mp4_holds_is_told(tmp_path: Path) -> None:
    source = talkie(tmp_path / "a.avi", codec="pcm_mulaw")
    target, summary = annotated(source)
    assert len(summary.notes) == 1 and "the sound was not copied into out.mp4: " in summary.notes[0]
    with av.open(str(target)) as file:
        assert [stream.type for stream in file.streams] == ["video"] and file.streams.video[0].frames == 65
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_source_that_is_gone_takes_only_its_sound(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.mp4", footage=Footage(25, sound=Sound(tmp_path / "gone.mp4"))) as writer:
        writer.add([Row(0, TRACK)], gradient(90))
    assert "the sound was not copied" in writer.notes[0]
    assert len(list(open_frames(tmp_path / "a.mp4"))) == 1


def test_a_stated_rate_is_not_that_of_the_sound(tmp_path: Path) -> None:
    source = talkie(tmp_path / "a.mp4")
    with open_frames(source, fps=5) as frames:
        assert frames.footage.sound is None
    with open_frames(source) as frames:
        assert frames.footage == Footage(25.0, Fraction(1), Sound(source, 0.0))


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    assert open_frames(film(tmp_path / "a.mp4")).footage.sound is None
