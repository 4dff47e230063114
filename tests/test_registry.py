"""Names, options, files, entry points."""

import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import slimtrack
from slimtrack import Tracker, create, list_trackers, registry
from slimtrack.errors import InputError, MissingError, UnknownNameError
from slimtrack.options import options_of
from slimtrack.registry import parse_spec, spelt, tracker_class, why_missing
from slimtrack.tracker import REGISTERED, Estimate
from slimtrack.trackers.kcf import Kcf

SOURCE = '''
"""A tracker in a file."""
from typing import Annotated, Literal

from slimtrack import Tracker
from slimtrack.options import Range
from slimtrack.tracker import Estimate


class Still(Tracker, name="{name}"):
    """Stays where it is."""

    def __init__(
        self,
        *,
        score: Annotated[float, Range(0, 1), "What it always says."] = 0.9,
        mode: Annotated[Literal["a", "b"], "One of two."] = "a",
        steps: Annotated[int, "Counted."] = 3,
        fast: Annotated[bool, "Whether to hurry."] = False,
        limit: Annotated[int | None, "At most that; none for no limit."] = None,
    ) -> None:
        self.options = (score, mode, steps, fast, limit)

    def _start(self, image, box):
        pass

    def _locate(self, image):
        return Estimate(self.box, score=self.options[0])

    def _learn(self, image, box, track):
        pass
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "still.py"
    path.write_text(SOURCE.format(name="still"))
    return path


def test_our_trackers_are_listed_first_without_importing_them() -> None:
    ours = ["mosse", "kcf", "dcf", "dsst", "fdsst", "samf", "samf-ca", "cacf", "dcf-ca", "staple"]
    listed = list_trackers(missing=True)
    assert set(ours) < set(listed)
    assert max(map(listed.index, ours)) < listed.index("opencv:kcf")
    assert all(why_missing(name) is None for name in ours)


def test_an_unknown_tracker_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no tracker 'kfc': did you mean kcf"):
        create("kfc")


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("KCF", "kcf"),
        ("Eco-HC", "eco-hc"),
        ("OpenCV:MOSSE", "opencv:mosse"),
        ("Kcf[kernel=linear]", "kcf[kernel=linear]"),
        ("CF2-v-34", "cf2-v-34"),
        ("DeepCD-S-All", "deepcd-s-all"),
        ("kcf", "kcf"),
        ("NoSuch", "NoSuch"),
        ("My.py:Own[a=B]", "My.py:Own[a=B]"),
    ],
)
def test_a_name_in_any_case(written: str, listed: str) -> None:
    assert spelt(written) == listed
    if "kcf" in listed:
        assert create(written).name == "kcf"


def test_the_case_of_a_name_in_a_file_does_not_matter_either(file: Path) -> None:
    assert create(f"{file}:STILL[steps=4]").options[2] == 4  # type: ignore[attr-defined]


def test_names_that_differ_in_case_only_are_two(tmp_path: Path) -> None:
    path = tmp_path / "pair.py"
    path.write_text(SOURCE.format(name="Pair") + "\n\nclass Other(Still, name='pair'): ...\n")
    assert create(f"{path}:Pair").name == "Pair" and create(f"{path}:pair").name == "pair"


def test_an_unknown_tracker_gets_a_suggestion_instead_of_all_names() -> None:
    for wrong in ("kfc", "KFC", "no such thing at all"):
        with pytest.raises(UnknownNameError) as caught:
            create(wrong)
        text, count = str(caught.value), len(list_trackers(missing=True))
        assert text.endswith(f"`slimtrack trackers` lists all {count}")
        assert text.count("opencv:") == 0
        assert ("did you mean kcf" in text) is (wrong.lower() == "kfc")


def test_a_tracker_in_a_file(file: Path) -> None:
    tracker = create(f"{file}:still")
    assert tracker.name == "still"
    assert type(create(f"{file}:Still")) is type(create(f"{file}:still")) is type(tracker)


def test_two_files_of_one_file_name_and_tracker_name_are_two_trackers(tmp_path: Path) -> None:
    specs = []
    for folder, score in (("a/b", 0.25), ("a_b", 0.75), ("c", 0.5)):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir(parents=True)
        path.write_text(SOURCE.format(name="kcf").replace("= 0.9", f"= {score}"))
        specs.append(f"{path}:kcf")
    (tmp_path / "a" / "b_mine.py").write_text(SOURCE.format(name="kcf"))
    specs.append(f"{tmp_path / 'a' / 'b_mine.py'}:kcf")
    assert [create(spec).options[0] for spec in specs] == [0.25, 0.75, 0.5, 0.9]  # type: ignore[attr-defined]
    assert type(create("kcf")) is Kcf


def test_a_file_offers_its_own_trackers_and_those_that_it_imports(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from slimtrack.trackers.kcf import Kcf\n"
        "class Mine(Kcf, name='mine'): ...\n"
        "class Base(Kcf): ...\n"
        "other = 3\n"
    )
    assert type(create(f"{path}:mine")) is type(create(f"{path}:Mine"))
    assert type(create(f"{path}:kcf")) is Kcf
    with pytest.raises(UnknownNameError, match=r"no tracker in .*own\.py named 'samf': there are: mine\."):
        create(f"{path}:samf")
    with pytest.raises(InputError, match=r"named 'Base' cannot be used: it was not given a name: class Base"):
        create(f"{path}:Base")
    with pytest.raises(InputError, match=r"'other' cannot be used: it is not a class derived from slimtrack"):
        create(f"{path}:other")


def test_two_trackers_of_one_name_in_a_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twins.py"
    path.write_text(SOURCE.format(name="twin") + "\n\nclass Other(Still, name='twin'): ...\n")
    with pytest.raises(InputError, match=r"twins\.py has two trackers of one name"):
        create(f"{path}:twin")


def test_options_that_are_handed_on_are_not_part_of_the_one_before() -> None:
    options = {option.name: option for option in options_of(tracker_class("eco-cd"))}
    assert options["loss"].help.endswith("leaves the network whole.")
    assert all("**options" not in option.help for option in options.values())


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", (0.9, "a", 3, False, None)),
        ("[]", (0.9, "a", 3, False, None)),
        ("[score=0.25,mode=b,steps=7,fast=yes,limit=4]", (0.25, "b", 7, True, 4)),
        ("[ limit = none , fast=0]", (0.9, "a", 3, False, None)),
        ("[score=1e-2]", (0.01, "a", 3, False, None)),
    ],
)
def test_options_in_the_name(file: Path, spec: str, expected: tuple[object, ...]) -> None:
    assert create(f"{file}:still{spec}").options == expected  # type: ignore[attr-defined]


def test_keywords_win_over_the_name(file: Path) -> None:
    tracker = create(f"{file}:still[steps=1,score=0.1]", steps=2, score=1)
    assert tracker.options[:3] == (1, "a", 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("[scor=1]", UnknownNameError, "named 'scor': did you mean score"),
        ("[score=high]", InputError, "score='high' is not a number"),
        ("[score=nan]", InputError, "score='nan' is not a number"),
        ("[score=2]", InputError, "score=2.0 must be between 0 and 1"),
        ("[mode=c]", InputError, "mode='c' is not one of a, b"),
        ("[steps=1.5]", InputError, "steps='1.5' is not a whole number"),
        ("[fast=maybe]", InputError, "fast='maybe' is not true or false"),
        ("[limit=x]", InputError, "limit='x' is not a whole number or none"),
        ("[score]", InputError, "not of the form option=value"),
        ("[score=1", InputError, r"not of the form name or name\[option=value"),
        ("]", InputError, "not of the form"),
    ],
)
def test_bad_options_in_the_name(file: Path, spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        create(f"{file}:still{spec}")


@pytest.mark.parametrize(
    "options",
    [
        {"score": "0.5"},
        {"score": -0.1},
        {"score": True},
        {"score": float("nan")},
        {"mode": "c"},
        {"steps": 1.5},
        {"steps": True},
        {"fast": 1},
        {"limit": "none"},
    ],
)
def test_bad_options_as_keywords(file: Path, options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"option {next(iter(options))}="):
        create(f"{file}:still", **options)
    with pytest.raises(UnknownNameError):
        create(f"{file}:still", colour=1)


def test_a_file_alone_is_answered_with_how_to_name_its_tracker(file: Path) -> None:
    with pytest.raises(
        InputError, match=r"is a file: say which of its trackers, as .*\.py:NAME; there are: still"
    ):
        create(str(file))


def test_parse_spec_keeps_colons_and_dots() -> None:
    assert parse_spec(" dir/x.py:mine[a=1] ") == ("dir/x.py:mine", {"a": "1"})
    assert parse_spec("opencv:csrt") == ("opencv:csrt", {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "does not exist"),
        ("1 / 0", "failed to import .ZeroDivisionError"),
        ("def (", "failed to import .SyntaxError"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "bad.py"
    if text is not None:
        path.write_text(text)
    for _ in range(2):  # the second time too
        with pytest.raises(InputError, match=words):
            create(f"{path}:bad")


def test_a_file_without_that_tracker(file: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean still"):
        create(f"{file}:stil")
    with pytest.raises(UnknownNameError, match=r"no tracker in .*\.py named 'Mine': there are: still\."):
        create(f"{file}:Mine")
    create("kcf")
    with pytest.raises(
        UnknownNameError, match="named 'kcf': there are: still"
    ):  # that is ours, not the file's
        create(f"{file}:kcf")


def test_a_duplicate_name_raises() -> None:
    class First(Tracker, name="twice"):
        """One."""

        def _start(self, image: object, box: object) -> None: ...
        def _locate(self, image: object) -> Estimate: ...  # type: ignore[empty-body]
        def _learn(self, image: object, box: object, track: object) -> None: ...

    with pytest.raises(InputError, match="'twice' exists already"):
        exec(SOURCE.format(name="twice"), {"__name__": "elsewhere"})
    assert REGISTERED["twice"] is First


def test_a_subclass_does_not_inherit_its_name(file: Path) -> None:
    parent = tracker_class(f"{file}:still")

    class Child(parent):  # type: ignore[misc, valid-type]
        """Has no name of its own, so it is not registered."""

    assert Child not in REGISTERED.values()


class _Entry:
    def __init__(self, name: str, target: object) -> None:
        self.name, self.value, self._target = name, f"package:{name}", target

    def load(self) -> object:
        if isinstance(self._target, Exception):
            raise self._target
        return exec(str(self._target), {"__name__": "some_package"})


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        _Entry("plugged", SOURCE.format(name="plugged")),
        _Entry("broken", ImportError("no such thing")),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
    assert "plugged" in list_trackers()
    assert create("plugged[score=0.5]").name == "plugged"
    # One broken package does not break the list.
    assert "broken" not in list_trackers()
    assert "broken" in list_trackers(missing=True)
    assert "no such thing" in (why_missing("broken") or "")
    with pytest.raises(MissingError, match="broken"):
        create("broken")


def test_a_missing_requirement_is_said() -> None:
    class Needy(Tracker, name="needy"):
        """Needs what is not here."""

        @classmethod
        def require(cls) -> None:
            raise MissingError("needy needs a network: get it there")

        def _start(self, image: object, box: object) -> None: ...
        def _locate(self, image: object) -> Estimate: ...  # type: ignore[empty-body]
        def _learn(self, image: object, box: object, track: object) -> None: ...

    assert "needy" not in list_trackers()
    assert "needy" in list_trackers(missing=True)
    assert why_missing("needy") == "needy needs a network: get it there"


def test_create_is_the_public_one() -> None:
    assert slimtrack.create is registry.create
    assert list(inspect.signature(create).parameters) == ["name", "options"]


def test_the_default_is_slim() -> None:
    pytest.importorskip("onnxruntime")
    assert registry.DEFAULT_TRACKER == "slim"
    assert create().name == "slim"


def test_where_onnxruntime_is_missing_the_default_is_a_filter_and_the_log_says_so() -> None:
    """To those who named no tracker, and not to those who asked for this filter."""
    code = """
import logging, sys
sys.modules["onnxruntime"] = None
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
import slimtrack
from slimtrack.video.synthetic import CLIPS
images, box = [*CLIPS["plain"].images()][:1], CLIPS["plain"].truth[0]
print(slimtrack.create().name)
print(slimtrack.create("eco-hc").name)
slimtrack.follow(images, box)
print("followed")
slimtrack.follow(images, box, tracker="eco-hc")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    told = (
        "the tracker is eco-hc, as ONNX Runtime is not installed: `pip install onnxruntime` brings slim, "
        "which is more accurate"
    )
    lines = [line for line in said.splitlines() if not line.startswith("compil")]
    assert lines == [told, "eco-hc", "eco-hc", told, "followed"]


@pytest.mark.parametrize(
    ("here", "sentence"),
    [
        ((), "networks need onnx and onnxruntime: run `pip install onnx onnxruntime`"),
        (("onnxruntime",), "networks need onnx: run `pip install onnx`"),
    ],
)
def test_trackers_on_networks_say_which_packages_are_missing(
    here: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in here or None)
    assert why_missing("feco") == sentence


def test_a_stand_in_for_onnxruntime_does_not_keep_slimtrack_from_being_imported() -> None:
    """As tests of users put it into ``sys.modules``: a module without a spec."""
    code = """
import sys, types
sys.modules["onnxruntime"] = types.ModuleType("onnxruntime")
import slimtrack.registry
print(slimtrack.registry.DEFAULT_TRACKER)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "slim\n"
