"""The embedded Qdrant: a loopback HTTP server that speaks Qdrant's REST over `qdrant_edge`, Qdrant's own engine.

An unmodified `qdrant_client.QdrantClient(url=...)` is its client. Start it with
`python -m rag_pipeline.embedded.qdrant --data-dir DIR --port N` (people: `rag-pipeline qdrant`), or call
`server.serve`.

Where things are, each using only what stands below it:
    - `server`, `__main__`: the process: socket, signals, command line.
    - `http`: routing, who may ask, envelopes, what the server tells about itself.
    - `optimising`, `snapshots`: collections put in order in the background; collections as files and back.
    - `store`: what is on the disk, who owns it, and what may be done to it.
    - `requests`: REST JSON to engine objects and back.
    - `config`: a collection's configuration.
    - `reading`, `slicing`, `names`, `problems`: typed reading of JSON, of big bodies in slices; what a request may fail
      with, in Qdrant's own words and codes.

Not here: starting and restarting this process (`rag_pipeline.embedded.supervisor`), and what the points mean
(`rag_pipeline.vectors`).

Supported:
    - `GET /`, `/healthz`, `/livez`, `/readyz`, `/metrics`, `/telemetry`, `/issues`, `/quotas` (read), `/cluster`; of a
      collection `/cluster`, `/shards`, `/optimizations`. What only a cluster can do is refused as a single Qdrant does.
    - Collections: create, get, list, exists, delete, `PATCH`; vector names created and dropped on a live collection.
      Named and unnamed dense vectors and multivectors of every datatype, sparse vectors with or without the IDF
      modifier, collections without vectors; quantization of every kind, for the collection or a vector. HNSW, optimizer
      and log settings, placement, numbers of shards and replicas and metadata are kept and answered; a change reaches
      the engine with the next optimisation, or when the collection is opened the next time. Not changeable: the
      modifier of an existing sparse vector.
    - Optimisation: a collection past `indexing_threshold` (KB of vectors) or `deleted_threshold` is optimised in the
      background: HNSW from then on, newer points scanned. `max_optimization_threads: 0` or `indexing_threshold: 0`
      turn that off. `status` is yellow until it is done, grey when it failed and waits for another attempt.
    - Strict mode, but for the limits of payload size and memory, which are only kept.
    - Aliases: create, delete, rename, all operations of a request or none; lists. Every point endpoint resolves them.
    - Points: upsert (list and batch form, `update_mode`, `update_filter`), delete, retrieve, scroll with `order_by`,
      count, `points/batch`, payload set, overwrite, delete and clear, vectors update and delete.
    - Query, query batch and query groups (with lookup): nearest by vector, multivector or point id, dense and sparse,
      MMR over dense vectors, recommend, discover, context, relevance feedback, `order_by`, fusion RRF (with `k` and
      weights) and DBSF, formula, random sample, BM25 over a text index; nested prefetches, `lookup_from`, every search
      parameter. Matrices as pairs and offsets. Facets.
    - Inference with the model `Qdrant/bm25` for sparse vectors, as Qdrant has it built in; no other.
    - Filters: must, should, must_not, min_should, nested, match (value, any, except, text, text_any, phrase, prefix,
      substring), range of numbers and dates, geo circles, boxes and polygons, values_count, is_empty, is_null, has_id,
      has_vector; slices of the id space in reads (each costs a walk over all ids; they are not those of a server).
    - Payload indexes of all kinds with all parameters.
    - Unknown fields are ignored, `timeout`, `ordering`, `consistency` and `wait` checked, as Qdrant does. A clause or
      condition of a filter that is none is refused.
    - Snapshots of a collection, of its shard 0, of the storage: create, list, download, delete; recover from a name or
      `file://` path in the snapshots folder, and by upload, also where there is no such collection. `wait=false` is
      answered 202. Only snapshots of the embedded Qdrant; no URL is fetched.
Everything else answers 501 with a sentence, never something approximate.

Limits:
    - One process owns a folder (`flock`). Writes of one collection run one after another, reads between their batches.
    - An acknowledged write survives `kill -9` at once and a power cut after at most 5 s: until then the
      engine's log is only in the page cache.
    - A start replays the engine's log, after a clean stop too. A log over 112 MB is shortened in the background, on a
      copy, like an optimisation; `status` is yellow meanwhile.
    - A vector name created or dropped on a live collection copies it: writers wait, and while the copy is opened, which
      takes as long as a start, everyone does.
    - A payload nests at most 64 levels and a filter 32; a request body is at most 32 MB; a collection's name is at
      most 255 bytes, printable and without path characters.
    - An upsert to a collection with quantized vectors is searched through them at once, as in Qdrant: ask for `rescore`
      with `oversampling`, or `exact`, where the best few must be right.
    - Groups are complete: each non-full group is asked for alone, where Qdrant stops after some rounds. Groups of a
      fusion or formula come from its prefetches, widened by the group size as in Qdrant.
    - A field condition of several kinds means any of them, with an index or without; in Qdrant it depends on the index.
    - A geo index misses points at exactly 90 degrees north: the engine, as in Qdrant itself.
    - Numbers in scoring (RRF weights, feedback) must fit float32.
    - A snapshot is made or recovered one at a time. Writers of its collection wait while files are copied, searches do
      not. That of a storage has each collection at its own moment.
    - A float in a payload may come back one unit in the last place off: the engine's JSON reader, as in Qdrant itself.
    - Creating a payload index on a filled collection holds the whole server: 0.3 to 0.5 s at 100,000 points, and once
      more if an optimisation goes on. So does an exact scan, 6 ms there, and an optimised shard taking over, 0.12 s.
    - Optimising takes about three times the collection's size of free disk for a while, all processors but one, and
      memory for what is written meanwhile: at most 256 MiB of request bodies. A collection that never rests and takes
      more than that during one optimisation (43 s on two idle processors at 100,000 points, more on busy ones) stays as
      it is.
    - Upserts in the form of columns (`batch`) are read in one piece: 32 MB hold the server for 0.1 s.
"""
