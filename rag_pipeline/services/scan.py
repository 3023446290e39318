"""Looking at the uploads folder: what is new, changed, gone or back is written to the ledger. Nothing is read here.

A folder below uploads is a collection; files directly in uploads, and in a folder of that name, belong to `default`.
Folders whose name begins with a dot are not collections. Links are registered, and judged when they are read.
"""

import os
import stat
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rag_pipeline.domain.collections import DEFAULT_COLLECTION, is_key, key_for_folder
from rag_pipeline.domain.deletions import decide_deletions
from rag_pipeline.domain.scanning import Signature, plan_scan
from rag_pipeline.extraction.registry import extractor_versions, formats_version
from rag_pipeline.ledger import collections, documents, work
from rag_pipeline.ledger.collections import Collection
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.services.workbench import IngestRules

_NS = 1_000_000_000
_DEFAULT_FOLDER = DEFAULT_COLLECTION.encode()


@dataclass(slots=True)
class ScanReport:
    """What a scan found, in documents. `is_busy`: another process was scanning, and nothing was done."""

    new: int = 0
    changed: int = 0
    returned: int = 0
    vanished: int = 0
    unsettled: int = 0
    held: int = 0
    new_collections: list[str] = field(default_factory=list)
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class _Look:
    """What stands below one collection's folder; `trouble`: why the folder as a whole cannot be trusted."""

    files: dict[bytes, Signature]
    unreadable: tuple[bytes, ...]
    trouble: str | None


def scan_uploads(ledger: Ledger, uploads_dir: Path, rules: IngestRules) -> ScanReport:
    """Look at every collection's folder once and bring the ledger up to what is there.

    Raises:
        LedgerUnavailableError: PostgreSQL does not answer; nothing is lost, the next scan finds the same.
    """
    report = ScanReport()
    with ledger.scanner() as is_only_scanner:
        if not is_only_scanner:
            report.is_busy = True
            return report
        _create_collections(ledger, uploads_dir, report)
        with ledger.begin() as connection:
            work.requeue_other_extractors(connection, extractor_versions(), formats=formats_version())
            known = collections.list_all(connection)
        for collection in known:
            _scan_collection(ledger, uploads_dir, collection, rules, report)
    return report


def _create_collections(ledger: Ledger, uploads_dir: Path, report: ScanReport) -> None:
    """A collection for each folder that has none; `default` once a file stands directly in uploads."""
    folders, has_loose_files = _top_level(uploads_dir)
    with ledger.begin() as connection:
        existing = collections.list_all(connection)
        taken = {collection.key for collection in existing} | {DEFAULT_COLLECTION}
        missing = folders - {collection.folder for collection in existing}
        titles = {folder: documents.printable(folder) for folder in missing}
        # Names that are keys come first: `upper` has the key `upper`, also beside a folder `UPPER`.
        for folder, title in sorted(titles.items(), key=lambda item: (not is_key(item[1]), item[0])):
            key = key_for_folder(title, taken)
            collections.create(connection, key, title=title, folder=folder)
            taken.add(key)
            report.new_collections.append(key)
        if has_loose_files and all(collection.folder != b"" for collection in existing):
            collections.create(connection, DEFAULT_COLLECTION, title="Default", folder=b"")
            report.new_collections.append(DEFAULT_COLLECTION)


def _top_level(uploads_dir: Path) -> tuple[set[bytes], bool]:
    folders: set[bytes] = set()
    has_loose_files = False
    try:
        with os.scandir(os.fsencode(uploads_dir)) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False) or entry.name == _DEFAULT_FOLDER:
                    has_loose_files = True
                elif not entry.name.startswith(b"."):
                    folders.add(entry.name)
    except OSError:
        return set(), False
    return folders, has_loose_files


