"""Copies that keep holes: the engine's files claim 33 MB each and are mostly holes.

A collection of 1,000 points claims 172 MB and takes 4 MB (measured 2026-11-25, qdrant-edge-py 0.9.0).
"""

import errno
import os
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path

_BLOCK_BYTES = 64 * 1024
_ZEROS = bytes(_BLOCK_BYTES)


def copy_tree(source: Path, target: Path) -> None:
    """`target` is a new folder with the same folders and files; nothing of it is flushed.

    Raises:
        ValueError: there is something else than folders and files in `source`.
    """
    target.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
            raise ValueError(f"{entry} is neither a folder nor a file")
        if entry.is_dir():
            copy_tree(entry, target / entry.name)
        else:
            copy_file(entry, target / entry.name)


def copy_file(source: Path, target: Path) -> None:
    """`target` is a new file with the content of `source`; blocks of zeros become holes."""
    with source.open("rb", buffering=0) as reader, target.open("xb", buffering=0) as writer:
        size_bytes = os.fstat(reader.fileno()).st_size
        for start, end in _extents(reader.fileno(), size_bytes):
            reader.seek(start)
            writer.seek(start)
            while (left_bytes := end - reader.tell()) > 0 and (block := reader.read(min(_BLOCK_BYTES, left_bytes))):
                write_sparsely(writer, block)
        writer.truncate(size_bytes)


def write_sparsely(writer: RawIOBase, block: bytes) -> int:
    """How many bytes take room on the disk: parts that are all zero do not, they become holes.

    The caller truncates the file to its size at the end.
    """
    written_bytes = 0
    for start in range(0, len(block), _BLOCK_BYTES):
        part = memoryview(block)[start : start + _BLOCK_BYTES]
        if part == _ZEROS[: len(part)]:
            writer.seek(len(part), os.SEEK_CUR)
            continue
        written_bytes += len(part)
        while part:
            part = part[writer.write(part) or 0 :]
    return written_bytes


def _extents(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """The parts of the file that are not holes, as far as the file system tells."""
    position = 0
    while position < size_bytes:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # the file system knows no holes
                yield position, size_bytes
            return
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, position
