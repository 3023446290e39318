"""Dagster as its own UI sees it: runs, materializations, checks and sensor ticks over GraphQL."""

import time
from dataclasses import dataclass
from typing import Any

from rag_pipeline_tests.e2e.instance import Instance, wait_for

ASSETS = ("documents", "chunks", "embeddings", "qdrant_collection")
NOTHING_DUE = "Nothing changed and nothing is due."
_SETTLE_S = 1.5
_ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_TERMINAL = frozenset({"indexed", "failed", "skipped"})
_WHERE = 'repositoryName: "__repository__", repositoryLocationName: "rag_pipeline"'

_RUNS = """
{ runsOrError { __typename ... on Runs { results {
  runId status jobName startTime endTime tags { key value }
  assetMaterializations { assetKey { path } partition metadataEntries {
    label
    ... on IntMetadataEntry { intValue }
    ... on FloatMetadataEntry { floatValue }
    ... on MarkdownMetadataEntry { mdStr }
  } }
} } } }
"""
_CHECKS = """
{ assetNodes { assetChecksOrError { ... on AssetChecks { checks {
  name executionForLatestMaterialization { runId status evaluation { success } }
} } } } }
"""
_PARTITIONS = f"""
{{ partitionSetsOrError(pipelineName: "ingest", repositorySelector: {{ {_WHERE} }}) {{
  ... on PartitionSets {{ results {{ partitionsOrError {{ ... on Partitions {{ results {{ name }} }} }} }} }}
}} }}
"""
_TICKS = f"""
{{ sensorOrError(sensorSelector: {{ {_WHERE}, sensorName: "uploads" }}) {{
  ... on Sensor {{ sensorState {{ status ticks(limit: 20) {{ status skipReason timestamp runIds }} }} }}
}} }}
"""
_LAUNCH = f"""
mutation Launch($partition: String!) {{ launchPipelineExecution(executionParams: {{
  selector: {{ {_WHERE}, pipelineName: "ingest" }}, mode: "default",
  executionMetadata: {{ tags: [{{ key: "dagster/partition", value: $partition }}] }}
}}) {{ __typename ... on LaunchRunSuccess {{ run {{ runId }} }} ... on PythonError {{ message }} }} }}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run. `metadata`: by asset, each entry's value by its label."""

    run_id: str
    job: str
    status: str
    tags: dict[str, str]
    metadata: dict[str, dict[str, Any]]

    @property
    def is_ended(self) -> bool:
        """Whether it came to an end, good or bad."""
        return self.status in _ENDED

    @property
    def partition(self) -> str | None:
        """The collection it is about."""
        return self.tags.get("dagster/partition")


def graphql(instance: Instance, query: str, **variables: str) -> Any:  # noqa: ANN401 - JSON
    """The data of an answer without errors."""
    answer = instance.http.post(
        f"{instance.said['dagster_url']}/graphql", json={"query": query, "variables": variables}
    )
    answer.raise_for_status()
    assert "errors" not in answer.json(), answer.json()
    return answer.json()["data"]


def runs(instance: Instance, collection: str | None = None) -> list[Run]:
    """All runs (of one collection), the newest first."""
    found = [_run(one) for one in graphql(instance, _RUNS)["runsOrError"]["results"]]
    return [run for run in found if collection in {None, run.partition}]


def run(instance: Instance, run_id: str) -> Run:
    """The run of that id."""
    return next(one for one in runs(instance) if one.run_id == run_id)


def checks(instance: Instance) -> dict[str, bool]:
    """Whether each asset check, by name, held after the latest materialization; waits for runs under way."""
    wait_for(lambda: [one.run_id for one in runs(instance) if not one.is_ended], lambda found: not found)
    found = {}
    for node in graphql(instance, _CHECKS)["assetNodes"]:
        for check in node["assetChecksOrError"]["checks"]:
            execution = check["executionForLatestMaterialization"]
            found[check["name"]] = execution["status"] == "SUCCEEDED" and execution["evaluation"]["success"]
    return found


def partitions(instance: Instance) -> set[str]:
    """The partitions that the job `ingest` can be launched for."""
    sets = graphql(instance, _PARTITIONS)["partitionSetsOrError"]["results"]
    return {one["name"] for found in sets for one in found["partitionsOrError"]["results"]}


def ticks(instance: Instance) -> list[dict[str, Any]]:
    """The latest ticks of the sensor `uploads`, the newest first."""
    state = graphql(instance, _TICKS)["sensorOrError"]["sensorState"]
    assert state["status"] == "RUNNING"
    return state["ticks"]


def launch(instance: Instance, collection: str) -> str:
    """Launch `ingest` for a collection as the UI's launchpad does; returns the run's id."""
    answer = graphql(instance, _LAUNCH, partition=collection)["launchPipelineExecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return answer["run"]["runId"]


def wait_until_ended(instance: Instance, collection: str, *, count: int, timeout_s: float = 90.0) -> None:
    """The collection has `count` documents, all at their end, and no run of it is under way."""
    wait_for(lambda: _open(instance, collection, count), lambda found: not found, timeout_s=timeout_s)


def wait_until_settled(instance: Instance, collection: str, *, count: int, timeout_s: float = 90.0) -> None:
    """`wait_until_ended`, and the sensor, having looked at the folder as it is now, found nothing left to do."""
    since = time.time() + _SETTLE_S

    def remaining() -> list[str]:
        last = ticks(instance)[0]
        has_looked = last["timestamp"] > since and last["skipReason"] == NOTHING_DUE
        return _open(instance, collection, count) + ([] if has_looked else [f"the last tick: {last}"])

    wait_for(remaining, lambda found: not found, timeout_s=timeout_s)


def _open(instance: Instance, collection: str, count: int) -> list[str]:
    """What has not come to its end, in words."""
    states = instance.documents(collection).values()
    found = [f"{len(states)} documents"] if len(states) != count else []
    found += [f"{state} ({reason})" for state, reason in states if state not in _TERMINAL]
    return found + [f"run {one.run_id} is {one.status}" for one in runs(instance, collection) if not one.is_ended]


def _run(found: dict[str, Any]) -> Run:
    metadata = {
        one["assetKey"]["path"][-1]: {entry["label"]: _value(entry) for entry in one["metadataEntries"]}
        for one in found["assetMaterializations"]
    }
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    return Run(found["runId"], found["jobName"], found["status"], tags, metadata)


def _value(entry: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever was recorded
    return next((value for name, value in entry.items() if name != "label"), None)
