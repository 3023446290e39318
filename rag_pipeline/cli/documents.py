"""Commands about documents: ingest, search, status, confirm-deletions."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_pipeline.cli.options import AsJson, DataDir, PortsFrom, UploadsDir, settings_from

if TYPE_CHECKING:
    from rag_pipeline.cli.connect import Connection

commands = typer.Typer()

_COLLECTION_HELP = "Key of the collection: a-z, 0-9 and '-'."
_TEXT_SHOWN_CHARS = 300


@commands.command()
def ingest(
    path: Annotated[Path, typer.Argument(help="File, or folder with all that is below it.")],
    collection: Annotated[str, typer.Option("--collection", metavar="NAME", help=_COLLECTION_HELP)],
    data_dir: DataDir = None,
    uploads_dir: UploadsDir = None,
    ports_from: PortsFrom = None,
    as_json: AsJson = False,
) -> None:
    """Copy files into a collection and wait until each is searchable, or why it is not is known.

    With an instance running, its queue does the work; otherwise the stores are started and the same job runs here.
    Exit code 0 only when every document is indexed or skipped.
    """
    from rag_pipeline.cli.connect import connected
    from rag_pipeline.cli.following import follow_with_progress
    from rag_pipeline.services.submit import copy_in, register

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    with connected(settings) as connection:
        bench = connection.bench
        submitted = copy_in(path, collection=collection, ledger=bench.ledger, uploads_dir=settings.uploads_dir)
        register(bench.ledger, submitted, uploads_dir=settings.uploads_dir, rules=bench.rules)
        if connection.instance is None:
            from rag_pipeline.cli.local_run import local_run

            with local_run(collection) as is_running:
                rows = follow_with_progress(bench.ledger, submitted, is_worked_on=is_running)
        else:
            rows = follow_with_progress(bench.ledger, submitted)
    states = Counter(row.state for row in rows)
    trouble = [row for row in rows if row.reason]
    if as_json:
        problems = [
            {"path": row.path, "state": row.state, "reason": row.reason, "detail": row.detail} for row in trouble
        ]
        typer.echo(json.dumps({"collection": collection, "states": states, "not_searchable": problems}))
    else:
        from rag_pipeline.cli.tables import print_trouble

        typer.echo(f"{collection}: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
        print_trouble(trouble)
    is_fine = all(row.state in {"indexed", "skipped"} for row in rows)
    raise typer.Exit(0 if is_fine else 1)


@commands.command()
def search(  # noqa: PLR0913, PLR0917 - the options of a command
    collection: Annotated[str, typer.Argument(help=_COLLECTION_HELP)],
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Most passages shown.")] = 5,
    data_dir: DataDir = None,
    uploads_dir: UploadsDir = None,
    ports_from: PortsFrom = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages of a collection that answer a query best, with their document and page."""
    from rag_pipeline.cli.connect import connected
    from rag_pipeline.services.search import search as find

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    with connected(settings) as connection:
        answer = find(connection.bench, collection, query, limit=limit)
    if as_json:
        typer.echo(json.dumps(_as_api(asdict(answer)), default=str))
        return
    from rag_pipeline.cli.tables import print_hits

    print_hits(answer, max_chars=_TEXT_SHOWN_CHARS)


@commands.command()
def status(
    collection: Annotated[str | None, typer.Argument(help=f"{_COLLECTION_HELP} All when left out.")] = None,
    data_dir: DataDir = None,
    uploads_dir: UploadsDir = None,
    ports_from: PortsFrom = None,
    as_json: AsJson = False,
) -> None:
    """Show where every collection stands, what is not searchable and why, and what waits for you."""
    from rag_pipeline.cli.connect import connected

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    with connected(settings) as connection:
        found = _status(connection, collection)
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    from rag_pipeline.cli.tables import print_status

    print_status(found)


@commands.command("confirm-deletions")
def confirm_deletions(
    collection: Annotated[str, typer.Argument(help=_COLLECTION_HELP)],
    data_dir: DataDir = None,
    uploads_dir: UploadsDir = None,
    ports_from: PortsFrom = None,
) -> None:
    """Let the documents of a collection whose files vanished be deleted, when the guard holds that back."""
    from rag_pipeline.cli.connect import connected
    from rag_pipeline.services.deletions import confirm_deletions as confirm

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    with connected(settings) as connection:
        count = confirm(connection.bench.ledger, collection)
        where = "" if connection.instance else " when an instance runs"
    typer.echo(f"{collection}: {count} documents will be deleted{where}.")


def _status(connection: "Connection", collection: str | None) -> dict[str, Any]:
    from rag_pipeline.services.listing import list_collections, list_documents

    ledger = connection.bench.ledger
    statuses = [asdict(one) for one in list_collections(ledger) if collection in {None, one.name}]
    if collection is not None and not statuses:
        list_documents(ledger, collection, state=None, limit=1, offset=0)  # says that there is no such collection
    for one in statuses:
        one["not_searchable"] = [
            {"path": row.path, "state": row.state, "reason": row.reason, "detail": row.detail}
            for state in ("failed", "skipped")
            for row in list_documents(ledger, one["name"], state=state, limit=1000, offset=0)[0]
        ]
    instance = connection.instance
    return {"running": asdict(instance) if instance else None, "collections": statuses}


def _as_api(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer in the shape of `POST /api/v1/search`, so that a script can use either."""
    hits = [
        {
            "score": hit["score"],
            "text": hit["chunk"]["text"],
            "document": {
                "id": hit["chunk"]["document_id"],
                **{name: hit["chunk"][name] for name in ("path", "title", "media_type")},
            },
            "chunk": {
                "id": hit["chunk"]["chunk_id"],
                **{name: hit["chunk"][name] for name in ("page", "start", "end")},
            },
        }
        for hit in answer["hits"]
    ]
    return {**answer, "hits": hits, "degraded": False}
