"""What a file is, told from its content: a media type, or the reason why it cannot be read.

The name's extension only decides between kinds of text, which content cannot tell apart, and explains a mismatch
(a `.pdf` that is none is a damaged file, not an unknown one). Which types are read is the `registry`'s business.
"""

import re
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.decoding import detect, looks_binary

_HEAD_BYTES = 1 << 16
_TAIL_BYTES = 2048
_PDF_HEADER_WITHIN_BYTES = 1024
"""Where readers still accept `%PDF-` (ISO 32000-1, implementation note 13)."""

_OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
"""The stream an encrypted docx, xlsx or pptx is wrapped in (MS-OFFCRYPTO 1.3.3)."""

_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (8, b"WAVE", "audio/wav"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"MZ", "application/x-msdownload"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (257, b"ustar", "application/x-tar"),
)
"""Source: the formats' own specifications, as collected in https://www.iana.org/assignments/media-types."""

_WRITTEN_IN_TEXT = frozenset(
    {
        "image/bmp",
        "audio/mpeg",
        "application/x-msdownload",
        "application/x-bzip2",
        "application/vnd.apache.parquet",
        "video/mp4",
    }
)
"""Marks that words can begin with ("BM", "MZ", "ID3"); they count only in front of binary content."""

_TEXT_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
)

_MAX_DECLARED_BYTES = 200
_DECLARED_TYPES = ("application/epub+zip", "application/vnd.oasis.opendocument.")
_ZIP_MEMBERS = (
    ("word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/presentation.xml", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
)

_TEXT_EXTENSIONS = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/json",
    ".ndjson": "application/json",
    ".xml": "application/xml",
    ".eml": "message/rfc822",
}
_BINARY_EXTENSIONS = frozenset({".pdf", ".docx", ".docm", ".xlsx", ".xlsm", ".pptx", ".pptm", ".odt", ".ods", ".odp"})

_HTML = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)


def media_type_of(file: BinaryIO, *, file_name: bytes) -> str:
    """The media type of `file`, once called `file_name`; it may be one that nothing reads.

    Raises:
        DocumentError: it is empty, damaged (not what its name says, a broken archive) or wrapped in encryption.
    """
    head = file.read(_HEAD_BYTES)
    size_bytes = file.seek(0, 2)
    file.seek(max(size_bytes - _TAIL_BYTES, 0))
    tail = file.read()
    if not head:
        raise DocumentError(ReasonCode.EMPTY, "0 bytes")
    extension = PurePosixPath(file_name.decode("utf-8", "replace")).suffix.lower()
    media_type = _marked(file, head, tail, extension) or _text_type(head, extension)
    if media_type is not None and not (extension == ".pdf" and media_type not in {"application/pdf", *_CLEARLY_TOLD}):
        return media_type
    if extension in _BINARY_EXTENSIONS:
        found = f"; its content is {media_type}" if media_type else ""
        raise DocumentError(ReasonCode.CORRUPT, f"not a {extension[1:].upper()} file{found}")
    return media_type or "application/octet-stream"


_CLEARLY_TOLD = frozenset({"text/html", *(media_type for _, media_type in _ZIP_MEMBERS)})
"""Types whose content names itself: a `.pdf` of such content is what it is, any other one is a damaged PDF."""


def _marked(file: BinaryIO, head: bytes, tail: bytes, extension: str) -> str | None:
    """The type that the content names itself; `None` when it names none."""
    if _is_pdf(head, tail, extension):
        return "application/pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(file, extension)
    if head.startswith(_OLE_MARK):
        return _ole_type(file)
    for offset, mark, media_type in _MARKS:
        if head.startswith(mark, offset) and (media_type not in _WRITTEN_IN_TEXT or looks_binary(head)):
            return media_type
    return next((media_type for mark, media_type in _TEXT_MARKS if head.startswith(mark)), None)


def _is_pdf(head: bytes, tail: bytes, extension: str) -> bool:
    """Whether the header is where a reader looks for it; a text that speaks of PDF has one, too, but no end mark."""
    place = head.find(b"%PDF-", 0, _PDF_HEADER_WITHIN_BYTES)
    return place == 0 or (place > 0 and (extension == ".pdf" or b"startxref" in tail))


def _zip_type(file: BinaryIO, extension: str) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            declared = archive.read("mimetype").decode("ascii", "replace").strip() if _has_small(archive) else ""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        if extension in _BINARY_EXTENSIONS:
            raise DocumentError(ReasonCode.CORRUPT, f"a damaged archive ({type(error).__name__})") from None
        return "application/zip"
    known = next((media_type for member, media_type in _ZIP_MEMBERS if member in names), None)
    return known or (declared if declared.startswith(_DECLARED_TYPES) else "application/zip")


def _has_small(archive: zipfile.ZipFile) -> bool:
    """Whether the archive names its type as OpenDocument and EPUB do: a short member (it should not be compressed)."""
    try:
        member = archive.getinfo("mimetype")
    except KeyError:
        return False
    return member.file_size <= _MAX_DECLARED_BYTES


def _ole_type(file: BinaryIO) -> str:
    file.seek(0)
    if _ENCRYPTED_PACKAGE in file.read():
        raise DocumentError(ReasonCode.ENCRYPTED, "an Office document that asks for a password")
    return "application/x-ole-storage"


def _text_type(head: bytes, extension: str) -> str | None:
    """The kind of text; `None` when it is none.

    Bytes without a known encoding still count as text (and end undecodable) where only text has the extension.
    """
    if looks_binary(head):
        return None
    encoding = detect(head)
    if encoding is None and extension in _BINARY_EXTENSIONS:
        return None
    start = head[:4096] if encoding is None else head[: 1 << 14].decode(encoding, "replace").encode("utf-8", "replace")
    if _HTML.match(start.lstrip(b"\xef\xbb\xbf")):
        return "text/html"
    if start.startswith(b"<?xml"):
        return "application/xml"
    return _TEXT_EXTENSIONS.get(extension, "text/plain")
