"""JSON and JSON lines: a line per value, named by the keys it stands under; what is neither is read as text."""

import json
from collections.abc import Iterator

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.reading import Reading, Source

_MAX_LABEL_CHARS = 200


def read(source: Source) -> Reading:
    """The values as one unnumbered page; records of JSON lines have an empty line between them.

    Raises:
        DocumentError: it is too large, nested too deeply, or no encoding explains it.
    """
    decoded = decode(source.read_bytes())
    return Reading(pages=(Page(None, _text(decoded.text)),), metadata={"encoding": decoded.encoding})


def _text(text: str) -> str:
    try:
        return "\n".join(_lines(json.loads(text)))
    except ValueError:
        pass
    try:
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return text
    return "\n\n".join("\n".join(_lines(record)) for record in records)


def _lines(root: object) -> Iterator[str]:
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((f"{path}.{key}" if path else str(key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((path, item) for item in reversed(value))
        elif value is not None and value != "":
            shown = value if isinstance(value, str) else json.dumps(value)
            yield f"{path[-_MAX_LABEL_CHARS:]}: {shown}" if path else shown
