"""The sensor `uploads`: looks at the folder, and asks for runs because the ledger has due work."""

import time

import dagster as dg

from rag_pipeline.defs.jobs import ingest
from rag_pipeline.defs.partitions import collections_partitions
from rag_pipeline.defs.resources import WorkbenchResource
from rag_pipeline.domain.backoff import wait_after_failures_s
from rag_pipeline.services.queue import collections_needing_a_run
from rag_pipeline.services.scan import ScanReport, scan_uploads

MAX_WAITING = 2
"""Requests in the queue at a time: the ledger's order decides who is next, and it changes while they wait."""

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FAILURES_LOOKED_AT = 8
_PARTITION_TAG = "dagster/partition"


def build_uploads_sensor(interval_s: int) -> dg.SensorDefinition:
    """The sensor, looking every `interval_s` seconds."""

    @dg.sensor(
        name="uploads",
        job=ingest,
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers what changed below uploads/ and requests a run for each collection with due work.",
    )
    def uploads(context: dg.SensorEvaluationContext, workbench: WorkbenchResource) -> dg.SensorResult:
        bench = workbench.bench
        scan = scan_uploads(bench.ledger, bench.uploads_dir, bench.rules)
        needing = collections_needing_a_run(
            bench.ledger,
            point_grace_s=bench.rules.point_grace_s,
            is_run_over=lambda run_id: _is_over(context.instance, run_id),
        )
        return _result(context.instance, scan, needing)

    return uploads


def _result(instance: dg.DagsterInstance, scan: ScanReport, needing: list[str]) -> dg.SensorResult:
    unfinished = instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED))
    busy = {record.dagster_run.tags.get(_PARTITION_TAG) for record in unfinished}
    waiting = sum(record.dagster_run.status is not dg.DagsterRunStatus.STARTED for record in unfinished)
    resting = {key for key in needing if key not in busy and _is_resting(instance, key)}
    chosen = [key for key in needing if key not in busy | resting][: max(0, MAX_WAITING - waiting)]
    partitions = instance.get_dynamic_partitions(collections_partitions.name or "")
    missing = sorted({*chosen, *scan.new_collections} - set(partitions))
    return dg.SensorResult(
        # No run key: Dagster remembers them for ever, and a restored old version would be dropped.
        run_requests=[dg.RunRequest(partition_key=key) for key in chosen],
        dynamic_partitions_requests=[collections_partitions.build_add_request(missing)] if missing else [],
        skip_reason=None if chosen else _why_not(scan, needing, resting, waiting),
    )


def _is_resting(instance: dg.DagsterInstance, key: str) -> bool:
    """Whether the last runs of the collection failed, and it is too early for the next: a store may be down."""
    ended = instance.get_run_records(
        dg.RunsFilter(tags={_PARTITION_TAG: key}, statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]),
        limit=_FAILURES_LOOKED_AT,
    )
    failures = 0
    for record in ended:
        if record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if not failures:
        return False
    # A run that never started has no end.
    ended_at = ended[0].end_time or ended[0].update_timestamp.timestamp()
    return time.time() < ended_at + wait_after_failures_s(failures)


def _why_not(scan: ScanReport, needing: list[str], resting: set[str], waiting: int) -> str:
    if scan.is_busy:
        return "Another scan of the uploads folder is under way."
    if resting:
        names = ", ".join(sorted(resting)[:5])
        return f"The last runs of {names} failed; the next is requested after a pause. See the failed run's log."
    if needing:
        return f"{len(needing)} collections have due work; {waiting} runs wait already, or theirs is running."
    if scan.held:
        return f"{scan.held} deletions wait for `rag-pipeline confirm-deletions COLLECTION`."
    if scan.unsettled:
        return f"{scan.unsettled} files are still being written."
    return "Nothing changed and nothing is due."


def _is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished
