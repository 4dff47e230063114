"""Files and folders: what the system refuses is one sentence with a remedy that fits."""

import errno
import os
from pathlib import Path

import pytest

from slimtrack.errors import OutputError
from slimtrack.files import make_folder, writing


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
