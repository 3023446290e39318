"""The embedded Qdrant: a loopback HTTP server that speaks Qdrant's REST over `qdrant_edge`, Qdrant's own engine.

An unmodified `qdrant_client.QdrantClient(url=...)` is its client. Start it with
`python -m rag_pipeline.embedded.qdrant --data-dir DIR --port N`, or call `server.serve`.

Where things are:
    - `server`, `__main__`: the process: socket, signals, command line.
    - `app`, `routes_*`, `guard`, `replies`: HTTP: routing, who may ask, envelopes.
    - `storage`, `aliases`, `files`, `names`: what is on disk and who owns it.
    - `engine`: one collection over one `EdgeShard`. The optimiser and snapshots would stand beside it.
    - `schema`, `params`, `changes`, `engine_config`: a collection's configuration, its changes, the engine's form.
    - `vectors`, `filters`, `selectors`, `queries`, `updates`, `indexes`: REST JSON in, engine objects out.
    - `strict`, `query_parameters`: what a request may ask for.
    - `statistics`, `metrics`, `telemetry`: what the server tells about itself.
    - `answers`: engine objects in, REST JSON out.
    - `problems`: what a request may fail with, in Qdrant's own words and codes.
    - `reading`: typed reading of JSON.
Not here: starting and restarting this process (`rag_pipeline.embedded.supervisor`), and what the points mean
(`rag_pipeline.vectors`).

Supported:
    - `GET /`, `/healthz`, `/livez`, `/readyz`, `/metrics`, `/telemetry`, `/issues`, `/quotas` (read), `/cluster`; of a
      collection `/cluster`, `/shards`, `/optimizations`. What only a cluster can do is refused as a single Qdrant does.
    - Collections: create, get, list, exists, delete, `PATCH`; vector names created and dropped on a live collection.
      Named and unnamed dense vectors and multivectors of every datatype, sparse vectors with or without the IDF
      modifier, collections without vectors; quantization of every kind, for the collection or a vector. HNSW, optimizer
      and log settings, placement, numbers of shards and replicas and metadata are kept and answered; a change reaches
      the engine when the collection is opened the next time. Not changeable: the modifier of an existing sparse vector.
    - Strict mode, but for the limits of payload size and memory, which are only kept.
    - Aliases: create, delete, rename, all operations of a request or none; lists. Every point endpoint resolves them.
    - Points: upsert (list and batch form, `update_mode`, `update_filter`), delete, retrieve, scroll with `order_by`,
      count, `points/batch`, payload set, overwrite, delete and clear, vectors update and delete.
    - Query and query batch: nearest by vector or by point id, sparse, prefetch, fusion RRF (with `k` and weights) and
      DBSF, `order_by`, random sample.
    - Filters: must, should, must_not, min_should, nested, match (value, any, except, text, text_any, phrase), range of
      numbers and dates, values_count, is_empty, is_null, has_id, has_vector.
    - Payload indexes: keyword, integer, float, bool, datetime, uuid, text.
    - Unknown fields are ignored, `timeout`, `ordering`, `consistency` and `wait` checked, as Qdrant does.
Everything else answers 501 with a sentence, never something approximate.

Limits:
    - One process owns a folder (`flock`). Writes of one collection run one after another, reads between their batches.
    - An acknowledged write survives `kill -9` at once and a power cut after at most 5 s: until the next flush the
      engine's log is only in the page cache.
    - A payload nests at most 64 levels and a filter 32; a request body is at most 32 MB; a collection's name is at
      most 255 bytes, printable and without path characters.
    - An upsert to a collection with quantized vectors is searched through them at once, as in Qdrant: ask for `rescore`
      with `oversampling`, or `exact`, where the best few must be right.
    - A float in a payload may come back one unit in the last place off: the engine's JSON reader, as in Qdrant itself.
    - Creating a payload index on a filled collection, and an exact scan of a large one, hold the whole server.
"""
