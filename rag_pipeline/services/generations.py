"""The live generation of a collection: made on first need, and refused when the settings ask for another index."""

from rag_pipeline.domain.spec import IndexSpec
from rag_pipeline.errors import IndexSpecChangedError
from rag_pipeline.ledger import generations
from rag_pipeline.ledger.generations import Generation
from rag_pipeline.services.workbench import Workbench
from rag_pipeline.vectors import store


def live_generation(bench: Workbench, collection: str) -> Generation:
    """The generation that searches use, complete in Qdrant, with the collection's alias on it.

    Raises:
        CollectionNotFoundError: there is no such collection.
        IndexSpecChangedError: it was built for another IndexSpec than the settings ask for.
    """
    wanted = bench.wanted_spec()
    with bench.ledger.begin() as connection:
        view = generations.current_view(connection, collection)
    if view is None:
        # Qdrant first: a generation that the ledger calls live can be searched.
        store.ensure_generation(bench.qdrant, generations.physical_name(collection, 1), wanted)
        with bench.ledger.begin() as connection:
            generation = generations.create_first(connection, collection, wanted)
    else:
        generation = view.generation
        _refuse_other_spec(generation, wanted)
        store.ensure_generation(bench.qdrant, generation.physical, wanted)
    store.point_alias(bench.qdrant, collection, generation.physical)
    return generation


def check_index_specs(bench: Workbench) -> None:
    """Nothing, when every live generation was built for the IndexSpec that the settings ask for.

    Raises:
        IndexSpecChangedError: one was not; the message names what differs.
    """
    with bench.ledger.begin() as connection:
        live = generations.list_live(connection)
    if live:
        wanted = bench.wanted_spec()
        for generation in live:
            _refuse_other_spec(generation, wanted)


def _refuse_other_spec(generation: Generation, wanted: IndexSpec) -> None:
    if generation.spec.fingerprint == wanted.fingerprint:
        return
    before, after = generation.spec.as_json(), wanted.as_json()
    changes = ", ".join(
        f"{part} was {before[part]} and would be {after[part]}" for part in before if before[part] != after[part]
    )
    raise IndexSpecChangedError(
        f"Collection {generation.collection!r} was indexed with other settings: {changes}. "
        "Set them back. (`rebuild_index`, the job that builds a collection anew, is not in this version yet.)"
    )
