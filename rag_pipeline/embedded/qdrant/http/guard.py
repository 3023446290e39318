"""Who may ask, and how much a body may hold: an ASGI layer before the routes."""

import hmac
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rag_pipeline.embedded.qdrant.http.replies import failure
from rag_pipeline.embedded.qdrant.problems import BodyTooLargeError, ForbiddenError, RestError, UnauthorizedError
from rag_pipeline.errors import OpenToNetworkError, UsageError

_OPEN_PATHS = frozenset({"/", "/healthz", "/livez", "/readyz"})
_DRAINED_BODIES = 8
"""How many times the limit is read and dropped, so that a client that only listens after sending gets its 413."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets a request through to `app` when it may ask.

    Shapes:
        api_key: None on loopback: then requests that a web page made are refused, since any page the user visits can
            send to 127.0.0.1.
    """

    app: ASGIApp
    api_key: str | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer of `app`, or the refusal."""
        if scope["type"] == "http":
            refusal = self._refusal(scope["path"], Headers(scope=scope))
            if refusal:
                await failure(refusal, started=time.perf_counter())(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> RestError | None:
        if self.api_key is None:
            if "origin" in headers or not is_loopback(_host_name(headers.get("host", ""))):
                return ForbiddenError("Forbidden: without an API key only programs on this machine may ask.")
            return None
        if path in _OPEN_PATHS:
            return None
        given = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            return UnauthorizedError("Must provide an API key or an Authorization bearer token")
        # Headers arrive as latin-1; compared as bytes, in constant time.
        if not hmac.compare_digest(given.encode("latin-1"), self.api_key.encode()):
            return UnauthorizedError("Invalid API key")
        return None


async def body_of(request: Request, *, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it is longer than `max_bytes`.
    """
    chunks: list[bytes] = []
    size_bytes = 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes <= max_bytes:
            chunks.append(chunk)
        elif size_bytes > max_bytes * _DRAINED_BODIES:
            break
    if size_bytes > max_bytes:
        raise BodyTooLargeError(f"JSON payload is larger than allowed (limit: {max_bytes} bytes)")
    return b"".join(chunks)


def check_exposure(host: str, *, api_key: str | None) -> None:
    """Nothing, when `host` is loopback or there is a key.

    Raises:
        OpenToNetworkError: neither.
    """
    if api_key is None and not is_loopback(host):
        raise OpenToNetworkError(f"{host} is not a loopback address: set an API key, or listen on 127.0.0.1.")


def key_in(variable: str | None) -> str | None:
    """The API key that the environment variable holds; None without a name.

    The name is an argument of the command, not a setting: the key itself must never be in an argument list.

    Raises:
        UsageError: the variable is empty or not set.
    """
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise UsageError(f"The environment variable {variable} should hold the API key and is empty or not set.")
    return os.environ[variable]


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether only this machine can be meant by `host`."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(host_header: str) -> str:
    if host_header.startswith("["):
        return host_header[1:].partition("]")[0]
    return host_header.partition(":")[0]
