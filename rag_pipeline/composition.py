"""From settings to a workbench: the one place where the parts are put together."""

from functools import cache

from rag_pipeline.domain.deletions import GuardRule
from rag_pipeline.domain.spec import ChunkingSpec
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.sparse import Bm25Encoder
from rag_pipeline.embedding.store import ModelStore
from rag_pipeline.errors import InstanceNotRunningError
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.services.workbench import IngestRules, Model, Workbench
from rag_pipeline.settings import IngestSettings, Settings
from rag_pipeline.vectors.client import connect


def build_workbench(settings: Settings, *, pool_size: int = 5, statement_timeout_s: float | None = None) -> Workbench:
    """The workbench that `settings` describe; nothing is connected to or loaded before it is used.

    Args:
        settings: of this process.
        pool_size: connections to the ledger that are kept; as many again are made when needed.
        statement_timeout_s: longest time for a statement in the ledger; None: as long as it takes.

    Raises:
        InstanceNotRunningError: `settings` name no stores. The embedded ones belong to `rag-pipeline up`, which gives
            their URLs to its children.
    """
    if settings.database.url is None or settings.qdrant.url is None:
        raise InstanceNotRunningError(
            "Neither a running instance nor RAG_DATABASE__URL and RAG_QDRANT__URL were found; start `rag-pipeline up`."
        )
    api_key = settings.qdrant.api_key
    return Workbench(
        ledger=Ledger(
            settings.database.url.get_secret_value(), pool_size=pool_size, statement_timeout_s=statement_timeout_s
        ),
        qdrant=connect(
            settings.qdrant.url,
            api_key=api_key.get_secret_value() if api_key else None,
            timeout_s=settings.qdrant.timeout_s,
        ),
        model=Model(
            lambda: prepare_model(settings), runtime=settings.embedding.runtime, threads=settings.embedding.threads
        ),
        sparse=Bm25Encoder(),
        chunking=ChunkingSpec(max_tokens=settings.chunking.max_tokens, overlap_tokens=settings.chunking.overlap_tokens),
        limits=ExtractionLimits(**settings.extraction.model_dump()),
        rules=ingest_rules(settings.ingest),
        uploads_dir=settings.uploads_dir,
        scratch_dir=settings.data_dir / "scratch",  # emptied by the next owner: `embedded.instance.SCRATCH_DIR`
    )


@cache
def workbench_of_this_process() -> Workbench:
    """The workbench of this process's settings, made once.

    Dagster makes a new resource for each sensor tick: a workbench each would leave its connections behind.
    """
    return build_workbench(Settings())


def prepare_model(settings: Settings) -> LocalModel:
    """The embedding model that `settings` name, exported if this is the first time.

    Raises:
        ModelError: it cannot be found, trusted or exported.
    """
    wanted = settings.embedding
    return ModelStore(settings.models_dir).prepare(
        wanted.model,
        revision=wanted.revision,
        query_prefix=wanted.query_prefix,
        passage_prefix=wanted.passage_prefix,
        runtime=wanted.runtime,
    )


def ingest_rules(settings: IngestSettings) -> IngestRules:
    """The rules that the settings of a run describe."""
    return IngestRules(
        settle_s=settings.settle_s,
        max_documents=settings.max_documents,
        max_bytes=settings.max_bytes,
        turn_s=settings.turn_s,
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
        retry_after_s=settings.retry_after_s,
        point_grace_s=settings.point_grace_s,
        guard=GuardRule(max_share=settings.guard_share, min_documents=settings.guard_documents),
    )
