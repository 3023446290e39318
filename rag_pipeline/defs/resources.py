"""The resource that every body gets: the workbench, made from settings once per process."""

from functools import cache

import dagster as dg

from rag_pipeline.composition import build_workbench
from rag_pipeline.services.workbench import Workbench
from rag_pipeline.settings import Settings


class WorkbenchResource(dg.ConfigurableResource):
    """Stores, model and rules; `.bench` connects and loads on first use.

    Its configuration is empty on purpose: settings come from the environment, so that no URL or secret is shown in
    the Dagster UI.
    """

    @property
    def bench(self) -> Workbench:
        """The workbench of the settings of this process."""
        return _bench_of_this_process()


@cache
def _bench_of_this_process() -> Workbench:
    # Dagster makes a new resource for each sensor tick: a workbench each would leave its connections behind.
    return build_workbench(Settings())
