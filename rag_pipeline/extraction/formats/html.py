"""HTML: the text a reader sees, blocks on lines of their own; never scripts, styles, comments or what is hidden.

Parsed by lexbor, which follows the HTML standard and keeps its tree on the heap; the tree is walked without recursion,
so that depth costs no stack (20,000 nested divs are a known attack).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.reading import Reading, Source

_DECLARED_WITHIN_BYTES = 1024
"""Where browsers look for the encoding (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding)."""

_DECLARED = re.compile(
    rb"""<(?:meta\s[^>]*?charset|\?xml\s[^>]*?encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE
)
_NEVER_SEEN = frozenset(
    {"script", "style", "template", "noscript", "head", "iframe", "object", "embed", "audio", "video", "canvas", "svg"}
    | {"datalist", "noembed", "noframes"}
)
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
_PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol", "dl", "figure", "hr"}
    | {"section", "article", "main", "header", "footer", "nav", "aside", "form", "fieldset"}
)
_LINES = frozenset(
    {"div", "li", "tr", "br", "dt", "dd", "caption", "figcaption", "address", "summary", "details", "option", "legend"}
    | {"title", "body", "html", "optgroup", "select", "thead", "tbody", "tfoot", "center", "dialog", "hgroup", "menu"}
)
_CELLS = frozenset({"td", "th"})
_PREFORMATTED = frozenset({"pre", "textarea", "listing", "xmp"})
_KEPT = str.maketrans({" ": "\x01", "\n": "\x02", "\t": "\x03", "\x01": "\ufffd", "\x02": "\ufffd", "\x03": "\ufffd"})
_UNKEPT = str.maketrans({"\x01": " ", "\x02": "\n", "\x03": "\t"})
"""Blanks of preformatted text stand in for themselves while all others are tidied."""

_BLANKS = re.compile(r"[ \t\r\n\f]+")
_TABS = re.compile(r" *\t[ \t]*")
_AROUND_NEWLINE = re.compile(r"[ \t]*\n[ \t]*")
_MANY_NEWLINES = re.compile(r"\n{3,}")


def read(source: Source) -> Reading:
    """The visible text as one unnumbered page, and the title.

    Raises:
        DocumentError: it is too large, or no encoding explains it.
    """
    content = source.read_bytes()
    declared = _DECLARED.search(content, 0, _DECLARED_WITHIN_BYTES)
    decoded = decode(content, hint=declared.group(1).decode("ascii") if declared else None)
    tree = LexborHTMLParser(decoded.text)
    title = tree.css_first("title")
    return Reading(
        pages=(Page(None, _visible_text(tree)),),
        title=title.text() if title is not None else None,
        metadata={"encoding": decoded.encoding},
    )


def _visible_text(tree: LexborHTMLParser) -> str:
    pieces: list[str] = []
    waiting: list[LexborNode | _End] = [tree.root] if tree.root is not None else []
    preformatted = 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, _End):
            pieces.append(node.edge)
            preformatted -= node.is_preformatted
        elif node.is_text_node:
            text = node.text_content or ""
            pieces.append(text.translate(_KEPT) if preformatted else _BLANKS.sub(" ", text))
        elif node.is_element_node and _is_visible(node):
            end = _End(_edge(node.tag or ""), is_preformatted=node.tag in _PREFORMATTED)
            pieces.append(end.edge)
            preformatted += end.is_preformatted
            waiting.append(end)
            waiting.extend(_children_last_first(node))
    return _tidy("".join(pieces))


@dataclass(frozen=True, slots=True)
class _End:
    """What is left to do when an element's content has been walked."""

    edge: str
    is_preformatted: bool


def _children_last_first(node: LexborNode) -> Iterator[LexborNode]:
    child = node.last_child
    while child is not None:
        yield child
        child = child.prev


def _is_visible(node: LexborNode) -> bool:
    if node.tag in _NEVER_SEEN:
        return False
    attributes = node.attributes
    return "hidden" not in attributes and not _HIDING_STYLE.search(attributes.get("style") or "")


def _edge(tag: str) -> str:
    """What separates an element's text from what is around it: a blank line, a line, a tab, or nothing."""
    if tag in _PARAGRAPHS:
        return "\n\n"
    if tag in _LINES:
        return "\n"
    return "\t" if tag in _CELLS else ""


def _tidy(text: str) -> str:
    text = _TABS.sub("\t", text)
    text = _AROUND_NEWLINE.sub("\n", text)
    return _MANY_NEWLINES.sub("\n\n", text).translate(_UNKEPT).strip()
