"""Dagster's entry point: `defs`. `build_definitions` gives a fresh one, for tests with other settings too."""

import dagster as dg

from rag_pipeline.defs.assets import collection_assets
from rag_pipeline.defs.checks import index_checks
from rag_pipeline.defs.jobs import ingest
from rag_pipeline.defs.resources import WorkbenchResource
from rag_pipeline.defs.sensors import build_uploads_sensor
from rag_pipeline.settings import Settings


def build_definitions(settings: Settings) -> dg.Definitions:
    """All definitions, none of which connects to anything before it runs."""
    return dg.Definitions(
        assets=[collection_assets],
        asset_checks=[index_checks],
        jobs=[ingest],
        sensors=[build_uploads_sensor(settings.ingest.scan_interval_s)],
        resources={"workbench": WorkbenchResource()},
        # One process, one model load; also for what a person starts by "Materialize" in the UI.
        executor=dg.in_process_executor,
    )


defs = build_definitions(Settings())
