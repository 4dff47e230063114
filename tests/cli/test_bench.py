"""``slimtrack bench``, as it is called."""

import json
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from slimtrack.cli.bench import bench, parsed_rates, split_specs
from slimtrack.errors import InputError, SlimtrackError, SourceError, UnknownNameError
from slimtrack.evaluation import Dataset, runner
from slimtrack.tracker import REGISTERED, Estimate, Tracker

app = typer.Typer()
app.command()(bench)


class Still(Tracker):
    """Stays where it was put.

    Args:
        score: Its score.
        other: Nothing.
    """

    name = "still"
    uses_appearance = False

    def __init__(self, *, score: float = 0.75, other: int = 1) -> None:
        self.given = score

    def _start(self, image, box):
        pass

    def _locate(self, image):
        return Estimate(self.box, score=self.given)

    def _learn(self, image, box, track):
        pass


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setitem(REGISTERED, "still", Still)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No processes for memory; frames as few as these are always noisy."""
    monkeypatch.setattr(runner, "peak_memory", lambda spec, sequence, *, threads: 100.0)
    monkeypatch.setattr(runner, "disturbed", lambda runs: False)


@pytest.fixture
def folder(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    for name in ("A", "B"):
        images = tmp_path / "data" / name / "img"
        images.mkdir(parents=True)
        for number in range(1, 9):
            cv2.imwrite(str(images / f"{number:04d}.jpg"), image)
        (images.parent / "groundtruth_rect.txt").write_text("11\t9\t10\t8\n" * 8)
    return tmp_path / "data"


def call(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(result.exception, SlimtrackError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_measures_and_writes(folder, tmp_path):
    out, plots = tmp_path / "deep" / "out.json", tmp_path / "plots"
    result = call(
        folder, "--trackers", "still,still[score=0.2,other=3]", "--jitter", 1, "--json", out, "--plots", plots
    )
    assert result.exit_code == 0
    assert "still[score=0.2,other=3]" in result.stdout
    summary = json.loads(out.read_text())
    assert set(summary["trackers"]) == {"still", "still[score=0.2,other=3]"}
    assert summary["trackers"]["still"]["auc"] == pytest.approx((20 / 21 + 4 * 17 / 21) / 5, abs=0.06)
    assert (plots / "success.png").stat().st_size > 5000
    assert len(list((out.parent / "out.runs").rglob("*.npz"))) == 2 * 2 * 5


THREADED = '''
from slimtrack.tracker import Estimate, Tracker

class Threaded(Tracker, name="NAME"):
    """Says as its score how many threads it was given."""
    uses_appearance = False
    def __init__(self, *, threads: int = 1): self.threads = threads
    def _start(self, image, box): pass
    def _locate(self, image): return Estimate(self.box, score=self.threads / 10)
    def _learn(self, image, box, track): pass
'''


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_tracker_that_counts_its_threads_is_told_them(folder, tmp_path, jobs):
    name = f"bench-threaded-{jobs}"
    (tmp_path / "threaded.py").write_text(THREADED.replace("NAME", name))
    spec = f"{tmp_path / 'threaded.py'}:{name}"
    result = runner.evaluate(
        [spec, f"{spec}[threads=2]"], Dataset.read(folder), running=runner.Running(threads=3, jobs=jobs)
    )
    assert result.runs[spec]["A"][0].scores[1] == 0.3
    assert result.runs[f"{spec}[threads=2]"]["A"][0].scores[1] == 0.2


def test_a_finished_sequence_is_not_run_again(folder, tmp_path, monkeypatch):
    out = tmp_path / "out.json"
    call(folder, "--trackers", "still", "--json", out, "--sequences", "A")
    first = json.loads(out.read_text())["trackers"]["still"]["sequences"]["A"]
    done = []
    once = runner.track_once
    monkeypatch.setattr(runner, "track_once", lambda *a, **k: done.append(k["sequence"]) or once(*a, **k))
    call(folder, "--trackers", "still", "--json", out)
    assert done == ["B"]
    assert json.loads(out.read_text())["trackers"]["still"]["sequences"]["A"] == first
    call(folder, "--trackers", "still", "--json", out, "--fresh")
    assert done == ["B", "A", "B"]


def test_in_real_time(folder, tmp_path):
    """By times that a file holds: who needs 60 ms misses every other frame of 20 a second."""
    call(folder, "--trackers", "still", "--runs", tmp_path / "kept")
    for file in (tmp_path / "kept").rglob("*.npz"):
        with np.load(file) as stored:
            parts = dict(stored)
        head = json.loads(str(parts["head"]))
        head["figures"]["init_ms"] = 60.0
        np.savez(file, **parts | {"head": np.array(json.dumps(head)), "ms": np.full(8, 60.0)})
    words = (
        "--trackers",
        "still",
        "--times",
        tmp_path / "kept",
        "--grace",
        0,
        "--json",
        tmp_path / "out.json",
    )
    result = call(folder, "--fps", 20, *words, "--csv", tmp_path / "out.csv")
    assert "20 frames a second, grace 0" in " ".join(result.stdout.split()) and "50%" in result.stdout
    row = json.loads((tmp_path / "out.json").read_text())["trackers"]["still"]
    assert row["missed"] == 0.5 and row["auc"] == pytest.approx(20 / 21)
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("still,20,0.95")
    call(folder, "--fps", "10:20:5", *words, "--plots", tmp_path / "plots")
    points = json.loads((tmp_path / "out.json").read_text())["curve"]["still"]
    assert [(point["fps"], point["missed"]) for point in points] == [(10, 0), (15, 0), (20, 0.5)]
    assert (tmp_path / "plots" / "frame_rates.png").stat().st_size > 5000


def test_times_are_measured_first_where_none_are_given(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("slimtrack.evaluation.summary.disturbed", lambda runs: False)
    result = call(folder, "--trackers", "still", "--fps", "1,2", "--csv", tmp_path / "out.csv")
    assert "every frame" in result.stdout and "Frames missed" in result.stdout
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["fps", "1", "2", ""]
    assert "2 frames a second, grace 3: still on B: AUC 0.952" in result.stderr
    result = call(folder, "--trackers", "still", "--fps", 1)
    assert "every frame" in result.stdout and "1 frames a second" in " ".join(result.stdout.split())
    assert "machine was busy" not in result.stdout
    monkeypatch.setattr("slimtrack.evaluation.summary.disturbed", lambda runs: True)
    result = call(folder, "--trackers", "still", "--fps", "1,2")
    said = " ".join(result.stdout.split())
    assert "The machine was busy while the times of still were measured" in said
    assert "Run again when it is quiet" in said  # nothing was kept
    result = call(folder, "--trackers", "still", "--fps", "1,2", "--runs", tmp_path / "runs")
    assert "Run again with --fresh when it is quiet" in " ".join(result.stdout.split())
    result = call(folder, "--trackers", "still", "--fps", 1, "--live")
    assert "live" in result.stdout and "0.952" in result.stdout and "every frame" not in result.stdout


def test_restarts_after_failures(folder, tmp_path):
    truth = folder / "A" / "groundtruth_rect.txt"
    truth.write_text("\n".join(f"{11 + 6 * k}\t9\t10\t8" for k in range(8)))
    words = (folder, "--trackers", "still", "--protocol", "vot", "--json", tmp_path / "out.json")
    result = call(*words, "--plots", tmp_path / "plots")
    assert "restarts after failures" in " ".join(result.stdout.split()) and "AUC by" not in result.stdout
    assert "still on A: accuracy 0.000" in result.stderr
    row = json.loads((tmp_path / "out.json").read_text())["trackers"]["still"]
    assert (row["target_lost"], row["target_lost_per_100"]) == (1, 6.25)
    assert (tmp_path / "plots" / "robustness.png").exists()


def test_stopped_by_the_user(folder, tmp_path, monkeypatch):
    once = runner.track_once

    def stop_at_b(*args, **named):
        if named["sequence"] == "B":
            raise KeyboardInterrupt
        return once(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "track_once", stop_at_b)
        result = call(folder, "--trackers", "still", "--json", tmp_path / "out.json")
        assert result.exit_code == 130
        assert "out.runs: the same command continues" in result.output.replace("\n", "")
        result = call(folder, "--trackers", "still")
        assert result.exit_code == 130 and "with --json" in result.output
        # the finished part is shown as if it were all there is
        assert "1 sequence, 8 frames" in result.stdout and "0.952" in result.stdout
        assert "Stopped: these are the sequences that every tracker has finished." in result.stderr
        result = call(folder, "--trackers", "still", "--sequences", "B")
        assert result.exit_code == 130 and result.stdout == ""
        assert result.stderr.startswith("Stopped before any sequence was finished")
    assert not (tmp_path / "out.json").exists()
    call(folder, "--trackers", "still", "--json", tmp_path / "out.json")
    assert (tmp_path / "out.json").exists()


SLEEPER = """
import os, time
from pathlib import Path
from slimtrack import Tracker

