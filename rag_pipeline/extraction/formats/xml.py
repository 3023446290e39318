"""XML of any kind: the text of its elements, a line each, and the values of its attributes."""

from lxml import etree

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.formats.packages import damage_is_named, parse_xml
from rag_pipeline.extraction.reading import Reading, Source


def read(source: Source) -> Reading:
    """The text as one unnumbered page; XML that no parser accepts is read as the text it is.

    Raises:
        DocumentError: it is too large, or no encoding explains it.
    """
    content = source.read_bytes()
    try:
        with damage_is_named():
            text = _text(content)
    except DocumentError:
        text = decode(content).text
    return Reading(pages=(Page(None, text),))


def _text(content: bytes) -> str:
    lines: list[str] = []
    for event, node in etree.iterwalk(parse_xml(content), events=("start", "end", "comment", "pi")):
        if event == "start":
            lines += [f"{_short(str(name))}: {value}" for name, value in node.attrib.items()]
        lines.append((node.text if event == "start" else node.tail) or "")
    return "\n".join(stripped for line in lines if (stripped := line.strip()))


def _short(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition("}")[2]
