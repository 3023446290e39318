"""What goes in and out of the API, as pydantic models; their field names are the contract of `/api/v1`."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import ReasonCode

MAX_QUERY_CHARS = 10_000
MAX_HITS = 100
MAX_PAGE = 1_000


class SearchRequest(BaseModel):
    """A search. Unknown fields are refused, so that a misspelt option is not silently without effect."""

    model_config = ConfigDict(extra="forbid")

    collection: Annotated[str, Field(description="key of the collection", max_length=64)]
    query: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY_CHARS),
        Field(description="what to look for, in words"),
    ]
    limit: Annotated[int, Field(description="most hits", ge=1, le=MAX_HITS)] = 10
    mode: Annotated[Literal["dense"], Field(description="dense: by meaning")] = "dense"


class HitDocument(BaseModel):
    """The document a hit stands in."""

    id: UUID
    path: Annotated[str, Field(description="relative to the collection's folder")]
    title: str | None
    media_type: str | None


class HitChunk(BaseModel):
    """Where in its document a hit stands."""

    id: UUID
    page: Annotated[int | None, Field(description="1-based; null for formats without pages")]
    start: Annotated[int, Field(description="first character, counted into the page")]
    end: Annotated[int, Field(description="after the last character")]


class SearchHit(BaseModel):
    """A passage found."""

    score: Annotated[float, Field(description="cosine similarity, higher is nearer")]
    text: str
    document: HitDocument
    chunk: HitChunk


class SearchResponse(BaseModel):
    """Hits, best first."""

    hits: list[SearchHit]
    collection: str
    generation: Annotated[int | None, Field(description="null: nothing was indexed in the collection yet")]
    degraded: Annotated[bool, Field(description="true when a part was down and the answer may be incomplete")]
    took_ms: float


class CollectionEntry(BaseModel):
    """A collection at a glance."""

    name: str
    title: str
    generation: int | None
    revision: int
    documents: Annotated[dict[DocumentState, int], Field(description="how many in each state")]
    held_deletions: Annotated[int, Field(description="waiting for `rag-pipeline confirm-deletions`")]
    held_reason: str | None


class CollectionList(BaseModel):
    """All collections, by name."""

    collections: list[CollectionEntry]


class DocumentEntry(BaseModel):
    """A document of a collection."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    path: str
    state: DocumentState
    reason: Annotated[ReasonCode | None, Field(description="why it is not searchable")]
    detail: str | None
    media_type: str | None
    title: str | None
    language: str | None
    size_bytes: int | None
    first_seen_at: AwareDatetime
    changed_at: AwareDatetime
    indexed_at: AwareDatetime | None


class DocumentPage(BaseModel):
    """One page of documents, by path; `total` counts all that match."""

    documents: list[DocumentEntry]
    total: int


class Health(BaseModel):
    """Whether the API is alive, and can answer searches."""

    status: Literal["ok"]
