"""The four assets of a collection: `documents` -> `chunks` -> `embeddings` -> `qdrant_collection`.

They are one op that works slice by slice, every slice through all stages: the first documents of a large load are
searchable after the first slice, an urgent upload is taken up with the next one, and the model is loaded once. Each
asset can still be materialized alone; the stages that are left out stay due.
"""

from collections.abc import Iterator

import dagster as dg

from rag_pipeline.defs import metadata
from rag_pipeline.defs.partitions import collections_partitions
from rag_pipeline.defs.resources import WorkbenchResource
from rag_pipeline.services.ingest import STAGES, ingest_collection
from rag_pipeline.services.report import IngestReport

GROUP = "collection"

_SPECS = [
    dg.AssetSpec(
        "documents",
        group_name=GROUP,
        kinds={"postgres", "pdf"},
        description="Files of the collection's folder as pages of text in the ledger, each with a terminal state.",
    ),
    dg.AssetSpec(
        "chunks",
        deps=["documents"],
        group_name=GROUP,
        kinds={"postgres", "python"},
        description="Passages that the model reads whole, with page and character span.",
    ),
    dg.AssetSpec(
        "embeddings",
        deps=["chunks"],
        group_name=GROUP,
        kinds={"postgres", "onnx"},
        description="One vector per model and passage text: the cache that nothing is embedded twice for.",
    ),
    dg.AssetSpec(
        "qdrant_collection",
        deps=["embeddings"],
        group_name=GROUP,
        kinds={"qdrant"},
        description="Points of the live generation, flipped visible in one ledger transaction.",
    ),
]

_METADATA = {
    "documents": metadata.documents_metadata,
    "chunks": metadata.chunks_metadata,
    "embeddings": metadata.embeddings_metadata,
    "qdrant_collection": metadata.qdrant_collection_metadata,
}


@dg.multi_asset(name="ingest_collection", specs=_SPECS, partitions_def=collections_partitions, can_subset=True)
def collection_assets(
    context: dg.AssetExecutionContext, workbench: WorkbenchResource
) -> Iterator[dg.MaterializeResult]:
    """Bring one collection up to what stands in its folder."""
    selected = tuple(stage for stage in STAGES if dg.AssetKey(stage) in context.selected_asset_keys)
    report = ingest_collection(
        workbench.bench,
        context.partition_key,
        run_id=context.run.run_id,
        stages=selected,
        is_somebody_waiting=lambda: _is_a_run_waiting(context.instance),
        on_slice=lambda so_far: _log(context, so_far),
    )
    for stage in selected:
        yield dg.MaterializeResult(asset_key=stage, metadata=_METADATA[stage](report))


def _is_a_run_waiting(instance: dg.DagsterInstance) -> bool:
    return instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])) > 0


def _log(context: dg.AssetExecutionContext, report: IngestReport) -> None:
    # One line for each of the first slices, then fewer: a run has at most 150 events whatever the number of files.
    if report.slices <= 20 or report.slices % 50 == 0:  # noqa: PLR2004
        context.log.info(
            "slice %d: %d documents claimed, %d indexed, %d strings embedded",
            report.slices,
            report.claimed,
            report.indexed,
            report.embedded,
        )
