"""What parent and child say to each other: length-prefixed JSON, nothing that executes.

The child may be owned by what it reads, so the parent bounds each answer and believes only what has the right shape.
Who sends what when is `sandbox` and `child`.
"""

import os
import struct
from pathlib import Path
from typing import Any

import orjson

from rag_pipeline.domain.documents import Document, Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.cleaning import clean, clean_line
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.extraction.registry import FORMATS

HEADER = struct.Struct(">I")
READY = b"ready"
MAX_REQUEST_BYTES = 1 << 20
_BYTES_PER_CHAR = 6
"""At most: a control character as \\u0007."""

_BYTES_PER_PAGE = 400
_MAX_DETAIL_CHARS = 300
_READ_BYTES = 1 << 20


class WireError(Exception):
    """The other side said something that has not the agreed shape."""


def max_answer_bytes(limits: ExtractionLimits) -> int:
    """What an honest answer within the limits can take."""
    return limits.max_text_chars * _BYTES_PER_CHAR + limits.max_pages * _BYTES_PER_PAGE + MAX_REQUEST_BYTES


def write_frame(descriptor: int, message: bytes) -> None:
    """Send one message."""
    remaining = memoryview(HEADER.pack(len(message)) + message)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def read_frame(descriptor: int, *, max_bytes: int) -> bytes | None:
    """The next message; `None` when the other side is gone.

    Raises:
        WireError: it is longer than `max_bytes`.
    """
    header = _read_exactly(descriptor, HEADER.size)
    if header is None:
        return None
    (size_bytes,) = HEADER.unpack(header)
    if size_bytes > max_bytes:
        raise WireError(f"a message of {size_bytes} bytes, the limit is {max_bytes}")
    return _read_exactly(descriptor, size_bytes)


def _read_exactly(descriptor: int, size_bytes: int) -> bytes | None:
    received = bytearray()
    while len(received) < size_bytes:
        block = os.read(descriptor, min(size_bytes - len(received), _READ_BYTES))
        if not block:
            return None
        received += block
    return bytes(received)


def encode_request(path: Path, file_name: bytes) -> bytes:
    """Which file to read; both names are bytes of any kind."""
    return orjson.dumps({"path": os.fsencode(path).hex(), "file_name": file_name.hex()})


def decode_request(message: bytes) -> tuple[Path, bytes]:
    """The inverse of `encode_request`."""
    request = orjson.loads(message)
    return Path(os.fsdecode(bytes.fromhex(request["path"]))), bytes.fromhex(request["file_name"])


def encode_document(document: Document) -> bytes:
    """A Document as the child sends it."""
    return orjson.dumps({"document": document})


def encode_error(error: DocumentError) -> bytes:
    """A DocumentError as the child sends it."""
    return orjson.dumps({"reason": error.reason.value, "detail": clean(error.detail[:_MAX_DETAIL_CHARS])})


def decode_answer(message: bytes, *, limits: ExtractionLimits) -> Document:
    """The Document the child sent.

    Raises:
        DocumentError: the child sent one.
        WireError: it sent something else.
    """
    try:
        answer = orjson.loads(message)
        if "reason" in answer:
            detail = clean_line(answer["detail"], max_chars=_MAX_DETAIL_CHARS)
            raise DocumentError(ReasonCode(answer["reason"]), detail or "")
        document = _document(answer["document"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"not an answer ({type(error).__name__})") from None
    if document.char_count > limits.max_text_chars:
        raise WireError("more text than agreed")
    return document


def _document(sent: dict[str, Any]) -> Document:
    media_type = _text(sent["media_type"])
    return Document(
        pages=tuple(
            Page(_whole_number(page["number"]), _text(page["text"]), _text_or_none(page["label"]))
            for page in sent["pages"]
        ),
        media_type=media_type,
        extractor=FORMATS[media_type].extractor,
        title=_text_or_none(sent["title"]),
        language=_text_or_none(sent["language"]),
        metadata={
            _text(key): value if isinstance(value, int) else _text_or_none(value)
            for key, value in sent["metadata"].items()
        },
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _whole_number(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError
    return value
