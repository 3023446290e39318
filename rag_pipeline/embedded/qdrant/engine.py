"""One collection over one `EdgeShard`: reads, writes in bounded batches, flushes.

Every engine call holds the interpreter lock from start to end (measured 2026-11-20, qdrant-edge-py 0.9.0). So calls
need no lock of their own, a thread gives no parallel search, and what matters is that no call is long: writes go in
batches of 256 points, and readers get their turn between two. Writers of a collection queue at `writing`, first come,
first served. `EdgeShard.optimize` is never called here: it would hold everything for seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.answers import collection_description, records, scored_points
from rag_pipeline.embedded.qdrant.examples import Others
from rag_pipeline.embedded.qdrant.filters import filter_or_none
from rag_pipeline.embedded.qdrant.grouping import GroupReader
from rag_pipeline.embedded.qdrant.matrix import Matrix, read_matrix
from rag_pipeline.embedded.qdrant.problems import (
    NotFoundError,
    WrongInputError,
    collection_missing,
    engine_errors_translated,
)
from rag_pipeline.embedded.qdrant.queries import QueryReader
from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, integer, known, path, required
from rag_pipeline.embedded.qdrant.schema import CollectionSchema, engine_config
from rag_pipeline.embedded.qdrant.selectors import order_by, with_payload, with_vector
from rag_pipeline.embedded.qdrant.updates import BATCH_POINTS, SelectionUpdate, Update
from rag_pipeline.embedded.qdrant.vectors import point_id, point_ids

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, PointId

_log = logging.getLogger(__name__)

_SCAN_IDS = 4096
"""Ids gathered at once for an update by filter; an unindexed filter costs a scan each time."""

_MAX_FACETS = 2**31
"""The engine adds to a limit; near 2**64 that would overflow."""


def build_shard(folder: Path, schema: CollectionSchema) -> None:
    """An empty shard in `folder`, flushed and closed, ready to be renamed with it."""
    with engine_errors_translated():
        shard = edge.EdgeShard.create(str(folder), engine_config(schema))
        shard.flush()
        shard.close()


class Collection:
    """An open collection. Reads may be called from any thread; writes by whoever holds `writing`."""

    def __init__(self, name: str, *, folder: Path, schema: CollectionSchema) -> None:
        with engine_errors_translated():
            self._shard = edge.EdgeShard.load(str(folder))
        self.name = name
        self.schema = schema
        self.writing = asyncio.Lock()
        self._operation_ids = count()
        self._is_dirty = False

    def description(self) -> JsonObject:
        """A `CollectionInfo`, its points counted exactly."""
        with engine_errors_translated():
            points_count = self._shard.count(edge.CountRequest(exact=True))
            return collection_description(self.schema, self._shard.info(), points_count=points_count)

    def count(self, body: object) -> JsonObject:
        """How many points match; always exact, whatever is asked."""
        with engine_errors_translated():
            given = known(body, of="count")
            boolean(given.get("exact", True), of="exact")
            return {"count": self._shard.count(edge.CountRequest(exact=True, filter=filter_or_none(given)))}

    def retrieve(self, body: object) -> list[JsonObject]:
        """The points with these ids that exist."""
        with engine_errors_translated():
            given = known(body, of="retrieve")
            ids = point_ids(required(given, "ids", of="retrieve"))
            return records(self._shard.retrieve(ids, with_payload(given, default=True), with_vector(given)))

    def scroll(self, body: object) -> JsonObject:
        """A page of points and where the next begins."""
        with engine_errors_translated():
            given = known(body, of="scroll")
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

    def query(self, body: object, *, others: Others) -> JsonObject:
        """The best points for one query; `others` finds the collections that it looks vectors up in."""
        with engine_errors_translated():
            found = self._found(body, others)
            return {"points": scored_points(found, wanted=with_vector(known(body, of="a query request")))}

    def query_groups(self, body: object, *, others: Others) -> JsonObject:
        """The best points for each value of a field; `others` finds the collections that it looks points up in."""
        with engine_errors_translated():
            reader = GroupReader.of(body, points_count=self._points_bound())
            groups = reader.groups(lambda query: self._found(query, others))
            return {"groups": reader.described(groups, home=self, others=others)}

    def matrix(self, body: object) -> Matrix:
        """Which points of a random sample are near each other."""
        with engine_errors_translated():
            return read_matrix(body, lambda query: self._found(query, _no_other), vectors=self.schema.names)

    def facet(self, body: object) -> JsonObject:
        """How many points have each value of a field, the most frequent first."""
        with engine_errors_translated():
            given = known(body, of="facet")
            request = edge.FacetRequest(
                path(required(given, "key", of="facet"), of="key"),
                limit=min(integer(given.get("limit", 10), of="limit", least=1), _MAX_FACETS),
                exact=boolean(given.get("exact", False), of="exact"),
                filter=filter_or_none(given),
            )
            return {"hits": [{"value": hit.value, "count": hit.count} for hit in self._shard.facet(request).hits]}

    def _found(self, body: object, others: Others) -> list[edge.ScoredPoint]:
        reader = QueryReader(self, others=others, points_count=self._points_bound())
        return self._shard.query(reader.request(body))

    def vector_of(self, identity: PointId, name: str) -> NamedVector:
        """The vector `name` of a point."""
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

    def ids(self) -> list[PointId]:
        """The ids of all points, ascending."""
        with engine_errors_translated():
            return [identity for page in self._matching(edge.Filter()) for identity in page]

    def apply(self, updates: Sequence[Update]) -> int:
        """The number of the last operation, all `updates` applied in order. The caller holds `writing`."""
        self._is_dirty = True
        with engine_errors_translated():
            for update in updates:
                for operation in self._operations(update):
                    self._shard.update(operation)
        return next(self._operation_ids)

    def apply_operation(self, operation: edge.UpdateOperation) -> int:
        """The number of the operation, applied: payload indexes. The caller holds `writing`."""
        self._is_dirty = True
        with engine_errors_translated():
            self._shard.update(operation)
        return next(self._operation_ids)

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


def _no_other(name: str) -> Collection:
    raise collection_missing(name)


def _in_batches(update: SelectionUpdate, ids: Sequence[PointId]) -> Iterator[edge.UpdateOperation]:
    for start in range(0, len(ids), BATCH_POINTS):
        yield update.operation(list(ids[start : start + BATCH_POINTS]))
