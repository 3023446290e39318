"""Settings: the only reader of the environment. The composition roots read them once and pass plain values down.

Every field can be set as `RAG_<NAME>`, nested ones as `RAG_<GROUP>__<NAME>`, in the environment or in a `.env` file in
the project folder. `.env.example` and the README's table list the same names; a test holds the three together.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_MIB = 1024 * 1024


def project_dir() -> Path:
    """The folder that relative default paths start from.

    In a checkout it is the checkout, so that a command finds the same instance from any working directory;
    for an installed package it is the working directory.
    """
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "dagster.yaml").is_file() else Path.cwd()


class _Group(BaseModel):
    """Settings that share a prefix. Other names under it are errors: a misspelt setting would do nothing in silence."""

    model_config = ConfigDict(extra="forbid")


class DatabaseSettings(_Group):
    """PostgreSQL, the system of record."""

    url: SecretStr | None = Field(default=None, description="PostgreSQL URL; empty: the embedded server")


class QdrantSettings(_Group):
    """Qdrant, the projection that is searched."""

    url: str | None = Field(default=None, description="Qdrant URL; empty: the embedded server")
    api_key: SecretStr | None = Field(default=None, description="API key of that Qdrant")
    timeout_s: float = Field(default=30.0, gt=0, description="longest wait for one answer of Qdrant, seconds")


class ApiSettings(_Group):
    """The query API."""

    host: str = Field(default="127.0.0.1", description="address the query API binds to")
    port: int | None = Field(default=None, ge=1, le=65535, description="port of the query API; empty: RAG_PORTS_FROM")
    search_deadline_s: float = Field(
        default=10.0, gt=0, le=50, description="a search that takes longer is answered 503"
    )


class CodeServerSettings(_Group):
    """Dagster's code server, where the webserver and the daemon find our definitions."""

    host: str = Field(default="127.0.0.1", description="host of Dagster's code server")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="port of the code server; empty: RAG_PORTS_FROM + 3"
    )


class EmbeddingSettings(_Group):
    """The embedding model. A change of model is a new IndexSpec."""

    model: str = Field(
        default="all-MiniLM-L6-v2", description="hub name or local path of a sentence-transformers model"
    )
    revision: str | None = Field(default=None, description="commit of the model on the hub; empty: its default")
    query_prefix: str = Field(default="", description="put before each query, for models that want one")
    passage_prefix: str = Field(default="", description="put before each chunk, for models that want one")
    runtime: Literal["onnx", "reference"] = Field(default="onnx", description="`onnx` (fast) or `reference` (torch)")
    threads: int | None = Field(default=None, ge=1, description="CPU threads for the model; empty: all cores")


class ChunkingSettings(_Group):
    """How text is cut. A change is a new IndexSpec."""

    max_tokens: int = Field(default=256, ge=16, description="longest chunk, in the model's own tokens")
    overlap_tokens: int = Field(
        default=64, ge=0, description="end of a chunk repeated at the start of the next, in tokens"
    )

    @model_validator(mode="after")
    def _overlap_is_smaller_than_a_chunk(self) -> "ChunkingSettings":
        if self.overlap_tokens * 2 > self.max_tokens:
            msg = f"overlap_tokens={self.overlap_tokens} must be at most half of max_tokens={self.max_tokens}"
            raise ValueError(msg)
        return self


class ExtractionSettings(_Group):
    """Limits of the child process that reads files; one file never takes more."""

    timeout_s: float = Field(default=60.0, gt=0, description="longest time to read one file, seconds")
    max_memory_bytes: int = Field(
        default=1536 * _MIB, ge=256 * _MIB, description="memory of the process that reads files"
    )
    max_file_bytes: int = Field(default=256 * _MIB, ge=1, description="largest file that is read")
    max_text_chars: int = Field(default=20_000_000, ge=1, description="longest text of one file, characters")
    max_pages: int = Field(default=20_000, ge=1, description="most pages of one file")


class IngestSettings(_Group):
    """How work is found, claimed and finished."""

    scan_interval_s: int = Field(default=2, ge=1, description="seconds between two looks at the uploads folder")
    settle_s: float = Field(default=1.0, ge=0, description="a file counts as written when unchanged this long, seconds")
    max_documents: int = Field(default=500, ge=1, description="most documents claimed at a time")
    max_bytes: int = Field(default=64 * _MIB, ge=1, description="most bytes of files claimed at a time")
    turn_s: float = Field(default=60.0, ge=0, description="a run gives way to waiting ones after this long, seconds")
    lease_s: float = Field(
        default=900.0, gt=0, description="a claim is void after this long without a sign of life, seconds"
    )
    max_attempts: int = Field(default=3, ge=1, description="tries of a document whose run died, before it is failed")
    retry_after_s: float = Field(
        default=30.0, ge=0, description="wait before a document is tried again; doubles each time"
    )
    point_grace_s: float = Field(default=60.0, ge=0, description="replaced points outlive searches under way, seconds")
    guard_share: float = Field(
        default=0.5, gt=0, le=1, description="a scan that would delete more than this share waits"
    )
    guard_documents: int = Field(default=20, ge=1, description="... when it is at least this many documents")


class Settings(BaseSettings):
    """All settings, with their defaults."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_",
        env_nested_delimiter="__",
        env_file=project_dir() / ".env",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
    )

    data_dir: Path = Field(default=Path(".data"), description="folder of all state: ledger, index, models, logs")
    uploads_dir: Path = Field(default=Path("uploads"), description="folder whose subfolders are the collections")
    ports_from: int = Field(default=8800, ge=1, le=65530, description="first port; all others count up from it")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    dagster_storage_url: SecretStr | None = Field(
        default=None, description="database of Dagster's own tables; empty: the ledger's (in another schema)"
    )
    database: DatabaseSettings = DatabaseSettings()
    qdrant: QdrantSettings = QdrantSettings()
    api: ApiSettings = ApiSettings()
    code_server: CodeServerSettings = CodeServerSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    ingest: IngestSettings = IngestSettings()

    @model_validator(mode="after")
    def _folders_are_absolute(self) -> "Settings":
        # Frozen for everybody else; relative folders start from the project, whatever the working directory.
        object.__setattr__(self, "data_dir", (project_dir() / self.data_dir.expanduser()).resolve())
        object.__setattr__(self, "uploads_dir", (project_dir() / self.uploads_dir.expanduser()).resolve())
        return self

    @property
    def models_dir(self) -> Path:
        """Where prepared embedding models are kept."""
        return self.data_dir / "models"

    @property
    def api_port(self) -> int:
        """Port of the query API."""
        return self.api.port or self.ports_from

    @property
    def dagster_port(self) -> int:
        """Port of the Dagster UI."""
        return self.ports_from + 1

    @property
    def qdrant_port(self) -> int:
        """Port of the embedded Qdrant."""
        return self.ports_from + 2

    @property
    def code_server_port(self) -> int:
        """Port of Dagster's code server."""
        return self.code_server.port or self.ports_from + 3
