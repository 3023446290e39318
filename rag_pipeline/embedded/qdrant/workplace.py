"""What every route works with: the storage, its locks, and how long work leaves the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from rag_pipeline.embedded.qdrant.engine import Collection
from rag_pipeline.embedded.qdrant.guard import body_of
from rag_pipeline.embedded.qdrant.problems import ContentTypeError, collection_missing
from rag_pipeline.embedded.qdrant.reading import JsonObject, parsed
from rag_pipeline.embedded.qdrant.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.storage import Storage

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Workplace:
    """One running server.

    Shapes:
        structure: held while collections or aliases come, go or move.
    """

    storage: Storage
    max_body_bytes: int
    structure: asyncio.Lock = field(default_factory=asyncio.Lock)

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

    def collection_of(self, request: Request) -> Collection:
        """The collection that the request's path names, by its name or an alias."""
        return self.storage.collection(request.path_params["name"])

    def check_read(self, request: Request, collection: Collection, bodies: Sequence[object]) -> None:
        """Nothing, when the strict mode of the collection allows these reads."""
        strict = collection.strict_mode()
        if strict is None:
            return
        if limit := strict.limits.get("read_rate_limit"):
            collection.reads.take(len(bodies), limit=cast("int", limit), what="Read")
        strict.check_timeout(_timeout_s(request))
        for body in bodies:
            strict.check_read(body)

    def check_updates(self, request: Request, collection: Collection, bodies: Sequence[object]) -> None:
        """Nothing, when the strict mode of the collection allows these updates."""
        strict = collection.strict_mode()
        if strict is None:
            return
        if limit := strict.limits.get("write_rate_limit"):
            collection.writes.take(len(bodies), limit=cast("int", limit), what="Write")
        strict.check_timeout(_timeout_s(request))
        points_count = collection.points_count()
        for body in bodies:
            strict.check_update(body, points_count=points_count)

    async def written(self, request: Request, write: Callable[[Collection], int]) -> JsonObject:
        """An `UpdateResult`: `write` was run in a thread, alone on its collection, and returned the operation's number.

        What is not waited for is done before the answer all the same.
        """
        collection = self.collection_of(request)
        async with collection.writing:
            if collection not in self.storage.collections:
                raise collection_missing(collection.name)
            number = await asyncio.to_thread(write, collection)
        is_awaited = request.query_params.get("wait") == "true"
        return {"operation_id": number, "status": "completed" if is_awaited else "acknowledged"}

    async def reconfigured(
        self, request: Request, change: Callable[[CollectionSchema], CollectionSchema]
    ) -> JsonObject:
        """An `UpdateResult`: the collection has the schema that `change` made of its own."""

        def write(collection: Collection) -> int:
            self.storage.reconfigure(collection, change(collection.schema))
            return collection.apply([])

        return await self.written(request, write)


def _timeout_s(request: Request) -> int | None:
    spelled = request.query_params.get("timeout")
    return None if spelled is None else int(spelled)


def workplace_of(request: Request) -> Workplace:
    """The workplace that `app.build_app` put into the application's state."""
    return cast("Workplace", request.app.state.workplace)
