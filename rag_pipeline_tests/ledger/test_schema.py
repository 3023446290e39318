"""The ledger's schema: what migrations make is what the tables say, however they are run."""

import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from dagster_postgres import DagsterPostgresStorage

from rag_pipeline.embedded.probes import libpq_url
from rag_pipeline.errors import LedgerUnavailableError, UsageError
from rag_pipeline.ledger import collections, schema
from rag_pipeline.ledger.engine import Ledger, driver_url
from rag_pipeline.ledger.tables import SCHEMA, metadata


def differences(url: str) -> list[object]:
    engine = sa.create_engine(driver_url(url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": SCHEMA,
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        found = list(compare_metadata(context, metadata))
    engine.dispose()
    return found


def test_migrations_make_what_the_tables_say(database_url: str) -> None:
    assert differences(database_url) == []


def test_a_difference_would_be_seen(database_url: str) -> None:
    ledger = Ledger(database_url)
    with ledger.begin() as connection:
        connection.execute(sa.text("ALTER TABLE rag.documents DROP COLUMN title"))
    ledger.close()

    assert differences(database_url) != []


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    schema.upgrade(database_url)

    assert differences(database_url) == []


def test_two_upgrades_at_once_both_succeed(empty_database_url: str) -> None:
    failures: list[Exception] = []

    def upgrade() -> None:
        try:
            schema.upgrade(empty_database_url)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at below
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert differences(empty_database_url) == []


def test_a_schema_of_a_newer_version_is_refused(database_url: str) -> None:
    ledger = Ledger(database_url)
    with ledger.begin() as connection:
        connection.execute(sa.text("UPDATE rag.alembic_version SET version_num = '9999'"))
    ledger.close()

    with pytest.raises(UsageError, match="newer version"):
        schema.upgrade(database_url)


def test_a_ledger_that_is_down_is_said_to_be(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = tmp_path_factory.mktemp("nowhere")
    url = f"postgresql://rag@/ledger?host={nowhere}"

    with pytest.raises(LedgerUnavailableError, match="does not answer"):
        schema.upgrade(url)


def test_the_ledger_lives_beside_dagsters_tables(empty_database_url: str) -> None:
    dagster_url = "postgresql+psycopg2" + libpq_url(empty_database_url).removeprefix("postgresql")
    storage = DagsterPostgresStorage(dagster_url, should_autocreate_tables=True)
    for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
        part.dispose()
    schema.upgrade(empty_database_url)

    ledger = Ledger(empty_database_url)
    with ledger.begin() as connection:
        tables = sa.inspect(connection).get_table_names(schema="public")
        assert collections.list_all(connection) == []
    ledger.close()
    assert {"event_logs", "runs"} <= set(tables)
    assert differences(empty_database_url) == []
