"""Transactions and locks."""

import os
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from rag_pipeline.errors import CollectionBusyError, LedgerUnavailableError
from rag_pipeline.ledger import collections
from rag_pipeline.ledger.engine import Ledger, driver_url

_HOLD = """
import sys, time
from rag_pipeline.ledger.engine import Ledger
with Ledger(sys.argv[1]).writer("papers"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_any_postgresql_url_is_taken(scheme: str) -> None:
    assert driver_url(f"{scheme}://u:p@h:1/d").render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h:1/d"


def test_an_error_rolls_the_whole_transaction_back(database_url: str) -> None:
    ledger = Ledger(database_url)
    with pytest.raises(ZeroDivisionError), ledger.begin() as connection:  # noqa: PT012 - the error must come second
        collections.create(connection, "papers", title="Papers", folder=b"papers")
        raise ZeroDivisionError
    with ledger.begin() as connection:
        assert collections.list_all(connection) == []
    ledger.close()


def test_the_lock_of_a_killed_writer_is_free_at_once(database_url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, database_url], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    ledger = Ledger(database_url)
    with pytest.raises(CollectionBusyError, match="papers"):
        ledger.writer("papers").__enter__()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()

    for attempt in range(100):  # PostgreSQL notices the closed socket within milliseconds
        try:
            with ledger.writer("papers"):
                break
        except CollectionBusyError:
            assert attempt < 99
    ledger.close()


def test_a_statement_that_takes_too_long_is_given_up(database_url: str) -> None:
    ledger = Ledger(database_url, statement_timeout_s=0.05)
    with pytest.raises(LedgerUnavailableError, match="statement timeout"), ledger.begin() as connection:
        connection.execute(sa.select(sa.func.pg_sleep(30)))
    with ledger.begin() as connection:
        assert collections.list_all(connection) == []
    ledger.close()


def test_a_connection_that_was_cut_is_replaced(database_url: str) -> None:
    ledger = Ledger(database_url)
    with pytest.raises(LedgerUnavailableError), ledger.begin() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with ledger.begin() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    ledger.close()


def test_a_statement_that_can_never_work_is_not_called_an_outage(database_url: str) -> None:
    ledger = Ledger(database_url)
    too_wide = f"CREATE TABLE wide ({', '.join(f'c{n} int' for n in range(1601))})"
    with pytest.raises(OperationalError, match="1600 columns"), ledger.begin() as connection:
        connection.execute(sa.text(too_wide))
    ledger.close()


def test_a_message_never_holds_the_password(database_url: str) -> None:
    del database_url
    ledger = Ledger("postgresql://rag:secret-word@127.0.0.1:1/ledger")
    with pytest.raises(LedgerUnavailableError) as caught, ledger.begin():
        pass
    ledger.close()

    assert "secret-word" not in str(caught.value)
