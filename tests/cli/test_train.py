"""``train``, ``distill``, ``evaluate``: from a folder of pictures to a judged network."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from slimtrack.cli import app
from slimtrack.errors import InputError, MissingError, SlimtrackError, UnknownNameError
from slimtrack.evaluation import runner
from slimtrack.learning.journal import read_log
from small_training import RECIPE, write_training_set

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from slimtrack.learning.checkpoint import Checkpoint  # noqa: E402
from slimtrack.learning.recipes import make  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_set(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("recipes") / "mine.py"
    file.write_text(RECIPE)
    return f"{file}:Corners"


def said(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def trained(data: Path, mine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a stranger's recipe by the smoke preset."""
    out = tmp_path_factory.mktemp("run") / "out"
    began = time.process_time()  # of this process: others may keep the machine busy
    text = said("train", mine, "--data", data, "--out", out, "--preset", "smoke")
    assert time.process_time() - began < 60
    assert "best of validation: loss " in text
    return out


def test_a_strangers_recipe_learns_by_the_smoke_preset(trained: Path) -> None:
    judged = [line["figures"]["loss"] for line in read_log(trained / "log.jsonl") if "figures" in line]
    assert judged[-1] < 0.7 * judged[0]


def test_evaluate_judges_a_checkpoint_as_its_run_did(trained: Path, data: Path) -> None:
    text = said("evaluate", trained / "best.pt", "--data", data, "--pairs", 48)
    found = {line.split()[0]: float(line.split()[1]) for line in text.splitlines()}
    judged = [line["figures"]["loss"] for line in read_log(trained / "log.jsonl") if "figures" in line]
    assert found["loss"] == pytest.approx(min(judged), abs=1e-4)


def test_a_folder_with_a_run_is_not_written_over(trained: Path, data: Path, mine: str) -> None:
    with pytest.raises(InputError, match="holds a run already: continue it with --resume"):
        said("train", mine, "--data", data, "--out", trained, "--preset", "smoke")


def test_resume_of_a_whole_run_has_nothing_to_do(
    trained: Path, data: Path, mine: str, tmp_path: Path
) -> None:
    out = shutil.copytree(trained, tmp_path / "out")
    said("train", mine, "--data", data, "--out", out, "--preset", "smoke", "--resume")
    steps = [line["step"] for line in read_log(out / "log.jsonl") if "losses" in line]
    assert steps == list(range(1, 61))


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (["train", "slimm"], UnknownNameError, "no recipe 'slimm': did you mean slim?"),
        (["train", "slim[depth=2]"], UnknownNameError, "no option of recipe 'Slim' named 'depth'"),
        (["train", "nowhere.py:Mine"], InputError, r"recipe file nowhere\.py does not exist"),
        (
            ["train", "MINE:Nothing"],
            UnknownNameError,
            "named 'Nothing': there are: Corners",
        ),
        (
            ["train", "MINE"],
            InputError,
            "say which of its recipes, .*; there are: Corners",
        ),
        (["train", "MINE:Corners", "--preset", "huge"], UnknownNameError, "there is no preset 'huge'"),
        (["train", "MINE:Corners", "--start", "x.pt"], InputError, "starts from random weights"),
        (["train", "atom"], InputError, "the backbone of recipe atom .* give trained ones by --start"),
        (["train", "cfkd[features=frozen,labels=true]"], InputError, "recipe cfkd does not learn"),
        (["distill", "MINE:Corners"], InputError, "distill needs --teacher"),
        (["train", "MINE:Corners", "--sequences", "."], InputError, "ends without a table of trackers"),
        (["train", "cfkd", "--sequences", "nowhere"], SlimtrackError, "nowhere"),
        (["distill", "MINE:Corners", "--teacher", "t"], InputError, "learns from true boxes alone"),
    ],
)
def test_what_cannot_be_trained_is_said(
    words: list[str], kind: type[SlimtrackError], sentence: str, data: Path, mine: str, tmp_path: Path
) -> None:
    words = [word.replace("MINE", mine.rpartition(":")[0]) for word in words]
    with pytest.raises(kind, match=sentence):
        said(*words, "--data", data, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_without_a_tracker_is_not_tracked_with(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs --data"):
        said("evaluate", trained / "best.pt")
    clip(tmp_path / "Clip", frames=1)
    with pytest.raises(InputError, match="names no tracker"):
        said("evaluate", trained / "best.pt", "--sequences", tmp_path)


def test_without_torch_it_says_what_to_install(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    with pytest.raises(
        MissingError, match=r"needs torch, not installed here: `pip install 'slimtrack\[torch\]'`"
    ):
        said("train", "slim", "--data", data, "--out", tmp_path / "out")


def test_a_machine_to_train_on_needs_no_video_library() -> None:
    """GPU machines have torch, OpenCV and typer, and often nothing to read videos with."""
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['av', 'platformdirs', 'onnx', 'onnxruntime', 'psutil']))\n"
        "import slimtrack.cli, slimtrack.learning.loop, slimtrack.learning.recipes.slim\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


def test_evaluate_tracks_with_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("SLIMTRACK_NETWORKS", "")  # evaluate adds a folder of its own
    monkeypatch.setattr(runner, "peak_memory", lambda *_, **__: float("nan"))  # in a process of its own
    named = make("slim")
    Checkpoint(named.name, named.options, named.recipe.network.state_dict()).write(tmp_path / "best.pt")
    clip(tmp_path / "clips" / "Clip", frames=8)
    text = said("evaluate", tmp_path / "best.pt", "--sequences", tmp_path / "clips")
    assert "slim" in text
    assert "AUC" in text
    assert Path(os.environ["SLIMTRACK_NETWORKS"]).name.startswith("tmp")  # not the network that is shipped


def clip(folder: Path, frames: int) -> None:
    """A bright square that stands still."""
    (folder / "img").mkdir(parents=True)
    for index in range(frames):
        image = np.full((120, 160, 3), 100, np.uint8)
        image[40:70, 60:90] = (40, 250, 180)
        cv2.imwrite(str(folder / "img" / f"{index + 1:04}.png"), image)
    (folder / "groundtruth_rect.txt").write_text("61,41,30,30\n" * frames)
