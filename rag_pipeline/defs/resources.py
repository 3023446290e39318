"""The resource that every body gets: the workbench of this process."""

import dagster as dg

from rag_pipeline.composition import workbench_of_this_process
from rag_pipeline.services.workbench import Workbench


class WorkbenchResource(dg.ConfigurableResource):
    """Stores, model and rules; `.bench` connects and loads on first use.

    Its configuration is empty on purpose: settings come from the environment, so that no URL or secret is shown in
    the Dagster UI.
    """

    @property
    def bench(self) -> Workbench:
        """The workbench of the settings of this process."""
        return workbench_of_this_process()
