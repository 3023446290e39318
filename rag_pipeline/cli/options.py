"""The options every command has, and the settings they give.

An option wins over the environment. A relative path given as an option starts from the working directory; one from the
environment, and the defaults, start from the project folder.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from rag_pipeline.embedded.stack import InstancePlan
    from rag_pipeline.settings import Settings

DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="Folder of all state (.data).")]
UploadsDir = Annotated[
    Path | None,
    typer.Option("--uploads-dir", metavar="DIR", help="Folder whose subfolders are the collections (uploads)."),
]
PortsFrom = Annotated[
    int | None,
    typer.Option("--ports-from", metavar="N", min=1, max=65530, help="Count all ports up from N (8800)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def settings_from(
    *, data_dir: Path | None = None, uploads_dir: Path | None = None, ports_from: int | None = None
) -> "Settings":
    """The settings, with what was given as an option in place of the environment's.

    Raises:
        UsageError: a setting in the environment or in `.env` is not valid; the message names it.
    """
    from pydantic import ValidationError

    from rag_pipeline.errors import UsageError
    from rag_pipeline.settings import Settings

    given = {
        "data_dir": _from_working_dir(data_dir),
        "uploads_dir": _from_working_dir(uploads_dir),
        "ports_from": ports_from,
    }
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        # The value may be a secret: only its place and what is wrong with it are said.
        wrong = "; ".join(f"{_variable(problem['loc'])}: {_wrong(problem)}" for problem in error.errors())
        raise UsageError(f"The settings are not valid: {wrong}.") from None


def instance_plan(settings: "Settings") -> "InstancePlan":
    """What an instance with `settings` is made of.

    Raises:
        UsageError: Dagster's configuration files are not in the project folder.
    """
    from rag_pipeline.embedded.stack import InstancePlan
    from rag_pipeline.errors import UsageError
    from rag_pipeline.settings import project_dir

    dagster_yaml, workspace_yaml = project_dir() / "dagster.yaml", project_dir() / "workspace.yaml"
    for needed in (dagster_yaml, workspace_yaml):
        if not needed.is_file():
            raise UsageError(f"There is no {needed}; run the command in a checkout of rag_pipeline.")
    database_url, storage_url, api_key = settings.database.url, settings.dagster_storage_url, settings.qdrant.api_key
    return InstancePlan(
        data_dir=settings.data_dir,
        uploads_dir=settings.uploads_dir,
        ports_from=settings.ports_from,
        api_host=settings.api.host,
        api_port=settings.api_port,
        dagster_port=settings.dagster_port,
        qdrant_port=settings.qdrant_port,
        code_server_port=settings.code_server_port,
        database_url=database_url.get_secret_value() if database_url else None,
        qdrant_url=settings.qdrant.url.rstrip("/") if settings.qdrant.url else None,
        # Our own Qdrant listens on loopback without a key.
        qdrant_api_key=api_key.get_secret_value() if api_key and settings.qdrant.url else None,
        dagster_storage_url=storage_url.get_secret_value() if storage_url else None,
        dagster_yaml=dagster_yaml,
        workspace_yaml=workspace_yaml,
        environment=dict(os.environ),
    )


def _from_working_dir(path: Path | None) -> Path | None:
    return None if path is None else Path.cwd() / path.expanduser()


def _wrong(problem: "ErrorDetails") -> str:
    return "there is no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]


def _variable(place: tuple[int | str, ...]) -> str:
    return "RAG_" + "__".join(str(part).upper() for part in place)
