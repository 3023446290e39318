"""Reading the verdicts that runs left in the ledger. Making them is `judge`."""

from collections.abc import Sequence

from rag_pipeline.ledger import runs
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.ledger.runs import Verdict


def verdicts_by_check(ledger: Ledger, names: Sequence[str]) -> dict[str, list[Verdict]]:
    """The last verdict of each check on each collection, by check."""
    with ledger.begin() as connection:
        return {name: runs.list_verdicts(connection, name) for name in names}
