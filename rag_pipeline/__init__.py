"""rag_pipeline keeps folders of documents searchable.

Where things live (arrows point down; `import-linter` holds them):

- `definitions`, `cli`, `api.main`: the composition roots. Only they read `settings`.
- `defs` (Dagster), `api` (FastAPI), `embedded` (the pip-only servers): thin faces.
- `services`: the use cases, one module each.
- `extraction`, `embedding`, `ledger`, `vectors`: what talks to files, models, PostgreSQL and Qdrant.
- `domain`: the rules. Pure: standard library and numpy.
- `errors`: every error there is.
"""

__version__ = "0.1.0"
