"""Text to vectors: the model store, the runtimes, the model's tokenizer, BM25.

    sources.py       where a model's files are, and whether they may be trusted
    local_model.py   a prepared model: folder, manifest, hashes
    store.py         prepares a model once, finds it in milliseconds afterwards
    export.py        the child process that turns a model into ONNX and checks it
    embedder.py      the Embedder protocol, and how to load one
    runtime_onnx.py  the default runtime
    reference.py     LlamaIndex's HuggingFaceEmbedding, which the default must agree with
    llama.py         the same model inside LlamaIndex
    tokens.py        token counts by the model's own tokenizer
    sparse.py        BM25 sparse vectors

What is embedded, and when, does not live here but in `services`; vectors are kept by `ledger` and `vectors`.
"""
