"""The text of an XML tree whose elements mean paragraphs, cells, tabs; walked without recursion."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"[ \t]+\n")
_EVERYTHING = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the elements of one kind of XML mean, by their full names.

    Shapes:
        paragraphs: end with a newline.
        blocks: begin and end with an empty line (tables).
        rows: end with a newline; the paragraphs inside their cells do not.
        cells: are parted by a tab.
        marks: stand for these characters.
        texts: whose own text counts; empty for every element's.
        skipped: not looked into.
    """

    paragraphs: frozenset[str]
    blocks: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    cells: frozenset[str] = frozenset()
    marks: dict[str, str] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()


def text_of(root: etree._Element, words: Vocabulary) -> str:
    """The text in reading order: a line per paragraph, a line per table row with tabs between its cells."""
    pieces: list[str] = []
    rows_open = 0
    for element, is_end in _walk(root, words.skipped):
        tag = element.tag
        if not is_end:
            rows_open += tag in words.rows
            pieces.append("\n" if tag in words.blocks else words.marks.get(tag, ""))
            if not words.texts or tag in words.texts:
                pieces.append(element.text or "")
            continue
        if tag in words.paragraphs:
            pieces.append(" " if rows_open else "\n")
        elif tag in words.cells:
            pieces.append("\t")
        elif tag in words.rows:
            rows_open -= 1
            pieces.append(" " if rows_open else "\n")
        elif tag in words.blocks:
            pieces.append("" if rows_open else "\n")
        if element is not root and element.tail and _counts(element.getparent(), words):
            pieces.append(element.tail)
    return _tidy("".join(pieces))


def _walk(root: etree._Element, skipped: frozenset[str]) -> Iterator[tuple[etree._Element, bool]]:
    """Each element at its start and, True, at its end. Of comments, instructions and skipped ones only the end."""
    waiting: list[tuple[etree._Element, bool]] = [(root, False)]
    while waiting:
        element, is_end = waiting.pop()
        if is_end or not isinstance(element.tag, str) or element.tag in skipped:
            yield element, True
            continue
        yield element, False
        waiting.append((element, True))
        waiting.extend((child, False) for child in reversed(element))


def _counts(element: etree._Element | None, words: Vocabulary) -> bool:
    return element is not None and (not words.texts or element.tag in words.texts)


def _tidy(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", _LINE_ENDS.sub("\n", text)).strip("\n")
