"""Snapshots as files: what is packed is unpacked, small, and anything else is refused before it can do harm."""

import gzip
import subprocess
import tarfile
from pathlib import Path

import pytest

from rag_pipeline.embedded.qdrant.snapshots.archive import SEAL_BYTES, SnapshotRefusedError, pack, verify
from rag_pipeline.embedded.qdrant.snapshots.unpacking import unpack
from rag_pipeline.embedded.qdrant.store.copying import copy_tree
from rag_pipeline_tests.embedded.qdrant.archives import (
    Entry,
    entry,
    listed,
    manifest,
    plain_tar,
    sealed,
    write_snapshot,
)

FREE_BYTES = 1024**3
LONG_NAME = f"{'vector_storage-' + 'v' * 128}/{'n' * 100}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the engine leaves them: holes, empty folders, long names."""
    folder = tmp_path / "folder"
    (folder / LONG_NAME).parent.mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / LONG_NAME).write_bytes(b"deep")
    (folder / "nothing").touch()
    with (folder / "sparse").open("wb") as file:
        file.write(b"start")
        file.seek(40_000_000)
        file.write(b"middle")
        file.truncate(60_000_000)
    return folder


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    pack(folder, tmp_path / "a.snapshot", kind="collection")
    return tmp_path / "a.snapshot"


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def allocated_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


def test_what_is_packed_is_unpacked_and_takes_no_more_room(folder: Path, archive: Path, tmp_path: Path) -> None:
    verify(archive)
    unpack(archive, tmp_path / "out", kind="collection", free_bytes=FREE_BYTES)
    assert tree(tmp_path / "out") == tree(folder)
    assert archive.stat().st_size < 100_000
    assert allocated_bytes(tmp_path / "out") < 1_000_000


def test_a_copy_is_equal_and_keeps_the_holes(folder: Path, tmp_path: Path) -> None:
    copy_tree(folder, tmp_path / "copy")
    assert tree(tmp_path / "copy") == tree(folder)
    assert allocated_bytes(tmp_path / "copy") < 1_000_000


def test_a_link_is_not_copied(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="link"):
        copy_tree(folder, tmp_path / "copy")


def test_the_checksum_is_that_of_the_file_and_tar_reads_it(folder: Path, archive: Path) -> None:
    sha256sum = subprocess.run(["sha256sum", archive], capture_output=True, text=True, check=True).stdout.split()[0]
    names = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True)
    assert verify(archive) == sha256sum
    assert set(names.stdout.split()) == {"manifest.json"} | {
        name for name, held in tree(folder).items() if held is not None
    }
    assert names.stderr == ""


@pytest.fixture
def small(tmp_path: Path) -> bytes:
    content = b"points" * 20
    return write_snapshot(tmp_path / "small", [manifest(listed("a", content)), entry("a", content)]).read_bytes()


def test_every_flipped_byte_is_refused(small: bytes, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    accepted = []
    for position in range(len(small)):
        damaged.write_bytes(small[:position] + bytes([small[position] ^ 1 << position % 8]) + small[position + 1 :])
        accepted += [position] if _is_accepted(damaged) else []
    damaged.write_bytes(small)
    assert (accepted, _is_accepted(damaged)) == ([], True)


def test_every_cut_and_every_addition_is_refused(small: bytes, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    for content in (*(small[:length] for length in range(len(small))), small + b"\0", small + small, b"\0" + small):
        damaged.write_bytes(content)
        assert not _is_accepted(damaged)


def _is_accepted(archive: Path) -> bool:
    try:
        verify(archive)
    except SnapshotRefusedError:
        return False
    return True


def test_a_snapshot_of_a_server_is_told_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "server").write_bytes(plain_tar())
    with pytest.raises(SnapshotRefusedError, match="Qdrant server"):
        verify(tmp_path / "server")


X = listed("a", b"x")
FILE_A = entry("a", b"x")
LINKS_AND_FOLDERS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE)
OUTSIDE = ["/tmp/rag-outside", "../outside", "b/../../outside", "", ".", "a//b", "a\0b", "..\\outside", "x" * 1025]  # noqa: S108


@pytest.mark.parametrize(
    "entries",
    [
        *([manifest(listed(name, b"x")), entry(name, b"x")] for name in OUTSIDE if "\0" not in name),
        *([manifest(X, folders=[name]), FILE_A] for name in OUTSIDE),
        *([manifest(X), entry("a", b"x", kind=kind)] for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)),
        *([manifest(listed("a")), entry("a", kind=kind)] for kind in LINKS_AND_FOLDERS),
        [manifest(listed("b/a", b"x")), entry("b/a", b"x")],
        [manifest(X, listed("a/b", b"x")), FILE_A, entry("a/b", b"x")],
        [manifest(listed("n" * 300, b"x")), entry("n" * 300, b"x")],
        [manifest(X), entry("../a", b"x")],
        [manifest(X), entry("a", b"y")],
        [manifest(X), entry("a", b"xx")],
        [manifest(X), entry("a", b"x", size_bytes=-1)],
        [manifest(X), entry("a", b"x", size_bytes=10**9)],
        [manifest(X)],
        [manifest(X), FILE_A, FILE_A],
        [manifest(X, X), FILE_A, FILE_A],
        [manifest(X, folders=["a"]), FILE_A],
        [manifest(listed("a", size_bytes=FREE_BYTES + 1)), entry("a")],
        [manifest(listed("a", size_bytes=-1)), entry("a")],
        [manifest(X), entry("././@LongLink", bytes(10**7), kind=tarfile.GNUTYPE_LONGNAME), FILE_A],
        [manifest(X), entry("././@PaxHeader", b"11 path=../a\n", kind=tarfile.XHDTYPE), FILE_A],
        [manifest(X, kind="storage"), FILE_A],
        [manifest(X, format_=2), FILE_A],
        [manifest(X, folders=[1]), FILE_A],
        [manifest({"path": "a"}), FILE_A],
        [entry("manifest.json", b"{"), FILE_A],
        [entry("manifest.json", b"[]"), FILE_A],
        [entry("manifest.json", size_bytes=10**12)],
        [FILE_A],
        [],
    ],
)  # fmt: skip
def test_a_hostile_archive_is_refused_and_nothing_lies_outside(tmp_path: Path, entries: list[Entry]) -> None:
    archive, target = write_snapshot(tmp_path / "hostile", entries), tmp_path / "in" / "target"
    target.parent.mkdir()
    verify(archive)
    with pytest.raises(SnapshotRefusedError):
        unpack(archive, target, kind="collection", free_bytes=FREE_BYTES)
    assert {path for path in tmp_path.rglob("*") if target not in (path, *path.parents)} == {archive, target.parent}
    assert not Path("/tmp/rag-outside").exists()  # noqa: S108


@pytest.mark.parametrize(
    "body",
    [b"", b"\x1f\x8b", b"no gzip", gzip.compress(b"no tar", mtime=0), gzip.compress(bytes(10**7))],
    ids=["nothing", "two bytes", "no gzip", "text", "zeros"],
)
def test_a_sealed_file_that_is_no_archive_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a").write_bytes(sealed(body))
    with pytest.raises(SnapshotRefusedError):
        unpack(tmp_path / "a", tmp_path / "out", kind="collection", free_bytes=FREE_BYTES)


def test_the_seal_is_as_long_as_it_says() -> None:
    assert len(sealed(b"")) == SEAL_BYTES
