"""EPUB: a numbered page per chapter, in reading order."""

import posixpath
import re
from urllib.parse import unquote

from lxml import etree

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.formats.html import visible_text
from rag_pipeline.extraction.formats.packages import Package, opened_package
from rag_pipeline.extraction.reading import Reading, Source, check_page_count, check_text_length

_SELF_CLOSED = re.compile(
    rb"<(title|script|style|textarea|iframe|noscript|noembed|noframes|object)\b([^<>]*)/>", re.IGNORECASE
)
_CONTAINER = "META-INF/container.xml"
_ROOT_FILE = "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"


def read(source: Source) -> Reading:
    """A page per document of the spine, labelled with its own title.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with opened_package(source) as package:
        if "META-INF/encryption.xml" in package.names and "META-INF/rights.xml" in package.names:
            raise DocumentError(ReasonCode.ENCRYPTED, "the book is protected against copying")
        root_file = next((e.get("full-path", "") for e in package.xml(_CONTAINER).iter(_ROOT_FILE)), "")
        book = package.xml(root_file)
        pages, char_count = [], 0
        for number, name in enumerate(_chapters(book, posixpath.dirname(root_file)), 1):
            check_page_count(number, source.limits)
            text, title = _chapter(package, name)
            char_count += len(text)
            check_text_length(char_count, source.limits)
            pages.append(Page(number, text, title))
        return Reading(pages=tuple(pages), title=_fact(book, "title"), metadata=_facts(book))


def _chapter(package: Package, name: str) -> tuple[str, str | None]:
    """Text and title; nothing of what is no text: a picture may be a chapter."""
    if name not in package.names:
        return "", None
    try:
        # In XHTML an element may close itself that in HTML would swallow what follows.
        return visible_text(_SELF_CLOSED.sub(rb"<\1\2></\1>", package.read(name)))
    except DocumentError:
        return "", None


def _chapters(book: etree._Element, folder: str) -> list[str]:
    hrefs = {item.get("id"): item.get("href", "") for item in book.iter(f"{_OPF}item")}
    names = [hrefs.get(reference.get("idref"), "") for reference in book.iter(f"{_OPF}itemref")]
    return list(dict.fromkeys(posixpath.normpath(posixpath.join(folder, unquote(name))) for name in names if name))


def _facts(book: etree._Element) -> dict[str, str | int | None]:
    found = {"author": _fact(book, "creator"), "created": (_fact(book, "date") or "")[:10] or None}
    return {key: fact for key, fact in found.items() if fact}


def _fact(book: etree._Element, name: str) -> str | None:
    element = next(book.iter(f"{_DC}{name}"), None)
    return (element.text or "").strip() or None if element is not None else None
