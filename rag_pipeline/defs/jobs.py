"""Jobs: verb and object, one for each thing a person would start."""

import dagster as dg

from rag_pipeline.defs.assets import collection_assets
from rag_pipeline.defs.partitions import collections_partitions

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets(collection_assets),
    partitions_def=collections_partitions,
    description="Make one collection searchable as its folder stands now.",
)
