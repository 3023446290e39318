"""What every route works with: the storage, its locks, and how long work leaves the event loop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar, cast

from starlette.requests import Request

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.http.guard import body_of
from rag_pipeline.embedded.qdrant.problems import ContentTypeError, FormatError, RestError
from rag_pipeline.embedded.qdrant.reading import JsonObject, parsed
from rag_pipeline.embedded.qdrant.requests.slices import SPELLED, without_slices
from rag_pipeline.embedded.qdrant.requests.strict import Rate, StrictMode
from rag_pipeline.embedded.qdrant.snapshots.shelf import Shelves
from rag_pipeline.embedded.qdrant.store.collection import Collection
from rag_pipeline.embedded.qdrant.store.storage import Storage

_log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_MAX_POINTS_ON_LOOP = 128
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Workplace:
    """One running server.

    Shapes:
        structure: held while collections or aliases come, go or move.
        archiving: held while a snapshot is made or unpacked; taken before `structure`.
        max_snapshot_bytes: of an upload; None for as much as the disk has room for.
    """

    storage: Storage
    shelves: Shelves
    max_body_bytes: int
    max_snapshot_bytes: int | None = None
    structure: asyncio.Lock = field(default_factory=asyncio.Lock)
    archiving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _going_on: set[asyncio.Task[object]] = field(default_factory=set)

    def go_on(self, work: Awaitable[object]) -> None:
        """Does `work` after the answer. What becomes of it is seen by its effect, and a failure in the log."""
        task = asyncio.ensure_future(_logged(work))
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)

    async def close(self) -> None:
        """Nothing goes on any more, and the storage is closed."""
        for task in self._going_on:
            task.cancel()
        await asyncio.gather(*self._going_on, return_exceptions=True)
        await asyncio.to_thread(self.storage.close)

    async def raw_body_of(self, request: Request) -> bytes:
        """The request's body, not read yet.

        Raises:
            ContentTypeError: it is said to be something else than JSON. Qdrant wants it said, too; here it may be left
                out.
        """
        kind = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
        if kind != _JSON and not kind.endswith("+json"):
            raise ContentTypeError
        return await body_of(request, max_bytes=self.max_body_bytes)

    async def json_of(self, request: Request) -> object:
        """The request's body, read."""
        return parsed(await self.raw_body_of(request))

    async def question_of(self, request: Request, collection: Collection) -> object:
        """The body of a read of `collection`, its slices turned into the ids that are in them."""
        raw = await self.raw_body_of(request)
        body = parsed(raw)
        searches = body.get("searches") if isinstance(body, dict) else None
        self.check_read(request, collection, searches if isinstance(searches, list) else [body])
        if SPELLED not in raw:
            return body
        return await asyncio.to_thread(without_slices, body, collection.ids)

    def collection_of(self, request: Request) -> Collection:
        """The collection that the request's path names, by its name or an alias."""
        return self.storage.collection(request.path_params["name"])

    def check_read(self, request: Request, collection: Collection, bodies: Sequence[object]) -> None:
        """Nothing, when the strict mode of the collection allows these reads."""
        strict = _strict_mode(request, collection, requests=len(bodies), rate=collection.reads, what="Read")
        if strict is None:
            return
        strict.check_searches(len(bodies))
        for body in bodies:
            strict.check_read(body)

    def check_updates(self, request: Request, collection: Collection, bodies: Sequence[object]) -> None:
        """Nothing, when the strict mode of the collection allows these updates."""
        strict = _strict_mode(request, collection, requests=len(bodies), rate=collection.writes, what="Write")
        if strict is None:
            return
        points_count = collection.points_count()
        for body in bodies:
            strict.check_update(body, points_count=points_count)

    async def written(self, request: Request, write: Callable[[Collection], int]) -> JsonObject:
        """An `UpdateResult`: `write` was run in a thread, alone on its collection, and returned the operation's number.

        What is not waited for is done before the answer all the same.
        """
        collection = self.collection_of(request)
        async with collection.writing:
            number = await to_end(write, self.storage.successor(collection))
        is_awaited = request.query_params.get("wait") == "true"
        return {"operation_id": number, "status": "completed" if is_awaited else "acknowledged"}

    async def reconfigured(
        self, request: Request, change: Callable[[CollectionSchema], CollectionSchema]
    ) -> JsonObject:
        """An `UpdateResult`: the collection has the schema that `change` made of its own."""

        def write(collection: Collection) -> int:
            self.storage.reconfigure(collection, change(collection.schema))
            return collection.next_operation()

        return await self.written(request, write)


def _strict_mode(
    request: Request, collection: Collection, *, requests: int, rate: Rate, what: str
) -> StrictMode | None:
    """The collection's strict mode, which allows so many requests with this timeout."""
    strict = collection.strict_mode()
    if strict is None:
        return None
    if limit := strict.limits.get(f"{what.lower()}_rate_limit"):
        rate.take(requests, limit=cast("int", limit), what=what)
    strict.check_timeout(_timeout_s(request))
    return strict


def _timeout_s(request: Request) -> int | None:
    spelled = request.query_params.get("timeout")
    return None if spelled is None else int(spelled)


def workplace_of(request: Request) -> Workplace:
    """The workplace that `app.build_app` put into the application's state."""
    return cast("Workplace", request.app.state.workplace)


async def to_end(work: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
    """What `work`, run in a thread, returns. Who is cancelled meanwhile still holds its locks until the thread ends."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def _logged(work: Awaitable[object]) -> object:
    try:
        return await work
    except RestError as error:
        _log.warning("what was accepted could not be done: %s", error)
        return None


async def read_points(request: Request, read: Callable[[Collection, object], object]) -> object:
    """What `read` makes of the body.

    On the event loop: a read cannot overlap another anyway (the engine holds the interpreter), and a thread adds
    0.12 ms to a search of 0.74 ms (10,000 points of 384 dimensions, measured 2026-11-21). Reads of many points do go to
    a thread: turning them into JSON is Python, which gives way to others.
    """
    place = workplace_of(request)
    collection = place.collection_of(request)
    body = await place.question_of(request, collection)
    if _wanted_points(body) <= _MAX_POINTS_ON_LOOP:
        return read(collection, body)
    return await asyncio.to_thread(read, collection, body)


def _wanted_points(body: object) -> int:
    """How many points a read asks for, as far as a glance tells; the reader checks the types."""
    if not isinstance(body, dict):
        raise FormatError("the body must be an object")
    ids, limit = body.get("ids"), body.get("limit")
    return max(len(ids) if isinstance(ids, list) else 0, limit if isinstance(limit, int) else 0)
