"""The tree of errors and its sentences."""

import inspect

import pytest

from slimtrack import SlimtrackError, errors
from slimtrack.errors import InputError, NotStartedError, UnknownNameError

ALL = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error", ALL)
def test_one_root(error: type[Exception]) -> None:
    assert issubclass(error, SlimtrackError)
    assert inspect.getdoc(error)


def test_all_is_complete_and_drawn_in_the_tree() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(errors.__all__)
    assert all(name in (errors.__doc__ or "") for name in defined)


def test_they_are_also_what_a_caller_expects() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(UnknownNameError, LookupError)
    assert issubclass(NotStartedError, RuntimeError)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("kfc", ["kcf", "mosse", "samf"], "there is no tracker 'kfc': did you mean kcf?"),
        ("KFC", ["Kcf", "mosse"], "there is no tracker 'KFC': did you mean Kcf?"),
        ("mil", ["opencv:mil", "kcf"], "there is no tracker 'mil': did you mean opencv:mil?"),
        ("eco", ["feco", "eco-hc", "x"], "there is no tracker 'eco': did you mean feco or eco-hc?"),
        ("zzz", ["kcf", "mosse"], "there is no tracker 'zzz': there are: kcf, mosse."),
        ("zzz", [], "there is no tracker 'zzz': there are: none."),
    ],
)
def test_an_unknown_name_lists_the_nearest(name: str, known: list[str], expected: str) -> None:
    assert str(UnknownNameError.of("tracker", name, known)) == expected


def test_many_names_are_counted_and_not_listed() -> None:
    for name, hint in (("kfc", "did you mean kcf? "), ("zzz", "")):
        text = str(UnknownNameError.of("tracker", name, ["kcf", "mosse"], "`trackers`"))
        assert text == f"there is no tracker {name!r}: {hint}`trackers` lists all 2"
