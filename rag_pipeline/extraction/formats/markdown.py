"""Markdown: the text as its author wrote it, marks included, and its title.

Nothing is rendered: the marks tell a reader of a passage as much as they told its author, and code stays code.
"""

import re

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.reading import Reading, Source

_HEAD_CHARS = 20_000
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)", re.DOTALL)
_TITLE_LINE = re.compile(r"^title:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_ATX = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_LINK = re.compile(r"!?\[([^\]\n]{0,500})\]\([^)\n]{0,2000}\)")


def read(source: Source) -> Reading:
    """The whole text, titled by its front matter or its first heading.

    Raises:
        DocumentError: it is too large, or no encoding explains it.
    """
    decoded = decode(source.read_bytes())
    head = decoded.text[:_HEAD_CHARS]
    return Reading(
        pages=(Page(None, decoded.text),),
        title=_title(head),
        metadata={"encoding": decoded.encoding},
    )


def _title(head: str) -> str | None:
    front_matter = _FRONT_MATTER.match(head)
    if front_matter is None:
        return _first_heading(head)
    title = _TITLE_LINE.search(front_matter.group(1))
    if title is None:
        return _first_heading(head[front_matter.end() :])
    return title.group(1).strip().strip("\"'")


def _first_heading(head: str) -> str | None:
    """The text of the first heading that is not in a fenced block; links are named, not spelled out."""
    before = ""
    fence: str | None = None
    for line in head.splitlines():
        mark = _FENCE.match(line)
        if mark is not None and (fence is None or mark.group(1).startswith(fence)):
            fence = mark.group(1) if fence is None else None
        elif fence is None:
            atx = _ATX.match(line)
            heading = atx.group(1) if atx else before if _SETEXT.match(line) else ""
            if heading.strip():
                return _LINK.sub(r"\1", heading).strip()
        before = line if fence is None else ""
    return None
