"""Reaching the stores from a command: those of the running instance, or started for the command's own duration."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from rag_pipeline.cli.options import instance_plan

if TYPE_CHECKING:
    from rag_pipeline.embedded.instance import RunningInstance
    from rag_pipeline.services.workbench import Workbench
    from rag_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Connection:
    """A workbench over stores that answer; `instance` is None when they run for this command only."""

    bench: "Workbench"
    settings: "Settings"
    instance: "RunningInstance | None"


@contextmanager
def connected(settings: "Settings") -> Iterator[Connection]:
    """The stores of the instance on this data folder; without one they are started, and stopped afterwards.

    Raises:
        UsageError, StartupError: they cannot be started.
    """
    from rag_pipeline.embedded.instance import find_instance
    from rag_pipeline.embedded.stack import child_environment
    from rag_pipeline.embedded.up import running_stores

    instance = find_instance(settings.data_dir)
    if instance is not None:
        key = instance.qdrant_api_key
        with _opened(settings, instance.database_url, instance.qdrant_url, key) as (bench, complete):
            yield Connection(bench, complete, instance)
        return
    plan = instance_plan(settings)
    with running_stores(plan) as (database_url, qdrant_url):
        # A run in this process reads its settings, and Dagster its instance, where a child would.
        os.environ.update(child_environment(plan, database_url=database_url))
        with _opened(settings, database_url, qdrant_url, plan.qdrant_api_key) as (bench, complete):
            yield Connection(bench, complete, None)


@contextmanager
def _opened(
    settings: "Settings", database_url: str, qdrant_url: str, api_key: str | None
) -> "Iterator[tuple[Workbench, Settings]]":
    from rag_pipeline.composition import build_workbench
    from rag_pipeline.settings import DatabaseSettings

    complete = settings.model_copy(
        update={
            "database": DatabaseSettings(url=SecretStr(database_url)),
            "qdrant": settings.qdrant.model_copy(
                update={"url": qdrant_url, "api_key": SecretStr(api_key) if api_key else None}
            ),
        }
    )
    bench = build_workbench(complete)
    try:
        yield bench, complete
    finally:
        bench.close()
