"""Options: declared once by an annotation, checked once, read by everybody."""

import copy
import inspect
import math
import pickle
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.options import CheckedOptions, Formerly, Option, Range, checked, options_of, parsed
from slimtrack.trackers.kcf import Kcf

Share = Annotated[float, Range(0, 1), "A share."]


class Base(metaclass=CheckedOptions):
    def __init__(
        self,
        *,
        share: Share = 0.5,
        count: Annotated[int, Range(1), "Counted."] = 3,
        step: Annotated[float, Range(1, 2, above=True), "Ratio."] = 1.5,
        mode: Annotated[Literal["a", "b"], Formerly("way"), "One of two."] = "a",
        fast: Annotated[bool, "Whether to hurry."] = False,
        file: Annotated[str | None, "A file; none for none."] = None,
        bare: float = 2.0,
    ) -> None:
        self.values = (share, count, step, mode, fast, file, bare)


class Derived(Base):
    """Hands on all but one, whose default and text are its own."""

    def __init__(self, *, share: Annotated[Share, "Another share."] = 0.25, **options: Any) -> None:
        super().__init__(share=share, **options)


def test_an_annotation_gives_type_range_and_help() -> None:
    found = {option.name: option for option in options_of(Base)}
    assert list(found) == ["share", "count", "step", "mode", "fast", "file", "bare"]
    assert found["share"] == Option("share", float, 0.5, "A share.", Range(0, 1))
    assert found["mode"].choices == ("a", "b")
    assert found["file"] == Option("file", str | None, None, "A file; none for none.")
    assert found["bare"] == Option("bare", float, 2.0)


def test_handed_on_options_are_options_of_the_deriving_class() -> None:
    found = options_of(Derived)
    assert [option.name for option in found] == [option.name for option in options_of(Base)]
    assert found[0] == Option("share", float, 0.25, "Another share.", Range(0, 1))
    assert Derived(count=7).values[:2] == (0.25, 7)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"share": 1.5}, "option share=1.5 must be between 0 and 1"),
        ({"share": math.nan}, "option share=nan is not a number"),
        ({"share": math.inf}, "option share=inf must be between 0 and 1"),
        ({"share": "0.5"}, "option share='0.5' is not a number"),
        ({"share": True}, "option share=True is not a number"),
        ({"count": 0}, "option count=0 must be at least 1"),
        ({"count": 1.0}, "option count=1.0 is not a whole number"),
        ({"step": 1}, "option step=1 must be greater than 1 and at most 2"),
        ({"mode": "c"}, "option mode='c' is not one of a, b"),
        ({"fast": 1}, "option fast=1 is not true or false"),
        ({"file": 3}, "option file=3 is not a str or none"),
        ({"bare": None}, "option bare=None is not a number"),
    ],
)
def test_a_class_refuses_what_does_not_fit_before_its_constructor_runs(
    values: dict[str, Any], words: str
) -> None:
    for cls in (Base, Derived):
        with pytest.raises(InputError) as caught:
            cls(**values)
        assert str(caught.value) == words


def test_the_ends_of_a_range_are_in_it() -> None:
    assert Base(share=0, count=1, step=2).values[:3] == (0, 1, 2)
    assert Base(share=1, count=10**400).values[0] == 1


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="option of tracker 'Base' named 'shar': did you mean share"):
        Base(shar=0.5)
    with pytest.raises(UnknownNameError, match="option of tracker 'kcf' named 'rat'"):
        Kcf(rat=0.5)


def test_numbers_of_numpy_are_numbers() -> None:
    share, count, *_ = Base(share=np.float32(0.5), count=np.int64(4)).values
    assert (share, count) == (0.5, 4) and (type(share), type(count)) == (float, int)


def test_texts_are_parsed_by_type() -> None:
    texts = {"share": " 1e-1", "count": "4", "mode": "b", "fast": "Yes", "file": "None", "bare": "3"}
    assert parsed(Base, texts) == {
        "share": 0.1, "count": 4, "mode": "b", "fast": True, "file": None, "bare": 3.0,
    }  # fmt: skip
    assert parsed(Base, {"file": "a.mat"}) == {"file": "a.mat"}
    assert Option("levels", Literal[1, 2], 1).parse("2") == 2
    with pytest.raises(InputError, match=r"option count='1\.5' is not a whole number"):
        parsed(Base, {"count": "1.5"})
    with pytest.raises(UnknownNameError):
        parsed(Base, {"counts": "1"})


def test_only_what_was_given_is_checked_and_returned() -> None:
    assert checked(Base, {"share": 1}) == {"share": 1}
    assert checked(Base, {}) == {}


@pytest.mark.parametrize(
    ("range_", "words"),
    [
        (Range(0, 1), "between 0 and 1"),
        (Range(1), "at least 1"),
        (Range(high=5), "at most 5"),
        (Range(1, 2, above=True), "greater than 1 and at most 2"),
        (Range(), "any number"),
        (Range(1, 1 << 20), "between 1 and 1048576"),
        (Range(1e-12, 1e6), "between 1e-12 and 1e+06"),
    ],
)
def test_a_range_in_words(range_: Range, words: str) -> None:
    assert str(range_) == words


def test_an_annotation_that_cannot_be_read_is_said() -> None:
    class Wrong(metaclass=CheckedOptions):
        def __init__(self, *, rate: "NoSuchType" = 1) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InputError, match=r"annotations of Wrong.*NoSuchType"):
        Wrong(rate=1)


def test_an_old_name_is_taken_with_a_warning_that_says_the_new_one() -> None:
    for cls in (Base, Derived):
        with pytest.warns(FutureWarning, match=f"option way of tracker '{cls.__name__}' is now called mode;"):
            assert cls(way="b").values[3] == "b"
    with pytest.warns(FutureWarning):
        assert parsed(Base, {"way": "b", "count": "1"}) == {"mode": "b", "count": 1}
    with pytest.raises(InputError, match="options mode and way are the same"):
        Base(mode="a", way="b")
    with pytest.warns(FutureWarning), pytest.raises(InputError, match="option mode='c' is not one of"):
        Base(way="c")


def test_a_name_that_is_an_option_again_is_not_an_old_one() -> None:
    class Again(Base):
        def __init__(self, *, way: Annotated[int, "Another thing."] = 0, **options: Any) -> None:
            super().__init__(**options)
            self.way = way

    assert Again(way=4, mode="b").way == 4


def test_copies_and_help_know_nothing_of_the_check() -> None:
    made = Base(share=0.75)
    assert copy.deepcopy(made).values == pickle.loads(pickle.dumps(made)).values == made.values
    assert list(inspect.signature(Derived).parameters) == [option.name for option in options_of(Derived)]
