"""A private copy of one source file, opened without leaving the collection's folder and hashed while it is copied.

Everything after reads the copy: what is hashed is what is extracted, whatever happens to the source meanwhile.
Which files there are is the scanner's business, what they mean the extractor's.
"""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rag_pipeline.errors import (
    DiskFullError,
    DocumentError,
    FileChangingError,
    FileUnreachableError,
    FileVanishedError,
    FolderMissingError,
    ReasonCode,
)

_COPY_BYTES = 1 << 20
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""O_NONBLOCK: opening a FIFO nobody writes to would block for ever."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A private copy of a file and what was true of the original; a context manager that removes the copy.

    Shapes:
        path: of the copy.
        content_hash: SHA-256 of its bytes, 32 bytes; a caller that knows the content stops here.
        mtime_ns, ctime_ns: of the source, the same before and after it was read.
    """

    path: Path
    content_hash: bytes
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)


def take_snapshot(root: Path, relative_path: bytes, *, directory: Path, max_file_bytes: int) -> Snapshot:
    """A copy, in `directory`, of the file at `relative_path` (raw bytes, `/` between parts) under `root`.

    Links are followed only where their real path stays inside `root`.

    Raises:
        DocumentError: it cannot become a document (outside, not a file, empty, too large, unreadable, path too long).
        FileVanishedError: nothing is there any more.
        FileChangingError: it was written to meanwhile.
        FileUnreachableError: the disk or the network under it failed.
        FolderMissingError: `root` cannot be opened, or is a link.
        DiskFullError: `directory` has no room for the copy.
    """
    with _translated_errors():
        source = _open_inside(root, relative_path)
    try:
        return _copy(source, directory=directory, max_file_bytes=max_file_bytes)
    finally:
        os.close(source)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """What the system says of the file, in our words; what it says of us (no descriptors left) stays as it is."""
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}:
            raise FileVanishedError("the file is no longer there") from None
        if error.errno == errno.ENAMETOOLONG:
            raise DocumentError(ReasonCode.PATH_TOO_LONG, "the system cannot open a path this long") from None
        if error.errno == errno.ELOOP:
            raise FileChangingError("a part of the path became a link while it was opened") from None
        if error.errno in {errno.ENXIO, errno.ENODEV, errno.EISDIR, errno.EOPNOTSUPP}:
            raise DocumentError(ReasonCode.NOT_A_FILE, name) from None
        if error.errno in {errno.EIO, errno.ETIMEDOUT}:
            raise FileUnreachableError(f"the disk or the network under it failed: {name}") from None
        if error.errno in {errno.EACCES, errno.EPERM, errno.EINVAL}:
            raise DocumentError(ReasonCode.UNREADABLE, f"the system refuses: {name}") from None
        raise


def _open_inside(root: Path, relative_path: bytes) -> int:
    """A descriptor of the file. No step of the way there is a link, so nothing can be swapped in underneath."""
    parts = relative_path.split(b"/")
    if b"\0" in relative_path or any(part in {b"", b".", b".."} for part in parts):
        raise DocumentError(ReasonCode.LINK_OUTSIDE, "the path is not one inside the folder")
    try:
        # A link put in the folder's place would lead out of the uploads folder, whose own links are resolved before.
        folder = os.open(root, _DIRECTORY_FLAGS)
    except OSError as error:
        raise FolderMissingError(f"the folder {root} cannot be opened: {error.strerror}") from None
    try:
        opened = _walk(folder, parts)
        if opened is None:
            opened = _walk(folder, _real_parts(root, relative_path))
        if opened is None:
            raise FileChangingError("a link on the path changed while it was followed")
        return opened
    finally:
        os.close(folder)


def _walk(folder: int, parts: list[bytes]) -> int | None:
    """A descriptor of the file at `parts` below `folder`; `None` when one of them is a link."""
    here = os.dup(folder)
    try:
        for part in parts[:-1]:
            if stat.S_ISLNK(os.stat(part, dir_fd=here, follow_symlinks=False).st_mode):
                return None
            below = os.open(part, _DIRECTORY_FLAGS, dir_fd=here)
            os.close(here)
            here = below
        leaf = os.stat(parts[-1], dir_fd=here, follow_symlinks=False)
        if stat.S_ISLNK(leaf.st_mode):
            return None
        _check_kind(leaf)  # before opening: opening a device can already do something
        return os.open(parts[-1], _FILE_FLAGS, dir_fd=here)
    finally:
        os.close(here)


def _real_parts(root: Path, relative_path: bytes) -> list[bytes]:
    """The path below `root` that links lead to.

    Raises:
        DocumentError: they lead outside, nowhere, or in a circle.
    """
    real_root = os.path.realpath(os.fsencode(root))
    try:
        real = os.path.realpath(os.path.join(real_root, relative_path), strict=True)  # noqa: PTH118 - bytes, no Path
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise DocumentError(ReasonCode.NOT_A_FILE, "a link that leads nowhere") from None
        raise
    prefix = real_root.rstrip(b"/") + b"/"
    if not real.startswith(prefix):
        raise DocumentError(ReasonCode.LINK_OUTSIDE, "a link leads out of the folder")
    return real[len(prefix) :].split(b"/")


def _check_kind(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise DocumentError(ReasonCode.NOT_A_FILE, f"a {kind}, not a regular file")


_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def _check_size(size_bytes: int, max_file_bytes: int) -> None:
    if size_bytes > max_file_bytes:
        raise DocumentError(ReasonCode.TOO_LARGE, f"{size_bytes} bytes, the limit is {max_file_bytes}")


def _copy(source: int, *, directory: Path, max_file_bytes: int) -> Snapshot:
    before = os.fstat(source)
    _check_kind(before)
    _check_size(before.st_size, max_file_bytes)
    if before.st_size == 0:
        raise DocumentError(ReasonCode.EMPTY, "0 bytes")
    copy, name = _new_file(directory)
    path = Path(name)
    try:
        with open(copy, "wb", buffering=0) as target:  # noqa: PTH123 - a descriptor
            content_hash, size_bytes = _pour(source, target.fileno(), max_file_bytes)
        after = os.fstat(source)
        _check_unchanged(before, after, size_bytes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Snapshot(path, content_hash, size_bytes, before.st_mtime_ns, before.st_ctime_ns)


def _pour(source: int, target: int, max_file_bytes: int) -> tuple[bytes, int]:
    """Everything of `source` into `target`; its SHA-256 and how many bytes it was."""
    digest = hashlib.sha256()
    size_bytes = 0
    while True:
        with _translated_errors():
            block = os.read(source, _COPY_BYTES)
        if not block:
            return digest.digest(), size_bytes
        size_bytes += len(block)
        _check_size(size_bytes, max_file_bytes)
        digest.update(block)
        _write_all(target, block)


def _write_all(target: int, block: bytes) -> None:
    remaining = memoryview(block)
    while remaining:
        try:
            remaining = remaining[os.write(target, remaining) :]
        except OSError as error:
            raise _disk_full_or(error) from None


def _new_file(directory: Path) -> tuple[int, str]:
    """A new file that only we can read: its descriptor and its name."""
    try:
        return tempfile.mkstemp(prefix="snapshot-", dir=directory)
    except OSError as error:
        raise _disk_full_or(error) from None


def _disk_full_or(error: OSError) -> Exception:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError("no room left for the private copy of a source file; free space in the data folder")
    return error


def _check_unchanged(before: os.stat_result, after: os.stat_result, size_bytes: int) -> None:
    if size_bytes != before.st_size or _signature(before) != _signature(after):
        raise FileChangingError("the file was written to while it was read")


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
