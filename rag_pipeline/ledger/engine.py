"""The connection to the ledger: one class, transactions, and the lock that gives a collection one writer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rag_pipeline.errors import CollectionBusyError, LedgerUnavailableError

logger = logging.getLogger(__name__)

_WRITER_LOCK = 0x7261675F  # "rag_": our half of the advisory locks' key space
_SCAN_LOCK = 0x72616773  # "rags"


def driver_url(url: str) -> sa.URL:
    """`url` with the driver we ship (psycopg 3), whatever scheme of PostgreSQL it names."""
    return make_url(url).set(drivername="postgresql+psycopg")


class Ledger:
    """Transactions on one ledger. Cheap to make; holds a pool of connections until `close`."""

    def __init__(self, url: str, *, pool_size: int = 5, statement_timeout_s: float | None = None) -> None:
        """Connect lazily to `url` (any PostgreSQL URL); a statement that takes longer than its timeout is given up."""
        self._engine = sa.create_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "rag_pipeline"},
        )
        if statement_timeout_s is not None:
            limit = f"SET statement_timeout = {max(1, round(statement_timeout_s * 1000))}"
            event.listen(self._engine, "connect", lambda connection, _record: _set(connection, limit))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: committed at the end of the block, rolled back by an error.

        Raises:
            LedgerUnavailableError: PostgreSQL does not answer.
        """
        with _translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writer(self, collection: str) -> Iterator["WriterLock"]:
        """Hold the lock that makes this process the only writer of `collection`.

        The lock belongs to a PostgreSQL session: it is gone the moment its holder is, however it died.

        Raises:
            CollectionBusyError: another process holds it.
        """
        with self._advisory_lock(_WRITER_LOCK, collection) as session:
            if session is None:
                raise CollectionBusyError(
                    f"Another run is writing collection {collection!r}; this one can be started again when it is done."
                )
            yield WriterLock(session, collection)

    @contextmanager
    def scanner(self) -> Iterator[bool]:
        """Try to become the only scanner of the uploads folder; yields whether this process is."""
        with self._advisory_lock(_SCAN_LOCK, "uploads") as session:
            yield session is not None

    @contextmanager
    def _advisory_lock(self, kind: int, name: str) -> Iterator[sa.Connection | None]:
        """The session that holds the lock; None when another one does."""
        with _translated(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            key = sa.func.hashtext(name)
            is_held = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(kind, key))))
            try:
                yield connection if is_held else None
            finally:
                if is_held and not _runs(connection, sa.select(sa.func.pg_advisory_unlock(kind, key))):
                    # Gone with its session: what was written was checked against the leases (`work.check_held`).
                    logger.warning("the lock of %s was lost before its end", name)


class WriterLock:
    """The lock of a collection's only writer, while it should be held."""

    def __init__(self, session: sa.Connection, collection: str) -> None:
        """Made by `Ledger.writer`."""
        self._session = session
        self._collection = collection

    def check(self) -> None:
        """Nothing, while the session that holds the lock lives.

        Raises:
            CollectionBusyError: it ended, and another run may be writing by now.
        """
        if not _runs(self._session, sa.select(1)):
            raise CollectionBusyError(
                f"The lock of collection {self._collection!r} was lost with its connection to PostgreSQL; "
                "this run stops, and can be started again."
            )


def _runs(session: sa.Connection, statement: sa.Select[tuple[Any]]) -> bool:
    """Whether the session still lives and ran `statement`."""
    if session.invalidated:
        return False
    try:
        session.execute(statement)
    except DBAPIError:
        return False
    return True


def _set(connection: psycopg.Connection, setting: str) -> None:
    # Not among the connection's options, where the URL may have some of its own.
    with connection.cursor() as cursor:
        cursor.execute(setting.encode())
    connection.commit()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        if _is_about_the_statement(error):
            raise
        raise LedgerUnavailableError(f"The ledger (PostgreSQL) does not answer: {_first_line(error)}") from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise LedgerUnavailableError(f"The ledger (PostgreSQL) hung up: {_first_line(error)}") from error


def _is_about_the_statement(error: Exception) -> bool:
    """Whether PostgreSQL answered, and will answer the same again (class 54, "program limit exceeded")."""
    return (getattr(getattr(error, "orig", None), "sqlstate", None) or "").startswith("54")


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().split("\n", 1)[0]
