"""Does a server answer? Short questions that never raise and take at most about two seconds."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping

ANSWER_TIMEOUT_S = 2.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Without the environment's proxies: all our servers are near."""


def answers_http(url: str, *, api_key: str | None = None, timeout_s: float = ANSWER_TIMEOUT_S) -> bool:
    """Whether GET `url` is answered with 2xx."""
    return _ask(url, headers={"api-key": api_key} if api_key else {}, timeout_s=timeout_s) is not None


def answers_tcp(host: str, port: int) -> bool:
    """Whether something accepts connections at `host`:`port`."""
    try:
        socket.create_connection((host, port), timeout=ANSWER_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def answers_sql(url: str) -> bool:
    """Whether the PostgreSQL at `url` (any SQLAlchemy URL of it) answers SELECT 1."""
    import psycopg

    try:
        with psycopg.connect(libpq_url(url), connect_timeout=int(ANSWER_TIMEOUT_S), autocommit=True) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def libpq_url(url: str) -> str:
    """`url` as libpq takes it: without SQLAlchemy's `+driver`."""
    scheme, separator, rest = url.partition("://")
    return scheme.partition("+")[0] + separator + rest


def daemon_beats(dagster_url: str, *, since: float) -> bool:
    """Whether Dagster's daemon, asked through the webserver, is healthy and wrote a heartbeat after `since` (epoch)."""
    query = "{instance{daemonHealth{allDaemonStatuses{daemonType required healthy lastHeartbeatTime}}}}"
    body = json.dumps({"query": query}).encode()
    answer = _ask(f"{dagster_url}/graphql", headers={"content-type": "application/json"}, body=body)
    try:
        statuses = json.loads(answer or b"")["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    except (ValueError, KeyError, TypeError):
        return False
    beats = [status for status in statuses if status["required"]]
    return bool(beats) and all(beat["healthy"] and (beat["lastHeartbeatTime"] or 0) >= since for beat in beats)


def _ask(
    url: str, *, headers: Mapping[str, str], body: bytes | None = None, timeout_s: float = ANSWER_TIMEOUT_S
) -> bytes | None:
    try:
        request = urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310  our URLs
        with _OPENER.open(request, timeout=timeout_s) as answer:
            return answer.read()
    except (OSError, ValueError, http.client.HTTPException):  # URLError and timeouts are OSError; the rest: not HTTP
        return None
