"""Snapshots that nobody should trust, made for the tests: sealed rightly, with anything inside."""

import gzip
import hashlib
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import orjson

from rag_pipeline.embedded.qdrant.snapshots import archive as snapshots

Entry = tuple[tarfile.TarInfo, bytes]


def sealed(body: bytes) -> bytes:
    """A snapshot whose packed archive is `body`, as its maker would end it."""
    return body + snapshots._seal(hashlib.sha256(body).hexdigest())


def entry(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, size_bytes: int | None = None) -> Entry:
    """A member of a tar archive; `size_bytes` lies about its size."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    info.size = len(content) if size_bytes is None else size_bytes
    return info, content


def tar_of(entries: Sequence[Entry]) -> bytes:
    """The members, padded, and the end of an archive."""
    written = b"".join(
        info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512) for info, content in entries
    )
    return written + bytes(10_240 - len(written) % 10_240)


def listed(name: str, content: bytes = b"", *, size_bytes: int | None = None) -> dict[str, object]:
    """A file as a manifest names it."""
    return {
        "path": name,
        "size_bytes": len(content) if size_bytes is None else size_bytes,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def manifest(*files: object, folders: Sequence[object] = (), kind: object = "collection", format_: object = 1) -> Entry:
    """The manifest as the first member."""
    return entry(
        "manifest.json", orjson.dumps({"format": format_, "kind": kind, "folders": list(folders), "files": list(files)})
    )


def write_snapshot(path: Path, entries: Sequence[Entry]) -> Path:
    """A rightly sealed snapshot file of these members."""
    path.write_bytes(sealed(gzip.compress(tar_of(entries))))
    return path


def plain_tar() -> bytes:
    """What a Qdrant server's snapshot looks like from outside: a tar archive."""
    into = BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("config.json"))
    return into.getvalue()
