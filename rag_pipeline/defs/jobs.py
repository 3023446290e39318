"""Jobs: verb and object, one for each thing a person would start."""

import dagster as dg

from rag_pipeline.defs.assets import collection_assets

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets(collection_assets),
    description="Make one collection searchable as its folder stands now.",
)
