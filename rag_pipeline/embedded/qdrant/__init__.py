"""The embedded Qdrant: a loopback HTTP server that speaks Qdrant's REST over `qdrant_edge`, Qdrant's own engine.

An unmodified `qdrant_client.QdrantClient(url=...)` is its client. Start it with
`python -m rag_pipeline.embedded.qdrant --data-dir DIR --port N` (people: `rag-pipeline qdrant`), or call
`server.serve`.

Where things are:
    - `server`, `__main__`: the process: socket, signals, command line.
    - `app`, `routes_*`, `guard`, `replies`: HTTP: routing, who may ask, envelopes.
    - `storage`, `aliases`, `files`, `names`: what is on disk and who owns it.
    - `layout`: where the parts of a collection lie in its folder.
    - `engine`: one collection over one `EdgeShard`. The optimiser would stand beside it.
    - `snapshots`, `unpacking`, `sparse`: a snapshot as a file. `shelf`: where they lie. `backup`, `snapshot_child`,
      `uploads`: collections to snapshots and back.
    - `schema`, `vectors`, `filters`, `selectors`, `queries`, `updates`, `indexes`: REST JSON in, engine objects out.
    - `answers`: engine objects in, REST JSON out.
    - `problems`: what a request may fail with, in Qdrant's own words and codes.
    - `reading`: typed reading of JSON.
Not here: starting and restarting this process (`rag_pipeline.embedded.supervisor`), and what the points mean
(`rag_pipeline.vectors`).

Supported:
    - `GET /`, `/healthz`, `/livez`, `/readyz`.
    - Collections: create, get, list, exists, delete. Named and unnamed dense float32 vectors (Cosine, Dot, Euclid,
      Manhattan), named sparse vectors with or without the IDF modifier. HNSW and optimizer settings are kept and
      answered; vectors are scanned exactly.
    - Aliases: create, delete, rename, all operations of a request or none; lists. Every point endpoint resolves them.
    - Points: upsert (list and batch form, `update_mode`, `update_filter`), delete, retrieve, scroll with `order_by`,
      count, `points/batch`, payload set, overwrite, delete and clear, vectors update and delete.
    - Query and query batch: nearest by vector or by point id, sparse, prefetch, fusion RRF (with `k` and weights) and
      DBSF, `order_by`, random sample.
    - Filters: must, should, must_not, min_should, nested, match (value, any, except, text, text_any, phrase), range of
      numbers and dates, values_count, is_empty, is_null, has_id, has_vector.
    - Payload indexes: keyword, integer, float, bool, datetime, uuid, text.
    - Snapshots of a collection, of its shard 0, of the storage: create, list, download, delete; recover from a name or
      `file://` path in the snapshots folder, and by upload, also where there is no such collection. `wait=false` is
      answered 202. Only snapshots of the embedded Qdrant; no URL is fetched.
Everything else answers 501 with a sentence, never something approximate.

Limits:
    - One process owns a folder (`flock`). Writes of one collection run one after another, reads between their batches.
    - An acknowledged write survives `kill -9` at once and a power cut after at most 5 s: until the next flush the
      engine's log is only in the page cache.
    - A payload nests at most 64 levels and a filter 32; a request body is at most 32 MB; names of collections are
      ASCII letters, digits, `_`, `.`, `-`.
    - A snapshot is made or recovered one at a time. Writers of its collection wait while files are copied, searches do
      not. That of a storage has each collection at its own moment.
    - A float in a payload may come back one unit in the last place off: the engine's JSON reader, as in Qdrant itself.
    - Creating a payload index on a filled collection, and an exact scan of a large one, hold the whole server.
"""
