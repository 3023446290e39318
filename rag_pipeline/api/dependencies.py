"""What routes ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from rag_pipeline.services.workbench import Workbench


def _workbench(request: Request) -> Workbench:
    return cast("Workbench", request.app.state.bench)


def _search_deadline_s(request: Request) -> float:
    return float(request.app.state.search_deadline_s)


Bench = Annotated[Workbench, Depends(_workbench)]
SearchDeadline = Annotated[float, Depends(_search_deadline_s)]
