"""Runs of training: they fall, they stop and go on, on one process or two."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from slimtrack.errors import InputError, SlimtrackError, SourceError  # noqa: E402
from slimtrack.learning import loop  # noqa: E402
from slimtrack.learning.checkpoint import Checkpoint  # noqa: E402
from slimtrack.learning.curves import draw_curves  # noqa: E402
from slimtrack.learning.data import read_training_set  # noqa: E402
from slimtrack.learning.journal import Watcher, read_log  # noqa: E402
from slimtrack.learning.loop import BEST, LAST, LOG, Result, machine, train  # noqa: E402
from slimtrack.learning.recipes import make  # noqa: E402
from slimtrack.learning.schedule import Schedule  # noqa: E402

SHORT = Schedule(steps=12, pairs=4, judged=8, every=9.0, told=1, seed=3, average=0.5)


def run(
    spec: str, data: Path, out: Path, schedule: Schedule = SHORT, watcher: Watcher | None = None
) -> Result:
    torch.manual_seed(schedule.seed)
    sets = (read_training_set(data, split) for split in ("train", "val"))
    return train(make(spec), *sets, out, schedule, machine(accelerator="cpu"), watcher)


def losses(out: Path) -> dict[int, float]:
    return {line["step"]: line["losses"]["box"] for line in read_log(out / LOG) if "losses" in line}


class At(Watcher):
    """Does something once, at a step."""

    def __init__(self, step: int, action) -> None:
        self.step, self.action = step, action

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        if step == self.step:
            self.action()


class Died(Exception):
    pass


def die() -> None:
    raise Died


@pytest.fixture(scope="module")
def whole(training_set: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    out = tmp_path_factory.mktemp("whole")
    assert run(f"{recipe_file}:Corners", training_set, out).whole
    return out


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these runs; `test_the_curves_are_drawn` draws."""
    monkeypatch.setattr(loop, "draw_curves", lambda log, picture: False)


def same(a: Path, b: Path) -> None:
    assert losses(a) == pytest.approx(losses(b), abs=1e-4)
    ours, theirs = (Checkpoint.read(folder / LAST) for folder in (a, b))
    for name, value in ours.weights.items():
        torch.testing.assert_close(value, theirs.weights[name], atol=1e-4, rtol=1e-4)


def test_a_run_is_the_same_twice(whole: Path, training_set: Path, recipe_file: Path, tmp_path: Path) -> None:
    run(f"{recipe_file}:Corners", training_set, tmp_path)
    same(tmp_path, whole)
    assert sorted(losses(whole)) == list(range(1, 13))


def test_another_seed_is_another_run(
    whole: Path, training_set: Path, recipe_file: Path, tmp_path: Path
) -> None:
    other = Schedule(**{**vars(SHORT), "seed": 4, "steps": 3})
    run(f"{recipe_file}:Corners", training_set, tmp_path, other)
    assert losses(tmp_path)[1] != pytest.approx(losses(whole)[1], abs=1e-4)


