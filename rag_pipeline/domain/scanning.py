"""What a look at a folder means: which files are new, changed, gone or back. Looking itself is `services.scan`."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signature:
    """What `stat` says of a file; a different signature means that the file must be read again.

    ctime is in it because `cp -p` and `rsync -t` bring back an old mtime, and may bring the same size.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the ledger remembers of a file. `is_gone`: it was missing when last looked for, or was deleted."""

    signature: Signature
    is_gone: bool


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """Paths by what happened to them, each in sorted order. A path stands in one list at most.

    Shapes:
        new: never seen before.
        changed: seen with another signature, or back with another one.
        returned: was gone, is back as it was.
        vanished: was there, is gone.
        unsettled_count: files that are still being written and wait for a later look.
    """

    new: list[bytes] = field(default_factory=list)
    changed: list[bytes] = field(default_factory=list)
    returned: list[bytes] = field(default_factory=list)
    vanished: list[bytes] = field(default_factory=list)
    unsettled_count: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the ledger already says all this."""
        return not (self.new or self.changed or self.returned or self.vanished)


def plan_scan(
    known: Mapping[bytes, KnownFile],
    seen: Mapping[bytes, Signature],
    *,
    settled_before_ns: int,
    unreadable_folders: tuple[bytes, ...] = (),
) -> ScanPlan:
    """Compare what is `seen` with what is `known`.

    Args:
        known: by path, everything the ledger has of the collection, deleted documents too.
        seen: by path, everything below the folder now.
        settled_before_ns: a file changed at or after this moment (ctime) may still be being written, and waits.
        unreadable_folders: could not be listed; nothing below them counts as vanished. `b""` is the whole folder.
    """
    plan = ScanPlan()
    unsettled_count = 0
    for path, signature in sorted(seen.items()):
        before = known.get(path)
        if before is not None and before.signature == signature:
            if before.is_gone:
                plan.returned.append(path)
        elif signature.ctime_ns >= settled_before_ns:
            unsettled_count += 1
        else:
            (plan.new if before is None else plan.changed).append(path)
    for path, before in sorted(known.items()):
        if path not in seen and not before.is_gone and not _is_below(path, unreadable_folders):
            plan.vanished.append(path)
    return ScanPlan(plan.new, plan.changed, plan.returned, plan.vanished, unsettled_count)


def _is_below(path: bytes, folders: tuple[bytes, ...]) -> bool:
    return any(folder == b"" or path.startswith(folder + b"/") for folder in folders)
