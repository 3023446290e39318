"""`GET /health/live` and `/health/ready`."""

from fastapi import APIRouter

from rag_pipeline.api.dependencies import Bench
from rag_pipeline.api.schemas import Health
from rag_pipeline.services.readiness import check_ready

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
def live() -> Health:
    """The process runs."""
    return Health(status="ok")


@router.get("/ready")
def ready(bench: Bench) -> Health:
    """Searches can be answered: ledger and Qdrant answer, the model is loaded."""
    check_ready(bench)
    return Health(status="ok")
