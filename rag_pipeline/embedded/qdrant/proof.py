"""A child process that opens a collection's folder: `python -m rag_pipeline.embedded.qdrant.proof FOLDER`.

What is in an unpacked snapshot may be anything. The engine reads it here, where a crash or an endless loop harms
nobody, and where loading holds nobody's interpreter lock. Exit code 0: it opens and is what its configuration says.
"""

import sys
from pathlib import Path

import orjson
import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.layout import config_file, current_shard
from rag_pipeline.embedded.qdrant.schema import CollectionSchema


def main() -> int:
    """The exit code; the reason is the last line on standard error."""
    folder = Path(sys.argv[1])
    schema = CollectionSchema.from_config(orjson.loads(config_file(folder).read_bytes()))
    stored = orjson.loads((current_shard(folder) / "edge_config.json").read_bytes())
    dense = {name: vector["size"] for name, vector in stored.get("vectors", {}).items()}
    if dense != dict(schema.dense) or stored.get("sparse_vectors", {}).keys() != schema.sparse:
        sys.stderr.write("its vectors are not those of its configuration\n")
        return 1
    shard = edge.EdgeShard.load(str(current_shard(folder)))
    points_count = shard.count(edge.CountRequest(exact=True))
    shard.scroll(edge.ScrollRequest(limit=1, with_payload=True, with_vector=True))
    shard.flush()
    shard.close()
    sys.stdout.write(f"{points_count}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
