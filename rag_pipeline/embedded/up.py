"""Running an instance, or only its stores, while owning the data folder.

What the children are is in `stack`; the table that a person sees is drawn by `rag_pipeline.cli`.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag_pipeline.embedded.instance import RunningInstance, announce, own_data_dir
from rag_pipeline.embedded.leftovers import Mark
from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.embedded.preflight import check_disk_space, check_folders, check_ports
from rag_pipeline.embedded.stack import (
    InstancePlan,
    child_environment,
    prepare_dagster_home,
    server_specs,
    store_specs,
    task_specs,
)
from rag_pipeline.embedded.supervisor import Observer, Supervisor
from rag_pipeline.errors import StartupError


def run_instance(
    plan: InstancePlan,
    *,
    on_ready: Callable[[RunningInstance], None],
    should_stop: Callable[[], bool],
    observe: Observer = lambda _children: None,
    on_owned: Callable[[], None] = lambda: None,
) -> None:
    """Run a whole instance until `should_stop` says so; afterwards nothing of it runs.

    Args:
        plan: what to run.
        on_ready: called once, when everything answers and others can find the instance.
        should_stop: asked about ten times a second, during the start too.
        observe: called as often, with the children as they are.
        on_owned: called once the data folder is ours and all checks passed, before anything starts.

    Raises:
        UsageError: it cannot run as asked (ports, disk, folders, a running instance...); nothing was started.
        StartupError: a server did not become ready; the others were stopped.
    """
    check_disk_space(plan.data_dir)
    check_folders(data_dir=plan.data_dir, uploads_dir=plan.uploads_dir)
    with own_data_dir(plan.data_dir):
        # After the leftovers of a killed owner were ended: they may hold the ports.
        check_ports(plan.all_ports())
        on_owned()
        prepare_dagster_home(plan)
        with _supervised(plan, is_whole=True, observe=observe) as (supervisor, database_url):
            if not supervisor.start(should_stop):
                return
            instance = _running(plan, database_url)
            announce(instance)
            on_ready(instance)
            supervisor.watch(should_stop)


@contextmanager
def running_stores(plan: InstancePlan, *, should_stop: Callable[[], bool] = lambda: False) -> Iterator[tuple[str, str]]:
    """The stores alone for the block, ledger upgraded and model prepared: yields (database URL, Qdrant URL).

    Raises:
        UsageError: an instance runs on this data folder, or the stores cannot start as asked.
        StartupError: a store did not become ready.
    """
    check_disk_space(plan.data_dir)
    check_folders(data_dir=plan.data_dir, uploads_dir=plan.uploads_dir)
    with own_data_dir(plan.data_dir):
        check_ports(plan.store_ports())
        prepare_dagster_home(plan)
        with _supervised(plan, is_whole=False, observe=lambda _children: None) as (supervisor, database_url):
            if not supervisor.start(should_stop):
                raise StartupError("The start of the stores was interrupted.")
            yield database_url, plan.used_qdrant_url


@contextmanager
def _supervised(plan: InstancePlan, *, is_whole: bool, observe: Observer) -> Iterator[tuple[Supervisor, str]]:
    """A supervisor of stores and tasks (when `is_whole` of all), not started yet, stopped at the end."""
    postgres = EmbeddedPostgres(plan.data_dir) if plan.database_url is None else None
    database_url = postgres.url if postgres else plan.database_url
    assert database_url is not None  # noqa: S101  one of the two; for the type checker
    stores = store_specs(plan, postgres)
    specs = [*stores, *task_specs(stores)]
    if is_whole:
        specs += server_specs(plan, stores)
    supervisor = Supervisor(
        specs,
        mark=Mark.new(plan.data_dir),
        environment=child_environment(plan, database_url=database_url),
        observe=observe,
    )
    try:
        with supervisor:
            yield supervisor, database_url
    finally:
        if postgres:
            postgres.remove_socket_dir()


def _running(plan: InstancePlan, database_url: str) -> RunningInstance:
    return RunningInstance(
        api_url=plan.api_url,
        dagster_url=plan.dagster_url,
        qdrant_url=plan.used_qdrant_url,
        qdrant_api_key=plan.qdrant_api_key,
        database_url=database_url,
        pid=os.getpid(),
        data_dir=str(plan.data_dir),
        uploads_dir=str(plan.uploads_dir),
        started_at=time.time(),
    )