def _scan_collection(
    ledger: Ledger, uploads_dir: Path, collection: Collection, rules: IngestRules, report: ScanReport
) -> None:
    settled_before_ns = time.time_ns() - int(rules.settle_s * _NS)
    look = _look(os.path.join(os.fsencode(uploads_dir), collection.folder), is_root=collection.folder == b"")  # noqa: PTH118 - Path cannot hold every name
    with ledger.begin() as connection:
        known = documents.known_files(connection, collection.key)
        plan = plan_scan(known, look.files, settled_before_ns=settled_before_ns, unreadable_folders=look.unreadable)
        if not plan.is_empty:
            documents.register(
                connection, collection.key, {path: look.files[path] for path in [*plan.new, *plan.changed]}
            )
            documents.mark_returned(connection, collection.key, plan.returned)
            documents.mark_vanished(connection, collection.key, plan.vanished)
    report.new += len(plan.new)
    report.changed += len(plan.changed)
    report.returned += len(plan.returned)
    report.vanished += len(plan.vanished)
    report.unsettled += plan.unsettled_count
    report.held += _guard(ledger, collection, look.trouble, rules)


def _guard(ledger: Ledger, collection: Collection, trouble: str | None, rules: IngestRules) -> int:
    """Release the deletions that may happen; returns how many wait for a person."""
    with ledger.begin() as connection:
        vanished = documents.list_vanished(connection, collection.key)
        if not vanished:
            collections.set_held_deletions(connection, collection.key, 0, None)
            return 0
        # A folder that is being emptied is judged once nothing more vanishes, so that it counts as one deletion.
        newest = max(moment for _document, moment in vanished)
        if newest > documents.now(connection) - timedelta(seconds=rules.settle_s):
            return collection.held_deletions
        candidates = [document for document, _moment in vanished]
        decision = decide_deletions(
            candidates,
            present_hashes=documents.present_hashes(
                connection, [document.content_hash for document in candidates if document.content_hash]
            ),
            # Without what came in their place: another disk under the same name is no reason to delete.
            total=documents.count_before(connection, collection.key, min(moment for _document, moment in vanished)),
            rule=rules.guard,
            root_trouble=trouble,
        )
        waiting = documents.maybe_moved(connection, decision.released)
        documents.want_deleted(connection, [document for document in decision.released if document not in waiting])
        collections.set_held_deletions(connection, collection.key, len(decision.held), decision.reason)
    return len(decision.held)


def _look(folder: bytes, *, is_root: bool) -> _Look:
    """Everything below `folder` that is not a folder, by path relative to it. Links are not followed."""
    if not is_root and os.path.islink(folder):  # noqa: PTH114 - bytes
        # Put there in place of the folder: it would lead out of the uploads folder.
        return _Look({}, (), "is a link")
    files: dict[bytes, Signature] = {}
    unreadable: list[bytes] = []
    trouble = None
    waiting = [b""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, below) if below else folder) as entries:  # noqa: PTH118 - bytes
                could_look = [_take(entry, below, files, waiting) for entry in entries]
            if not all(could_look):
                unreadable.append(below)
            if is_root:
                waiting = [path for path in waiting if path.split(b"/", 1)[0] == _DEFAULT_FOLDER]
        except OSError as error:
            unreadable.append(below)
            if below == b"":
                trouble = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    if trouble is not None:
        # Everything counts as vanished then, and waits for a person.
        return _Look({}, (), trouble)
    return _Look(files, tuple(unreadable), None if files else "is empty")


def _take(entry: "os.DirEntry[bytes]", below: bytes, files: dict[bytes, Signature], waiting: list[bytes]) -> bool:
    """Note one entry; returns whether that was possible."""
    path = below + b"/" + entry.name if below else entry.name
    try:
        if entry.is_dir(follow_symlinks=False):
            waiting.append(path)
            return True
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            status = _target(entry) or status
    except FileNotFoundError:
        return True  # gone between listing and looking
    except OSError:
        return False  # a folder that may be listed but not entered, a failing disk: nothing there counts as gone
    files[path] = Signature(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return True


def _target(entry: "os.DirEntry[bytes]") -> os.stat_result | None:
    """What a link points at, so that a change of the target is a change of the document; None: not a file."""
    try:
        status = entry.stat(follow_symlinks=True)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
