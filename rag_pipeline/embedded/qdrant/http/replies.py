"""Envelopes: how a result or an error is written."""

import time
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rag_pipeline.embedded.qdrant.http.query_parameters import check_parameters
from rag_pipeline.embedded.qdrant.problems import EngineFailedError, RateLimitError, RestError, UnauthorizedError

Handler = Callable[[Request], Awaitable[object]]
Endpoint = Callable[[Request], Awaitable[Response]]

_CLIENT_LEFT = 499
"""Of the statistics: nginx's code for it."""


def answering(handler: Handler) -> Endpoint:
    """An endpoint that answers with what `handler` returns, a result or a whole response, or the error it raises."""

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        try:
            if request.scope["query_string"]:  # most have none, and reading none takes 0.02 ms
                check_parameters(request.query_params)
            result = await handler(request)
        except RestError as error:
            return failure(error, started=started)
        except ClientDisconnect:
            # Nobody hears this: the client left before its body was whole. No fault of ours to log.
            return Response(status_code=_CLIENT_LEFT)
        except BaseException as error:
            # A panic of the engine; the binding's class has no importable name and is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            return failure(EngineFailedError(f"the engine panicked: {error}"), started=started)
        if isinstance(result, Response):
            return result
        return _json(200, {"result": result, "status": "ok", "time": time.perf_counter() - started})

    return recorded(answer)


def recorded(answer: Endpoint) -> Endpoint:
    """An endpoint that answers like `answer`, and whose answers are counted."""

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        response = await answer(request)
        state = request.app.state
        pattern = state.patterns[endpoint]
        duration_s = time.perf_counter() - started
        state.statistics.record(request.method, pattern, response.status_code, duration_s=duration_s)
        return response

    return endpoint


def accepted(*, started: float) -> Response:
    """Of what goes on after the answer."""
    return _json(202, {"status": "accepted", "time": time.perf_counter() - started})


def failure(error: RestError, *, started: float) -> Response:
    """An error in Qdrant's shape."""
    content = {"status": {"error": str(error)}, "time": time.perf_counter() - started}
    headers = None
    if isinstance(error, UnauthorizedError):
        headers = {"WWW-Authenticate": "Bearer"}
    elif isinstance(error, RateLimitError):
        headers = {"Retry-After": str(error.retry_after_s)}
    return _json(error.status, content, headers=headers)


def _json(status: int, content: object, *, headers: dict[str, str] | None = None) -> Response:
    written = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(written, status, headers, media_type="application/json")
