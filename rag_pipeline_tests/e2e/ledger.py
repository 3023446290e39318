"""What the ledger and Qdrant hold of a collection, asked for by SQL and over REST."""

from dataclasses import dataclass
from typing import Any

from rag_pipeline.ledger.tables import FOREVER
from rag_pipeline_tests.e2e.instance import Instance

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class LiveChunk:
    """A passage that searches can find."""

    chunk_id: str
    path: str
    ordinal: int
    page: int | None
    start: int
    end: int
    text: str


def live_chunks(instance: Instance, collection: str) -> set[LiveChunk]:
    """The live chunks of a collection's live generation."""
    rows = instance.sql(
        """
        SELECT c.chunk_id::text, d.path, c.ordinal, c.page, c.start, c."end", c.text
        FROM rag.chunks c
        JOIN rag.generations g ON g.id = c.generation_id
        JOIN rag.collections k ON k.key = g.collection AND k.live_generation = g.number
        JOIN rag.documents d ON d.id = c.document_id
        WHERE k.key = %s AND c.live_to = %s AND c.live_from < %s
        """,
        *(collection, FOREVER, FOREVER),
    )
    return {LiveChunk(*row) for row in rows}


def count_pending_chunks(instance: Instance, collection: str) -> int:
    """Chunk rows of a collection that no search can see yet; 0 when nothing is under way."""
    query = """
        SELECT count(*) FROM rag.chunks c JOIN rag.generations g ON g.id = c.generation_id
        WHERE g.collection = %s AND c.live_from = %s
        """
    return instance.sql(query, collection, FOREVER)[0][0]


def counts_of_runs(instance: Instance, collection: str) -> dict[str, dict[str, Any]]:
    """What each run of a collection counted, by run id."""
    return dict(instance.sql("SELECT run_id, counts FROM rag.runs WHERE collection = %s", collection))


def count_points(instance: Instance, collection: str) -> int:
    """Qdrant's own exact count behind the collection's alias."""
    return instance.qdrant(f"/collections/{collection}/points/count", {"exact": True})["count"]


def points(instance: Instance, collection: str) -> dict[str, dict[str, Any]]:
    """All points behind the collection's alias: payload by id."""
    found: dict[str, dict[str, Any]] = {}
    offset = None
    while True:
        body = {"limit": _PAGE, "with_payload": True, "offset": offset}
        page = instance.qdrant(f"/collections/{collection}/points/scroll", body)
        found |= {point["id"]: point["payload"] for point in page["points"]}
        offset = page["next_page_offset"]
        if offset is None:
            return found
