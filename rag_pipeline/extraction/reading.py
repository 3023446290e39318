"""What a format module is given (`Source`) and gives back (`Reading`), and how a Reading becomes a Document.

The rules that hold for every format are applied here once: valid text, the limits, "no text". How a format is read
lives in `formats`; how text is repaired in `cleaning`.
"""

from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from rag_pipeline.domain.documents import Document, Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.cleaning import clean, clean_line

_MAX_LABEL_CHARS = 80
_MAX_TITLE_CHARS = 500


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """How much one file may cost.

    Shapes:
        timeout_s: wall clock of one file, from request to answer.
        max_memory_bytes: address space of the child. Measured 2026-11-20: a PDF of 3,000 pages takes 45 MB of it.
        max_file_bytes: refused before a byte is read.
        max_text_chars: of all pages together.
        max_pages: of a paged format.
    """

    timeout_s: float = 60.0
    max_memory_bytes: int = 1_500_000_000
    max_file_bytes: int = 200_000_000
    max_text_chars: int = 10_000_000
    max_pages: int = 20_000


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read, already recognised.

    Shapes:
        origin: where it is; or its bytes, for a file inside another (`parts`).
        depth: how many files it is inside of.
    """

    origin: Path | bytes
    media_type: str
    limits: ExtractionLimits
    depth: int = 0

    def open(self) -> BinaryIO:
        """The file, to be read from its beginning and closed by the caller."""
        return self.origin.open("rb") if isinstance(self.origin, Path) else BytesIO(self.origin)

    def read_bytes(self) -> bytes:
        """The whole file.

        Raises:
            DocumentError: it holds more than `max_file_bytes`.
        """
        size_bytes = self.origin.stat().st_size if isinstance(self.origin, Path) else len(self.origin)
        if size_bytes > self.limits.max_file_bytes:
            raise DocumentError(ReasonCode.TOO_LARGE, f"{size_bytes} bytes, the limit is {self.limits.max_file_bytes}")
        return self.origin.read_bytes() if isinstance(self.origin, Path) else self.origin


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format module found; text may still hold anything a str can."""

    pages: tuple[Page, ...]
    title: str | None = None
    metadata: dict[str, str | int | None] = field(default_factory=dict)


def check_text_length(char_count: int, limits: ExtractionLimits) -> None:
    """Refuse more text than the limit; a format that reads piece by piece asks after each piece.

    Raises:
        DocumentError: there are more than `max_text_chars` characters.
    """
    if char_count > limits.max_text_chars:
        raise DocumentError(ReasonCode.TOO_MUCH_TEXT, f"more than {limits.max_text_chars} characters of text")


def check_page_count(count: int, limits: ExtractionLimits) -> None:
    """Refuse more pages than the limit.

    Raises:
        DocumentError: there are more than `max_pages`.
    """
    if count > limits.max_pages:
        raise DocumentError(ReasonCode.TOO_COMPLEX, f"more than {limits.max_pages} pages")


def finish(reading: Reading, *, source: Source, extractor: str) -> Document:
    """The Document of a Reading: text cleaned, limits held; its language is told later, by `language`.

    Raises:
        DocumentError: no page holds a visible character, or all together hold too many.
    """
    check_text_length(sum(len(page.text) for page in reading.pages), source.limits)
    pages = tuple(
        replace(page, text=clean(page.text), label=clean_line(page.label, max_chars=_MAX_LABEL_CHARS))
        for page in reading.pages
    )
    if not any(_has_visible(page.text) for page in pages):
        raise DocumentError(ReasonCode.NO_TEXT, "nothing but blank space")
    return Document(
        pages=pages,
        media_type=source.media_type,
        extractor=extractor,
        title=clean_line(reading.title, max_chars=_MAX_TITLE_CHARS),
        metadata={
            key: clean_line(value, max_chars=_MAX_TITLE_CHARS) if isinstance(value, str) else value
            for key, value in reading.metadata.items()
        },
    )


def _has_visible(text: str) -> bool:
    return bool(text.strip(_INVISIBLE))


_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\ufffd\u00ad" + "".join(
    chr(code) for code in range(0x3001) if chr(code).isspace()
)
"""Blank space, joiners and marks of the unreadable: a page of nothing else has no text."""
