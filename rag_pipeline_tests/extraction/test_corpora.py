"""Real and hostile files that nobody here wrote end as their manifest says; real documents give the phrases they hold.

The files are not part of the project (many licences); without them these tests skip.
"""

import csv
import re
import unicodedata
from pathlib import Path

import pytest

from rag_pipeline.domain.documents import Document
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.extraction.sandbox import Extractor
from rag_pipeline.extraction.snapshot import take_snapshot

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
_ABSENT = pytest.param("", "", marks=pytest.mark.skip(reason="the shared corpora are not beside this checkout"))
_LIMIT = 200_000_000

_NOT_READ = (".msg", ".doc")
_OURS = frozenset({ReasonCode.INTERNAL_ERROR, ReasonCode.EXTRACTOR_CRASHED})
_RECORDED = frozenset(ReasonCode) - _OURS
_REASONS_SAID = {
    "encrypted": {ReasonCode.ENCRYPTED},
    "damaged": {ReasonCode.CORRUPT},
    "not a PDF": {ReasonCode.CORRUPT},
    "not a zip": {ReasonCode.CORRUPT},
    "entities forbidden": {ReasonCode.CORRUPT},
    "too many entries": {ReasonCode.TOO_COMPLEX},
    "malformed": {ReasonCode.CORRUPT},
    "does not match": {ReasonCode.CORRUPT, ReasonCode.UNSUPPORTED_TYPE},
    "no text layer": {ReasonCode.NEEDS_OCR},
    "no text": {ReasonCode.NO_TEXT},
    "empty file": {ReasonCode.EMPTY},
    "binary": {ReasonCode.UNSUPPORTED_TYPE},
    "unsupported": {ReasonCode.UNSUPPORTED_TYPE},
    "undecodable": {ReasonCode.UNDECODABLE},
    "past the limit": {ReasonCode.MEMORY_LIMIT, ReasonCode.TIME_LIMIT, ReasonCode.TOO_MUCH_TEXT, ReasonCode.TOO_LARGE},
    "too deep": {ReasonCode.TOO_COMPLEX},
    "any terminal state": _RECORDED,
}
_JUDGED_HERE = {
    "adversarial/real/poi__sheetProtection_allLocked.xlsx": {ReasonCode.NO_TEXT},  # its three sheets have no cell
    "adversarial/real/pdfminer.six__encrypted_doc_no_id.pdf": {ReasonCode.NEEDS_OCR},  # opens: one picture, no text
}


def _rows(name: str, columns: tuple[str, str]) -> list[object]:
    """Two columns of a table of the corpora; one skipped case when they are absent."""
    if not (CORPORA / name).exists():
        return [_ABSENT]
    with (CORPORA / name).open(newline="") as file:
        return [(row[columns[0]], row[columns[1]]) for row in csv.DictReader(file)]


def _documents() -> list[object]:
    rows = _rows("MANIFEST.csv", ("path", "expected"))
    read = ("docs/", "adversarial/")
    return [
        row
        for row in rows
        if row is _ABSENT or (isinstance(row, tuple) and row[0].startswith(read) and not row[0].endswith(".py"))
    ]


def _probe_cases() -> list[object]:
    return _rows("PROBES.csv", ("path", "phrase_that_extracted_text_must_contain"))


def _extract(extractor: Extractor, path: str, folder: Path) -> Document:
    with take_snapshot(CORPORA, path.encode(), directory=folder, max_file_bytes=_LIMIT) as snapshot:
        return extractor.extract(snapshot.path, file_name=path.encode())


def _allowed(path: str, expected: str) -> frozenset[ReasonCode]:
    """The reasons that the manifest's words allow."""
    said = set(_JUDGED_HERE.get(path, set()))
    for words, reasons in _REASONS_SAID.items():
        if words in expected:
            said |= reasons
    if path.endswith(_NOT_READ):
        said |= {ReasonCode.UNSUPPORTED_TYPE, ReasonCode.CORRUPT}
    return frozenset(said)


