"""A document as extraction gives it: pages of text with provenance. How bytes become one lives in `extraction`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Page:
    """One page of text.

    Shapes:
        number: 1-based position in the file, blank pages counted: of a page, a slide, a chapter, some rows of a table,
            a part of a mail; `None` where the format has none (Markdown, HTML, plain text), whose one Page is the whole
            text.
        text: valid UTF-8, no NUL, no lone surrogate; may be empty (a blank page).
        label: its name where it has one: as printed ("iv", "A-3"), or what it is ("Sales, rows 2-40").
    """

    number: int | None
    text: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One source file after extraction.

    Shapes:
        pages: in file order; at least one holds a non-blank character.
        media_type: of the sniffed content, never of the extension, e.g. "application/pdf".
        title: from the file's own metadata or first heading; `None` when it says none.
        language: ISO 639-1 of most of the text, or `None` when too short to tell.
        extractor: name and version of what read it, e.g. "pdf/1"; a bump re-queues documents of that format.
        metadata: small facts of the file (author, created, page_count), JSON-ready.
    """

    pages: tuple[Page, ...]
    media_type: str
    extractor: str
    title: str | None = None
    language: str | None = None
    metadata: dict[str, str | int | None] = field(default_factory=dict)

    @property
    def char_count(self) -> int:
        """Characters in all pages."""
        return sum(len(page.text) for page in self.pages)
