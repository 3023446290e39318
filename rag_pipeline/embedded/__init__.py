"""The servers that `pip` alone brings, and the supervisor that runs an instance of the whole system on one machine.

- `postgres` (with `postgres_files`, and `postgres_user` for root), `qdrant`: the two stores.
- `stack`: which processes make an instance, with their command lines.
- `up`: runs them, or the stores alone for a command that needs nothing else, while owning the data folder.
- `supervisor`, `child`, `logs`: start in order, restart what dies, stop everything.
- `instance`, `preflight`: who owns a data folder, and whether a start can work at all.
- `leftovers`, `keeper`: nothing outlives its owner, however the owner ended.
- `probes`, `health`: does a server answer.

Nothing in here reads the environment or `settings`: `rag_pipeline.cli` does and passes plain values.
"""
