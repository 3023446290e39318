"""Asset checks: sentences that must be true. Each shows the verdicts that runs left in the ledger, of all collections.

The comparison itself is `services.judge`: it runs where the collection has one writer, so that nothing half done is
ever counted.
"""

from collections.abc import Iterator

import dagster as dg

from rag_pipeline.defs.metadata import verdicts_table
from rag_pipeline.defs.resources import WorkbenchResource
from rag_pipeline.ledger.runs import Verdict
from rag_pipeline.services.judge import (
    EVERY_CHUNK_HAS_A_POINT,
    EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK,
    EVERY_POINT_IS_RECORDED,
    NOTHING_FAILED,
)
from rag_pipeline.services.verdicts import verdicts_by_check

_SPECS = [
    dg.AssetCheckSpec(
        EVERY_CHUNK_HAS_A_POINT,
        asset="qdrant_collection",
        description="Every live chunk of the ledger has its point.",
    ),
    dg.AssetCheckSpec(
        EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK,
        asset="qdrant_collection",
        description="Every document that counts as indexed can be found: it has a live chunk.",
    ),
    dg.AssetCheckSpec(
        EVERY_POINT_IS_RECORDED,
        asset="qdrant_collection",
        description="Qdrant holds as many points as the ledger recorded: none too many, none lost.",
    ),
    dg.AssetCheckSpec(NOTHING_FAILED, asset="documents", description="No document ended `failed`."),
]
_WARNS_ONLY = frozenset({NOTHING_FAILED})


@dg.multi_asset_check(name="index_is_whole", specs=_SPECS, can_subset=True)
def index_checks(context: dg.AssetCheckExecutionContext, workbench: WorkbenchResource) -> Iterator[dg.AssetCheckResult]:
    """Show the verdicts that the ledger keeps, of the checks that were asked for."""
    asked = [spec for spec in _SPECS if spec.key in context.selected_asset_check_keys]
    verdicts = verdicts_by_check(workbench.bench.ledger, [spec.name for spec in asked])
    for spec in asked:
        yield _result(spec, verdicts[spec.name])


def _result(spec: dg.AssetCheckSpec, verdicts: list[Verdict]) -> dg.AssetCheckResult:
    failing = [verdict for verdict in verdicts if not verdict.has_passed]
    severity = dg.AssetCheckSeverity.WARN if spec.name in _WARNS_ONLY else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(
        check_name=spec.name,
        asset_key=spec.asset_key,
        passed=not failing,
        severity=severity,
        metadata={
            # Text, because Dagster draws every number as a plot over time.
            "collections_judged": str(len(verdicts)),
            "failing": ", ".join(verdict.collection for verdict in failing) or "none",
            "verdicts": dg.MetadataValue.md(verdicts_table(failing or verdicts)),
        },
    )
