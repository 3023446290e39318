"""XLSX (and XLSM, whose macros are never looked at): each sheet as a table of the values that the file shows.

openpyxl streams the rows, so that what a sheet says of its size costs nothing. A formula without a kept value has none.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from openpyxl import load_workbook
from openpyxl.workbook import Workbook

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.formats.packages import core_facts, opened_package
from rag_pipeline.extraction.formats.tables import pages_of_table
from rag_pipeline.extraction.reading import Reading, Source, check_page_count, check_text_length

_EXACT_BELOW = 2.0**53
_MOST_ROWS = 1_048_576
"""Of a sheet, as Excel has it."""


def read(source: Source) -> Reading:
    """Pages of a few rows, sheet after sheet; a hidden sheet is left out.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with opened_package(source) as package:
        facts = core_facts(package)
        title = facts.pop("title", None)
        with source.open() as file:
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            pages, char_count = [], 0
            for page in _pages(workbook):
                char_count += len(page.text)
                check_text_length(char_count, source.limits)
                check_page_count(len(pages), source.limits)
                pages.append(page)
            return Reading(pages=tuple(pages), title=title, metadata={**facts, "sheet_count": len(workbook.worksheets)})


def _pages(workbook: Workbook) -> Iterator[Page]:
    number = 1
    for sheet in workbook.worksheets:
        if sheet.sheet_state != "visible":
            continue
        sheet.reset_dimensions()  # pyright: ignore[reportAttributeAccessIssue] - of a read-only sheet
        rows = enumerate(sheet.iter_rows(values_only=True), 1)
        for page in pages_of_table(_shown(rows), name=sheet.title, first_number=number):
            yield page
            number += 1


def _shown(rows: Iterable[tuple[int, Iterable[object]]]) -> Iterator[tuple[int, list[str]]]:
    for number, cells in rows:
        if number > _MOST_ROWS:
            raise DocumentError(ReasonCode.TOO_COMPLEX, f"a sheet with more than {_MOST_ROWS} rows")
        yield number, [_cell(value) for value in cells]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_BELOW:
        return str(int(value))
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
