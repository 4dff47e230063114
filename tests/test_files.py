"""Files and folders: what the system refuses is one sentence with a remedy that fits."""

import errno
import os
import signal
import threading
from pathlib import Path

import pytest

from slimtrack.errors import OutputError
from slimtrack.files import Place, make_folder, undivided, writing


@pytest.mark.parametrize(
    ("number", "free"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.ENOENT, False), (errno.EACCES, False)],
)
def test_only_a_full_disk_is_told_to_be_freed(number: int, free: bool) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write a/b\.txt: .*choose another place") as caught,
        writing("a/b.txt"),
    ):
        raise OSError(number, os.strerror(number))
    assert ("free some space" in str(caught.value)) == free


def test_a_folder_is_made_with_its_parents_once(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b") == make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(("part", "what"), [("file", "it"), ("file/a/b", ".*file")])
def test_a_file_in_the_way_is_named(tmp_path: Path, part: str, what: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OutputError, match=rf"cannot make folder .*{part}: {what} is a file; give another folder"
    ):
        make_folder(tmp_path / part)


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "track.mot.txt"
    fresh = Place(path)
    assert fresh.now == path  # nothing there: it grows under its own name
    path.write_text("earlier")
    place = Place(path)
    assert place.now.parent == tmp_path and place.now.name.endswith(".mot.txt") and place.now != path
    place.now.write_text("new")
    assert path.read_text() == "earlier"
    place.settle()
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path] and place.now == path
    other = Place(path)
    other.now.write_text("never")
    for _ in range(2):  # the second time, the file of this name is the earlier one
        other.discard()
        assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "track.csv").symlink_to("precious")
    place = Place(tmp_path / "track.csv")
    place.now.write_text("new")
    place.settle()
    assert (tmp_path / "precious").read_text() == "mine" and (tmp_path / "track.csv").read_text() == "new"


def test_ctrl_c_waits_for_the_end_of_a_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), undivided():
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done
    with undivided():
        pass
    with pytest.raises(KeyboardInterrupt):  # as before
        signal.raise_signal(signal.SIGINT)


def test_sigterm_waits_too_where_a_program_hears_it() -> None:
    heard, done = [], []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with undivided():
            signal.raise_signal(signal.SIGTERM)
            done.extend(heard)
        assert (done, heard) == ([], [signal.SIGTERM])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_second_ctrl_c_is_heard_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), undivided():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")


def test_an_error_is_not_hidden_by_ctrl_c() -> None:
    with pytest.raises(ZeroDivisionError), undivided():
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError


def test_threads_and_programs_that_ignore_ctrl_c_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with undivided():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    failures: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with undivided():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert not failures
