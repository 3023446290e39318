"""Routes of collections, aliases and payload indexes."""

import asyncio
from typing import cast

from starlette.requests import Request
from starlette.routing import Route

from rag_pipeline.embedded.qdrant.config.changes import changed, with_vector_name, without_vector_name
from rag_pipeline.embedded.qdrant.config.schema import read_create
from rag_pipeline.embedded.qdrant.http.replies import answering
from rag_pipeline.embedded.qdrant.http.workplace import workplace_of
from rag_pipeline.embedded.qdrant.problems import engine_errors_translated
from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.requests.indexes import delete_index, read_create_index
from rag_pipeline.embedded.qdrant.store.collection import Collection


async def list_collections(request: Request) -> object:
    """`GET /collections`."""
    return {"collections": [{"name": name} for name in sorted(workplace_of(request).storage.names)]}


async def get_collection(request: Request) -> object:
    """`GET /collections/{name}`."""
    return workplace_of(request).storage.collection(request.path_params["name"]).description()


async def collection_exists(request: Request) -> object:
    """`GET /collections/{name}/exists`."""
    return {"exists": workplace_of(request).storage.exists(request.path_params["name"])}


async def create_collection(request: Request) -> object:
    """`PUT /collections/{name}`."""
    place, name = workplace_of(request), request.path_params["name"]
    body = await place.json_of(request)
    with engine_errors_translated():
        schema = read_create(body)
    async with place.structure:
        place.storage.require_free(name)
        await asyncio.to_thread(place.storage.create, name, schema)
    return True


async def update_collection(request: Request) -> object:
    """`PATCH /collections/{name}`."""
    place = workplace_of(request)
    body = await place.json_of(request)
    await place.reconfigured(request, lambda schema: changed(schema, body))
    return True


async def create_vector_name(request: Request) -> object:
    """`PUT /collections/{name}/vectors/{vector}`."""
    place = workplace_of(request)
    body = await place.json_of(request)
    return await place.reconfigured(
        request, lambda schema: with_vector_name(schema, request.path_params["vector"], body)
    )


async def delete_vector_name(request: Request) -> object:
    """`DELETE /collections/{name}/vectors/{vector}`."""
    return await workplace_of(request).reconfigured(
        request, lambda schema: without_vector_name(schema, request.path_params["vector"])
    )


async def delete_collection(request: Request) -> object:
    """`DELETE /collections/{name}`."""
    place, name = workplace_of(request), request.path_params["name"]
    async with place.structure:
        if name not in {collection.name for collection in place.storage.collections}:
            return await asyncio.to_thread(place.storage.delete, name)
        async with place.storage.collection(name).writing:
            return await asyncio.to_thread(place.storage.delete, name)


async def change_aliases(request: Request) -> object:
    """`POST /collections/aliases`."""
    place = workplace_of(request)
    body = await place.json_of(request)
    async with place.structure:
        # On the loop, so that no request sees one alias moved and not the other.
        place.storage.aliases.apply(body, collections=place.storage.names)
    return True


async def list_aliases(request: Request) -> object:
    """`GET /aliases`."""
    return {"aliases": workplace_of(request).storage.aliases.as_objects()}


async def list_collection_aliases(request: Request) -> object:
    """`GET /collections/{name}/aliases`."""
    storage = workplace_of(request).storage
    return {"aliases": storage.aliases.as_objects(of=storage.collection(request.path_params["name"]).name)}


async def create_index(request: Request) -> object:
    """`PUT /collections/{name}/index`."""
    place = workplace_of(request)
    body = await place.json_of(request)
    with engine_errors_translated():
        operation = read_create_index(body)

    def write(collection: Collection) -> int:
        if strict := collection.strict_mode():
            strict.check_new_index(cast("JsonObject", body)["field_name"])
        return collection.apply_operation(operation)

    return await place.written(request, write)


async def drop_index(request: Request) -> object:
    """`DELETE /collections/{name}/index/{field}`."""
    with engine_errors_translated():
        operation = delete_index(request.path_params["field"])
    return await workplace_of(request).written(request, lambda collection: collection.apply_operation(operation))


ROUTES = [
    Route("/collections", answering(list_collections), methods=["GET"]),
    Route("/collections/aliases", answering(change_aliases), methods=["POST"]),
    Route("/collections/{name}", answering(get_collection), methods=["GET"]),
    Route("/collections/{name}", answering(create_collection), methods=["PUT"]),
    Route("/collections/{name}", answering(update_collection), methods=["PATCH"]),
    Route("/collections/{name}", answering(delete_collection), methods=["DELETE"]),
    Route("/collections/{name}/vectors/{vector}", answering(create_vector_name), methods=["PUT"]),
    Route("/collections/{name}/vectors/{vector}", answering(delete_vector_name), methods=["DELETE"]),
    Route("/collections/{name}/exists", answering(collection_exists), methods=["GET"]),
    Route("/collections/{name}/aliases", answering(list_collection_aliases), methods=["GET"]),
    Route("/collections/{name}/index", answering(create_index), methods=["PUT"]),
    Route("/collections/{name}/index/{field}", answering(drop_index), methods=["DELETE"]),
    Route("/aliases", answering(list_aliases), methods=["GET"]),
]
