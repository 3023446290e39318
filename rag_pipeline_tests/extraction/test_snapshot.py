"""A snapshot is what the file was, taken without leaving the folder; everything else is refused by name."""

import errno
import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.errors import (
    DocumentError,
    FileChangingError,
    FileUnreachableError,
    FileVanishedError,
    FolderMissingError,
    ReasonCode,
)
from rag_pipeline.extraction.snapshot import Snapshot, take_snapshot

_LIMIT = 10_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "collection"
    root.mkdir()
    return root


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "copies"
    directory.mkdir()
    return directory


def _reason(root: Path, relative_path: bytes, directory: Path, *, max_file_bytes: int = _LIMIT) -> ReasonCode:
    with pytest.raises(DocumentError) as caught:
        take_snapshot(root, relative_path, directory=directory, max_file_bytes=max_file_bytes)
    assert list(directory.iterdir()) == []
    return caught.value.reason


def _snapshot(root: Path, relative_path: bytes, directory: Path) -> Snapshot:
    return take_snapshot(root, relative_path, directory=directory, max_file_bytes=_LIMIT)


@given(content=st.binary(min_size=1, max_size=2000))
def test_a_snapshot_is_the_file(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, directory = Path(folder, "root"), Path(folder, "copies")
        root.mkdir()
        directory.mkdir()
        (root / "a.txt").write_bytes(content)
        status = (root / "a.txt").stat()
        with _snapshot(root, b"a.txt", directory) as snapshot:
            assert snapshot.path.read_bytes() == content
            assert snapshot.path.stat().st_mode & 0o077 == 0
            assert snapshot.content_hash == hashlib.sha256(content).digest()
            assert (snapshot.size_bytes, snapshot.mtime_ns, snapshot.ctime_ns) == (
                len(content),
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
        assert list(directory.iterdir()) == []


@pytest.mark.parametrize("name", [b"invalid-\xff\xfe.txt", b"new\nline.txt", b"..\\..\\x.txt", b"%2e%2e%2fx", b"-rf"])
def test_a_name_of_any_bytes_is_opened(root: Path, directory: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"content")
    with _snapshot(root, name, directory) as snapshot:
        assert snapshot.path.read_bytes() == b"content"


@pytest.mark.parametrize(
    "path", [b"../secret.txt", b"a/../../secret.txt", b"/etc/hostname", b"", b"a//b", b"./a", b"a\0b"]
)
def test_a_path_that_is_not_inside_is_refused(root: Path, directory: Path, path: bytes) -> None:
    (root.parent / "secret.txt").write_text("secret")
    (root / "a").mkdir()
    assert _reason(root, path, directory) is ReasonCode.LINK_OUTSIDE


def test_a_link_that_stays_inside_is_followed(root: Path, directory: Path) -> None:
    (root / "real").mkdir()
    (root / "real" / "a.txt").write_text("inside")
    (root / "link.txt").symlink_to("real/a.txt")
    (root / "folder").symlink_to(root / "real")
    for path in (b"link.txt", b"folder/a.txt"):
        with _snapshot(root, path, directory) as snapshot:
            assert snapshot.path.read_text() == "inside"


def test_a_link_that_leads_out_is_refused(root: Path, directory: Path) -> None:
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "a.txt").write_text("secret")
    (root / "link.txt").symlink_to(secret / "a.txt")
    (root / "folder").symlink_to("../secret")
    (root / "proc").symlink_to("/proc/self")
    (root.parent / "collection-2").mkdir()
    (root.parent / "collection-2" / "a.txt").write_text("a neighbour whose name begins alike")
    (root / "neighbour").symlink_to("../collection-2/a.txt")
    for path in (b"link.txt", b"folder/a.txt", b"proc/environ", b"neighbour"):
        assert _reason(root, path, directory) is ReasonCode.LINK_OUTSIDE


def test_a_link_that_leads_nowhere_is_not_a_file(root: Path, directory: Path) -> None:
    (root / "dangling").symlink_to("nowhere.txt")
    (root / "loop").symlink_to("loop")
    assert _reason(root, b"dangling", directory) is ReasonCode.NOT_A_FILE
    assert _reason(root, b"loop", directory) is ReasonCode.NOT_A_FILE


def test_what_is_not_a_regular_file_is_never_opened(root: Path, directory: Path) -> None:
    os.mkfifo(root / "pipe.txt")
    (root / "folder.pdf").mkdir()
    (root / "up").symlink_to("folder.pdf")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        for path in (b"pipe.txt", b"folder.pdf", b"up", b"s"):
            assert _reason(root, path, directory) is ReasonCode.NOT_A_FILE


def test_a_huge_sparse_file_is_refused_unread(root: Path, directory: Path) -> None:
    with (root / "sparse.txt").open("wb") as file:
        file.truncate(3 << 30)
    assert _reason(root, b"sparse.txt", directory, max_file_bytes=1 << 30) is ReasonCode.TOO_LARGE


def test_the_limit_itself_is_allowed(root: Path, directory: Path) -> None:
    (root / "a.txt").write_bytes(b"x" * 100)
    assert _reason(root, b"a.txt", directory, max_file_bytes=99) is ReasonCode.TOO_LARGE
    with take_snapshot(root, b"a.txt", directory=directory, max_file_bytes=100) as snapshot:
        assert snapshot.size_bytes == 100


def test_an_empty_file_is_empty(root: Path, directory: Path) -> None:
    (root / "a.txt").touch()
    assert _reason(root, b"a.txt", directory) is ReasonCode.EMPTY


def test_a_name_that_is_too_long_is_said_to_be(root: Path, directory: Path) -> None:
    assert _reason(root, b"x" * 300, directory) is ReasonCode.PATH_TOO_LONG
    assert _reason(root, b"x" * 300 + b"/a.txt", directory) is ReasonCode.PATH_TOO_LONG


def test_a_path_longer_than_the_system_takes_at_once_is_walked(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = os.open(folder, os.O_RDONLY)
        parts = [b"d" * 50] * 100
        for part in parts:
            os.mkdir(part, dir_fd=here)
            below = os.open(part, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        leaf = os.open(b"leaf.txt", os.O_CREAT | os.O_WRONLY, dir_fd=here)
        os.write(leaf, b"deep")
        os.close(leaf)
        os.close(here)
        with _snapshot(Path(folder), b"/".join([*parts, b"leaf.txt"]), directory) as snapshot:
            assert snapshot.path.read_bytes() == b"deep"


def test_what_may_not_be_read_is_unreadable(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "a.txt").write_text("private")
        Path(folder, "a.txt").chmod(0)
        Path(folder, "closed").mkdir(mode=0)
        for path in (b"a.txt", b"closed/a.txt"):
            with _as_nobody(), pytest.raises(DocumentError) as caught:
                _snapshot(Path(folder), path, directory)
            assert caught.value.reason is ReasonCode.UNREADABLE


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT])
def test_a_disk_that_fails_just_now_is_not_the_files_fault(
    root: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (root / "a.txt").write_text("on a network drive")

    def fails(_descriptor: int, _size: int) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", fails)
    with pytest.raises(FileUnreachableError, match=errno.errorcode[number]):
        _snapshot(root, b"a.txt", directory)
    monkeypatch.undo()
    assert list(directory.iterdir()) == []


def test_a_file_that_is_gone_has_vanished(root: Path, directory: Path) -> None:
    (root / "file").write_text("not a folder")
    for path in (b"gone.txt", b"gone/a.txt", b"file/a.txt"):
        with pytest.raises(FileVanishedError):
            _snapshot(root, path, directory)


def test_a_missing_folder_says_nothing_about_its_files(root: Path, directory: Path) -> None:
    with pytest.raises(FolderMissingError):
        _snapshot(root / "unmounted", b"a.txt", directory)


def test_a_folder_that_is_a_link_is_not_entered(root: Path, directory: Path) -> None:
    (root / "a.txt").write_text("words")
    link = root.with_name("link")
    link.symlink_to(root)
    with pytest.raises(FolderMissingError):
        _snapshot(link, b"a.txt", directory)


def test_a_file_written_to_while_it_is_read_is_not_believed(root: Path, directory: Path) -> None:
    path = root / "log.txt"
    with path.open("wb") as file:
        file.truncate(_LIMIT // 2)
    is_done = threading.Event()

    def keep_writing() -> None:
        while not is_done.is_set():
            with path.open("r+b") as file:
                file.write(b"x")

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        with pytest.raises(FileChangingError):
            _snapshots_until_one_fails(root, directory)
    finally:
        is_done.set()
        writer.join()
    assert list(directory.iterdir()) == []


def _snapshots_until_one_fails(root: Path, directory: Path) -> None:
    """The writer may not get its turn during the first."""
    for _ in range(50):
        _snapshot(root, b"log.txt", directory).path.unlink()
