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
    {"div", "li", "tr", "dt", "dd", "caption", "figcaption", "address", "summary", "details", "option", "legend"}
    | {"title", "body", "html", "optgroup", "select", "thead", "tbody", "tfoot", "center", "dialog", "hgroup", "menu"}
)
_CELLS = frozenset({"td", "th"})
_PREFORMATTED = frozenset({"pre", "textarea", "listing", "xmp"})
_KEPT = str.maketrans(" \n\t\ue000\ue001\ue002\ue003\ue004", "\ue000\ue001\ue002\ufffd\ufffd\ufffd\ufffd\ufffd")
_UNKEPT = str.maketrans("\ue000\ue001\ue002", " \n\t")
"""Blanks of preformatted text hide in the private use area while all others are tidied; edges are put there, too."""

_PARAGRAPH_EDGE, _LINE_EDGE = "\ue003", "\ue004"

_PRIVATE = re.compile("[\ue000-\ue004]")
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_EDGES = re.compile("[ \t]*[\n\ue003\ue004][ \t\ue003\ue004]*")
_TABS = re.compile(r" *\t[ \t]*")
_MANY_NEWLINES = re.compile(r"\n{3,}")


def read(source: Source) -> Reading:
    """The visible text as one unnumbered page, and the title.

    Raises:
        DocumentError: it is too large, or no encoding explains it.
    """
    content = source.read_bytes()
    text, title, encoding = _read(content)
    return Reading(pages=(Page(None, text),), title=title, metadata={"encoding": encoding})


def visible_text(content: bytes, *, hint: str | None = None) -> tuple[str, str | None]:
    """Text and title of HTML that is part of another file, which may name its encoding.

    Raises:
        DocumentError: no encoding explains it.
    """
    return _read(content, hint=hint)[:2]


def _read(content: bytes, *, hint: str | None = None) -> tuple[str, str | None, str]:
    declared = _DECLARED.search(content, 0, _DECLARED_WITHIN_BYTES)
    decoded = decode(content, hint=declared.group(1).decode("ascii") if declared else hint)
    tree = LexborHTMLParser(decoded.text)
    title = tree.css_first("title")
    return _visible_text(tree), title.text() if title is not None else None, decoded.encoding


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
            pieces.append(text.translate(_KEPT) if preformatted else _BLANKS.sub(" ", _PRIVATE.sub("\ufffd", text)))
        elif node.tag == "br":
            pieces.append("\n")
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
    """What separates an element's text from what is around it."""
    if tag in _PARAGRAPHS:
        return _PARAGRAPH_EDGE
    if tag in _LINES:
        return _LINE_EDGE
    return "\t" if tag in _CELLS else ""


def _tidy(text: str) -> str:
    """Edges become newlines; edges that meet collapse into the widest, as margins do."""
    text = _EDGES.sub(lambda met: "\n\n" if _PARAGRAPH_EDGE in met.group() else "\n", text)
    text = _TABS.sub("\t", text)
    return _MANY_NEWLINES.sub("\n\n", text).translate(_UNKEPT).strip("\n\t ")