class Sleeper(Tracker, name="sleeper"):
    def _start(self, image, box):
        (Path(__file__).parent / f"{os.getpid()}.pid").touch()
        time.sleep(60)
    def _locate(self, image): ...
    def _learn(self, image, box, track): ...
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_sigterm_ends_the_worker_processes_too(folder, tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    words = [folder, "--trackers", f"{tmp_path / 'sleeper.py'}:sleeper", "--jobs", "2"]
    program = [sys.executable, "-m", "slimtrack", "bench", *map(str, words)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert within(60, lambda: len([*tmp_path.glob("*.pid")]) == 2), process.poll()
        workers = [int(file.stem) for file in tmp_path.glob("*.pid")]
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 143 and "Stopped before any sequence was finished" in said
    assert within(10, lambda: not any(map(alive, workers)))


def test_runs_on_a_busy_machine_are_repeated_as_often_as_wished(folder, monkeypatch):
    passes = []
    once = runner.track_once
    monkeypatch.setattr(runner, "track_once", lambda *a, **k: passes.append(k["sequence"]) or once(*a, **k))
    monkeypatch.setattr(runner, "disturbed", lambda runs: True)
    for words, expected in ((("--repeat", 0), "AB"), ((), "AABB"), (("--repeat", 2), "AAABBB")):
        passes.clear()
        result = call(folder, "--trackers", "still", *words)
        assert "".join(passes) == expected
        count = len(expected) - 2
        said = " ".join(result.stdout.split())
        assert (f"{count} runs were done again, because the machine was busy" in said) is (count > 0)
        assert ("--repeat 0 leaves that out" in said) is (count > 0)
        assert result.stderr.count("repeated, because the machine was busy") == count


def test_a_log_file_gets_a_line_per_sequence(folder):
    lines = call(folder, "--trackers", "STILL", "--jitter", 1).stderr.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == [" 50%  still on A", "100%  still on B"]


def test_one_sentence_for_what_cannot_be(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    kept, still = tmp_path / "kept", ("--trackers", "still")
    call(folder, *still, "--runs", kept)
    for arguments, error, what in (
        ((tmp_path / "empty",), SourceError, "holds no sequence"),
        ((tmp_path / "nowhere",), SourceError, "does not exist"),
        ((folder, "--trackers", "stil"), UnknownNameError, "did you mean still"),
        ((folder, "--trackers", "still[scor=1]"), UnknownNameError, "score"),
        ((folder, "--trackers", "still[score=1"), InputError, "form"),
        ((folder, "--trackers", " ,"), InputError, "no tracker"),
        ((folder, "--trackers", "still", "--sequences", "C"), UnknownNameError, "sequence"),
        ((folder, "--trackers", "still", "--protocol", "otb2"), UnknownNameError, "otb"),
        ((folder, "--trackers", "still", "--networks", tmp_path / "x"), InputError, "not a folder"),
        ((folder, *still, "--fps", "0"), InputError, "is 0: expected a number above 0"),
        ((folder, *still, "--fps", "20,-5"), InputError, "is -5: expected a number above 0"),
        ((folder, *still, "--fps", "nan"), InputError, "is nan"),
        ((folder, *still, "--fps", "fast"), InputError, "--fps fast: expected numbers"),
        ((folder, *still, "--fps", "10:5:1"), InputError, "FROM:TO:STEP"),
        ((folder, *still, "--fps", "10:20:0"), InputError, "FROM:TO:STEP"),
        ((folder, *still, "--fps", "10:20"), InputError, "FROM:TO:STEP"),
        ((folder, *still, "--fps", ","), InputError, "expected numbers"),
        ((folder, *still, "--fps", "20,20"), InputError, "each only once"),
        ((folder, *still, "--fps", "20", "--grace", -1), InputError, "grace is -1"),
        ((folder, *still, "--fps", "20", "--protocol", "vot"), InputError, "leave out the one or the other"),
        ((folder, *still, "--live", "--csv", "x"), InputError, "--live, --csv without --fps"),
        ((folder, *still, "--fps", "20", "--live", "--jobs", 2), InputError, "--jobs"),
        ((folder, *still, "--fps", "20", "--times", tmp_path), InputError, "has no times of still on A"),
        ((folder, *still, "--fps", "20", "--times", kept, "--runs", kept), InputError, "with --runs"),
        ((folder, *still, "--fps", "20", "--times", kept, "--live"), InputError, "leave out the times"),
        ((folder, *still, "--fps", "20", "--times", tmp_path, "--live"), InputError, "leave out the times"),
        ((folder, *still, "--fps", "20", "--times", "no/folder"), InputError, "no/folder is no folder"),
    ):
        with pytest.raises(error, match=what) as caught:
            call(*arguments)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", ["still,still", "still,stil"])
def test_nothing_is_drawn_before_a_refusal(folder, names):
    result = CliRunner().invoke(app, [str(folder), "--trackers", names])
    assert isinstance(result.exception, SlimtrackError) and result.output == ""


def test_the_best_is_compared_with_the_others(folder):
    result = call(folder, "--trackers", "still,still[score=0.2]")
    assert (
        "AUC of still less the others', 95 % interval" in result.stdout and "not told apart" in result.stdout
    )
    assert "95 % interval" not in call(folder, "--trackers", "still").stdout


def test_networks_are_looked_for_there_too(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIMTRACK_NETWORKS", "before")
    call(folder, "--trackers", "still", "--networks", tmp_path)
    assert os.environ["SLIMTRACK_NETWORKS"] == f"{tmp_path}{os.pathsep}before"


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("kcf", ["kcf"]),
        ("kcf, samf ,", ["kcf", "samf"]),
        ("kcf[a=1,b=2],opencv:csrt", ["kcf[a=1,b=2]", "opencv:csrt"]),
        ("a[x=1],b[y=2,z=3],c", ["a[x=1]", "b[y=2,z=3]", "c"]),
    ],
)
def test_commas_inside_brackets_belong_to_the_options(text, specs):
    assert split_specs(text) == specs


@pytest.mark.parametrize(
    ("text", "rates"),
    [("20", [20]), ("10, 12.5,", [10, 12.5]), ("10:30:10", [10, 20, 30]), ("0.1:0.35:0.1", [0.1, 0.2, 0.3])],
)
def test_frame_rates(text, rates):
    assert parsed_rates(text) == pytest.approx(rates)


@pytest.mark.parametrize(
    "text", ["1:1001:1", "1:2000:1", "3:1:1", "1:5:0", "1:5:-1", "x", "1:nan:1", "1:inf:1"]
)
def test_frame_rates_that_are_none_or_too_many(text):
    with pytest.raises(InputError, match=rf"--fps {text}: expected .*, at most 1,000 of them"):
        parsed_rates(text)


def test_no_more_than_the_most_frame_rates():
    assert len(parsed_rates("1:1000:1")) == 1000


def test_help_shows_how_options_are_written():
    from slimtrack.cli import app as whole

    text = CliRunner().invoke(whole, ["bench", "--help"], env={"COLUMNS": "200"}).output
    assert "kcf[kernel=linear]" in text
