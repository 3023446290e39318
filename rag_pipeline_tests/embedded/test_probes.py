"""Probes, against small real servers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rag_pipeline.embedded.probes import answers_http, answers_tcp, daemon_beats


@contextmanager
def _server(body: bytes, *, status: int = 200, key: str | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if key is None or self.headers.get("api-key") == key else 403)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the name http.server asks for

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  as http.server has it

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (204, True), (404, False), (503, False)])
def test_only_2xx_is_an_answer(status: int, is_well: bool) -> None:
    with _server(b"", status=status) as port:
        assert answers_http(f"http://127.0.0.1:{port}/readyz") is is_well


def test_the_key_is_sent() -> None:
    with _server(b"", key="k") as port:
        assert answers_http(f"http://127.0.0.1:{port}", api_key="k")
        assert not answers_http(f"http://127.0.0.1:{port}")


def test_a_port_nobody_listens_on_does_not_answer() -> None:
    with _server(b"") as port:
        assert answers_tcp("127.0.0.1", port)
    assert not answers_tcp("127.0.0.1", port)


def _statuses(*beats: tuple[bool, bool, float | None]) -> bytes:
    names = ("required", "healthy", "lastHeartbeatTime")
    statuses = [dict(zip(names, beat, strict=True)) for beat in beats]
    return json.dumps({"data": {"instance": {"daemonHealth": {"allDaemonStatuses": statuses}}}}).encode()


@pytest.mark.parametrize(
    ("body", "is_well"),
    [
        (_statuses((True, True, 100.0), (False, False, None)), True),
        (_statuses((True, True, 99.0)), False),  # of an earlier daemon
        (_statuses((True, True, 100.0), (True, False, 100.0)), False),
        (_statuses((True, True, None)), False),
        (_statuses(), False),
        (b'{"data": null, "errors": []}', False),
        (b"<html>", False),
    ],
)
def test_the_daemon_is_well_when_all_that_is_required_beats_now(body: bytes, is_well: bool) -> None:
    with _server(body) as port:
        assert daemon_beats(f"http://127.0.0.1:{port}", since=100.0) is is_well
