"""JSON and JSON lines: a line per value, named by the keys it stands under; what is neither is read as text."""

import json
from collections.abc import Iterator

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.reading import ExtractionLimits, Reading, Source, check_text_length

_MAX_LABEL_CHARS = 200


def read(source: Source) -> Reading:
    """The values as one unnumbered page; records of JSON lines have an empty line between them.

    Raises:
        DocumentError: it is too large, nested too deeply, or no encoding explains it.
    """
    decoded = decode(source.read_bytes())
    return Reading(pages=(Page(None, _text(decoded.text, source.limits)),), metadata={"encoding": decoded.encoding})


def _text(text: str, limits: ExtractionLimits) -> str:
    try:
        return _joined([json.loads(text, parse_float=str)], limits)
    except ValueError:
        pass
    try:
        records = [json.loads(line, parse_float=str) for line in text.split("\n") if line.strip()]
    except ValueError:
        return text
    return _joined(records, limits)


def _joined(records: list[object], limits: ExtractionLimits) -> str:
    """The records with an empty line between them.

    Raises:
        DocumentError: the lines are longer than the limit: a key is repeated before each value below it.
    """
    texts, char_count = [], 0
    for record in records:
        lines = []
        for line in _lines(record):
            char_count += len(line)
            check_text_length(char_count, limits)
            lines.append(line)
        texts.append("\n".join(lines))
    return "\n\n".join(texts)


def _lines(root: object) -> Iterator[str]:
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((_below(path, str(key)), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((path, item) for item in reversed(value))
        elif value is not None and value != "":
            shown = value if isinstance(value, str) else json.dumps(value)
            yield f"{path}: {shown}" if path else shown


def _below(path: str, key: str) -> str:
    return (f"{path}.{key}" if path else key)[-_MAX_LABEL_CHARS:]
