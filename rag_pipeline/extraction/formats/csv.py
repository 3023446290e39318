"""CSV and TSV as tables; what is no table after all is read as the text it is."""

import csv
import re
from collections.abc import Iterator
from io import StringIO

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.formats.tables import pages_of_table
from rag_pipeline.extraction.reading import Reading, Source, check_page_count, check_text_length

_SAMPLE_CHARS = 2_000
"""The sniffer takes the square of it for quotes at the ends of many lines."""

_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n")
"""How Excel is told the delimiter."""

_DELIMITERS = ",;\t|"
_MAX_CELL_CHARS = 200_000
"""An unbalanced quote makes one cell of the rest of the file: then it is no table."""


def read(source: Source) -> Reading:
    """Pages of a few rows each, or the whole text as one unnumbered page.

    Raises:
        DocumentError: it is past a limit, or no encoding explains it.
    """
    decoded = decode(source.read_bytes())
    check_text_length(len(decoded.text), source.limits)
    metadata: dict[str, str | int | None] = {"encoding": decoded.encoding}
    try:
        pages = tuple(pages_of_table(_rows(decoded.text, source.media_type), name="", first_number=1))
    except csv.Error:
        pages = (Page(None, decoded.text),)
    check_page_count(len(pages), source.limits)
    return Reading(pages=pages, metadata=metadata)


def _rows(text: str, media_type: str) -> Iterator[tuple[int, list[str]]]:
    text = text.lstrip("\ufeff")
    csv.field_size_limit(_MAX_CELL_CHARS)
    delimiter = "\t" if media_type == "text/tab-separated-values" else _delimiter(text[:_SAMPLE_CHARS])
    if separator := _SEPARATOR_LINE.match(text):
        delimiter, text = separator.group(1), text[separator.end() :]
    return enumerate(csv.reader(StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter), 1)


def _delimiter(sample: str) -> str:
    """The one that parts the first lines into equally many cells; a comma when none does."""
    try:
        return csv.Sniffer().sniff(sample, delimiters=_DELIMITERS).delimiter
    except csv.Error:
        return max(_DELIMITERS, key=sample.count) if any(one in sample for one in _DELIMITERS) else ","
