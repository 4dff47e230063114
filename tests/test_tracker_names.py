"""Names that stand for trackers with options: ours, and those of a user's file."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import small_networks
from slimtrack import create, list_trackers
from slimtrack.cli import app
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.names import NAMES, VARIABLE, add_names, names
from slimtrack.registry import options_named, settings, spelt, tracker_class, why_missing


@pytest.fixture(autouse=True)
def _no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "names.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    names = (
        'quick = "kcf[cell=8, rate=0.05]"',
        'Quicker = "quick[cell=16]"',
        'linear = "Kcf[kernel=linear]"',
    )
    return written(tmp_path, "\n".join(["[trackers]", *names]))


def test_the_names_of_paper_001_stand_for_layers_of_networks() -> None:
    values = settings("cf2-v-34")
    assert (values["network"], values["taps"], values["rate"]) == ("vgg19", "relu3_4", 0.01)
    values = settings("DeepCD-S-All", {"keep": 50.0})
    assert (values["network"], values["by"], values["keep"], values["max_side"]) == (
        "squeezenet1.1", "count", 50.0, 200.0,
    )  # fmt: skip
    assert values["taps"].split("+") == ["relu1", *(f"fire{number}" for number in range(2, 10))]


@pytest.mark.parametrize("name", NAMES)
def test_each_of_ours_can_be_made_and_calls_itself_by_its_name(name: str) -> None:
    with small_networks.installed():
        tracker = create(name)
    assert tracker.name == name != type(tracker).name
    assert name in list_trackers(missing=True)


def test_brackets_win_over_the_name_and_keywords_over_both(file: Path) -> None:
    add_names(file)
    assert settings("quick")["cell"] == 8
    assert settings("quick[cell=2]")["cell"] == 2
    assert settings("quick[cell=2]", {"cell": 3}) == settings("kcf", {"cell": 3, "rate": 0.05})


def test_names_of_a_file_may_stand_for_each_other_in_any_case(file: Path) -> None:
    add_names(file)
    assert settings("QUICKER") == settings("kcf", {"cell": 16, "rate": 0.05})
    assert spelt("quicker[rate=0]") == "Quicker[rate=0]"
    assert create("quicker").name == "Quicker"
    assert tracker_class("linear") is tracker_class("kcf")
    assert {option.name: option.default for option in options_named("linear")}["kernel"] == "linear"


def test_they_are_listed_after_all_others_and_not_calibrated(file: Path) -> None:
    before = list_trackers()
    add_names(file)
    assert list_trackers() == [*before, "quick", "Quicker", "linear"]
    assert os.environ[VARIABLE] == str(file.resolve())  # processes that this one starts know them, too


def test_a_changed_file_is_read_again(file: Path) -> None:
    add_names(file)
    assert "other" not in names()
    file.write_text('[trackers]\nother = "dsst"\n')
    os.utime(file, ns=(1, 1))
    assert "other" in names() and "quick" not in names()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"needs a table \[trackers\]"),
        ("[trackers]\nfast = 3\n", r"needs a table \[trackers\]"),
        ("[trackers\n", "cannot be read: .*line 1"),
        ('[trackers]\ncf2-v-34 = "kcf"\n', "cf2-v-34 is a name of ours already"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"names file .*names\.toml:? {words}"):
        add_names(written(tmp_path, text))
    assert VARIABLE not in os.environ


def test_a_file_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="does not exist"):
        add_names(tmp_path / "none.toml")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match=r"names file .* cannot be read"):
        create("kcf")


def test_a_wrong_name_breaks_nothing_but_itself(tmp_path: Path) -> None:
    add_names(
        written(tmp_path, '[trackers]\na = "b"\nb = "a"\nc = "kfc"\nd = "kcf[cell=x]"\ne = "kcf[cell=0]"\n')
    )
    assert "kcf" in list_trackers() and not {"a", "b", "c", "d", "e"} & set(list_trackers())
    with pytest.raises(InputError, match="'a' stands for itself: a -> b -> a"):
        create("a")
    with pytest.raises(UnknownNameError, match="did you mean kcf"):
        create("c")
    assert "not a whole number" in (why_missing("d") or "")
    assert "must be between 1 and 32" in (why_missing("e") or "")


@pytest.mark.parametrize("spec", ["dcf", "kcf[rate=0.01]"])
def test_a_name_of_a_tracker_of_ours_is_refused_where_it_is_used(tmp_path: Path, spec: str) -> None:
    add_names(written(tmp_path, f'[trackers]\nkcf = "{spec}"\n'))
    with pytest.raises(InputError, match="takes the name of tracker 'kcf': choose another"):
        create("kcf")
    assert create("dcf").name == "dcf"


def test_the_command_line_takes_a_file_of_names(file: Path) -> None:
    result = CliRunner().invoke(app, ["trackers", "quick", "--names", str(file)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "Stands for kcf[cell=8, rate=0.05]." in result.output
    assert "Not calibrated" in result.output
