"""Slices of the id space: the binding has no such condition, so a slice becomes the ids that are in it.

Which ids are in which slice is ours to choose: Qdrant promises only that slices are disjoint, together hold every
point, and stay as they are. They are not the slices of a Qdrant server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from rag_pipeline.embedded.qdrant.problems import ValidationError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import UNSIGNED_64, JsonObject, integer, known, required

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import PointId

SPELLED = b'"slice"'
"""What a body without it has no slices; one that spells it with escapes is refused by `filters`."""

_MAX_DEPTH = 128


def without_slices(body: object, ids: Callable[[], Sequence[PointId]], *, depth: int = 0) -> object:
    """The body of a read with every slice condition replaced by the `ids` that are in the slice."""
    if depth > _MAX_DEPTH:
        raise WrongInputError(f"a request with slices nests at most {_MAX_DEPTH} levels")
    if isinstance(body, list):
        return [without_slices(item, ids, depth=depth + 1) for item in body]
    if not isinstance(body, dict):
        return body
    if body.keys() == {"slice"}:
        return {"has_id": _in_slice(body["slice"], ids())}
    return {key: without_slices(item, ids, depth=depth + 1) for key, item in body.items()}


def _in_slice(value: object, ids: Sequence[PointId]) -> list[int | str]:
    given: JsonObject = known(value, of="slice")
    total = integer(required(given, "total", of="slice"), of="slice.total", least=1)
    index = integer(required(given, "index", of="slice"), of="slice.index")
    if index >= total:
        raise ValidationError(f"slice.index: value {index} invalid, must be less than {total}")
    mixed = _mixed(np.array([_as_number(identity) for identity in ids], dtype=np.uint64))
    chosen = (mixed % np.uint64(total) == np.uint64(index)).tolist()
    return [
        identity if isinstance(identity, int) else str(identity)
        for identity, is_chosen in zip(ids, chosen, strict=True)
        if is_chosen
    ]


def _as_number(identity: PointId) -> int:
    if isinstance(identity, int):
        return identity
    number = UUID(str(identity)).int
    return (number >> 64) ^ (number % UNSIGNED_64)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """SplitMix64, so that ids in sequence spread evenly. Source: Steele, Lea, Flood, OOPSLA 2014."""
    with np.errstate(over="ignore"):
        numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return numbers ^ (numbers >> np.uint64(31))
