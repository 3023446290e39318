"""OpenDocument: texts (ODT), presentations (ODP, a numbered page per slide), spreadsheets (ODS, tables)."""

from collections.abc import Iterator

from lxml import etree

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.formats.packages import Package, opened_package, with_days
from rag_pipeline.extraction.formats.tables import pages_of_table
from rag_pipeline.extraction.formats.xml_text import Vocabulary, text_of
from rag_pipeline.extraction.reading import Reading, Source, check_page_count

_NS = "urn:oasis:names:tc:opendocument:xmlns:{}:1.0"
_TEXT, _TABLE, _DRAW, _OFFICE = (f"{{{_NS.format(name)}}}" for name in ("text", "table", "drawing", "office"))
_META_FACTS = {
    "{http://purl.org/dc/elements/1.1/}title": "title",
    "{http://purl.org/dc/elements/1.1/}creator": "author",
    f"{{{_NS.format('meta')}}}creation-date": "created",
    "{http://purl.org/dc/elements/1.1/}date": "modified",
}
_MAX_REPEATED = 100
_MAX_DIGITS = 9
_MAX_REPEATED_CHARS = 1_000
_MANIFEST = "META-INF/manifest.xml"
_SKIPPED = frozenset(
    {f"{_TEXT}tracked-changes", f"{_OFFICE}forms", f"{_OFFICE}scripts", f"{_TEXT}sequence-decls"}
    | {f"{_OFFICE}automatic-styles", f"{_OFFICE}font-face-decls"}
)
_FIELDS = (
    *("sequence", "sequence-ref", "bookmark-ref", "reference-ref", "date", "time", "title", "subject", "author-name"),
    *("author-initials", "chapter", "user-defined", "variable-get", "variable-set", "user-field-get", "expression"),
    *("placeholder", "conditional-text", "database-display", "file-name", "creator", "description", "keywords"),
)
"""Fields, whose text is what the file shows."""

_WORDS = Vocabulary(
    paragraphs=frozenset({f"{_TEXT}p", f"{_TEXT}h"}),
    blocks=frozenset({f"{_TABLE}table"}),
    rows=frozenset({f"{_TABLE}table-row"}),
    cells=frozenset({f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"}),
    marks={f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n", f"{_TEXT}s": " "},
    texts=frozenset({f"{_TEXT}{name}" for name in ("p", "h", "span", "a", "ruby-base", "meta", "text-input")})
    | frozenset({f"{_TEXT}{name}" for name in _FIELDS}),
    skipped=_SKIPPED,
)


def read(source: Source) -> Reading:
    """Slides and tables as numbered pages; a text as one unnumbered page.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with opened_package(source) as package:
        if b"encryption-data" in (package.read(_MANIFEST) if _MANIFEST in package.names else b""):
            raise DocumentError(ReasonCode.ENCRYPTED, "it opens only with a password")
        root, facts = package.xml("content.xml"), _facts(package)
        title = facts.pop("title", None)
        if source.media_type.endswith(".presentation"):
            slides = root.iter(f"{_DRAW}page")
            pages = tuple(Page(number, text_of(slide, _WORDS)) for number, slide in enumerate(slides, 1))
        elif source.media_type.endswith(".spreadsheet"):
            pages = tuple(_tables(root))
        else:
            pages = (Page(None, text_of(root, _WORDS)),)
        check_page_count(len(pages), source.limits)
        return Reading(pages=pages, title=title, metadata={**facts})


def _facts(package: Package) -> dict[str, str]:
    meta = package.xml_or_none("meta.xml")
    if meta is None:
        return {}
    found = {
        _META_FACTS[element.tag]: (element.text or "").strip() for element in meta.iter() if element.tag in _META_FACTS
    }
    return with_days({key: fact for key, fact in found.items() if fact})


def _tables(root: etree._Element) -> Iterator[Page]:
    number = 1
    for table in root.iter(f"{_TABLE}table"):
        for page in pages_of_table(_rows(table), name=table.get(f"{_TABLE}name", ""), first_number=number):
            yield page
            number += 1


def _rows(table: etree._Element) -> Iterator[tuple[int, list[str]]]:
    number = 1
    for row in table.iter(f"{_TABLE}table-row"):
        cells = _cells(row)
        times = _times(row, "rows")
        for offset in range(min(times, _MAX_REPEATED) if any(cells) else 0):
            yield number + offset, cells
        number += times


def _times(element: etree._Element, of: str) -> int:
    """How many times it stands there."""
    spelled = element.get(f"{_TABLE}number-{of}-repeated", "1")[:_MAX_DIGITS]
    return int(spelled) if spelled.isascii() and spelled.isdecimal() else 1


def _cells(row: etree._Element) -> list[str]:
    """The texts of the cells; a cell that says it is repeated is, a few times."""
    cells: list[str] = []
    for cell in row.iter(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
        text = text_of(cell, _WORDS)
        cells += [text] * (min(_times(cell, "columns"), _MAX_REPEATED) if len(text) < _MAX_REPEATED_CHARS else 1)
    return cells
