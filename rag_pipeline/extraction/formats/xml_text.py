"""The text of an XML tree whose elements mean paragraphs, cells, tabs; walked without recursion."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

_BLANKS = (" ", "\n", "\t")
_BLANK_LINES = re.compile(r"\n{3,}")
_CELL_ENDS = re.compile(r"(?<! ) +\t")
_LINE_ENDS = re.compile(r"(?<![ \t])[ \t]+\n")
"""Looked for where blanks begin only: else many blanks take the square of their number."""


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
    lines = _Lines(words)
    for element, is_end in _walk(root, words.skipped):
        if not is_end:
            lines.begin(element)
            continue
        lines.end(element)
        if element is not root and _counts(element.getparent(), words):
            lines.add(element.tail)
    return _tidy("".join(lines.pieces))


@dataclass(slots=True)
class _Lines:
    """The text so far; no piece is empty."""

    words: Vocabulary
    pieces: list[str] = field(default_factory=list)
    rows_open: int = 0

    def add(self, piece: str | None) -> None:
        if piece:
            self.pieces.append(piece)

    def begin(self, element: etree._Element) -> None:
        words, tag = self.words, element.tag
        self.rows_open += tag in words.rows
        if tag in words.paragraphs and self.pieces and not self.pieces[-1].endswith(_BLANKS):
            self._end_line()  # a paragraph inside another: a text box, a note
        self.add("\n" if tag in words.blocks else words.marks.get(tag))
        if _counts(element, words):
            self.add(element.text)

    def end(self, element: etree._Element) -> None:
        words, tag = self.words, element.tag
        if tag in words.rows:
            self.rows_open -= 1
        if tag in words.paragraphs or tag in words.rows:
            self._end_line()
        elif tag in words.cells:
            self.add("\t")
        elif tag in words.blocks and not self.rows_open:
            self.add("\n")

    def _end_line(self) -> None:
        """Inside a row, everything is one line."""
        self.add(" " if self.rows_open else "\n")


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
    return _BLANK_LINES.sub("\n\n", _LINE_ENDS.sub("\n", _CELL_ENDS.sub("\t", text))).strip("\n")
