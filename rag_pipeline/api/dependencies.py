"""What routes ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from rag_pipeline.api.deadline import AnswerThreads
from rag_pipeline.services.workbench import Workbench


def _workbench(request: Request) -> Workbench:
    return cast("Workbench", request.app.state.bench)


def _threads(request: Request) -> AnswerThreads:
    return cast("AnswerThreads", request.app.state.threads)


Bench = Annotated[Workbench, Depends(_workbench)]
Threads = Annotated[AnswerThreads, Depends(_threads)]
