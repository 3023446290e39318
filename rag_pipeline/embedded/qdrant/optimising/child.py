"""The optimisation, in its own process: `python -m ...optimising.child SHARD CONFIG SERVER_PID`.

CONFIG is the collection's configuration file: what changed in it since the shard was opened takes effect here.

`EdgeShard.optimize` holds the interpreter from start to end, 43 s for 100,000 points of 384 dimensions on two cores
(measured 2026-11-25, qdrant-edge-py 0.9.0), so neither a signal handler nor a thread of this process could do anything
meanwhile: the kernel ends it together with the server.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

import orjson

from rag_pipeline.embedded.qdrant.store.backlog import Thresholds, has_long_log, log_of
from rag_pipeline.embedded.qdrant.store.copying import sync_tree

OPTIMISED = 0
NOTHING_TO_DO = 3
_PR_SET_PDEATHSIG = 1
"""Source: linux/prctl.h."""

_NICENESS = 5
"""A third of a processor's time against one busy neighbour; at 15 a busy machine never let it finish (2026-11-25)."""


def main() -> int:
    """OPTIMISED when the shard, now on the disk, is in better order, NOTHING_TO_DO when it was in order."""
    shard_folder, config_file, server_pid = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    _die_with(server_pid)
    _leave_room()
    # After `_leave_room`: the engine counts the processors when it is imported.
    from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
    from rag_pipeline.embedded.qdrant.store.shards import load_shard

    log, schema = log_of(shard_folder), CollectionSchema.from_stored(orjson.loads(config_file.read_bytes()))
    shard = load_shard(shard_folder, schema)
    # A collection that is not to be optimised is still flushed: else its log would grow for ever.
    is_optimised = Thresholds.of(schema.config).is_allowed and shard.optimize()
    has_changed = is_optimised or has_long_log(log)
    shard.flush()
    shard.close()
    sync_tree(shard_folder)
    return OPTIMISED if has_changed else NOTHING_TO_DO


def _die_with(server_pid: int) -> None:
    """SIGKILL comes when the server ends, however it does.

    macOS has nothing like it: there a child whose server was killed ends by itself, after minutes at most, in a folder
    that the next server has deleted.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the server too, and the server ends its child.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server_pid:
        sys.exit("the server is gone")


def _leave_room() -> None:
    """Searches keep a processor: the engine starts a thread for each that this process may use."""
    os.nice(_NICENESS)
    if sys.platform == "linux":
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[1:] or allowed)


if __name__ == "__main__":
    sys.exit(main())
