"""Dagster only, and thin: each body reads its inputs, calls one service and shows what came back.

`assets` (the four assets of a collection), `jobs`, `sensors` (`uploads`), `checks` (what must be true of the index),
`partitions`, `resources` (the workbench), `launcher` (run workers whose death is noticed).
What happens inside a run is `services.ingest`.
"""