@pytest.mark.parametrize(("path", "expected"), _documents())
def test_a_file_of_the_corpora_ends_as_its_manifest_says(
    extractor: Extractor, tmp_path: Path, path: str, expected: str
) -> None:
    try:
        document = _extract(extractor, path, tmp_path)
    except DocumentError as error:
        assert error.reason in _allowed(path, expected), error  # noqa: PT017 - either end may be the right one
        return
    assert "indexed" in expected
    for page in document.pages:
        page.text.encode()
        assert "\0" not in page.text


@pytest.mark.parametrize(("path", "phrase"), _probe_cases())
def test_a_document_of_the_corpora_holds_its_phrases(
    extractor: Extractor, tmp_path: Path, path: str, phrase: str
) -> None:
    document = _extract(extractor, path, tmp_path)
    assert _comparable(phrase) in _comparable("\n".join(page.text for page in document.pages))


def probes() -> list[tuple[str, str]]:
    """Path and phrase of every probe; none without the corpora."""
    return [(str(row[0]), str(row[1])) for row in _probe_cases() if isinstance(row, tuple) and row is not _ABSENT]


def holds(path: str, phrase: str, folder: Path) -> bool:
    """Whether the extracted text of the file holds the phrase."""
    with Extractor(ExtractionLimits()) as extractor:
        document = _extract(extractor, path, folder)
    return _comparable(phrase) in _comparable("\n".join(page.text for page in document.pages))


def _comparable(text: str) -> str:
    joined = re.sub(r"(?<=\w)-\s*\n\s*(?=\w)", "", unicodedata.normalize("NFKC", text))
    return " ".join(joined.casefold().split())


_WORDS = [
    ("adversarial/text/pt-cp1252.txt", "ação de cobrança"),
    ("adversarial/text/pt-cp850.txt", "não prescreve"),
    ("adversarial/text/pt-utf16be-nobom.txt", "não prescreve"),
    ("adversarial/text/pt-utf32-bom.txt", "ação de cobrança"),
    ("adversarial/text/pt-utf8-bom.txt", "não prescreve"),
    ("adversarial/text/gb18030.txt", "这是用于检查文档字符编码的文本"),
    ("adversarial/html/charset-lie.html", "A ação de cobrança não prescreve"),
    ("adversarial/html/deep-div-20000.html", "marker deep html"),
    ("adversarial/html/hidden.html", "marker visible"),
    ("adversarial/pdf/enc-owner-only-aes128.pdf", "base-1"),
    ("docs/txt/tika__english.cp500.txt", "IntelliStation POWER"),
    ("adversarial/office/nested-tables-300.docx", "marker nested tables"),
    ("adversarial/eml/encoded-words-pt.eml", "Relatório de ação"),
]


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
@pytest.mark.parametrize(("path", "words"), _WORDS)
def test_hostile_encodings_and_marks_still_read(extractor: Extractor, tmp_path: Path, path: str, words: str) -> None:
    document = _extract(extractor, path, tmp_path)
    text = "\n".join(page.text for page in document.pages)
    assert words in text
    assert not re.search("secret|base64|maybe hidden|tmpl", text)


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
def test_no_local_file_comes_in_through_an_entity(extractor: Extractor, tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        _extract(extractor, "adversarial/bombs/xxe.docx", tmp_path)
    assert caught.value.reason is ReasonCode.CORRUPT


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
def test_the_pages_of_long_and_blank_pdfs_keep_their_numbers(extractor: Extractor, tmp_path: Path) -> None:
    long = _extract(extractor, "adversarial/pdf/3000-pages.pdf", tmp_path)
    assert [page.number for page in long.pages if "long-2999" in page.text] == [2999]
    mixed = _extract(extractor, "adversarial/pdf/mixed-blank.pdf", tmp_path)
    assert [page.number for page in mixed.pages if page.text.strip()] == [2, 4, 6, 8, 10]
