"""The first schema of the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_STATES = (
    "state in ('queued', 'extracting', 'chunking', 'embedding', 'indexing', 'indexed', 'failed', 'skipped', 'deleted')"
)


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "collections",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("folder", sa.LargeBinary(), nullable=False, comment="raw name below uploads; empty: uploads itself"),
        sa.Column("live_generation", sa.Integer(), nullable=True, comment="number of the generation that searches use"),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "held_deletions",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="waiting for confirmation",
        ),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_collections")),
        sa.UniqueConstraint("folder", name=op.f("uq_collections_folder")),
        schema="rag",
    )
    op.create_table(
        "embeddings",
        sa.Column("model_fingerprint", sa.Text(), nullable=False),
        sa.Column("embedded_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False, comment="float32, little endian, unit length"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("model_fingerprint", "embedded_hash", name=op.f("pk_embeddings")),
        schema="rag",
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="printable form of path_bytes"),
        sa.Column(
            "path_bytes", sa.LargeBinary(), nullable=False, comment="relative to the collection's folder, as on disk"
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment="0 deletes, 1 uploads by API, 2 bulk"),
        sa.Column("seen_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("seen_mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("vanished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_delete_wanted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "seen_seq",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="raised by each reason to work",
        ),
        sa.Column(
            "extracted_seq",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="seen_seq its pages are of",
        ),
        sa.Column(
            "done_seq",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="seen_seq its end state is of",
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True, comment="of the Dagster run that holds the lease"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=True, comment="SHA-256 of the file its pages are of"),
        sa.Column(
            "indexed_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="content_hash of the version that is live; null: none is",
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("extractor", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(_STATES, name=op.f("ck_documents_state")),
        sa.ForeignKeyConstraint(["collection"], ["rag.collections.key"], name=op.f("fk_documents_collection")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        schema="rag",
    )
    op.create_index("ix_documents_content_hash", "documents", ["content_hash"], unique=False, schema="rag")
    op.create_index(
        "ix_documents_due",
        "documents",
        ["collection", "priority", "first_seen_at", "id"],
        unique=False,
        schema="rag",
        postgresql_where=sa.text("seen_seq > done_seq"),
    )
    op.create_index(
        "ix_documents_listing",
        "documents",
        ["collection", sa.text("substr(path_bytes, 1, 500)")],
        unique=False,
        schema="rag",
    )
    op.create_index(
        "ix_documents_vanished",
        "documents",
        ["collection"],
        unique=False,
        schema="rag",
        postgresql_where=sa.text("vanished_at is not null"),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("spec", postgresql.JSONB(), nullable=False),
        sa.Column("spec_fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["collection"], ["rag.collections.key"], name=op.f("fk_generations_collection")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
        sa.UniqueConstraint("collection", "number", name=op.f("uq_generations_collection")),
        schema="rag",
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("counts", postgresql.JSONB(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["collection"], ["rag.collections.key"], name=op.f("fk_runs_collection")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
        schema="rag",
    )
    op.create_index("ix_runs_collection", "runs", ["collection", "started_at"], unique=False, schema="rag")
    op.create_table(
        "verdicts",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("has_passed", sa.Boolean(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["collection"], ["rag.collections.key"], name=op.f("fk_verdicts_collection")),
        sa.PrimaryKeyConstraint("collection", "name", name=op.f("pk_verdicts")),
        schema="rag",
    )
    op.create_table(
        "chunks",
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("chunk_id", sa.Uuid(), nullable=False),
        sa.Column("live_from", sa.BigInteger(), nullable=False),
        sa.Column("live_to", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("start", sa.Integer(), nullable=False, comment="characters into the page"),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "embedded_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the string embedded, prefix included"
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["rag.documents.id"], name=op.f("fk_chunks_document_id")),
        sa.ForeignKeyConstraint(["generation_id"], ["rag.generations.id"], name=op.f("fk_chunks_generation_id")),
        sa.PrimaryKeyConstraint("generation_id", "chunk_id", "live_from", name=op.f("pk_chunks")),
        schema="rag",
    )
    op.create_index(
        "ix_chunks_closed",
        "chunks",
        ["generation_id", "closed_at"],
        unique=False,
        schema="rag",
        postgresql_where=sa.text("closed_at is not null"),
    )
    op.create_index("ix_chunks_document", "chunks", ["generation_id", "document_id"], unique=False, schema="rag")
    op.create_table(
        "pages",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True, comment="1-based; null where the format has no pages"),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["rag.documents.id"], name=op.f("fk_pages_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", "ordinal", name=op.f("pk_pages")),
        schema="rag",
    )
    op.create_table(
        "points",
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("chunk_id", sa.Uuid(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["generation_id"], ["rag.generations.id"], name=op.f("fk_points_generation_id")),
        sa.PrimaryKeyConstraint("generation_id", "chunk_id", name=op.f("pk_points")),
        schema="rag",
    )


def downgrade() -> None:
    """Refuse: the ledger is the system of record."""
    msg = "The ledger is the system of record; restore a backup instead of downgrading it."
    raise NotImplementedError(msg)
