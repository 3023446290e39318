"""One collection over one `EdgeShard`: reads, writes in bounded batches, syncs.

Every engine call holds the interpreter lock from start to end (measured 2026-11-20, qdrant-edge-py 0.9.0). So calls
need no lock of their own, a thread gives no parallel search, and what matters is that no call is long: writes go in
batches of 256 points, and readers get their turn between two. Writers of a collection queue at `writing`, first come,
first served. `EdgeShard.optimize` is never called here: it would hold everything for seconds. A child process does that
on a copy (`optimiser`), and `change_over` puts the copy in the shard's place.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.problems import (
    NotFoundError,
    RestError,
    WrongInputError,
    collection_missing,
    engine_errors_translated,
)
from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, integer, known, parsed, path, required
from rag_pipeline.embedded.qdrant.requests.answers import collection_description, records, scored_points
from rag_pipeline.embedded.qdrant.requests.examples import Others
from rag_pipeline.embedded.qdrant.requests.filters import filter_or_none
from rag_pipeline.embedded.qdrant.requests.grouping import GroupReader
from rag_pipeline.embedded.qdrant.requests.indexes import index_kinds
from rag_pipeline.embedded.qdrant.requests.matrix import Matrix, read_matrix
from rag_pipeline.embedded.qdrant.requests.queries import QueryReader
from rag_pipeline.embedded.qdrant.requests.selectors import order_by, with_payload, with_vector
from rag_pipeline.embedded.qdrant.requests.strict import Rate, StrictMode
from rag_pipeline.embedded.qdrant.requests.updates import (
    BATCH,
    BATCH_POINTS,
    PointsUpdate,
    SelectionUpdate,
    Update,
    operands,
    read_request,
)
from rag_pipeline.embedded.qdrant.requests.vectors import point_id, point_ids
from rag_pipeline.embedded.qdrant.store.backlog import Thresholds
from rag_pipeline.embedded.qdrant.store.copying import sync_tree
from rag_pipeline.embedded.qdrant.store.intent import Intent
from rag_pipeline.embedded.qdrant.store.journal import Journal
from rag_pipeline.embedded.qdrant.store.layout import intent_file
from rag_pipeline.embedded.qdrant.store.shards import change_vectors, load_shard, never_let_go, vector_names
from rag_pipeline.embedded.qdrant.store.upkeep import Upkeep

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, PointId

_log = logging.getLogger(__name__)

_SCAN_IDS = 4096
"""Ids gathered at once for an update by filter; an unindexed filter costs a scan each time."""

_SMALL_OPERATION_BYTES = 32 * BATCH_POINTS
"""What an operation takes in the journal at least: its ids."""

_MAX_FACETS = 2**31
"""The engine adds to a limit; near 2**64 that would overflow."""

_UNSUPPORTED = ("shard_key",)


class Collection:
    """An open collection. Reads may be called from any thread; writes by whoever holds `writing`.

    Shapes:
        shard_folder: where its points are; changes only while `writing` is held.
        journal: also gets every operation, while the shard is being optimised as a copy.
    """

    def __init__(self, name: str, *, folder: Path, schema: CollectionSchema) -> None:
        if vector_names(folder) == schema.names:
            self._shard = load_shard(folder, schema)
        else:
            # A process ended between the two writes of `Storage.reconfigure`.
            _log.warning("collection %s is brought to its configuration", name)
            old = folder
            folder, self._shard = change_vectors(old, schema)
            shutil.rmtree(old, ignore_errors=True)
        self.name = name
        self.shard_folder = folder
        self._intent = Intent(intent_file(folder.parent))
        self.journal: Journal | None = None
        self.upkeep = Upkeep()
        self.schema = schema
        self.writing = asyncio.Lock()
        self.reads = Rate()
        self.writes = Rate()
        self._operation_ids = count()
        self._syncing = threading.Lock()
        self._is_dirty = False

    def description(self) -> JsonObject:
        """A `CollectionInfo`, its points counted exactly."""
        with engine_errors_translated():
            description = collection_description(self.schema, self._shard.info(), points_count=self.points_count())
            return {**description, **self.upkeep.as_object(self.shard_folder, self.thresholds)}

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
            given = known(body, of="count", unsupported=_UNSUPPORTED)
            boolean(given.get("exact", True), of="exact")
            return {"count": self._shard.count(edge.CountRequest(exact=True, filter=filter_or_none(given)))}

    def retrieve(self, body: object) -> list[JsonObject]:
        """The points with these ids that exist."""
        with engine_errors_translated():
            given = known(body, of="retrieve", unsupported=_UNSUPPORTED)
            ids = point_ids(required(given, "ids", of="retrieve"))
            return records(self._shard.retrieve(ids, with_payload(given, default=True), with_vector(given)))

    def scroll(self, body: object) -> JsonObject:
        """A page of points and where the next begins."""
        with engine_errors_translated():
            given = known(body, of="scroll", unsupported=_UNSUPPORTED)
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

    def strict_mode(self) -> StrictMode | None:
        """Its limits, when it is in strict mode."""
        limits = self.schema.strict_mode
        if limits is None:
            return None
        return StrictMode(limits, self.schema, index_kinds(self._shard.info().payload_schema))

    def configure(self, schema: CollectionSchema) -> None:
        """The collection has the vectors of `schema`, on the disk. The caller holds `writing`.

        The other parts of the configuration reach the engine with the next optimisation, or when the collection is
        opened the next time.
        """
        if self.journal is not None:
            self.journal.give_up("its configuration changed")
        self.upkeep.note_write()
        if schema.names != self.schema.names:
            old = self.shard_folder
            folder, shard = change_vectors(old, schema)
            self.change_over(shard, folder=folder)
            shutil.rmtree(old, ignore_errors=True)
        self.schema = schema

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

    def update(self, kind: str, body: bytes, *, check: Callable[[Sequence[object]], None]) -> tuple[int, int]:
        """The number of the last operation and how many updates there were, all applied in order.

        The caller holds `writing`. What takes the engine several operations is whole after a crash too (`intent`).

        Args:
            kind: of the request, see `updates.read_request`.
            body: the request's, not read yet.
            check: raises when the bodies of the updates may not be applied.
        """
        with engine_errors_translated():
            given = parsed(body)
            check(list(operands(given)) if kind == BATCH else [given])
            updates = read_request(kind, given, self.schema)
            if len(updates) == 1 and updates[0].is_one_operation:
                self._apply(updates, body_bytes=len(body))
            else:
                self._apply_as_one(kind, body, updates, ended=0)
        numbers = [self.next_operation() for _ in updates] or [self.next_operation()]
        return numbers[-1], len(updates)

    def finish_unfinished(self) -> None:
        """What a killed server had begun to write is written. Before anyone else uses the collection."""
        unfinished = self._intent.unfinished()
        if unfinished is None:
            return
        _log.info("collection %s: finishing a request that a crash interrupted", self.name)
        try:
            with engine_errors_translated():
                updates = read_request(unfinished.kind, parsed(unfinished.body), self.schema)
                self._apply_as_one(unfinished.kind, unfinished.body, updates, ended=unfinished.ended)
        except RestError:
            # It would have ended so without the crash: a point of a later update is not there, or the disk is full.
            _log.exception("collection %s: the interrupted request failed", self.name)
            self._intent.done()

    def _apply_as_one(self, kind: str, body: bytes, updates: Sequence[Update], *, ended: int) -> None:
        if not ended:
            self._intent.begin(kind, body)
        try:
            self._apply(updates[ended:], body_bytes=len(body), already_ended=ended)
        finally:
            self._intent.done()

    def _apply(self, updates: Sequence[Update], *, body_bytes: int, already_ended: int | None = None) -> None:
        for number, update in enumerate(updates, (already_ended or 0) + 1):
            operations = len(update.operations) if isinstance(update, PointsUpdate) else 1
            for operation in self._operations(update):
                self._write(operation, size_bytes=body_bytes // max(1, operations))
            if already_ended is not None:
                self._intent.ended(number)

    def apply_operation(self, operation: edge.UpdateOperation) -> int:
        """The number of the operation, applied: payload indexes. The caller holds `writing`."""
        with engine_errors_translated():
            self._write(operation, size_bytes=_SMALL_OPERATION_BYTES)
        return self.next_operation()

    def change_over(self, shard: edge.EdgeShard, *, folder: Path) -> None:
        """`shard`, flushed and with the same points, is the collection's from now on. The caller holds `writing`.

        The old one is not closed: a reader in another thread may be about to call it, and the engine lets go of it
        with the last who holds it.
        """
        self._shard, self.shard_folder = shard, folder

    @property
    def thresholds(self) -> Thresholds:
        """From where on an optimisation is due."""
        return Thresholds.of(self.schema.config)

    def has_as_many_points_as(self, shard: edge.EdgeShard) -> bool:
        """Whether `shard` can be this collection's at all."""
        request = edge.CountRequest(exact=True)
        return self._shard.count(request) == shard.count(request)

    def next_operation(self) -> int:
        """The number of an operation that is done."""
        return next(self._operation_ids)

    def sync(self) -> None:
        """What was written is on the disk, mostly as the engine's log.

        The engine's own `flush` is not called: `shards` says why. It also holds the interpreter, 40 ms and more.
        """
        with self._syncing:
            if not self._is_dirty:
                return
            self._is_dirty = False
            try:
                sync_tree(self.shard_folder)
            except BaseException:
                self._is_dirty = True
                raise

    def close(self) -> None:
        """The engine lets go of the files, which are no longer in their place; later calls are answered with 404."""
        self._shard.close()

    def leave(self) -> None:
        """The process is about to end."""
        never_let_go(self._shard)

    def _write(self, operation: edge.UpdateOperation, *, size_bytes: int) -> None:
        """Applied, and kept for the copy if there is one; an operation that fails may be applied in part."""
        self._is_dirty = True
        self.upkeep.note_write()
        journal = self.journal  # once: it ends at any moment
        try:
            self._shard.update(operation)
        except BaseException:
            if journal is not None:
                journal.give_up("a write failed")
            raise
        if journal is not None:  # an empty one is false
            journal.keep(operation, size_bytes=size_bytes + _SMALL_OPERATION_BYTES)

    def _points_bound(self) -> int:
        """At least as many as there are points; costs under 1 us, an exact count 0.7 ms at 10,000 points."""
        return self._shard.info().points_count

    def _operations(self, update: Update) -> Iterator[edge.UpdateOperation]:
        if not isinstance(update, SelectionUpdate):
            self._require(update.existing)
            yield from update.operations
        elif isinstance(update.chosen, edge.Filter):
            for ids in self._matching(update.chosen):
                yield from self._in_batches(update, ids)
        else:
            if update.must_exist:
                self._require(update.chosen)
            yield from self._in_batches(update, update.chosen)

    def _in_batches(self, update: SelectionUpdate, ids: Sequence[PointId]) -> Iterator[edge.UpdateOperation]:
        if not update.must_exist:
            self.upkeep.note_write(deleted_points=len(ids))
        for start in range(0, len(ids), BATCH_POINTS):
            yield update.operation(list(ids[start : start + BATCH_POINTS]))

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


def _having(name: str) -> edge.CountRequest:
    return edge.CountRequest(exact=True, filter=edge.Filter(must=[edge.HasVectorCondition(name)]))
