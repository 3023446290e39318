"""A real PostgreSQL for tests, and fresh databases on it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.embedded.probes import libpq_url


@contextmanager
def temporary_data_dir() -> Iterator[Path]:
    """A data folder that is gone after the block; not pytest's `tmp_path`.

    As root, PostgreSQL runs as a user that must be able to pass the folders above its own, and each session of pytest
    that starts takes that right away from all of `/tmp/pytest-of-root`, also under a session that runs already.
    """
    with tempfile.TemporaryDirectory(prefix="rag-test-") as folder:
        yield Path(folder).resolve()


@contextmanager
def running_postgres(folder: Path | None = None) -> Iterator[str]:
    """The URL of a server, stopped at the end of the block; use one per test session, and `fresh_database` per test.

    Its files are in `folder` (not under `tmp_path`, see `temporary_data_dir`), by default in a temporary one.
    """
    if folder is None:
        with temporary_data_dir() as temporary, running_postgres(temporary) as url:
            yield url
        return
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


def database_name(url: str) -> str:
    """The database that `url` names."""
    return urlsplit(url).path.lstrip("/")
