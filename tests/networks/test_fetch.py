"""Files of networks from a server of the tests' own: whole, cut, resumed, wrong, refused."""

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from slimtrack.errors import InputError, MissingError, OutputError
from slimtrack.networks.entry import File
from slimtrack.networks.fetch import fetch, is_there

DATA = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()
OTHER = DATA[::-1]


class Server(ThreadingHTTPServer):
    """Serves `data` and remembers what it was asked for.

    Attributes:
        data: What it has; ``None``: nothing.
        tag: Its name of that version; empty: none, and no date.
        ranges: Whether it can begin in the middle.
        cut: Bytes after which it hangs up; ``None``: never.
        asked: The headers ``Range`` and ``If-Range`` of every request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data: bytes | None = DATA
        self.tag, self.ranges, self.cut = '"one"', True, None
        self.asked: list[tuple[str | None, str | None]] = []

    @property
    def file(self) -> File:
        """What the catalogue says of it, whatever it serves."""
        url = f"http://127.0.0.1:{self.server_port}/weights.bin"
        return File("net/weights.onnx", len(DATA), hashlib.sha256(DATA).hexdigest(), url)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server, wanted, known = self.server, self.headers["Range"], self.headers["If-Range"]
        server.asked.append((wanted, known))
        if server.data is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
        if known not in (None, server.tag):
            start = 0
        if start >= len(server.data):
            self.send_error(416)
            return
        body = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.data) - 1}/{len(server.data)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(body if server.cut is None else body[: server.cut])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "net").iterdir())


def cut_short(server: Server, folder: Path, cut: int = 100_000) -> None:
    """Begins, and is cut off."""
    server.cut = cut
    with pytest.raises(MissingError, match=rf"ended after {cut:,} of 300,000 bytes: give the command again"):
        fetch(server.file, folder)
    server.cut = None
    assert not (folder / "net" / "weights.onnx").exists()


def test_a_file_comes_whole_and_alone(server: Server, tmp_path: Path) -> None:
    told: list[int] = []
    path = fetch(server.file, tmp_path / "new", told.append)
    assert path == tmp_path / "new" / "net" / "weights.onnx"
    assert path.read_bytes() == DATA
    assert left(tmp_path / "new") == ["weights.onnx"]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, len(DATA))


def test_what_was_cut_is_resumed_where_it_ended(server: Server, tmp_path: Path) -> None:
    cut_short(server, tmp_path)
    told: list[int] = []
    assert fetch(server.file, tmp_path, told.append).read_bytes() == DATA
    assert server.asked == [(None, None), ("bytes=100000-", '"one"')]
    assert told[0] == 100_000
    assert left(tmp_path) == ["weights.onnx"]


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_it_is_resumed_without_a_tag_that_can_be_asked_for(server: Server, tmp_path: Path, tag: str) -> None:
    server.tag = tag
    cut_short(server, tmp_path)
    assert fetch(server.file, tmp_path).read_bytes() == DATA
    assert server.asked[1] == ("bytes=100000-", None)


def test_a_server_that_cannot_begin_in_the_middle(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    cut_short(server, tmp_path)
    assert fetch(server.file, tmp_path).read_bytes() == DATA


def test_a_version_that_was_replaced_meanwhile_is_begun_anew(server: Server, tmp_path: Path) -> None:
    server.data = OTHER
    cut_short(server, tmp_path)
    server.data, server.tag = DATA, '"two"'
    assert fetch(server.file, tmp_path).read_bytes() == DATA
    assert server.asked[1] == ("bytes=100000-", '"one"')


def test_a_beginning_of_another_version_is_noticed_by_the_hash(server: Server, tmp_path: Path) -> None:
    server.data, server.tag = OTHER, ""
    cut_short(server, tmp_path)
    server.data = DATA
    assert fetch(server.file, tmp_path).read_bytes() == DATA
    assert len(server.asked) == 3  # resumed, wrong, once more from the beginning


def test_a_part_that_the_server_does_not_know_is_dropped(server: Server, tmp_path: Path) -> None:
    cut_short(server, tmp_path)
    server.data = DATA[:50_000]
    with pytest.raises(InputError, match="it has 50,000 bytes, 300,000 are expected"):
        fetch(server.file, tmp_path)
    server.data = DATA
    assert fetch(server.file, tmp_path).read_bytes() == DATA


def test_a_whole_part_is_checked_without_asking(server: Server, tmp_path: Path) -> None:
    cut_short(server, tmp_path, 299_999)
    part = next((tmp_path / "net").glob("*.part"))
    part.write_bytes(DATA)
    asked = len(server.asked)
    assert fetch(server.file, tmp_path).read_bytes() == DATA
    assert len(server.asked) == asked


def test_a_wrong_hash_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.data = OTHER
    with pytest.raises(InputError, match=r"is not the file that is expected: its sha256 is [0-9a-f]{64}"):
        fetch(server.file, tmp_path)
    assert left(tmp_path) == []


def test_a_wrong_size_is_refused_before_it_is_read(server: Server, tmp_path: Path) -> None:
    server.data = DATA + b"more"
    with pytest.raises(InputError, match="it has 300,004 bytes, 300,000 are expected; nothing was written"):
        fetch(server.file, tmp_path)
    assert left(tmp_path) == []


def test_a_wrong_file_leaves_the_one_that_was_there(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "net" / "weights.onnx"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    server.data = OTHER
    with pytest.raises(InputError):
        fetch(server.file, tmp_path)
    assert path.read_bytes() == b"mine"


def test_a_file_that_is_not_there_is_said_with_the_servers_answer(server: Server, tmp_path: Path) -> None:
    server.data = None
    with pytest.raises(MissingError, match=r"answers 404 \(Not Found\).* put it at .*weights\.onnx$"):
        fetch(server.file, tmp_path)
    assert left(tmp_path) == []


def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    with Server() as server:  # it never listens, and its port is free again afterwards
        file = server.file
    with pytest.raises(MissingError, match=r"cannot be reached \(.*\): check the connection"):
        fetch(file, tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_full_disk_is_one_sentence_and_the_old_file_stays(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "net" / "weights.onnx"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    path.with_name(f".weights.onnx.{server.file.sha256[:8]}.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="no space left on device; free some space"):
        fetch(server.file, tmp_path)
    assert path.read_bytes() == b"mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        fetch(server.file, tmp_path)


def test_a_file_that_is_there_is_known_by_its_hash(server: Server, tmp_path: Path) -> None:
    assert not is_there(server.file, tmp_path)
    path = fetch(server.file, tmp_path)
    assert is_there(server.file, tmp_path)
    path.write_bytes(b"another")
    with pytest.raises(InputError, match=r"is another version .* give --overwrite"):
        is_there(server.file, tmp_path)
