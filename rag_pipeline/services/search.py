"""The one search: the API, the command line, the checks and the evaluation all come through here.

A search fixes its view once: the live generation and a revision. It asks that generation's physical collection, with
that generation's model, and keeps the chunks that are live at that revision, so updates are atomic to a searcher.
"""

import time
from dataclasses import dataclass
from uuid import UUID

from rag_pipeline.errors import IndexSpecChangedError, SearchDeadlineError
from rag_pipeline.ledger import chunks, generations
from rag_pipeline.ledger.chunks import LiveChunk
from rag_pipeline.ledger.generations import View
from rag_pipeline.services.workbench import Workbench
from rag_pipeline.vectors.search import nearest_dense

_MAX_FETCHED = 10_000
"""Points asked for at most, when most of those found are no longer live."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. `score` is the cosine similarity, at most 1."""

    score: float
    chunk: LiveChunk


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, best first; `generation` is None for a collection in which nothing was indexed yet."""

    collection: str
    generation: int | None
    hits: tuple[Hit, ...]
    took_ms: float


def search(bench: Workbench, collection: str, query: str, *, limit: int, deadline_s: float = 10.0) -> SearchAnswer:
    """The `limit` passages of `collection` nearest to `query`.

    Args:
        bench: stores and model.
        collection: key.
        query: words.
        limit: most hits.
        deadline_s: an answer that takes longer is given up. Replaced points are kept longer than any deadline.

    Raises:
        CollectionNotFoundError: there is no such collection.
        StoreUnavailableError: the ledger or Qdrant does not answer.
        SearchDeadlineError: it took longer than `deadline_s`.
        IndexSpecChangedError: the live generation is of another model than the one that is loaded.
    """
    began = time.perf_counter()
    with bench.ledger.begin() as connection:
        view = generations.current_view(connection, collection)
    hits = () if view is None else tuple(_find(bench, view, query, limit, ends_at=began + deadline_s))
    return SearchAnswer(
        collection=collection,
        generation=None if view is None else view.generation.number,
        hits=hits,
        took_ms=(time.perf_counter() - began) * 1000,
    )


def _find(bench: Workbench, view: View, query: str, limit: int, *, ends_at: float) -> list[Hit]:
    generation = view.generation
    _check_model(bench, view)
    vector = bench.model.embedder.embed_query(query)
    # Some spare, because points of replaced versions stay a while; more when even that was not enough.
    fetched = limit + 10
    while True:
        found = nearest_dense(bench.qdrant, generation.physical, vector, limit=fetched, timeout_s=_time_left(ends_at))
        live = _live(bench, view, [point.id for point in found])
        hits = [Hit(point.score, live[point.id]) for point in found if point.id in live]
        _time_left(ends_at)
        if len(hits) >= limit or len(found) < fetched or fetched >= _MAX_FETCHED:
            return hits[:limit]
        fetched *= 2


def _time_left(ends_at: float) -> float:
    left = ends_at - time.perf_counter()
    if left <= 0:
        raise SearchDeadlineError("The search took longer than RAG_API__SEARCH_DEADLINE_S; try again in a moment.")
    return left


def _live(bench: Workbench, view: View, ids: list[UUID]) -> dict[UUID, LiveChunk]:
    with bench.ledger.begin() as connection:
        return chunks.live_at(connection, view.generation.id, view.revision, ids)


def _check_model(bench: Workbench, view: View) -> None:
    loaded, built = bench.model.local.spec, view.generation.spec.model
    if (loaded.fingerprint, loaded.query_prefix) != (built.fingerprint, built.query_prefix):
        raise IndexSpecChangedError(
            f"Collection {view.generation.collection!r} was embedded with {built.name!r}, and {loaded.name!r} is "
            "loaded: a query of one model says nothing about vectors of another. Set RAG_EMBEDDING__* back."
        )
