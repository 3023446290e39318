"""The FastAPI application: routes, errors and headers put together over one workbench."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool

import rag_pipeline
from rag_pipeline.api import routes_collections, routes_health, routes_search
from rag_pipeline.api.deadline import AnswerThreads
from rag_pipeline.api.problems import add_error_handlers
from rag_pipeline.services.workbench import Workbench

_DESCRIPTION = "Searches the collections that rag_pipeline keeps. Errors are `application/problem+json` with a `code`."


def build_app(bench: Workbench, *, search_deadline_s: float = 10.0) -> FastAPI:
    """The API over `bench`, which it closes at its end; an answer that takes longer than the deadline is given up."""
    threads = AnswerThreads(deadline_s=search_deadline_s)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Loaded before the first request is taken: nobody waits for the model.
        await run_in_threadpool(lambda: bench.model.embedder)
        yield
        await run_in_threadpool(threads.close)
        bench.close()

    # FastAPI's own pages load their scripts from a CDN.
    app = FastAPIOffline(
        title="rag_pipeline",
        version=rag_pipeline.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.bench = bench
    app.state.threads = threads
    app.include_router(routes_search.router, prefix="/api/v1")
    app.include_router(routes_collections.router, prefix="/api/v1")
    app.include_router(routes_health.router)
    add_error_handlers(app)

    @app.middleware("http")
    async def name_the_version(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["X-API-Version"] = "v1"
        return response

    return app
