"""Verdicts on a collection, kept in the ledger: what the asset checks show."""

from rag_pipeline.ledger import chunks, collections, points, runs
from rag_pipeline.ledger.generations import Generation
from rag_pipeline.services.workbench import Workbench
from rag_pipeline.vectors import store

EVERY_CHUNK_HAS_A_POINT = "every_chunk_has_a_point"
EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK = "every_indexed_document_has_a_chunk"
EVERY_POINT_IS_RECORDED = "every_point_is_recorded"
NOTHING_FAILED = "nothing_failed"


def judge_counts(bench: Workbench, generation: Generation) -> None:
    """Compare the counts of ledger and Qdrant; the caller is the collection's only writer."""
    in_qdrant = store.count_points(bench.qdrant, generation.physical)
    with bench.ledger.begin() as connection:
        live = chunks.count_live(connection, generation.id)
        without_point = chunks.count_live_without_point(connection, generation.id)
        without_chunk = chunks.count_indexed_without_chunk(connection, generation.id, generation.collection)
        recorded, in_doubt = points.count(connection, generation.id)
        states = collections.count_states(connection).get(generation.collection, {})
        detail = {
            "generation": generation.number,
            "live_chunks": live,
            "recorded_points": recorded,
            "points_in_doubt": in_doubt,
            "qdrant_points": in_qdrant,
        }
        verdicts = {
            EVERY_CHUNK_HAS_A_POINT: (without_point == 0, {**detail, "without_point": without_point}),
            EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK: (
                without_chunk == 0,
                {"without_chunk": without_chunk, "states": states},
            ),
            EVERY_POINT_IS_RECORDED: (recorded <= in_qdrant <= recorded + in_doubt, detail),
            NOTHING_FAILED: (states.get("failed", 0) == 0, {"failed": states.get("failed", 0), "states": states}),
        }
        for name, (has_passed, facts) in verdicts.items():
            runs.record_verdict(connection, generation.collection, name, has_passed=has_passed, detail=facts)
