"""Unpacking a snapshot that anyone may have made.

Nothing is trusted: only regular files whose names, order, sizes and checksums are those of the manifest, only below the
target, only as much as the disk has room for. `tarfile` is not used to read: it loads an extended header of any size.
"""

import errno
import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from rag_pipeline.embedded.qdrant.problems import EngineFailedError
from rag_pipeline.embedded.qdrant.snapshots.archive import (
    FORMAT,
    MANIFEST_NAME,
    TAR_BLOCK_BYTES,
    Manifest,
    Member,
    SnapshotRefusedError,
    blocks_of,
)
from rag_pipeline.embedded.qdrant.store.copying import write_sparsely
from rag_pipeline.embedded.qdrant.store.files import sync_folder

_MAX_PADDING_BYTES = 64 * 1024
_MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_MAX_PATH_BYTES = 1024
_FAULTS_OF_NAMES = frozenset(
    {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
)
"""A folder that is not listed, a file as a folder, a name that is too long: not the disk's fault."""


def unpack(archive: Path, target: Path, *, kind: str, free_bytes: int) -> None:
    """`target` is a new folder with what the snapshot holds, on the disk.

    Call `verify` before: here, only what is inside is checked.

    Args:
        archive: the file.
        target: its parent exists.
        kind: of the snapshot that is expected.
        free_bytes: that the snapshot may claim in all, holes too.

    Raises:
        SnapshotRefusedError: the content is not what the manifest says, or would lie outside `target`.
        EngineFailedError: the disk is full.
    """
    try:
        with gzip.open(archive, "rb") as packed:
            stream = cast("BinaryIO", packed)
            manifest = _read_manifest(stream)
            _check(manifest, kind=kind, free_bytes=free_bytes)
            target.mkdir()
            for path in manifest.folders:
                (target / path).mkdir()
            for member in manifest.files:
                _unpack_file(stream, target / member.path, member)
            _read_padding(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.HeaderError, UnicodeError) as error:
        raise SnapshotRefusedError(f"the snapshot cannot be read: {error}") from error
    except OSError as error:
        if error.errno in _FAULTS_OF_NAMES:
            raise SnapshotRefusedError(f"the snapshot has names that cannot be: {error.strerror}") from error
        raise EngineFailedError(f"the snapshot could not be unpacked: {error.strerror}") from error
    for path in ("", *manifest.folders):
        sync_folder(target / path)


def _read_manifest(stream: BinaryIO) -> Manifest:
    size_bytes = _next_file(stream, MANIFEST_NAME)
    if size_bytes > _MAX_MANIFEST_BYTES:
        raise SnapshotRefusedError("the snapshot's manifest is too large")
    try:
        written = orjson.loads(b"".join(_content(stream, size_bytes)))
        if written["format"] != FORMAT:
            raise SnapshotRefusedError(f"snapshots of format {FORMAT} are read, this is one of {written['format']!r}")
        files = tuple(
            Member(_checked_path(file["path"]), int(file["size_bytes"]), str(file["sha256"]))
            for file in written["files"]
        )
        folders = tuple(_checked_path(path) for path in written["folders"])
        return Manifest(kind=str(written["kind"]), folders=folders, files=files)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise SnapshotRefusedError("the snapshot's manifest is not of the right form") from error


def _checked_path(path: object) -> str:
    """The path, when it can only lie below the folder it is joined to."""
    if not isinstance(path, str) or not path or "\0" in path or "\\" in path or len(path.encode()) > _MAX_PATH_BYTES:
        raise SnapshotRefusedError("a name in the snapshot is not one of a file")
    if {"", ".", ".."} & set(path.split("/")):
        raise SnapshotRefusedError(f"a name in the snapshot leads outside of it: {path[:100]!r}")
    return path


def _check(manifest: Manifest, *, kind: str, free_bytes: int) -> None:
    if manifest.kind != kind:
        raise SnapshotRefusedError(f"this is a snapshot of a {manifest.kind[:20]}, not of a {kind}")
    paths: Sequence[str] = [*manifest.folders, *(member.path for member in manifest.files)]
    if len(set(paths)) != len(paths):
        raise SnapshotRefusedError("a name is in the snapshot twice")
    if any(member.size_bytes < 0 for member in manifest.files):
        raise SnapshotRefusedError("a file in the snapshot has a negative size")
    # Holes count too: that bounds a bomb, and the engine will fill them.
    claimed_bytes = sum(member.size_bytes for member in manifest.files)
    if claimed_bytes > free_bytes:
        raise SnapshotRefusedError(f"the snapshot claims {claimed_bytes} bytes and {free_bytes} are free for it")


def _unpack_file(stream: BinaryIO, path: Path, member: Member) -> None:
    if _next_file(stream, member.path) != member.size_bytes:
        raise SnapshotRefusedError(f"{member.path} is not as large as the manifest says")
    digest = hashlib.sha256()
    with path.open("xb", buffering=0) as file:
        for block in _content(stream, member.size_bytes):
            digest.update(block)
            write_sparsely(file, block)
        file.truncate(member.size_bytes)
        os.fsync(file.fileno())
    if digest.hexdigest() != member.sha256:
        raise SnapshotRefusedError(f"{member.path} does not have the checksum that the manifest says")


def _next_file(stream: BinaryIO, expected: str) -> int:
    """The size of the next member, a regular file of this name. Links, devices and folders are refused."""
    entry = tarfile.TarInfo.frombuf(stream.read(TAR_BLOCK_BYTES), "utf-8", "strict")
    name = entry.name
    if entry.type == tarfile.GNUTYPE_LONGNAME and 0 < entry.size <= _MAX_PATH_BYTES + 1:
        name = b"".join(_content(stream, entry.size)).rstrip(b"\0").decode()
        entry = tarfile.TarInfo.frombuf(stream.read(TAR_BLOCK_BYTES), "utf-8", "strict")
    if entry.type != tarfile.REGTYPE or name != expected or entry.size < 0:
        raise SnapshotRefusedError(f"{expected} was to come next in the snapshot, and it is {name[:100]!r}")
    return entry.size


def _content(stream: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The content of a member, and its padding skipped.

    Raises:
        EOFError: it ends before.
    """
    left_bytes = size_bytes
    for block in blocks_of(stream, size_bytes):
        left_bytes -= len(block)
        yield block
    padding_bytes = -size_bytes % TAR_BLOCK_BYTES
    if left_bytes or len(stream.read(padding_bytes)) != padding_bytes:
        raise EOFError("it ends within a file")


def _read_padding(stream: BinaryIO) -> None:
    padding = stream.read(_MAX_PADDING_BYTES)
    if padding.strip(b"\0") or stream.read(1):
        raise SnapshotRefusedError("the snapshot goes on after its last file")
