import os
from pathlib import Path

import pytest

from slimtrack.errors import InputError, MissingError
from slimtrack.networks.find import VARIABLE, add_folder, find_network, folder_to_fill, network_folders
from slimtrack.networks.zoo import locate


@pytest.fixture
def two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "net").mkdir(parents=True)
    (second / "net" / "a.onnx").write_bytes(b"second")
    monkeypatch.setenv(VARIABLE, os.pathsep.join([str(first), "", str(second)]))
    return first, second


def test_the_first_folder_that_holds_the_file_wins(two_folders: tuple[Path, Path]) -> None:
    first, second = two_folders
    assert network_folders() == [first, second]
    assert find_network("net/a.onnx") == second / "net" / "a.onnx"
    (first / "net" / "a.onnx").write_bytes(b"first")
    assert find_network("net/a.onnx").read_bytes() == b"first"


def test_a_folder_that_may_not_be_looked_into_holds_nothing(
    two_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a home that the variables of another user name."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "closed"))
    exists = Path.exists

    def refuse(path: Path) -> bool:
        if path.is_relative_to(tmp_path / "closed") or path.is_relative_to(tmp_path / "first"):
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", refuse)
    assert network_folders() == list(two_folders)
    assert find_network("net/a.onnx") == two_folders[1] / "net" / "a.onnx"
    with pytest.raises(MissingError):
        find_network("net/b.onnx")
    (two_folders[1] / "mine.onnx").write_bytes(b"")
    assert locate("mine") == (None, two_folders[1] / "mine.onnx")


def test_an_added_folder_comes_first_and_reaches_child_processes(
    two_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "third" / "net").mkdir(parents=True)
    (tmp_path / "third" / "net" / "a.onnx").write_bytes(b"third")
    add_folder(tmp_path / "third")
    assert find_network("net/a.onnx").read_bytes() == b"third"
    assert os.environ[VARIABLE].split(os.pathsep)[0] == str(tmp_path / "third")


def test_an_added_folder_may_be_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    add_folder(tmp_path)
    assert network_folders() == [tmp_path]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        add_folder(tmp_path / "nothing")


def test_a_missing_file_says_which_where_and_what_to_do(two_folders: tuple[Path, Path]) -> None:
    with pytest.raises(MissingError) as caught:
        find_network("net/b.onnx")
    for part in ("net/b.onnx", *map(str, two_folders), VARIABLE, "--networks"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("nanotrackv3/head.onnx", "run `slimtrack network fetch nanotrackv3`, or give the folder"),
        ("fear_xs/search.onnx", "`slimtrack network fetch fear_xs` says how to make it, or give the folder"),
        ("slim/search.onnx", "it comes with slimtrack, so install that again, or give the folder"),
        (
            "slim/backbone.onnx",
            ": give the folder that holds it by --networks DIR",
        ),  # no file of this network
        ("mine/a.onnx", ": give the folder that holds it by --networks DIR"),
    ],
)
def test_a_missing_file_of_a_known_network_says_how_to_get_it(
    path: str, remedy: str, two_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimtrack.networks.find.SHIPPED", two_folders[0])
    with pytest.raises(MissingError) as caught:
        find_network(path)
    assert remedy in str(caught.value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of networks, which is not made yet."""
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "own")
    return tmp_path / "own" / "networks"


def test_the_users_own_folder_is_looked_in_last(home: Path, two_folders: tuple[Path, Path]) -> None:
    assert network_folders() == [*two_folders]
    (home / "net").mkdir(parents=True)
    for name in ("a.onnx", "b.onnx"):
        (home / "net" / name).write_bytes(b"own")
    assert find_network("net/a.onnx").read_bytes() == b"second"
    assert find_network("net/b.onnx").read_bytes() == b"own"


def test_what_is_fetched_goes_into_the_first_folder_or_the_users_own(
    home: Path, two_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder_to_fill() == two_folders[0]
    monkeypatch.delenv(VARIABLE)
    assert folder_to_fill() == home


def test_a_user_without_a_home_has_no_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: Path("~/.local/share/slimtrack"))
    assert network_folders() == []
    with pytest.raises(InputError, match="give one by --networks DIR"):
        folder_to_fill()


def test_without_the_variable_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(MissingError, match=f"{VARIABLE} is not set"):
        find_network("net/a.onnx")
