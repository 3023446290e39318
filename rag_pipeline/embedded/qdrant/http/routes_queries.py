"""Routes of queries: single, in batches, in groups; matrices and facets."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.routing import Route

from rag_pipeline.embedded.qdrant.http.replies import answering
from rag_pipeline.embedded.qdrant.http.workplace import read_points, workplace_of
from rag_pipeline.embedded.qdrant.requests.queries import read_batch
from rag_pipeline.embedded.qdrant.store.collection import Collection


async def query_points(request: Request) -> object:
    """`POST /collections/{name}/points/query`."""
    others = workplace_of(request).storage.collection
    return await read_points(request, lambda collection, body: collection.query(body, others=others))


async def query_points_batch(request: Request) -> object:
    """`POST /collections/{name}/points/query/batch`."""
    place = workplace_of(request)
    collection = place.collection_of(request)
    others = place.storage.collection
    queries = read_batch(await place.question_of(request, collection))
    return await asyncio.to_thread(lambda: [collection.query(query, others=others) for query in queries])


async def query_points_groups(request: Request) -> object:
    """`POST /collections/{name}/points/query/groups`."""
    others = workplace_of(request).storage.collection
    return await _in_thread(request, lambda collection, body: collection.query_groups(body, others=others))


async def matrix_pairs(request: Request) -> object:
    """`POST /collections/{name}/points/search/matrix/pairs`."""
    return await _in_thread(request, lambda collection, body: collection.matrix(body).as_pairs())


async def matrix_offsets(request: Request) -> object:
    """`POST /collections/{name}/points/search/matrix/offsets`."""
    return await _in_thread(request, lambda collection, body: collection.matrix(body).as_offsets())


async def facet(request: Request) -> object:
    """`POST /collections/{name}/facet`."""
    return await _in_thread(request, Collection.facet)


async def _in_thread(request: Request, read: Callable[[Collection, object], object]) -> object:
    """Many engine calls, with turns for others between them."""
    place = workplace_of(request)
    collection = place.collection_of(request)
    return await asyncio.to_thread(read, collection, await place.question_of(request, collection))


_COLLECTION = "/collections/{name}"
ROUTES = [
    Route(f"{_COLLECTION}/points/query", answering(query_points), methods=["POST"]),
    Route(f"{_COLLECTION}/points/query/batch", answering(query_points_batch), methods=["POST"]),
    Route(f"{_COLLECTION}/points/query/groups", answering(query_points_groups), methods=["POST"]),
    Route(f"{_COLLECTION}/points/search/matrix/pairs", answering(matrix_pairs), methods=["POST"]),
    Route(f"{_COLLECTION}/points/search/matrix/offsets", answering(matrix_offsets), methods=["POST"]),
    Route(f"{_COLLECTION}/facet", answering(facet), methods=["POST"]),
]
