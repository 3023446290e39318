"""The write under way, kept beside the shard, so that a killed server finishes at its next start what it had begun.

The engine's log makes one engine operation whole or absent. A request that takes several (more points than one call
may hold, all points that match a filter, a batch of updates) would be half done after `kill -9`. So such a request is
written down before its first operation and removed after its last, before it is answered. A start that finds one
repeats it from the update that had not ended: each update alone may be repeated, as what it already changed either no
longer matches or becomes the same again; a batch may not ("delete where x is 1", then "set x to 1"), which is why its
ended updates are counted.

Nothing is forced to the disk: like an acknowledged write, it survives the end of the process at once. After a power cut
the engine's log and this file may each have lost their last seconds.

Shapes:
    the file: number of ended updates as 8 digits, kind, newline, the request's body.
"""

from dataclasses import dataclass
from pathlib import Path

_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A request that was begun, and how many of its updates had ended."""

    kind: str
    body: bytes
    ended: int


@dataclass(frozen=True, slots=True)
class Intent:
    """The file of one collection. At most one request writes at a time, so there is at most one."""

    file: Path

    def begin(self, kind: str, body: bytes) -> None:
        """The request is written down, whole or not at all."""
        building = self.file.with_name(f".{self.file.name}")
        building.write_bytes(b"%0*d%s\n" % (_DIGITS, 0, kind.encode()) + body)
        building.rename(self.file)

    def ended(self, count: int) -> None:
        """The first `count` updates of the request have ended."""
        with self.file.open("r+b") as file:
            file.write(b"%0*d" % (_DIGITS, count))

    def done(self) -> None:
        """The request has ended, well or not."""
        self.file.unlink(missing_ok=True)

    def unfinished(self) -> Unfinished | None:
        """The request that a killed server had begun, when there is one."""
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return None
        head, body = content.split(b"\n", 1)
        return Unfinished(kind=head[_DIGITS:].decode(), body=body, ended=int(head[:_DIGITS]))
