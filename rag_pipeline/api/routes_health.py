"""`GET /health/live` and `/health/ready`."""

from fastapi import APIRouter

from rag_pipeline.api.dependencies import Bench, Threads
from rag_pipeline.api.schemas import Health
from rag_pipeline.services.readiness import check_ready

_READY_WITHIN_S = 5.0
"""Who asks wants to know now, not after the longest search."""

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Health:
    """The process runs."""
    return Health(status="ok")


@router.get("/ready")
async def ready(bench: Bench, threads: Threads) -> Health:
    """Searches can be answered: ledger and Qdrant answer, the model is loaded."""
    await threads.run(lambda: check_ready(bench), at_most_s=_READY_WITHIN_S)
    return Health(status="ok")
