"""Alembic's entry point; only ever run in process by `rag_pipeline.ledger.schema.upgrade`."""

from alembic import context

from rag_pipeline.ledger.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
context.run_migrations()
