"""DOCX (and DOCM, whose macros are never looked at): body, tables as rows, text boxes, notes, comments.

Deleted text of tracked changes is left out; of the two forms in which a drawing may be given, the first is read.
"""

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.formats.packages import Package, core_facts, opened_package
from rag_pipeline.extraction.formats.xml_text import Vocabulary, text_of
from rag_pipeline.extraction.reading import Reading, Source

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_FORMULA_TEXTS = frozenset({"{http://schemas.openxmlformats.org/officeDocument/2006/math}t"})
_MAIN = "word/document.xml"
_BESIDE = ("word/footnotes.xml", "word/endnotes.xml", "word/comments.xml")


def _named(*names: str) -> frozenset[str]:
    return frozenset(space + name for space in (_W, _STRICT) for name in names)


_WORDS = Vocabulary(
    paragraphs=_named("p"),
    blocks=_named("tbl"),
    rows=_named("tr"),
    cells=_named("tc"),
    marks={
        space + name: mark
        for space in (_W, _STRICT)
        for name, mark in (("tab", "\t"), ("br", "\n"), ("cr", "\n"), ("noBreakHyphen", "-"), ("softHyphen", "\u00ad"))
    },
    texts=_named("t") | _FORMULA_TEXTS,
    skipped=_named("del", "moveFrom", "pPr", "rPr", "tblPr", "trPr", "tcPr", "sectPr", "instrText") | {_FALLBACK},
)


def read(source: Source) -> Reading:
    """The whole text as one unnumbered page.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with opened_package(source) as package:
        facts = core_facts(package)
        title = facts.pop("title", None)
        return Reading(pages=(Page(None, _text(package)),), title=title, metadata={**facts})


def _text(package: Package) -> str:
    roots = [package.xml(_MAIN), *(root for name in _BESIDE if (root := package.xml_or_none(name)) is not None)]
    return "\n\n".join(text for root in roots if (text := text_of(root, _WORDS)))
