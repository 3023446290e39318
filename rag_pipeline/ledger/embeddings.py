"""The embedding cache: vectors by model and exact embedded string.

It outlives renames, moves, re-chunking and restores.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rag_pipeline.ledger.tables import embeddings


def missing(connection: sa.Connection, model: str, hashes: Iterable[bytes]) -> set[bytes]:
    """Those of `hashes` that have no vector of `model` (a ModelSpec's fingerprint) yet."""
    wanted = set(hashes)
    found = connection.scalars(
        sa.select(embeddings.c.embedded_hash).where(
            embeddings.c.model_fingerprint == model,
            embeddings.c.embedded_hash == sa.any_(sa.literal(list(wanted), sa.ARRAY(sa.LargeBinary))),
        )
    )
    return wanted - {bytes(found_hash) for found_hash in found}


def store(connection: sa.Connection, model: str, vectors: Mapping[bytes, np.ndarray]) -> None:
    """Keep vectors (float32, unit length) by the hash of the string they are of."""
    if not vectors:
        return
    connection.execute(
        insert(embeddings).on_conflict_do_nothing(),
        [
            {"model_fingerprint": model, "embedded_hash": key, "vector": vector.astype("<f4", copy=False).tobytes()}
            for key, vector in vectors.items()
        ],
    )


def load(connection: sa.Connection, model: str, hashes: Iterable[bytes]) -> dict[bytes, np.ndarray]:
    """Vectors (float32) by hash; those without one are left out."""
    rows = connection.execute(
        sa.select(embeddings.c.embedded_hash, embeddings.c.vector).where(
            embeddings.c.model_fingerprint == model,
            embeddings.c.embedded_hash == sa.any_(sa.literal(list(set(hashes)), sa.ARRAY(sa.LargeBinary))),
        )
    )
    return {bytes(row.embedded_hash): np.frombuffer(row.vector, dtype="<f4") for row in rows}
