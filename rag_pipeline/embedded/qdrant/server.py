"""The process: takes the folder and the port, serves until it is told to stop, leaves everything flushed."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from rag_pipeline.embedded.qdrant.app import build_app
from rag_pipeline.embedded.qdrant.guard import check_exposure
from rag_pipeline.embedded.qdrant.storage import Storage
from rag_pipeline.errors import PortInUseError

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Source: Qdrant's `service.max_request_size_mb`, 32."""

FLUSH_INTERVAL_S = 5.0
_SWITCH_INTERVAL_S = 0.001
"""How soon a search gets its turn from Python code of a big upsert; Python's own 5 ms would be most of a search."""

_STOP_GRACE_S = 10
_KEEP_ALIVE_S = 120
_BACKLOG = 512


def serve(
    data_dir: Path,
    *,
    port: int,
    host: str = "127.0.0.1",
    api_key: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    flush_interval_s: float = FLUSH_INTERVAL_S,
) -> None:
    """Serves `data_dir` until SIGTERM or SIGINT; when it returns, everything is on the disk.

    Once the socket listens and the collections are loaded, one line with the URL goes to standard output.

    Args:
        data_dir: made when missing; one process at a time.
        port: 0 for any that is free.
        host: other than loopback only with a key.
        api_key: expected in `api-key` or `Authorization: Bearer`; None lets in every program of this machine.
        max_body_bytes: of one request.
        flush_interval_s: between two flushes of what was written.

    Raises:
        OpenToNetworkError: the host is not loopback and there is no key.
        PortInUseError: the port is taken.
        InstanceRunningError: another process owns the folder.
    """
    check_exposure(host, api_key=api_key)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with _bound_socket(host, port) as listener:
        storage = Storage(data_dir)
        app = build_app(storage, api_key=api_key, max_body_bytes=max_body_bytes, flush_interval_s=flush_interval_s)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            backlog=_BACKLOG,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_GRACE_S,
        )
        bound_host, bound_port = listener.getsockname()[:2]
        shown_host = f"[{bound_host}]" if ":" in bound_host else bound_host
        _Server(config, announcement=f"http://{shown_host}:{bound_port}").run(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn's server, ending with code 0 when it was told to stop: its own raises the signal again afterwards."""

    def __init__(self, config: uvicorn.Config, *, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then says where."""
        await super().startup(sockets=sockets)
        sys.stdout.write(f"{self._announcement}\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A block in which SIGTERM and SIGINT end the server."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.should_exit = True


def _bound_socket(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {port} of {host} is in use; choose another or stop what listens there."
            ) from error
        raise
    return listener
