"""Handing files in: copied below the uploads folder atomically, registered, then followed until they end."""

import errno
import filecmp
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import sqlalchemy as sa

from rag_pipeline.domain.collections import DEFAULT_COLLECTION, check_key
from rag_pipeline.domain.ids import document_id
from rag_pipeline.errors import DiskFullError, FileVanishedError, UsageError
from rag_pipeline.ledger import collections, documents
from rag_pipeline.ledger.documents import DocumentRow
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.services.scan import scan_uploads
from rag_pipeline.services.workbench import IngestRules

INCOMING = ".incoming"
"""Folder below uploads where copies are made before they are renamed into place; never a collection."""

_LOOK_EVERY_S = 0.25
_REGISTER_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was handed in: the collection's key, and the documents by id with their paths."""

    collection: str
    paths: dict[UUID, bytes]


def copy_in(source: Path, *, collection: str, ledger: Ledger, uploads_dir: Path) -> Submitted:
    """Copy a file, or all files below a folder, into the collection's folder.

    A file that is there already with the same bytes is left alone; one with other bytes is replaced in one step.

    Raises:
        InvalidCollectionKeyError: `collection` is not a key.
        UsageError: there is nothing at `source`, it holds no file, it is the uploads folder itself, or some of it
            cannot be read or written (what was copied before that is found like any other file).
        DiskFullError: the uploads folder has no room for it.
    """
    folder = _folder_of(ledger, check_key(collection))
    target = uploads_dir / os.fsdecode(folder)
    with _sentences(source):
        files = list(_files_below(source))
    if not files:
        raise UsageError(f"There is no file at {source}.")
    if source.resolve() == target.resolve() or uploads_dir.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{source} already is in, or holds, the uploads folder: its files are found without `ingest`.")
    incoming = uploads_dir / INCOMING
    with _sentences(source):
        incoming.mkdir(parents=True, exist_ok=True)
        for file, relative in files:
            _place(file, target / relative, incoming)
    paths = [os.fsencode(relative) for _file, relative in files]
    return Submitted(collection, {document_id(collection, path): path for path in paths})


def register(ledger: Ledger, submitted: Submitted, *, uploads_dir: Path, rules: IngestRules) -> None:
    """Scan until the ledger has every submitted file as it is now on disk.

    Raises:
        UsageError: it does not after a minute, because something keeps writing to them.
    """
    deadline = time.monotonic() + _REGISTER_TIMEOUT_S
    while time.monotonic() < deadline:
        report = scan_uploads(ledger, uploads_dir, rules)
        if not report.is_busy and not report.unsettled:
            with ledger.begin() as connection:
                known = {row.id for row in documents.list_by_id(connection, list(submitted.paths))}
            if known >= set(submitted.paths):
                return
        time.sleep(_LOOK_EVERY_S)
    raise UsageError(
        "The files keep changing while they are looked at; run `ingest` again when nothing writes to them."
    )


def follow(
    ledger: Ledger, submitted: Submitted, *, is_worked_on: Callable[[], bool] = lambda: True
) -> Iterator[list[DocumentRow]]:
    """The submitted documents as they stand, again and again, until all have ended or nobody works on them.

    One whose file is gone and whose deletion waits for a person is not worked on: `file_vanished` is its end here.
    """
    while True:
        is_last_look = not is_worked_on()
        with ledger.begin() as connection:
            rows = documents.list_by_id(connection, list(submitted.paths))
            held = _held(connection, submitted.collection)
        waits = {row.id for row in rows if not row.is_ended and row.id in held}
        yield [
            replace(row, reason=FileVanishedError.code, detail=held[row.id]) if row.id in waits else row for row in rows
        ]
        if is_last_look or all(row.is_ended or row.id in waits for row in rows):
            return
        time.sleep(_LOOK_EVERY_S)


def _held(connection: sa.Connection, collection: str) -> dict[UUID, str]:
    """By document: why it waits for a person, in a sentence."""
    reason = collections.get(connection, collection).held_reason
    if reason is None:
        return {}
    detail = f"The file is gone and its deletion waits ({reason}): put it back, or run `confirm-deletions`."
    return {document.document_id: detail for document, _moment in documents.list_vanished(connection, collection)}


def _folder_of(ledger: Ledger, collection: str) -> bytes:
    with ledger.begin() as connection:
        known = {row.key: row.folder for row in collections.list_all(connection)}
    return known.get(collection, b"" if collection == DEFAULT_COLLECTION else collection.encode())


def _files_below(source: Path) -> Iterator[tuple[Path, Path]]:
    """Regular files with their path relative to `source` (a single file: its name). Links are not followed."""
    if source.is_file():
        yield source, Path(source.name)
        return
    if not source.exists():
        return
    for folder, _folders, names in os.walk(source, onerror=_raise):
        for name in sorted(names):
            file = Path(folder) / name
            if stat.S_ISREG(file.lstat().st_mode):
                yield file, file.relative_to(source)


def _raise(error: OSError) -> None:
    """What `os.walk` would pass over: a folder left out in silence is documents that nobody misses."""
    raise error


@contextmanager
def _sentences(source: Path) -> Iterator[None]:
    """What the system refuses, as our own errors."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or source
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(f"{source} cannot be copied in: no room left for {place}.") from error
        raise UsageError(f"{source} cannot be copied in: {place}: {error.strerror or error}.") from error


def _place(file: Path, target: Path, incoming: Path) -> None:
    if target.is_file() and filecmp.cmp(file, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = incoming / uuid4().hex
    try:
        shutil.copy2(file, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
