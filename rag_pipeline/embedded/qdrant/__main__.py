"""Command line of the embedded Qdrant: `python -m rag_pipeline.embedded.qdrant --data-dir DIR --port N`."""

import argparse
import logging
import sys
from pathlib import Path

from rag_pipeline.embedded.qdrant.http.guard import key_in
from rag_pipeline.embedded.qdrant.server import serve
from rag_pipeline.errors import UsageError


def main() -> int:
    """The exit code: 0 after a clean stop, 2 with one sentence on standard error when it cannot be done as asked."""
    parser = argparse.ArgumentParser(prog="python -m rag_pipeline.embedded.qdrant", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--port", type=int, required=True, help="0 for any that is free")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the API key")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        serve(given.data_dir, port=given.port, host=given.host, api_key=key_in(given.api_key_env))
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
