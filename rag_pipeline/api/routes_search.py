"""`POST /api/v1/search`."""

from fastapi import APIRouter

from rag_pipeline.api.dependencies import Bench, Threads
from rag_pipeline.api.schemas import HitChunk, HitDocument, SearchHit, SearchRequest, SearchResponse
from rag_pipeline.services.search import Hit, search

router = APIRouter(tags=["search"])


@router.post("/search")
async def search_collection(request: SearchRequest, bench: Bench, threads: Threads) -> SearchResponse:
    """The passages of a collection that answer a query best, each with its document and page."""
    answer = await threads.run(
        lambda: search(bench, request.collection, request.query, limit=request.limit, deadline_s=threads.deadline_s)
    )
    return SearchResponse(
        hits=[_hit(hit) for hit in answer.hits],
        collection=answer.collection,
        generation=answer.generation,
        degraded=False,
        took_ms=round(answer.took_ms, 3),
    )


def _hit(hit: Hit) -> SearchHit:
    chunk = hit.chunk
    return SearchHit(
        score=hit.score,
        text=chunk.text,
        document=HitDocument(id=chunk.document_id, path=chunk.path, title=chunk.title, media_type=chunk.media_type),
        chunk=HitChunk(id=chunk.chunk_id, page=chunk.page, start=chunk.start, end=chunk.end),
    )
