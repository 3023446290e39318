"""The command that runs the embedded Qdrant alone: for programs that want a Qdrant without Docker."""

import json
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from rag_pipeline.cli.options import AsJson

commands = typer.Typer()

_DEFAULT_PORT = 6333

DataDir = Annotated[
    Path, typer.Option("--data-dir", metavar="DIR", help="Folder of the collections; made when missing.")
]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 for any that is free.")]
Host = Annotated[str, typer.Option("--host", metavar="HOST", help="Other than this machine only with a key.")]
ApiKeyEnv = Annotated[
    str | None,
    typer.Option("--api-key-env", metavar="NAME", help="Environment variable that holds the API key to ask for."),
]
StorageSnapshot = Annotated[
    Path | None,
    typer.Option("--storage-snapshot", metavar="FILE", help="Restore this snapshot of a whole storage first."),
]
MaxSnapshotBytes = Annotated[
    int | None,
    typer.Option("--max-snapshot-bytes", metavar="N", min=1, help="Largest upload of a snapshot; default: free disk."),
]


@commands.command()
def qdrant(  # noqa: PLR0913, PLR0917 - one parameter for each option
    data_dir: DataDir,
    port: Port = _DEFAULT_PORT,
    host: Host = "127.0.0.1",
    api_key_env: ApiKeyEnv = None,
    storage_snapshot: StorageSnapshot = None,
    max_snapshot_bytes: MaxSnapshotBytes = None,
    as_json: AsJson = False,
) -> None:
    """Run the embedded Qdrant alone until Ctrl-C: its REST API over one folder, without Docker.

    Connect with qdrant_client.QdrantClient(url="http://127.0.0.1:6333").

    Without an API key it answers programs of this machine only.
    To listen to the network, put a key into an environment variable:
    --host 0.0.0.0 --api-key-env QDRANT_KEY
    A client then passes api_key=... and needs no other change.

    A folder has one process at a time. After kill -9, start it again:
    nothing that was acknowledged is lost.

    With --json, standard output is one line of JSON once it is ready.
    What is supported, snapshots, limits: docs/embedded-qdrant.md.
    """
    from rag_pipeline.embedded.qdrant.http.guard import check_exposure, key_in
    from rag_pipeline.embedded.qdrant.server import Limits, serve
    from rag_pipeline.embedded.qdrant.snapshots.backup import restore_storage

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    api_key = key_in(api_key_env)
    check_exposure(host, api_key=api_key)
    if storage_snapshot is not None:
        restore_storage(data_dir, storage_snapshot)
    serve(
        data_dir,
        port=port,
        host=host,
        api_key=api_key,
        limits=Limits(max_snapshot_bytes=max_snapshot_bytes),
        announce=lambda url: _announce(url, data_dir, as_json=as_json),
    )


def _announce(url: str, data_dir: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"url": url, "data_dir": str(data_dir.absolute()), "pid": os.getpid()}))
    else:
        typer.echo(f"Qdrant's REST API over {data_dir} is on {url}\nCtrl-C stops it.")