def test_a_run_that_died_goes_on_as_if_nothing_had_been(
    whole: Path, training_set: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies at step 9; its last checkpoint is of step 5."""
    plan = loop._Clock.plan

    def keeping_at_five(clock, steps, stop):
        found = plan(clock, steps, stop)
        return loop._Plan(found.share, steps == 5, found.judge, found.stop)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Clock, "plan", keeping_at_five)
        with pytest.raises(Died):
            run(f"{recipe_file}:Corners", training_set, tmp_path, watcher=At(9, die))
    assert Checkpoint.read(tmp_path / LAST).run["steps"] == 5
    torch.manual_seed(99)
    result = run(f"{recipe_file}:Corners", training_set, tmp_path)
    assert result.whole
    assert result.steps == 12
    assert [line["step"] for line in read_log(tmp_path / LOG) if "losses" in line] == list(range(1, 13))
    same(tmp_path, whole)


def test_ctrl_c_keeps_a_checkpoint(
    whole: Path, training_set: Path, recipe_file: Path, tmp_path: Path
) -> None:
    stop = At(7, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = run(f"{recipe_file}:Corners", training_set, tmp_path, watcher=stop)
    assert not result.whole
    assert result.steps == Checkpoint.read(tmp_path / LAST).run["steps"] == 7
    run(f"{recipe_file}:Corners", training_set, tmp_path)
    same(tmp_path, whole)


def test_the_best_of_validation_is_kept(whole: Path) -> None:
    judged = [line for line in read_log(whole / LOG) if "figures" in line]
    best = min(line["figures"]["loss"] for line in judged)
    assert len(judged) == 2
    assert Checkpoint.read(whole / BEST).figures["loss"] == pytest.approx(best)


def test_a_longer_plan_goes_on_with_the_same_average(
    training_set: Path, recipe_file: Path, tmp_path: Path
) -> None:
    run(f"{recipe_file}:Corners", training_set, tmp_path, Schedule(**{**vars(SHORT), "steps": 2}))
    before = Checkpoint.read(tmp_path / LAST).weights
    result = run(f"{recipe_file}:Corners", training_set, tmp_path, Schedule(**{**vars(SHORT), "steps": 3}))
    after = Checkpoint.read(tmp_path / LAST).weights
    assert result.steps == 3
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_curves_are_drawn(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert draw_curves(whole / LOG, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_by_time_goes_on_where_its_time_was(
    training_set: Path, recipe_file: Path, tmp_path: Path
) -> None:
    timed = Schedule(**{**vars(SHORT), "steps": None, "minutes": 0.01})
    first = run(f"{recipe_file}:Corners", training_set, tmp_path, timed)
    assert first.whole
    assert first.steps > 0
    assert run(f"{recipe_file}:Corners", training_set, tmp_path, timed).steps == first.steps
    assert Checkpoint.read(tmp_path / LAST).run["minutes"] < 0.5


def test_another_recipe_does_not_go_on_with_it(whole: Path, training_set: Path, recipe_file: Path) -> None:
    with pytest.raises(InputError, match=r"is of recipe .*mine\.py:Corners with no options: continue that"):
        run(f"{recipe_file}:Corners[width=4]", training_set, whole)


def test_a_loss_that_is_no_number_ends_the_run(training_set: Path, recipe_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SlimtrackError, match="the loss 'box' is inf at step 1: lower the learning rate"):
        run(f"{recipe_file}:Sick", training_set, tmp_path)


def test_a_damaged_checkpoint_is_named(training_set: Path, recipe_file: Path, tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes(b"no")
    with pytest.raises(SourceError, match=r"checkpoint .*last\.pt was not written by `slimtrack train`"):
        run(f"{recipe_file}:Corners", training_set, tmp_path)


# ------------------------------------------------------------------------------------------- processes


def command(recipe_file: Path, training_set: Path, out: Path, *more: str) -> list[str]:
    words = ["train", f"{recipe_file}:Corners", "--data", str(training_set), "--out", str(out), *more]
    return [sys.executable, "-m", "slimtrack", *words]


def test_killed_at_any_moment_it_goes_on_exactly(
    training_set: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    words = command(recipe_file, training_set, tmp_path / "killed", "--preset", "often", "--seed", "3")
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
    log = tmp_path / "killed" / LOG
    while process.poll() is None and (not log.is_file() or log.read_bytes().count(b"\n") < 20):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (tmp_path / "killed" / f".{LAST}.1f2e3d4c.part").write_bytes(b"half")
    reached = Checkpoint.read(tmp_path / "killed" / LAST).run["steps"]
    assert 5 < reached < 150
    often = make(f"{recipe_file}:Corners").recipe.presets["often"]
    schedule = Schedule(**{**vars(often), "seed": 3, "keep": 9.0})
    for name in ("killed", "whole"):
        run(f"{recipe_file}:Corners", training_set, tmp_path / name, schedule)
    same(tmp_path / "killed", tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".*"))


def test_two_processes_learn_together(
    training_set: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    words = command(
        recipe_file, training_set, tmp_path, "--preset", "smoke", "--devices", "2", "--steps", "20"
    )
    done = subprocess.run(words, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    states = Checkpoint.read(tmp_path / LAST).run["generators"]["pairs"]
    assert len(states) == 2
    assert not torch.equal(*states)
    judged = [line["figures"]["loss"] for line in read_log(tmp_path / LOG) if "figures" in line]
    assert judged[-1] < judged[0]
    assert sorted(losses(tmp_path)) == list(range(1, 21))
