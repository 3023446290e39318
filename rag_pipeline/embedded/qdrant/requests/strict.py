"""Strict mode: requests that ask for more than their collection allows are refused before they are read.

Not enforced, only stored: `max_collection_payload_size_bytes` and `max_resident_memory_percent`, of which the engine
tells nothing.
"""

import time
from collections.abc import Collection as Group
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema, dense_vectors
from rag_pipeline.embedded.qdrant.problems import BadRequestError, RateLimitError
from rag_pipeline.embedded.qdrant.reading import JsonObject

_MINUTE_S = 60.0
_FILTER_KEYS = ("filter", "update_filter")
_CLAUSES = ("must", "should", "must_not")
_TEXT_MATCHES = ("text", "text_any", "phrase")
_BYTES_OF = MappingProxyType({"float16": 2, "uint8": 1, "turbo4": 0.5, "turbo8": 1, "turbo16": 2})
_FLOAT_BYTES = 4
_MAX_DEPTH = 64
"""What is deeper is refused when it is read."""


@dataclass(slots=True)
class Rate:
    """Reads or writes of a collection in the last minute: a bucket that refills evenly."""

    limit: int = 0
    left: float = 0.0
    seen_s: float = field(default_factory=time.monotonic)

    def take(self, cost: int, *, limit: int, what: str) -> None:
        """Nothing, when `cost` more operations are within `limit` a minute; they are counted."""
        now_s = time.monotonic()
        if limit != self.limit:
            self.limit, self.left = limit, float(limit)
        self.left = min(float(limit), self.left + (now_s - self.seen_s) * limit / _MINUTE_S)
        self.seen_s = now_s
        if self.left < cost:
            missing_s = (cost - self.left) * _MINUTE_S / limit
            raise RateLimitError(f"{what} rate limit exceeded", retry_after_s=max(1, round(missing_s)))
        self.left -= cost


@dataclass(frozen=True, slots=True)
class StrictMode:
    """The limits of one collection at this moment.

    Shapes:
        limits: `StrictModeConfig` of the REST API.
        indexes: payload field to kind of its index.
    """

    limits: JsonObject
    schema: CollectionSchema
    indexes: Mapping[str, str]

    def check_timeout(self, timeout_s: int | None) -> None:
        """Nothing, when a request may wait so long."""
        self._at_most(timeout_s, "max_timeout", "timeout")

    def check_searches(self, count: int) -> None:
        """Nothing, when a batch may have so many searches."""
        self._at_most(count, "search_max_batchsize", "search batch size")

    def check_read(self, body: object, *, depth: int = 0) -> None:
        """Nothing, when this query, scroll or count is allowed, prefetches included."""
        if not isinstance(body, dict) or depth > _MAX_DEPTH:
            return
        self._at_most(body.get("limit"), "max_query_limit", "limit")
        self._check_params(body.get("params"))
        self._check_filter(body.get("filter"), "unindexed_filtering_retrieve")
        stages = body.get("prefetch")
        for stage in stages if isinstance(stages, list) else [stages]:
            self.check_read(stage, depth=depth + 1)

    def check_update(self, body: object, *, points_count: int) -> None:
        """Nothing, when this update is allowed: an upsert, a deletion, a change of payloads or vectors."""
        if not isinstance(body, dict):
            return
        for key in _FILTER_KEYS:
            self._check_filter(body.get(key), "unindexed_filtering_update")
        rows = list(_vectors_of(body))
        if rows:
            self._at_most(len(rows), "upsert_max_batchsize", "upsert limit")
            self._check_size(points_count)
        for row in rows:
            self._check_vectors(row)

    def check_new_index(self, field_name: object) -> None:
        """Nothing, when one more payload index is allowed."""
        most = self.limits.get("max_payload_index_count")
        if most is not None and field_name not in self.indexes and len(self.indexes) >= cast("int", most):
            raise BadRequestError(
                f"Collection already has the maximum number of payload indices ({most}). "
                "Help: Delete an index before creating a new one."
            )

    def _at_most(self, value: object, key: str, name: str) -> None:
        most = self.limits.get(key)
        if most is None or isinstance(value, bool) or not isinstance(value, (int, float)):
            return
        if value > cast("float", most):
            raise BadRequestError(
                f'Limit exceeded {value} > {most} for "{name}". Help: Reduce the "{name}" parameter to or below {most}.'
            )

    def _check_params(self, params: object) -> None:
        if not isinstance(params, dict):
            return
        if params.get("exact") is True and self.limits.get("search_allow_exact") is False:
            raise BadRequestError("Exact search is not allowed. Help: Set exact=false.")
        self._at_most(params.get("hnsw_ef"), "search_max_hnsw_ef", "hnsw_ef")
        quantization = params.get("quantization")
        if isinstance(quantization, dict):
            self._at_most(quantization.get("oversampling"), "search_max_oversampling", "oversampling")

    def _check_filter(self, filter_: object, unindexed: str) -> None:
        conditions = list(_conditions(filter_))
        self._at_most(len(conditions), "filter_max_conditions", "filter conditions")
        for key, condition in conditions:
            match = condition.get("match")
            for among in match.values() if isinstance(match, dict) else ():
                if isinstance(among, list):
                    self._at_most(len(among), "condition_max_size", "condition size")
            if key is not None and self.limits.get(unindexed) is False:
                self._check_index(key, condition)

    def _check_index(self, key: str, condition: JsonObject) -> None:
        kinds = _index_kinds(condition)
        held = self.indexes.get(key) or self.indexes.get(key.replace("[]", ""))
        if held is None or (kinds and held not in kinds):
            raise BadRequestError(
                f'Index required but not found for "{key}" of one of the following types: '
                f"[{', '.join(kinds) or 'any'}]. Help: Create an index for this key or use a different filter."
            )

    def _check_size(self, points_count: int) -> None:
        most_points = self.limits.get("max_points_count")
        if most_points is not None and points_count >= cast("int", most_points):
            raise BadRequestError(f"Max points count limit of {most_points} reached!")
        most_bytes = self.limits.get("max_collection_vector_size_bytes")
        if most_bytes is None:
            return
        row_bytes = sum(
            cast("int", vector["size"]) * _BYTES_OF.get(cast("str", vector.get("datatype")), _FLOAT_BYTES)
            for vector in dense_vectors(self.schema.config).values()
        )
        if points_count * row_bytes >= cast("int", most_bytes):
            raise BadRequestError(f"Max vector storage size limit of {most_bytes} bytes reached!")

    def _check_vectors(self, vectors: object) -> None:
        named = vectors if isinstance(vectors, dict) else {"": vectors}
        for section, key, name in (
            ("multivector_config", "max_vectors", "multivector"),
            ("sparse_config", "max_length", "sparse vector"),
        ):
            for vector_name, limit in cast("JsonObject", self.limits.get(section) or {}).items():
                most = cast("JsonObject", limit).get(key)
                vector = named.get(vector_name)
                length = _length(vector.get("indices") if isinstance(vector, dict) else vector)
                if most is not None and length > cast("int", most):
                    raise BadRequestError(f'Limit exceeded {length} > {most} for "{name} {vector_name}".')


