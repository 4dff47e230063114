import json
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from typer.testing import CliRunner

from slimtrack import Box, Tracker, list_trackers
from slimtrack.arrays import Image
from slimtrack.cli import app
from slimtrack.cli.trackers import _type_name, causes
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.names import NAMES
from slimtrack.networks.find import VARIABLE
from slimtrack.options import Range
from slimtrack.registry import tracker_class
from slimtrack.tracker import Estimate, Track


@pytest.fixture
def example() -> str:
    """A tracker with one option of each kind."""

    class Example(Tracker, name="example-of-cli"):
        """Stays where it is.

        More about it, with [brackets].
        """

        def __init__(
            self,
            *,
            rate: Annotated[float, Range(0, 1), "How fast."] = 0.25,
            kernel: Annotated[Literal["linear", "round"], "Which kernel."] = "round",
        ) -> None: ...

        def _start(self, image: Image, box: Box) -> None: ...

        def _locate(self, image: Image) -> Estimate:
            return Estimate(self.box, score=1.0)

        def _learn(self, image: Image, box: Box, track: Track) -> None: ...

    return "example-of-cli"


def output(*words: str) -> str:
    result = CliRunner().invoke(app, ["trackers", *words], env={"COLUMNS": "200", "TERM": "dumb"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


def test_the_table_names_every_tracker_and_why_some_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    text = output()
    for name in list_trackers(missing=True):
        assert name in text
    assert "Not here" in text
    assert text.count("SLIMTRACK_NETWORKS is not set") == 2  # networks to be fetched, networks to be made


def test_trackers_that_lack_the_same_thing_stand_together() -> None:
    lost = "network file x/{}.onnx was not found (in A): run `slimtrack network fetch {}`, or hold it"
    found = causes({
        "a": lost.format("a", "n"), "b": "b needs a thing", "c": lost.format("c", "m"),
        "d": "d needs a thing", "e": "network file e.onnx was eaten", "f": lost.format("a", "n"),
    })  # fmt: skip
    fetch = "run `slimtrack network fetch n m`"
    assert found == [
        (["a", "c", "f"], f"network files were not found (in A): {fetch}, or hold it"),
        (["b", "d"], "needs a thing"),
        (["e"], "network file e.onnx was eaten"),
    ]


def test_the_table_has_a_line_of_description_and_the_names_of_options(example: str) -> None:
    row = next(line for line in output().splitlines() if example in line)
    assert "Stays where it is." in row
    assert "rate, kernel" in row
    assert "More about it" not in row


def test_the_options_of_all(example: str) -> None:
    text = output("--options")
    assert "rate=0.25 (float, between 0 and 1) How fast." in text
    assert "kernel=round (linear | round) Which kernel." in text


def test_one_in_detail(example: str) -> None:
    text = output(example)
    assert "example-of-cli: Stays where it is." in text
    assert "More about it, with [brackets]." in text
    for words in (
        ("rate", "0.25", "float, between 0 and 1", "How fast."),
        ("kernel", "round", "linear | round", "Which kernel."),
    ):
        assert any(all(word in line for word in words) for line in text.splitlines())


def test_help_with_brackets_is_shown_as_it_is() -> None:
    class Bracketed(Tracker, name="bracketed-of-cli"):
        """Reads [bold]brackets[/bold]."""

        def __init__(
            self,
            *,
            mode: Annotated[str, "One of [red]these[/red], such as name[option=value]."] = "[blue]",
        ) -> None: ...

        def _start(self, image: Image, box: Box) -> None: ...

        def _locate(self, image: Image) -> Estimate:
            return Estimate(self.box, score=1.0)

        def _learn(self, image: Image, box: Box, track: Track) -> None: ...

    for words in ((), ("--options",), ("bracketed-of-cli",)):
        text = output(*words)
        assert "Reads [bold]brackets[/bold]." in text
        assert not words or "One of [red]these[/red], such as name[option=value]." in text
        assert not words or "[blue]" in text


def test_it_says_which_are_not_calibrated() -> None:
    rows = {cells[1].strip(): cells[3].strip() for line in output().splitlines()
            if len(cells := re.split("[│|]", line)) == 6}  # fmt: skip
    assert rows["kcf"] == "yes" and rows["opencv:mosse"] == "no"
    entries = {entry["name"]: entry["calibrated"] for entry in json.loads(output("--json"))}
    assert not entries["cf2-s-fire3"]
    ours = [name for name in list_trackers(missing=True) if name not in NAMES]
    assert {name: entries[name] for name in ours} == {name: tracker_class(name).calibrated() for name in ours}
    assert "Not calibrated: the order of its scores can be trusted" in output("opencv:mosse")
    assert "calibrated" not in output("kcf")


def test_a_name_in_any_case_and_with_options() -> None:
    assert output("KCF[rate=0.1]").startswith("kcf: Kernelized")


def test_a_tracker_without_options_says_so() -> None:
    assert "It has no options." in output("opencv:mosse")


def test_as_json(example: str) -> None:
    (entry,) = json.loads(output(example, "--json"))
    assert entry["name"] == example
    assert entry["description"] == "Stays where it is."
    assert entry["available"] is True and entry["missing"] is None
    assert entry["options"][0]["range"] == [0, 1]
    assert entry["options"][1] == {
        "name": "kernel", "type": "linear | round", "choices": ["linear", "round"], "range": None,
        "default": "round", "help": "Which kernel.",
    }  # fmt: skip


def test_all_as_json_holds_every_tracker_and_no_infinity() -> None:
    assert json.loads(output("--json"), parse_constant=pytest.fail)
    (entry,) = json.loads(output("nanotrack-v2", "--json"))
    assert next(each for each in entry["options"] if each["name"] == "threads")["range"] == [1, None]
    assert [entry["name"] for entry in json.loads(output("--json"))] == list_trackers(missing=True)


def test_networks_may_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    (entry,) = json.loads(output("fear-xs", "--json", "--networks", str(tmp_path)))
    if "ONNX Runtime" not in entry["missing"]:
        assert str(tmp_path) in entry["missing"]
    with pytest.raises(InputError, match="does not exist"):
        output("--networks", str(tmp_path / "nothing"))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        output("opencv:csrtt")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (float, "float"),
        (int | None, "int | none"),
        (Literal["a", "b"], "a | b"),
        (tuple[int, int], "tuple[int, int]"),
    ],
)
def test_names_of_types(kind: object, text: str) -> None:
    assert _type_name(kind) == text
