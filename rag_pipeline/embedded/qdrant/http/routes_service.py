"""Routes of the server itself: version, health, metrics, telemetry, issues; and of a cluster, which it is not."""

import asyncio
import time

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rag_pipeline.embedded.qdrant.http.metrics import CONTENT_TYPE, metrics_text
from rag_pipeline.embedded.qdrant.http.query_parameters import check_parameters
from rag_pipeline.embedded.qdrant.http.replies import answering, failure, recorded
from rag_pipeline.embedded.qdrant.http.telemetry import Program, telemetry
from rag_pipeline.embedded.qdrant.http.workplace import workplace_of
from rag_pipeline.embedded.qdrant.problems import BadRequestError, RestError, UnsupportedError

SERVED_VERSION = "1.20.0"
"""The REST version that is spoken: qdrant-client warns when its own minor differs by more than one."""

_PROGRAM = Program(SERVED_VERSION)
_PEER_ID = 1


async def get_version(_: Request) -> Response:
    """`GET /`: the one answer without an envelope."""
    answer = {"title": "qdrant - vector search engine", "version": SERVED_VERSION, "commit": "embedded"}
    return Response(orjson.dumps(answer), media_type="application/json")


async def get_health(request: Request) -> Response:
    """`GET /healthz`, `/livez`, `/readyz`: it answers only once every collection is loaded."""
    return PlainTextResponse(f"{request.url.path[1:]} check passed")


async def get_metrics(request: Request) -> Response:
    """`GET /metrics`."""
    started = time.perf_counter()
    try:
        check_parameters(request.query_params)
    except RestError as error:
        return failure(error, started=started)
    collections = workplace_of(request).storage.collections
    text = await asyncio.to_thread(metrics_text, SERVED_VERSION, collections, request.app.state.statistics)
    return PlainTextResponse(text, media_type=CONTENT_TYPE)


async def get_telemetry(request: Request) -> object:
    """`GET /telemetry`."""
    level = int(request.query_params.get("details_level", "0"))
    collections = workplace_of(request).storage.collections
    return await asyncio.to_thread(telemetry, _PROGRAM, collections, request.app.state.statistics, details_level=level)


async def get_issues(_: Request) -> object:
    """`GET /issues`: none is ever looked for."""
    return {"issues": []}


async def clear_issues(_: Request) -> object:
    """`DELETE /issues`."""
    return True


async def get_quotas(_: Request) -> object:
    """`GET /quotas`: there are none."""
    return {"config": {"enabled": False}, "usage": {}}


async def get_cluster(_: Request) -> object:
    """`GET /cluster`."""
    return {"status": "disabled"}


async def get_collection_cluster(request: Request) -> object:
    """`GET /collections/{name}/cluster`: one shard, here."""
    points_count = workplace_of(request).collection_of(request).points_count()
    return {
        "peer_id": _PEER_ID,
        "shard_count": 1,
        "local_shards": [{"shard_id": 0, "points_count": points_count, "state": "Active"}],
        "remote_shards": [],
        "shard_transfers": [],
    }


async def get_shard_keys(request: Request) -> object:
    """`GET /collections/{name}/shards`."""
    workplace_of(request).collection_of(request)
    return {"shard_keys": []}


async def get_optimizations(request: Request) -> object:
    """`GET /collections/{name}/optimizations`, when none runs or waits: the engine does not tell how far one is."""
    if workplace_of(request).collection_of(request).description()["status"] != "green":
        raise UnsupportedError("how far an optimisation is; the collection's `status` is green when it is done")
    nothing = ("queued_optimizations", "queued_segments", "queued_points", "idle_segments")
    return {"summary": dict.fromkeys(nothing, 0), "running": []}


async def refuse_collection_cluster(request: Request) -> object:
    """What only a cluster can do with a collection."""
    workplace_of(request).collection_of(request)
    raise BadRequestError("Distributed mode disabled")


async def refuse_cluster(_: Request) -> object:
    """What only a cluster can do."""
    raise BadRequestError("Distributed mode disabled")


_COLLECTION = "/collections/{name}"
ROUTES = [
    Route("/", get_version, methods=["GET"]),
    *(Route(path, get_health, methods=["GET"]) for path in ("/healthz", "/livez", "/readyz")),
    Route("/metrics", recorded(get_metrics), methods=["GET"]),
    Route("/telemetry", answering(get_telemetry), methods=["GET"]),
    Route("/issues", answering(get_issues), methods=["GET"]),
    Route("/issues", answering(clear_issues), methods=["DELETE"]),
    Route("/quotas", answering(get_quotas), methods=["GET"]),
    Route("/cluster", answering(get_cluster), methods=["GET"]),
    Route("/cluster/telemetry", answering(refuse_cluster), methods=["GET"]),
    Route("/cluster/recover", answering(refuse_cluster), methods=["POST"]),
    Route("/cluster/peer/{peer}", answering(refuse_cluster), methods=["DELETE"]),
    Route("/cluster/metadata/keys", answering(refuse_cluster), methods=["GET"]),
    Route("/cluster/metadata/keys/{key}", answering(refuse_cluster), methods=["GET", "PUT", "DELETE"]),
    Route(f"{_COLLECTION}/cluster", answering(get_collection_cluster), methods=["GET"]),
    Route(f"{_COLLECTION}/cluster", answering(refuse_collection_cluster), methods=["POST"]),
    Route(f"{_COLLECTION}/shards", answering(get_shard_keys), methods=["GET"]),
    Route(f"{_COLLECTION}/shards", answering(refuse_collection_cluster), methods=["PUT"]),
    Route(f"{_COLLECTION}/shards/delete", answering(refuse_collection_cluster), methods=["POST"]),
    Route(f"{_COLLECTION}/optimizations", answering(get_optimizations), methods=["GET"]),
]
