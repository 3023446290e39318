"""A real PostgreSQL for tests, and fresh databases on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.embedded.probes import libpq_url


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """The URL of a server with its files in `folder`, stopped at the end of the block; use one per test session."""
    with EmbeddedPostgres(folder, is_durable=False) as server:
        yield server.url


def fresh_database(url: str, *, template: str | None = None) -> str:
    """The URL of a new database on the server at `url`: empty, or a copy of the database named `template`.

    Nobody may be connected to the template while it is copied.
    """
    name = f"test_{uuid4().hex}"
    with psycopg.connect(libpq_url(with_database(url, "postgres")), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}".encode())
    return with_database(url, name)


def with_database(url: str, name: str) -> str:
    """`url` naming another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
