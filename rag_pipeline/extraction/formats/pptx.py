"""PPTX: a numbered page per slide in the order of the show, with its tables and its speaker notes."""

import posixpath

from lxml import etree

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.formats.packages import Package, core_facts, opened_package
from rag_pipeline.extraction.formats.xml_text import Vocabulary, text_of
from rag_pipeline.extraction.reading import Reading, Source, check_page_count, check_text_length

_A = ("{http://schemas.openxmlformats.org/drawingml/2006/main}", "{http://purl.oclc.org/ooxml/drawingml/main}")
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_RELATION_IDS = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships}id",
)
_MAIN = "ppt/presentation.xml"
_WORDS = Vocabulary(
    paragraphs=frozenset(space + "p" for space in _A),
    blocks=frozenset(space + "tbl" for space in _A),
    rows=frozenset(space + "tr" for space in _A),
    cells=frozenset(space + "tc" for space in _A),
    marks={space + "br": "\n" for space in _A},
    texts=frozenset(space + "t" for space in _A),
    skipped=frozenset({_FALLBACK}),
)
_NOT_NOTES = frozenset({"sldNum", "sldImg", "hdr", "ftr", "dt"})
"""Placeholders of a notes page that repeat the slide, or number it."""


def read(source: Source) -> Reading:
    """A page per slide; a slide that the file lost stays as an empty page, so that the others keep their numbers.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with opened_package(source) as package:
        facts = core_facts(package)
        title = facts.pop("title", None)
        slides = _slides(package)
        check_page_count(len(slides), source.limits)
        pages, char_count = [], 0
        for number, name in enumerate(slides, 1):
            text = "" if name in slides[: number - 1] else _slide(package, name)
            char_count += len(text)
            check_text_length(char_count, source.limits)
            pages.append(Page(number, text))
        return Reading(pages=tuple(pages), title=title, metadata={**facts, "slide_count": len(pages)})


def _slides(package: Package) -> list[str]:
    """The members of the slides, in the order of the show."""
    targets = _targets(package, _MAIN)
    ids = (e for e in package.xml(_MAIN).iter() if isinstance(e.tag, str) and e.tag.endswith("}sldId"))
    return [targets.get(_relation(element), "") for element in ids]


def _relation(element: etree._Element) -> str:
    return next((value for name in _RELATION_IDS if (value := element.get(name))), "")


def _targets(package: Package, name: str) -> dict[str, str]:
    """Relation id -> member, for the relations of the member `name`."""
    folder, file = posixpath.split(name)
    relations = f"{folder}/_rels/{file}.rels"
    if relations not in package.names:
        return {}
    return {
        element.get("Id", ""): posixpath.normpath(posixpath.join(folder, element.get("Target", ""))).lstrip("/")
        for element in package.xml(relations)
        if isinstance(element.tag, str) and element.get("TargetMode") != "External"
    }


def _slide(package: Package, name: str) -> str:
    if name not in package.names:
        return ""
    notes = [one for one in _targets(package, name).values() if "notesSlide" in one and one in package.names]
    return "\n\n".join([text_of(package.xml(name), _WORDS), *(_notes(package.xml(one)) for one in notes)])


def _notes(root: etree._Element) -> str:
    for shape in root.findall(f".//{_P}sp"):
        placeholder = shape.find(f".//{_P}ph")
        parent = shape.getparent()
        if placeholder is not None and placeholder.get("type") in _NOT_NOTES and parent is not None:
            parent.remove(shape)
    return text_of(root, _WORDS)
