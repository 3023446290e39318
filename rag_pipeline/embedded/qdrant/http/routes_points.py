"""Routes of points, but for queries (`routes_queries`): reads run where `workplace` says, writes in a thread."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from starlette.requests import Request
from starlette.routing import Route

from rag_pipeline.embedded.qdrant.http.replies import answering
from rag_pipeline.embedded.qdrant.http.workplace import read_points, workplace_of
from rag_pipeline.embedded.qdrant.problems import NotFoundError
from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.requests.updates import BATCH
from rag_pipeline.embedded.qdrant.store.collection import Collection


async def scroll_points(request: Request) -> object:
    """`POST /collections/{name}/points/scroll`."""
    return await read_points(request, Collection.scroll)


async def count_points(request: Request) -> object:
    """`POST /collections/{name}/points/count`."""
    return await read_points(request, Collection.count)


async def retrieve_points(request: Request) -> object:
    """`POST /collections/{name}/points`."""
    return await read_points(request, Collection.retrieve)


async def get_point(request: Request) -> object:
    """`GET /collections/{name}/points/{id}`."""
    spelled: str = request.path_params["id"]
    identity = int(spelled) if spelled.isascii() and spelled.isdecimal() and len(spelled) <= _MAX_ID_DIGITS else spelled
    found = workplace_of(request).collection_of(request).retrieve({"ids": [identity], "with_vector": True})
    if not found:
        raise NotFoundError(f"Point with id {spelled} does not exists!")
    return found[0]


async def batch_update(request: Request) -> object:
    """`POST /collections/{name}/points/batch`: one result per operation."""
    last, count = await _updated(request, BATCH)
    first_number = cast("int", last["operation_id"]) - count + 1
    return [{**last, "operation_id": first_number + index} for index in range(count)]


def updating(kind: str) -> Callable[[Request], Awaitable[object]]:
    """A handler for the update of this kind."""

    async def update(request: Request) -> object:
        result, _ = await _updated(request, kind)
        return result

    return update


async def _updated(request: Request, kind: str) -> tuple[JsonObject, int]:
    """The result, and how many updates there were."""
    place = workplace_of(request)
    body = await place.raw_body_of(request)
    counts: list[int] = []

    def write(collection: Collection) -> int:
        check = partial(place.check_updates, request, collection)
        number, count = collection.update(kind, body, check=check)
        counts.append(count)
        return number

    return await place.written(request, write), sum(counts)


_MAX_ID_DIGITS = 20
_POINTS = "/collections/{name}/points"
ROUTES = [
    Route(_POINTS, answering(updating("upsert")), methods=["PUT"]),
    Route(_POINTS, answering(retrieve_points), methods=["POST"]),
    Route(f"{_POINTS}/scroll", answering(scroll_points), methods=["POST"]),
    Route(f"{_POINTS}/count", answering(count_points), methods=["POST"]),
    Route(f"{_POINTS}/batch", answering(batch_update), methods=["POST"]),
    Route(f"{_POINTS}/delete", answering(updating("delete")), methods=["POST"]),
    Route(f"{_POINTS}/payload", answering(updating("set_payload")), methods=["POST"]),
    Route(f"{_POINTS}/payload", answering(updating("overwrite_payload")), methods=["PUT"]),
    Route(f"{_POINTS}/payload/delete", answering(updating("delete_payload")), methods=["POST"]),
    Route(f"{_POINTS}/payload/clear", answering(updating("clear_payload")), methods=["POST"]),
    Route(f"{_POINTS}/vectors", answering(updating("update_vectors")), methods=["PUT"]),
    Route(f"{_POINTS}/vectors/delete", answering(updating("delete_vectors")), methods=["POST"]),
    Route(f"{_POINTS}/{{id}}", answering(get_point), methods=["GET"]),
]