def _vectors_of(body: JsonObject) -> Iterator[object]:
    """The vectors of each point that an upsert or an update of vectors has."""
    batch = body.get("batch")
    if isinstance(batch, dict):
        ids, vectors = batch.get("ids"), batch.get("vectors")
        for number in range(len(ids) if isinstance(ids, list) else 0):
            if isinstance(vectors, dict):
                columns = {name: column for name, column in vectors.items() if isinstance(column, list)}
                yield {name: column[number] for name, column in columns.items() if number < len(column)}
            else:
                yield vectors[number] if isinstance(vectors, list) and number < len(vectors) else None
    points = body.get("points")
    for point in points if isinstance(points, list) else ():
        if isinstance(point, dict):
            yield point.get("vector")


def _conditions(filter_: object, prefix: str = "", depth: int = 0) -> Iterator[tuple[str | None, JsonObject]]:
    """Each condition that is no filter itself, with its field: "a[].b" within nested, None when it has none."""
    if not isinstance(filter_, dict) or depth > _MAX_DEPTH:
        return
    nested, least = filter_.get("nested"), filter_.get("min_should")
    clauses = [filter_.get(key) for key in _CLAUSES]
    if isinstance(nested, dict):
        yield from _conditions(nested.get("filter"), f"{prefix}{nested.get('key')}[].", depth + 1)
    elif isinstance(least, dict) or any(clause is not None for clause in clauses):
        clauses.append(least.get("conditions") if isinstance(least, dict) else None)
        for clause in clauses:
            for inner in clause if isinstance(clause, list) else [clause]:
                yield from _conditions(inner, prefix, depth + 1)
    elif filter_:
        key = filter_.get("key")
        for kind in ("is_empty", "is_null"):
            if isinstance(filter_.get(kind), dict):
                key = filter_[kind].get("key")
        yield (None if key is None else f"{prefix}{key}"), filter_


def _index_kinds(condition: JsonObject) -> Group[str]:
    """Kinds of index that answer the condition; none when any does."""
    match, range_ = condition.get("match"), condition.get("range")
    if isinstance(match, dict):
        if any(key in match for key in _TEXT_MATCHES):
            return ("text",)
        values: Sequence[object] = [item for value in match.values() for item in _items(value)]
        if values and isinstance(values[0], bool):
            return ("bool",)
        return ("integer",) if values and isinstance(values[0], int) else ("keyword", "uuid")
    if isinstance(range_, dict):
        return ("datetime",) if any(isinstance(bound, str) for bound in range_.values()) else ("integer", "float")
    return ("geo",) if any(key.startswith("geo_") for key in condition) else ()


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
