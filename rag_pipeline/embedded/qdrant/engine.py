"""One collection over one `EdgeShard`: reads, writes in bounded batches, flushes.

Every engine call holds the interpreter lock from start to end (measured 2026-11-20, qdrant-edge-py 0.9.0). So calls
need no lock of their own, a thread gives no parallel search, and what matters is that no call is long: writes go in
batches of 256 points, and readers get their turn between two. Writers of a collection queue at `writing`, first come,
first served. `EdgeShard.optimize` is never called here: it would hold everything for seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.answers import collection_description, records, scored_points
from rag_pipeline.embedded.qdrant.engine_config import creates_vector, engine_config
from rag_pipeline.embedded.qdrant.filters import filter_or_none
from rag_pipeline.embedded.qdrant.indexes import index_kinds
from rag_pipeline.embedded.qdrant.problems import (
    NotFoundError,
    RestError,
    WrongInputError,
    engine_errors_translated,
)
from rag_pipeline.embedded.qdrant.queries import QueryReader
from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, integer, picked, required
from rag_pipeline.embedded.qdrant.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.selectors import order_by, with_payload, with_vector
from rag_pipeline.embedded.qdrant.strict import Rate, StrictMode
from rag_pipeline.embedded.qdrant.updates import BATCH_POINTS, SelectionUpdate, Update
from rag_pipeline.embedded.qdrant.vectors import point_id, point_ids

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, PointId

_log = logging.getLogger(__name__)

_SCAN_IDS = 4096
"""Ids gathered at once for an update by filter; an unindexed filter costs a scan each time."""

_PLACEHOLDER = "placeholder"
_PLACEHOLDER_CONFIG = edge.EdgeConfig(sparse_vectors={_PLACEHOLDER: edge.EdgeSparseVectorParams()})
_UNSUPPORTED = ("shard_key",)
_SCROLL_KEYS = ("offset", "limit", "filter", "with_payload", "with_vector", "order_by")


def build_shard(folder: Path, schema: CollectionSchema) -> None:
    """An empty shard in `folder`, flushed and closed, ready to be renamed with it."""
    with engine_errors_translated():
        if schema.names:
            shard = edge.EdgeShard.create(str(folder), engine_config(schema))
        else:
            # The engine makes no shard without a vector, but lets the last one be dropped.
            shard = edge.EdgeShard.create(str(folder), _PLACEHOLDER_CONFIG)
            shard.update(edge.UpdateOperation.delete_vector_name(_PLACEHOLDER))
        shard.flush()
        shard.close()


class Collection:
    """An open collection. Reads may be called from any thread; writes by whoever holds `writing`."""

    def __init__(self, name: str, *, folder: Path, schema: CollectionSchema) -> None:
        self._shard = load_shard(folder, schema)
        self.name = name
        self.schema = schema
        self.writing = asyncio.Lock()
        self.reads = Rate()
        self.writes = Rate()
        self._operation_ids = count()
        self._is_dirty = False

    def description(self) -> JsonObject:
        """A `CollectionInfo`, its points counted exactly."""
        with engine_errors_translated():
            return collection_description(self.schema, self._shard.info(), points_count=self.points_count())

    def points_count(self) -> int:
        """How many points there are, counted."""
        with engine_errors_translated():
            return self._shard.count(edge.CountRequest(exact=True))

    def vectors_counts(self) -> dict[str, int]:
        """How many points have each of the vectors, counted."""
        with engine_errors_translated():
            return {name: self._shard.count(_having(name)) for name in sorted(self.schema.names)}

    def count(self, body: object) -> JsonObject:
        """How many points match; always exact, whatever is asked."""
        with engine_errors_translated():
            given = picked(body, of="count", keys=("filter", "exact"), unsupported=_UNSUPPORTED)
            boolean(given.get("exact", True), of="exact")
            return {"count": self._shard.count(edge.CountRequest(exact=True, filter=filter_or_none(given)))}

    def retrieve(self, body: object) -> list[JsonObject]:
        """The points with these ids that exist."""
        with engine_errors_translated():
            keys = ("ids", "with_payload", "with_vector")
            given = picked(body, of="retrieve", keys=keys, unsupported=_UNSUPPORTED)
            ids = point_ids(required(given, "ids", of="retrieve"))
            return records(self._shard.retrieve(ids, with_payload(given, default=True), with_vector(given)))

    def scroll(self, body: object) -> JsonObject:
        """A page of points and where the next begins."""
        with engine_errors_translated():
            given = picked(body, of="scroll", keys=_SCROLL_KEYS, unsupported=_UNSUPPORTED)
            if "order_by" in given and "offset" in given:
                raise WrongInputError("cannot use an `offset` when using `order_by`; use `order_by.start_from` to page")
            points, next_offset = self._shard.scroll(
                edge.ScrollRequest(
                    offset=point_id(given["offset"]) if "offset" in given else None,
                    limit=min(integer(given.get("limit", 10), of="limit", least=1), max(1, self._points_bound())),
                    filter=filter_or_none(given),
                    with_payload=with_payload(given, default=True),
                    with_vector=with_vector(given),
                    order_by=order_by(given["order_by"]) if "order_by" in given else None,
                )
            )
            return {"points": records(points), "next_page_offset": next_offset}

    def query(self, body: object) -> JsonObject:
        """The best points for one query."""
        with engine_errors_translated():
            reader = QueryReader(self.schema, vector_of=self._vector_of, points_count=self._points_bound())
            return {"points": scored_points(self._shard.query(reader.request(body)))}

    def apply(self, updates: Sequence[Update]) -> int:
        """The number of the last of `updates`, all applied in order, numbered in a row. The caller holds `writing`."""
        self._is_dirty = True
        number = next(self._operation_ids)
        with engine_errors_translated():
            for index, update in enumerate(updates):
                number = next(self._operation_ids) if index else number
                for operation in self._operations(update):
                    self._shard.update(operation)
        return number

    def apply_operation(self, operation: edge.UpdateOperation) -> int:
        """The number of the operation, applied: payload indexes. The caller holds `writing`."""
        self._is_dirty = True
        with engine_errors_translated():
            self._shard.update(operation)
        return next(self._operation_ids)

    def strict_mode(self) -> StrictMode | None:
        """Its limits, when it is in strict mode."""
        limits = self.schema.strict_mode
        if limits is None:
            return None
        return StrictMode(limits, self.schema, index_kinds(self._shard.info().payload_schema))

    def configure(self, schema: CollectionSchema) -> None:
        """The collection has the vectors of `schema`, on the disk. The caller holds `writing` and flushed before.

        The other parts of the configuration reach the engine when the collection is opened the next time.
        """
        with engine_errors_translated():
            _change_names(self._shard, schema, existing=self.schema.names)
        self.schema = schema

    def flush(self) -> None:
        """What was written is on the disk."""
        if not self._is_dirty:
            return
        self._is_dirty = False
        try:
            with engine_errors_translated():
                self._shard.flush()
        except BaseException:
            self._is_dirty = True
            raise

    def close(self) -> None:
        """The engine lets go of the files; later calls are answered with 404."""
        self._shard.close()

    def _points_bound(self) -> int:
        """At least as many as there are points; costs under 1 us, an exact count 0.7 ms at 10,000 points."""
        return self._shard.info().points_count

    def _vector_of(self, identity: PointId, name: str) -> NamedVector:
        if name not in self.schema.names:
            raise WrongInputError(f"Not existing vector name error: {name}")
        found = self._shard.retrieve([identity], False, [name])
        if not found:
            raise NotFoundError(f"No point with id {identity} found")
        vectors = found[0].vector
        vector = vectors.get(name) if isinstance(vectors, dict) else vectors
        if vector is None:
            raise WrongInputError(f"Vector with name `{name}` not found for point {identity}")
        return vector  # pyright: ignore[reportReturnType] - one vector, not a list of points' vectors

    def _operations(self, update: Update) -> Iterator[edge.UpdateOperation]:
        if not isinstance(update, SelectionUpdate):
            self._require(update.existing)
            yield from update.operations
        elif isinstance(update.chosen, edge.Filter):
            for ids in self._matching(update.chosen):
                yield from _in_batches(update, ids)
        else:
            if update.must_exist:
                self._require(update.chosen)
            yield from _in_batches(update, update.chosen)

    def _require(self, ids: Sequence[PointId]) -> None:
        """Nothing, when all `ids` are points: the engine notices only halfway through."""
        if not ids:
            return
        found = {point.id for point in self._shard.retrieve(list(ids), False, False)}
        for identity in ids:
            if identity not in found:
                raise NotFoundError(f"No point with id {identity} found")

    def _matching(self, filter_: edge.Filter) -> Iterator[list[PointId]]:
        """Ids that match, ascending, a page at a time: what is done to a page cannot change what a later one finds."""
        offset: PointId | None = None
        while True:
            page, offset = self._shard.scroll(
                edge.ScrollRequest(
                    offset=offset, limit=_SCAN_IDS, filter=filter_, with_payload=False, with_vector=False
                )
            )
            if page:
                yield [point.id for point in page]
            if offset is None:
                return


def load_shard(folder: Path, schema: CollectionSchema) -> edge.EdgeShard:
    """The shard in `folder`, with the vectors and the configuration of `schema`."""
    with engine_errors_translated():
        try:
            if schema.names:
                return _loaded(folder, engine_config(schema))
        except RestError:
            # The process ended between the two writes of a vector name: it is in the schema and not in the engine,
            # or the other way round.
            _log.warning("%s is brought to its configuration", folder)
        shard = edge.EdgeShard.load(str(folder))
        _change_names(shard, schema, existing=_engine_names(folder))
        if not schema.names:
            return shard
        shard.close()
        return _loaded(folder, engine_config(schema))


def _loaded(folder: Path, config: edge.EdgeConfig) -> edge.EdgeShard:
    with engine_errors_translated():
        return edge.EdgeShard.load(str(folder), config)


def _engine_names(folder: Path) -> frozenset[str]:
    config = json.loads((folder / "edge_config.json").read_bytes())
    return frozenset(config.get("vectors") or {}) | frozenset(config.get("sparse_vectors") or {})


def _change_names(shard: edge.EdgeShard, schema: CollectionSchema, *, existing: frozenset[str]) -> None:
    """The shard has the vectors of `schema`.

    Flushed before the first change and after the last: replaying a log with points of a vector that was dropped and
    made anew with another dimension loses these points, silently (measured 2026-11-25, qdrant-edge-py 0.9.0).
    """
    if existing == schema.names:
        return
    shard.flush()
    for name in existing - schema.names:
        shard.update(edge.UpdateOperation.delete_vector_name(name))
    for name in schema.names - existing:
        shard.update(creates_vector(name, schema.config))
    shard.flush()


def _having(name: str) -> edge.CountRequest:
    return edge.CountRequest(exact=True, filter=edge.Filter(must=[edge.HasVectorCondition(name)]))


def _in_batches(update: SelectionUpdate, ids: Sequence[PointId]) -> Iterator[edge.UpdateOperation]:
    for start in range(0, len(ids), BATCH_POINTS):
        yield update.operation(list(ids[start : start + BATCH_POINTS]))
