"""The ledger's tables. A change here needs a migration in `migrations/versions`; a test compares the two.

All live in the PostgreSQL schema `rag`, so that Dagster's tables can share the database (in `public`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from rag_pipeline.domain.states import DocumentState

SCHEMA = "rag"

FOREVER = 2**63 - 1
"""A revision that never comes.

A chunk row is live for revisions [live_from, live_to): a live row has live_to = FOREVER, one that is not yet live has
live_from = FOREVER too.
"""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    },
)

_now = func.now()
_states = ", ".join(f"'{state.value}'" for state in DocumentState)


def _moment(name: str, *, required: bool = False) -> Column[object]:
    default = _now if required else None
    return Column(name, DateTime(timezone=True), nullable=not required, server_default=default)


collections = Table(
    "collections",
    metadata,
    Column("key", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("folder", LargeBinary, nullable=False, unique=True, comment="raw name below uploads; empty: uploads itself"),
    Column("live_generation", Integer, comment="number of the generation that searches use"),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    Column("held_deletions", Integer, nullable=False, server_default=text("0"), comment="waiting for confirmation"),
    Column("held_reason", Text),
    _moment("created_at", required=True),
)

generations = Table(
    "generations",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("collection", Text, ForeignKey(collections.c.key), nullable=False),
    Column("number", Integer, nullable=False),
    Column("spec", JSONB, nullable=False),
    Column("spec_fingerprint", Text, nullable=False),
    _moment("created_at", required=True),
    UniqueConstraint("collection", "number"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("collection", Text, ForeignKey(collections.c.key), nullable=False),
    Column("path", Text, nullable=False, comment="printable form of path_bytes"),
    Column("path_bytes", LargeBinary, nullable=False, comment="relative to the collection's folder, as on disk"),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("priority", SmallInteger, nullable=False, comment="0 deletes, 1 uploads by API, 2 bulk"),
    # What the last scan saw.
    Column("seen_size_bytes", BigInteger, nullable=False),
    Column("seen_mtime_ns", BigInteger, nullable=False),
    Column("seen_ctime_ns", BigInteger, nullable=False),
    _moment("vanished_at"),
    Column("is_delete_wanted", Boolean, nullable=False, server_default=text("false")),
    # Work: the document is due while seen_seq > done_seq.
    Column("seen_seq", Integer, nullable=False, server_default=text("1"), comment="raised by each reason to work"),
    Column("extracted_seq", Integer, nullable=False, server_default=text("0"), comment="seen_seq its pages are of"),
    Column("done_seq", Integer, nullable=False, server_default=text("0"), comment="seen_seq its end state is of"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _moment("not_before", required=True),
    Column("run_id", Text, comment="of the Dagster run that holds the lease"),
    _moment("lease_until"),
    # What extraction found.
    Column("content_hash", LargeBinary, comment="SHA-256 of the file its pages are of"),
    Column("indexed_hash", LargeBinary, comment="content_hash of the version that is live; null: none is"),
    Column("size_bytes", BigInteger),
    Column("media_type", Text),
    Column("title", Text),
    Column("language", Text),
    Column("extractor", Text),
    Column("metadata", JSONB),
    _moment("first_seen_at", required=True),
    _moment("changed_at", required=True),
    _moment("indexed_at"),
    CheckConstraint(f"state in ({_states})", name="state"),
    # A prefix: a path may be longer than the 2,704 bytes that fit into an index. What makes it unique is the id.
    Index("ix_documents_listing", "collection", text("substr(path_bytes, 1, 500)")),
    Index(
        "ix_documents_due",
        "collection",
        "priority",
        "first_seen_at",
        "id",
        postgresql_where=text("seen_seq > done_seq"),
    ),
    Index("ix_documents_vanished", "collection", postgresql_where=text("vanished_at is not null")),
    Index("ix_documents_content_hash", "content_hash"),
)

pages = Table(
    "pages",
    metadata,
    Column("document_id", Uuid, ForeignKey(documents.c.id, ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("number", Integer, comment="1-based; null where the format has no pages"),
    Column("label", Text),
    Column("text", Text, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("generation_id", Integer, ForeignKey(generations.c.id), primary_key=True),
    Column("chunk_id", Uuid, primary_key=True),
    Column("live_from", BigInteger, primary_key=True),
    Column("live_to", BigInteger, nullable=False),
    Column("document_id", Uuid, ForeignKey(documents.c.id), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("page", Integer),
    Column("start", Integer, nullable=False, comment="characters into the page"),
    Column("end", Integer, nullable=False),
    Column("token_count", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("embedded_hash", LargeBinary, nullable=False, comment="SHA-256 of the string embedded, prefix included"),
    _moment("closed_at"),
    Index("ix_chunks_document", "generation_id", "document_id"),
    Index("ix_chunks_closed", "generation_id", "closed_at", postgresql_where=text("closed_at is not null")),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("model_fingerprint", Text, primary_key=True),
    Column("embedded_hash", LargeBinary, primary_key=True),
    Column("vector", LargeBinary, nullable=False, comment="float32, little endian, unit length"),
    _moment("created_at", required=True),
)

points = Table(
    "points",
    metadata,
    Column("generation_id", Integer, ForeignKey(generations.c.id), primary_key=True),
    Column("chunk_id", Uuid, primary_key=True),
    Column("payload_hash", LargeBinary, nullable=False),
    _moment("written_at", required=True),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("collection", Text, ForeignKey(collections.c.key), nullable=False),
    Column("counts", JSONB, nullable=False),
    _moment("started_at", required=True),
    _moment("finished_at"),
    Index("ix_runs_collection", "collection", "started_at"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("collection", Text, ForeignKey(collections.c.key), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("has_passed", Boolean, nullable=False),
    Column("detail", JSONB, nullable=False),
    _moment("judged_at", required=True),
)
