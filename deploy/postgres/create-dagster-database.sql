-- Run by the postgres image when its volume is new: Dagster's own tables live beside the ledger, in a database of
-- their own, because both keep an alembic_version table.
CREATE DATABASE dagster;
