"""The application: its routes, what it answers outside them, and its life from first to last request."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from rag_pipeline.embedded.qdrant.http import (
    routes_collections,
    routes_points,
    routes_queries,
    routes_service,
    routes_snapshots,
)
from rag_pipeline.embedded.qdrant.http.guard import Guard
from rag_pipeline.embedded.qdrant.http.replies import failure
from rag_pipeline.embedded.qdrant.http.statistics import Statistics
from rag_pipeline.embedded.qdrant.http.workplace import Workplace
from rag_pipeline.embedded.qdrant.optimising.optimiser import Optimiser
from rag_pipeline.embedded.qdrant.problems import EngineFailedError, NotFoundError, RestError, UnsupportedError
from rag_pipeline.embedded.qdrant.snapshots import backup
from rag_pipeline.embedded.qdrant.snapshots.shelf import Shelves
from rag_pipeline.embedded.qdrant.store.storage import Storage

_log = logging.getLogger(__name__)

_QDRANT_ROOTS = ("/collections", "/aliases", "/cluster", "/snapshots", "/telemetry", "/metrics", "/issues", "/quotas")


def build_app(
    storage: Storage,
    *,
    api_key: str | None,
    max_body_bytes: int,
    max_snapshot_bytes: int | None = None,
    sync_interval_s: float,
) -> ASGIApp:
    """The server's ASGI application; it closes `storage` when it ends."""
    place = Workplace(
        storage,
        Shelves(storage.root / "snapshots"),
        max_body_bytes=max_body_bytes,
        max_snapshot_bytes=max_snapshot_bytes,
    )

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        syncing = asyncio.create_task(_sync_for_ever(storage, interval_s=sync_interval_s))
        optimiser = Optimiser(storage)
        optimising = asyncio.create_task(optimiser.run())
        try:
            yield
        finally:
            optimiser.stop()
            await optimising
            syncing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await syncing
            await place.close()
            backup.end_children()

    routes = [
        *routes_queries.ROUTES,
        *routes_points.ROUTES,
        *routes_snapshots.ROUTES,
        *routes_collections.ROUTES,
        *routes_service.ROUTES,
    ]
    app = Starlette(
        routes=routes, lifespan=life, exception_handlers={404: _outside, 405: _outside, Exception: _our_fault}
    )
    app.router.redirect_slashes = False
    app.state.statistics = Statistics()
    app.state.patterns = {route.endpoint: route.path for route in routes}
    app.state.workplace = place
    return Guard(app, api_key=api_key)


async def _outside(request: Request, _: Exception) -> Response:
    path = request.url.path
    error: RestError = NotFoundError(f"{request.method} {path[:200]}")
    if path.startswith(_QDRANT_ROOTS):
        error = UnsupportedError(f"{request.method} {path[:200]}")
    return failure(error, started=time.perf_counter())


async def _our_fault(_: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return failure(EngineFailedError(f"internal error: {type(error).__name__}"), started=time.perf_counter())


async def _sync_for_ever(storage: Storage, *, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        for collection in storage.collections:
            try:
                await asyncio.to_thread(collection.sync)
            except (RestError, OSError):
                # A full disk, or the collection was just deleted; the next round tries again.
                _log.warning("collection %s could not be synced", collection.name, exc_info=True)
