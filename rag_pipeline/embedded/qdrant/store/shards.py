"""The folder of one `EdgeShard`: made, opened, and given other vectors.

The engine's `flush`, killed in its middle, has lost acknowledged payload changes and deletions (in 2 of 9 rounds; in
none of 68 without a flush, and in none of 309 killed between two calls; measured 2026-11-25, qdrant-edge-py 0.9.0). So
nothing here or elsewhere flushes a shard that `current` names: only copies that nothing names yet are flushed.
"""

import ctypes
import json
import shutil
from pathlib import Path

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.config.engine_config import creates_vector, engine_config
from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.problems import EngineFailedError, engine_errors_translated
from rag_pipeline.embedded.qdrant.store.copying import copy_shard, sync_tree
from rag_pipeline.embedded.qdrant.store.layout import make_current, next_shard

_PLACEHOLDER = "placeholder"
_PLACEHOLDER_CONFIG = edge.EdgeConfig(sparse_vectors={_PLACEHOLDER: edge.EdgeSparseVectorParams()})


def build_shard(folder: Path, schema: CollectionSchema) -> None:
    """An empty shard in `folder`, flushed and closed, ready to be renamed with it."""
    with engine_errors_translated():
        if schema.names:
            shard = edge.EdgeShard.create(str(folder), engine_config(schema))
        else:
            # The engine makes no shard without a vector, but lets the last one be dropped.
            shard = edge.EdgeShard.create(str(folder), _PLACEHOLDER_CONFIG)
            shard.update(edge.UpdateOperation.delete_vector_name(_PLACEHOLDER))
        shard.flush()
        shard.close()


def load_shard(folder: Path, schema: CollectionSchema) -> edge.EdgeShard:
    """The shard in `folder`, which has the vectors of `schema`, with its configuration."""
    with engine_errors_translated():
        if schema.names:
            return edge.EdgeShard.load(str(folder), engine_config(schema))
        return edge.EdgeShard.load(str(folder))


def vector_names(folder: Path) -> frozenset[str]:
    """The vectors that the shard in `folder` has.

    Raises:
        EngineFailedError: the engine's own file does not tell.
    """
    try:
        config = json.loads((folder / "edge_config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise EngineFailedError(f"{folder / 'edge_config.json'} cannot be read: {error}") from error
    return frozenset(config.get("vectors") or {}) | frozenset(config.get("sparse_vectors") or {})


def change_vectors(folder: Path, schema: CollectionSchema) -> tuple[Path, edge.EdgeShard]:
    """Folder and shard, open, that take the place of the shard in `folder` and have the vectors of `schema`.

    It is changed as a copy, and nobody writes to it meanwhile. The copy is flushed before the first change and after
    the last: replaying a log with points of a vector that was dropped and made anew with another dimension loses these
    points, silently (measured 2026-11-25, qdrant-edge-py 0.9.0).

    Raises:
        RestError: it could not be done; nothing has changed.
    """
    copy = next_shard(folder.parent)
    try:
        copy_shard(folder, copy)
        _change_vectors(copy, schema)
        sync_tree(copy)
        shard = load_shard(copy, schema)
        make_current(copy)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        raise EngineFailedError(f"the vectors could not be changed: {error.strerror}") from error
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    return copy, shard


def _change_vectors(folder: Path, schema: CollectionSchema) -> None:
    with engine_errors_translated():
        shard = edge.EdgeShard.load(str(folder))
        shard.flush()
        existing = vector_names(folder)
        for name in existing - schema.names:
            shard.update(edge.UpdateOperation.delete_vector_name(name))
        for name in schema.names - existing:
            shard.update(creates_vector(name, schema.config))
        shard.flush()
        shard.close()


def never_let_go(shard: edge.EdgeShard) -> None:
    """The engine keeps `shard` open until the process ends: it would flush it when it lets go, and may be killed then.

    What the process leaves is what a killed one leaves, and the log makes it whole at the next start.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(shard))
