"""What routes ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from rag_pipeline.services.workbench import Workbench


def _workbench(request: Request) -> Workbench:
    return cast("Workbench", request.app.state.bench)


Bench = Annotated[Workbench, Depends(_workbench)]
