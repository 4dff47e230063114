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
        ("", r" has no table \[trackers\]"),
        ("[trackers]\n\nfast = 3\n", ", line 3: name 'fast' is 3, not a text"),
        ("[trackers\n", " cannot be read: .*line 1"),
        ('[trackers]\ncf2-v-34 = "kcf"\n', ", line 2: 'cf2-v-34' is a name of ours already"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"names file .*names\.toml{words}"):
        add_names(written(tmp_path, text))
    assert VARIABLE not in os.environ


def test_a_file_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="does not exist"):
        add_names(tmp_path / "none.toml")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match=r"names file .* cannot be read"):
        create("kcf")


WRONG = {
    "a": ("b", 2, "it stands for itself: a -> b -> a"),
    "b": ("a", 3, "it stands for itself: b -> a -> b"),
    "c": ("kfc", 4, "there is no tracker 'kfc': did you mean kcf"),
    "d": ("kcf[cell=x]", 5, "option cell='x' is not a whole number"),
    "e": ("kcf[cell=0]", 6, "option cell=0 must be between 1 and 32"),
    "f": ("kcf[sell=2]", 7, "there is no option of tracker 'kcf' named 'sell'"),
    "g": ("kcf[cell", 8, "tracker 'kcf[cell' is not of the form"),
}
"""Name: what it stands for, its line in the file, what is said."""


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    lines = [f'{name} = "{spec}"' for name, (spec, *_) in WRONG.items()]
    return written(tmp_path, "\n".join(["[trackers]", *lines, 'h = "e[rate=0.1]"', 'i = "kcf"']))


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_file_is_said_with_its_line(name: str, wrong: Path) -> None:
    add_names(wrong)
    _, line, words = WRONG[name]
    with pytest.raises((InputError, UnknownNameError)) as caught:
        create(name)
    assert str(caught.value).startswith(f"names file {wrong}, line {line}: name {name!r}: {words}")
    result = CliRunner().invoke(app, ["trackers", name, "--names", str(wrong)])
    assert isinstance(result.exception, type(caught.value))  # then exit code 2


def test_a_wrong_name_breaks_nothing_but_itself(wrong: Path) -> None:
    add_names(wrong)
    assert set(list_trackers()) & {*WRONG, "h", "i"} == {"i"}
    assert "line 6: name 'e'" in (why_missing("h") or "")
    with pytest.raises(InputError) as caught:
        create("i[cell=0]")
    assert str(caught.value).startswith("option cell=0")
    assert CliRunner().invoke(app, ["trackers", "--names", str(wrong)]).exit_code == 0


@pytest.mark.parametrize("spec", ["dcf", "kcf[rate=0.01]"])
def test_a_name_of_a_tracker_of_ours_is_refused_where_it_is_used(tmp_path: Path, spec: str) -> None:
    add_names(written(tmp_path, f'[trackers]\nkcf = "{spec}"\n'))
    with pytest.raises(InputError, match="line 2: name 'kcf': a tracker has this name already"):
        create("kcf")
    assert create("dcf").name == "dcf"


def test_the_command_line_takes_a_file_of_names(file: Path) -> None:
    result = CliRunner().invoke(app, ["trackers", "quick", "--names", str(file)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "Stands for kcf[cell=8, rate=0.05]." in result.output
    assert "Not calibrated" in result.output
