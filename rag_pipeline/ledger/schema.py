"""Bringing a database to the ledger's schema (Alembic, run in process)."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from rag_pipeline.errors import UsageError
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.ledger.tables import SCHEMA

_UPGRADE_LOCK = 0x72616775  # "ragu"


def upgrade(url: str) -> None:
    """Create or upgrade the ledger at `url` to this version's schema; safe to run twice and side by side.

    Raises:
        LedgerUnavailableError: PostgreSQL does not answer.
        UsageError: the ledger was written by a newer version of this project.
    """
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
            config = _config()
            _refuse_a_newer_schema(connection, config)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        ledger.close()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _refuse_a_newer_schema(connection: sa.Connection, config: Config) -> None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = context.get_current_revision()
    if current is not None and current not in known:
        raise UsageError(
            f"The ledger has schema {current}, which this version of rag_pipeline does not know: "
            "it was written by a newer version. Install that version, or restore a backup of the ledger."
        )
