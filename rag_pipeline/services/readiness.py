"""Whether searches can be answered."""

from rag_pipeline.ledger import collections
from rag_pipeline.services.workbench import Workbench
from rag_pipeline.vectors import store


def check_ready(bench: Workbench) -> None:
    """Nothing, when ledger and Qdrant answer and the model embeds.

    Raises:
        StoreUnavailableError: a store does not answer.
        ModelError: the model does not load.
    """
    with bench.ledger.begin() as connection:
        collections.list_all(connection)
    store.check_answers(bench.qdrant)
    bench.model.embedder.embed_query("ready")
