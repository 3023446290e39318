"""PDF: text page by page from pdfium, with pypdf's opinion where pdfium has none.

pdfium reads a page in about 1 ms, pypdf in 12 (measured 2026-11-20 on 401 pages), but pypdf opens some damaged files
that pdfium refuses, and keeps words whole whose letters are set one by one. Facts (title, author, dates, labels) come
from whichever opened the file; the two agree. Nothing is rendered: a page of pictures needs OCR, not done here.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.formats.pdf_second_opinion import SecondOpinion
from rag_pipeline.extraction.reading import ExtractionLimits, Reading, Source, check_page_count, check_text_length

_FACTS = ("Title", "Author", "CreationDate", "ModDate")
_HYPHEN_AT_LINE_END = "\ufffe"
"""What pdfium puts for a hyphen it joined two lines at (measured 2026-11-20: `carbon\\ufffefree`)."""

_ENCRYPTION_ERRORS = frozenset({pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY})
_WHOLE_WORDS_FROM = 2.6
"""Letters per word. Measured 2026-11-20: real pages have 3.2 to 7; one with its letters set one by one 1.8."""

_MIN_WORDS = 8
_WORD = re.compile(r"[^\W\d_]+")
_BLANKS = re.compile(r"\s+")
_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")


@dataclass(slots=True)
class _Findings:
    """What was found so far.

    Shapes:
        texts: of each page in order; `None` for a page that could not be read.
        picture_pages: how many pages hold pictures and no text.
    """

    texts: list[str | None]
    labels: list[str | None]
    facts: dict[str, str]
    picture_pages: int = 0


def read(source: Source) -> Reading:
    """Every page with its number, blank ones too.

    Raises:
        DocumentError: it asks for a password, is damaged, holds pictures only or nothing, or is larger than the limits.
    """
    opinion = SecondOpinion(source)
    try:
        with pypdfium2.PdfDocument(source.origin) as document:
            findings = _read_with_pdfium(document, source.limits)
    except pypdfium2.PdfiumError as error:
        if error.err_code in _ENCRYPTION_ERRORS:
            raise DocumentError(ReasonCode.ENCRYPTED, "it opens only with a password") from None
        findings = _read_with_pypdf(opinion, source.limits)
    else:
        _fill_gaps(findings, opinion)
    _check_has_text(findings)
    return _reading(findings)


def _read_with_pdfium(document: pypdfium2.PdfDocument, limits: ExtractionLimits) -> _Findings:
    page_count = len(document)
    check_page_count(page_count, limits)
    findings = _Findings(texts=[], labels=[], facts=_facts(document))
    char_count = 0
    for index in range(page_count):
        text = _page_text(document, index, findings)
        char_count += len(text or "")
        check_text_length(char_count, limits)
        findings.texts.append(text)
        findings.labels.append(_decoded(lambda index=index: document.get_page_label(index)))
    return findings


def _facts(document: pypdfium2.PdfDocument) -> dict[str, str]:
    facts = {key: _decoded(lambda key=key: document.get_metadata_value(key)) for key in _FACTS}
    return {key: fact for key, fact in facts.items() if fact}


def _decoded(ask: Callable[[], str]) -> str | None:
    """What pdfium says; `None` for nothing, and for UTF-16 with half a character in it, which its binding refuses."""
    try:
        return ask() or None
    except UnicodeDecodeError:
        return None


def _page_text(document: pypdfium2.PdfDocument, index: int, findings: _Findings) -> str | None:
    """The page's text, `""` when it has none, `None` when it cannot be read."""
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return None
    try:
        text_page = page.get_textpage()
        try:
            text = text_page.get_text_range().replace(_HYPHEN_AT_LINE_END, "-\n")
        finally:
            text_page.close()
        if not text.strip() and _has_picture(page):
            findings.picture_pages += 1
    except pypdfium2.PdfiumError:
        return None
    finally:
        page.close()
    return text


def _has_picture(page: pypdfium2.PdfPage) -> bool:
    return any(True for _ in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]))


def _read_with_pypdf(opinion: SecondOpinion, limits: ExtractionLimits) -> _Findings:
    """What pypdf can make of a file that pdfium refuses."""
    page_count = opinion.page_count()
    check_page_count(page_count, limits)
    findings = _Findings(texts=[], labels=opinion.labels(page_count), facts=opinion.facts())
    char_count = 0
    for index in range(page_count):
        text = opinion.page_text(index)
        char_count += len(text or "")
        check_text_length(char_count, limits)
        findings.texts.append(text)
    if not any(findings.texts):
        raise DocumentError(ReasonCode.CORRUPT, "a damaged PDF: no page of it can be read")
    return findings


def _fill_gaps(findings: _Findings, opinion: SecondOpinion) -> None:
    """Better text of pages pdfium could not read or took apart; of all, when it found no text and no pictures."""
    is_blank = not any((text or "").strip() for text in findings.texts) and not findings.picture_pages
    for index, text in enumerate(findings.texts):
        if text is None or is_blank:
            findings.texts[index] = opinion.page_text(index) or text
        elif _letters_per_word(text) < _WHOLE_WORDS_FROM:
            other = opinion.page_text(index) or ""
            if _is_the_same_in_whole_words(other, text):
                findings.texts[index] = other


def _letters_per_word(text: str) -> float:
    """The mean length of what stands between blanks; infinite for a page too short to tell, or without such words."""
    words = [word for word in _WORD.findall(text) if word.lower() != word.upper()]  # scripts with capitals only
    return sum(map(len, words)) / len(words) if len(words) >= _MIN_WORDS else math.inf


def _is_the_same_in_whole_words(other: str, text: str) -> bool:
    return _BLANKS.sub("", other) == _BLANKS.sub("", text) and len(other.split()) < len(text.split())


def _check_has_text(findings: _Findings) -> None:
    if any((text or "").strip() for text in findings.texts):
        return
    if findings.picture_pages:
        raise DocumentError(ReasonCode.NEEDS_OCR, f"pages of pictures: {findings.picture_pages}; with text: none")
    if None in findings.texts or not findings.texts:
        raise DocumentError(ReasonCode.CORRUPT, "a damaged PDF: its pages cannot be read")
    raise DocumentError(ReasonCode.NO_TEXT, f"blank pages: {len(findings.texts)}; others: none")


def _reading(findings: _Findings) -> Reading:
    facts = findings.facts
    return Reading(
        pages=tuple(
            Page(number, text or "", label)
            for number, (text, label) in enumerate(zip(findings.texts, findings.labels, strict=True), start=1)
        ),
        title=facts.get("Title"),
        metadata={
            "author": facts.get("Author"),
            "created": _iso_date(facts.get("CreationDate")),
            "modified": _iso_date(facts.get("ModDate")),
            "page_count": len(findings.texts),
            "picture_pages": findings.picture_pages,
            "unreadable_pages": findings.texts.count(None),
        },
    )


def _iso_date(written: str | None) -> str | None:
    """`2011-09-02` of `D:20110902052425`; `None` for what is no such date."""
    match = _DATE.match(written or "")
    return "-".join(part for part in match.groups() if part) if match else None
