"""Values at a path of a payload, as groups need them: the engine filters by paths but does not read them out."""

import re
from collections.abc import Sequence

_STEP = re.compile(r'"(?P<quoted>[^"]*)"|\[(?P<index>\d*)\]|(?P<key>[^".\[\]]+)')

Step = str | int | None
"""A key, an index, or None for every item of a list."""


def values_at(payload: object, path: str) -> list[object]:
    """The values at `path`; of a list that is found there, its items."""
    found = _walk(payload, [_step(match) for match in _STEP.finditer(path)])
    return [item for value in found for item in (value if isinstance(value, list) else [value])]


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return int(match["index"]) if match["index"] else None
    return match["key"] if match["quoted"] is None else match["quoted"]


def _walk(value: object, steps: Sequence[Step]) -> list[object]:
    if not steps:
        return [value]
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        return _walk(value[step], rest) if isinstance(value, dict) and step in value else []
    if not isinstance(value, list):
        return []
    items = value if step is None else value[step : step + 1]
    return [found for item in items for found in _walk(item, rest)]
