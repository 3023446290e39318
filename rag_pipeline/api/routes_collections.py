"""`GET /api/v1/collections` and the documents of one."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from rag_pipeline.api.dependencies import Bench, Threads
from rag_pipeline.api.schemas import MAX_PAGE, CollectionEntry, CollectionList, DocumentEntry, DocumentPage
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.services.listing import list_collections, list_documents

router = APIRouter(prefix="/collections", tags=["collections"])


@router.get("")
async def collections(bench: Bench, threads: Threads) -> CollectionList:
    """All collections, with how many documents are in each state."""
    entries = [asdict(status) for status in await threads.run(lambda: list_collections(bench.ledger))]
    return CollectionList(collections=[CollectionEntry(**entry) for entry in entries])


@router.get("/{name}/documents")
async def documents(
    name: str,
    bench: Bench,
    threads: Threads,
    *,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    state: DocumentState | None = None,
) -> DocumentPage:
    """The collection's documents by path; deleted ones only with `state=deleted`."""
    wanted = state.value if state else None
    rows, total = await threads.run(
        lambda: list_documents(bench.ledger, name, state=wanted, limit=limit, offset=offset)
    )
    return DocumentPage(documents=[DocumentEntry.model_validate(row) for row in rows], total=total)
