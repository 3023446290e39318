"""Commands that run servers: up, stop, health, api; and a start's two tasks: upgrade-ledger, prepare-model."""

import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from rag_pipeline.cli.options import AsJson, DataDir, PortsFrom, UploadsDir, instance_plan, settings_from

if TYPE_CHECKING:
    from pathlib import Path

    from rag_pipeline.embedded.health import ComponentHealth
    from rag_pipeline.settings import Settings

commands = typer.Typer()

_STOP_TIMEOUT_S = 30.0
_LAST_REQUESTS_S = 2


@commands.command()
def up(
    data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None, as_json: AsJson = False
) -> None:
    """Run everything until Ctrl-C: PostgreSQL, Qdrant, Dagster, the query API.

    With --json, standard output is one line of JSON once all is ready; the rest goes to DATA_DIR/logs.
    """
    from rag_pipeline.cli.progress import progress_for
    from rag_pipeline.cli.samples import copy_samples, wants_samples
    from rag_pipeline.embedded.up import run_instance

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    is_wanted = wants_samples(settings)
    should_stop = _stop_request()
    with progress_for(as_json=as_json) as progress:
        run_instance(
            instance_plan(settings),
            on_ready=progress.ready,
            should_stop=should_stop,
            observe=progress.observe,
            on_owned=lambda: _begin(settings, with_samples=is_wanted, copy=copy_samples),
        )


@commands.command()
def stop(data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None) -> None:
    """Stop the running instance and wait until it is gone. Nothing running is fine too (exit code 0)."""
    from rag_pipeline.embedded.instance import is_owned, owner_pid
    from rag_pipeline.errors import StartupError

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    pid = owner_pid(settings.data_dir)
    if pid is None:
        typer.echo(f"Nothing runs on {settings.data_dir}.")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while is_owned(settings.data_dir) and owner_pid(settings.data_dir) == pid:
        if time.monotonic() > deadline:
            raise StartupError(
                f"The instance on {settings.data_dir} (pid {pid}) still runs after {_STOP_TIMEOUT_S:.0f} s."
            )
        time.sleep(0.05)
    typer.echo(f"Stopped the instance on {settings.data_dir} (pid {pid}).")


@commands.command()
def health(
    data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None, as_json: AsJson = False
) -> None:
    """Ask every component how it is; exit code 0 only when all are well."""
    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    components = _ask(settings)
    is_well = all(component.is_well for component in components)
    if as_json:
        typer.echo(json.dumps({"is_well": is_well, "components": [asdict(component) for component in components]}))
    else:
        from rag_pipeline.cli.progress import print_health

        print_health(components)
    raise typer.Exit(0 if is_well else 1)


@commands.command()
def api(data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None) -> None:
    """Run the query API alone, in the foreground (`up` does it for you)."""
    import uvicorn

    from rag_pipeline.embedded.preflight import WantedPort, check_ports

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    check_ports([WantedPort("the query API", settings.api_port, settings.api.host)])
    # The app reads its settings itself, in `api.main`: the options travel by the environment.
    os.environ.update(
        RAG_DATA_DIR=str(settings.data_dir),
        RAG_UPLOADS_DIR=str(settings.uploads_dir),
        RAG_PORTS_FROM=str(settings.ports_from),
    )
    uvicorn.run(
        "rag_pipeline.api.main:app",
        host=settings.api.host,
        port=settings.api_port,
        log_level=settings.log_level.lower(),
        timeout_graceful_shutdown=_LAST_REQUESTS_S,
    )


@commands.command("upgrade-ledger")
def upgrade_ledger(data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None) -> None:
    """Bring the ledger's tables to this version (`up` does it for you)."""
    from rag_pipeline.embedded.instance import find_instance
    from rag_pipeline.errors import InstanceNotRunningError
    from rag_pipeline.ledger.schema import upgrade

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    if settings.database.url is not None:
        upgrade(settings.database.url.get_secret_value())
        return
    instance = find_instance(settings.data_dir)
    if instance is None:
        raise InstanceNotRunningError(
            f"No instance runs on {settings.data_dir} and RAG_DATABASE__URL is not set: there is no ledger to upgrade."
        )
    upgrade(instance.database_url)


@commands.command("prepare-model")
def prepare_model(data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None) -> None:
    """Find, check and export the embedding model (`up` does it for you; the first time takes a while)."""
    from rag_pipeline.composition import prepare_model as prepare

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    model = prepare(settings)
    typer.echo(f"{settings.embedding.model} is ready in {model.folder}.")


@commands.command("check-index")
def check_index(data_dir: DataDir = None, uploads_dir: UploadsDir = None, ports_from: PortsFrom = None) -> None:
    """Refuse settings that ask for another index than the collections were built with (`up` does it for you)."""
    from rag_pipeline.cli.connect import connected
    from rag_pipeline.composition import build_workbench
    from rag_pipeline.services.generations import check_index_specs

    settings = settings_from(data_dir=data_dir, uploads_dir=uploads_dir, ports_from=ports_from)
    if settings.database.url is not None and settings.qdrant.url is not None:
        bench = build_workbench(settings)
        try:
            check_index_specs(bench)
        finally:
            bench.close()
    else:
        with connected(settings) as connection:
            check_index_specs(connection.bench)
    typer.echo("Every collection is built as the settings say.")


def _begin(settings: "Settings", *, with_samples: bool, copy: "Callable[[Path], None]") -> None:
    from rag_pipeline.embedded.logs import open_log

    log_file = settings.data_dir / "logs" / "supervisor.log"
    open_log(log_file).close()
    logging.basicConfig(
        filename=log_file, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if with_samples:
        copy(settings.uploads_dir)


def _stop_request() -> Callable[[], bool]:
    """Whether a signal to stop has arrived since. SIGINT counts even where it was ignored (`&` in a script)."""
    arrived: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda received, _frame: arrived.append(received))
    return lambda: bool(arrived)


def _ask(settings: "Settings") -> "list[ComponentHealth]":
    from rag_pipeline.embedded.health import ask_components
    from rag_pipeline.embedded.instance import find_instance
    from rag_pipeline.errors import InstanceNotRunningError

    instance = find_instance(settings.data_dir)
    if instance is not None:
        return ask_components(
            database_url=instance.database_url,
            qdrant_url=instance.qdrant_url,
            qdrant_api_key=instance.qdrant_api_key,
            dagster_url=instance.dagster_url,
            api_url=instance.api_url,
        )
    plan = instance_plan(settings)
    if plan.database_url is None or plan.qdrant_url is None:
        raise InstanceNotRunningError(f"No instance is ready on {settings.data_dir}; start one by `rag-pipeline up`.")
    return ask_components(
        database_url=plan.database_url,
        qdrant_url=plan.qdrant_url,
        qdrant_api_key=plan.qdrant_api_key,
        dagster_url=plan.dagster_url,
        api_url=plan.api_url,
    )
