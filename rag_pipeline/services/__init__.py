"""The use cases, one module each. A Dagster asset, a route or a command calls one of these and shows what it returns.

`scan` looks at the uploads folder; `ingest` brings the index up to the ledger, stage by stage (`stages`); `search`
answers queries; `judge` compares what the stores hold; `listing` tells where things stand; `deletions` confirms what
the guard holds back; `queue` says which collections need a run. All work on a `workbench`: the stores, the model and
the rules, made once by `rag_pipeline.composition`.
"""
