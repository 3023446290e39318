"""The process: takes the folder and the port, serves until it is told to stop, leaves everything on the disk."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from rag_pipeline.embedded.qdrant.http.app import build_app
from rag_pipeline.embedded.qdrant.http.guard import check_exposure
from rag_pipeline.embedded.qdrant.store.storage import Storage
from rag_pipeline.errors import PortInUseError, UsageError

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Source: Qdrant's `service.max_request_size_mb`, 32."""

SYNC_INTERVAL_S = 5.0
_SWITCH_INTERVAL_S = 0.001
"""How soon a search gets its turn from Python code of a big upsert; Python's own 5 ms would be most of a search."""

_STOP_GRACE_S = 10
_KEEP_ALIVE_S = 120
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is too much.

    Shapes:
        max_body_bytes: of one request.
        max_snapshot_bytes: of an uploaded snapshot; None for as much as the disk has room for.
        sync_interval_s: between two moments when what was written is forced to the disk.
    """

    max_body_bytes: int = MAX_BODY_BYTES
    max_snapshot_bytes: int | None = None
    sync_interval_s: float = SYNC_INTERVAL_S


def serve(
    data_dir: Path,
    *,
    port: int,
    host: str = "127.0.0.1",
    api_key: str | None = None,
    limits: Limits | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serves `data_dir` until SIGTERM or SIGINT; when it returns, everything is on the disk.

    The engine keeps the collections open until the process ends (`store.shards`): it serves a folder once.

    Args:
        data_dir: made when missing; one process at a time.
        port: 0 for any that is free.
        host: other than loopback only with a key.
        api_key: expected in `api-key` or `Authorization: Bearer`; None lets in every program of this machine.
        limits: None for the defaults.
        announce: gets the URL, once the socket listens and the collections are loaded.

    Raises:
        OpenToNetworkError: the host is not loopback and there is no key.
        PortInUseError: the port is taken.
        InstanceRunningError: another process owns the folder.
        UsageError: nothing can listen at this address, or the folder cannot be used.
    """
    limits = limits or Limits()
    check_exposure(host, api_key=api_key)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with _bound_socket(host, port) as listener:
        storage = Storage(data_dir)
        app = build_app(
            storage,
            api_key=api_key,
            max_body_bytes=limits.max_body_bytes,
            max_snapshot_bytes=limits.max_snapshot_bytes,
            sync_interval_s=limits.sync_interval_s,
        )
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
        _Server(config, announce=lambda: announce(f"http://{shown_host}:{bound_port}")).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn's server, ending with code 0 when it was told to stop: its own raises the signal again afterwards."""

    def __init__(self, config: uvicorn.Config, *, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then says where."""
        await super().startup(sockets=sockets)
        self._announce()
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
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise UsageError(f"Nothing can listen on {host}:{port} ({error.strerror}).") from error
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
        raise UsageError(f"Nothing can listen on {host}:{port} ({error.strerror}).") from error
    return listener
