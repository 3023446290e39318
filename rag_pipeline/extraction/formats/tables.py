"""Tables as pages: a few rows each, each page beginning with the header row, so that a passage explains itself."""

import re
from collections.abc import Iterable, Iterator, Sequence

from rag_pipeline.domain.documents import Page

_PAGE_CHARS = 1_000
"""About one passage: more would be cut in two, and the second part would lack the header."""

_MAX_HEADER_CHARS = 300
_MAX_NAME_CHARS = 40
_MANY_EMPTY = re.compile(r"\t{4,}")


def pages_of_table(rows: Iterable[tuple[int, Sequence[str]]], *, name: str, first_number: int) -> Iterator[Page]:
    """Numbered pages from `first_number` on, labelled with the table's name and their rows.

    Args:
        rows: number of each row in the file, from 1, and its cells; rows without text are left out.
        name: of the sheet or table; empty when it has none.
        first_number: of the first page.
    """
    header = ""
    lines: list[str] = []
    first_row = last_row = size_chars = 0
    number = first_number
    for row, cells in rows:
        line = _line(cells)
        if not line:
            continue
        if lines and size_chars + len(line) > _PAGE_CHARS:
            yield Page(number, "\n".join(lines), _label(name, first_row, last_row))
            number, lines, size_chars = number + 1, [header] if header else [], len(header)
            first_row = row
        if not first_row:
            first_row, header = row, line if len(line) <= _MAX_HEADER_CHARS else ""
        lines.append(line)
        size_chars, last_row = size_chars + len(line), row
    if lines:
        yield Page(number, "\n".join(lines), _label(name, first_row, last_row))


def _line(cells: Sequence[str]) -> str:
    """The cells with tabs between them: one line, whatever is in them; many empty cells are as good as a few."""
    return _MANY_EMPTY.sub("\t\t\t", "\t".join(" ".join(cell.split()) for cell in cells)).rstrip("\t")


def _label(name: str, first_row: int, last_row: int) -> str:
    rows = f"row {first_row}" if first_row == last_row else f"rows {first_row}-{last_row}"
    return f"{name[:_MAX_NAME_CHARS]}, {rows}" if name else rows
