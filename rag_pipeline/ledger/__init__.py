"""The ledger: the PostgreSQL tables that say what exists, what state it is in and why.

`tables` is the schema, `schema` and `migrations` bring a database to it, `engine` is the connection.
The queries are plain functions over a connection, one module per subject: `collections`, `documents` (what was seen),
`work` (what is due, claims and leases), `chunks`, `embeddings`, `points`, `generations`, `runs`.
What to do with the answers is decided in `services`.
"""
