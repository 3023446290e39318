"""How each component of a running instance (or of one made by hand from the same parts) is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rag_pipeline.embedded.probes import answers_http, answers_sql, daemon_beats


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """One component as it answers now.

    Shapes:
        url: where it was asked, without a password.
        is_well: whether it answered as it should within about 2 s.
    """

    name: str
    url: str
    is_well: bool


def ask_components(
    *, database_url: str, qdrant_url: str, qdrant_api_key: str | None, dagster_url: str, api_url: str
) -> list[ComponentHealth]:
    """The health of PostgreSQL, Qdrant, Dagster's webserver and daemon, and the query API, in this order."""
    questions: list[tuple[str, str, Callable[[], bool]]] = [
        ("postgres", without_password(database_url), lambda: answers_sql(database_url)),
        ("qdrant", qdrant_url, lambda: answers_http(f"{qdrant_url}/readyz", api_key=qdrant_api_key)),
        ("webserver", dagster_url, lambda: answers_http(f"{dagster_url}/server_info")),
        ("daemon", dagster_url, lambda: daemon_beats(dagster_url, since=0.0)),
        ("api", api_url, lambda: answers_http(f"{api_url}/health/ready")),
    ]
    with ThreadPoolExecutor(len(questions)) as pool:
        answers = [pool.submit(ask) for _, _, ask in questions]
        return [
            ComponentHealth(name, url, answer.result())
            for (name, url, _), answer in zip(questions, answers, strict=True)
        ]


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}{at}{place}"
