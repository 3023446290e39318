"""The sensor `uploads`: requests runs because the ledger has due work, over a real instance."""

from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from rag_pipeline.defs.jobs import ingest
from rag_pipeline.defs.resources import WorkbenchResource
from rag_pipeline.services.scan import scan_uploads
from rag_pipeline_tests.workshop import Workshop


def tick(defs: dg.Definitions, instance: dg.DagsterInstance) -> SensorExecutionData:
    """One tick, with its dynamic partitions added as the daemon does."""
    context = dg.build_sensor_context(
        instance=instance,
        instance_ref=instance.get_ref(),  # as the daemon has one: by it, partitions added by a tick are found in it
        definitions=defs,
        resources={"workbench": WorkbenchResource()},
    )
    answer = defs.get_repository_def().get_sensor_def("uploads").evaluate_tick(context)
    for request in answer.dynamic_partitions_requests or []:
        assert isinstance(request, dg.AddDynamicPartitionsRequest)
        instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
    return answer


def asked_for(answer: SensorExecutionData) -> list[str | None]:
    return [request.partition_key for request in answer.run_requests or []]


def add_run(instance: dg.DagsterInstance, collection: str, status: dg.DagsterRunStatus) -> str:
    run_id = str(uuid4())
    instance.add_run(
        dg.DagsterRun(job_name=ingest.name, run_id=run_id, status=status, tags={"dagster/partition": collection})
    )
    return run_id


def test_a_new_folder_becomes_a_partition_and_a_run(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "words")
    answer = tick(defs, instance)

    assert asked_for(answer) == ["papers"]
    assert instance.get_dynamic_partitions("collections") == ["papers"]
    [request] = answer.run_requests or []
    assert request.run_key is None
    assert answer.cursor is None


def test_nothing_to_do_has_a_reason(defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop) -> None:
    project.put("papers/a.txt", "words")
    project.catch_up()
    answer = tick(defs, instance)

    assert asked_for(answer) == []
    assert answer.skip_message == "Nothing changed and nothing is due."
    assert answer.cursor is None


def test_an_empty_folder_becomes_a_partition_without_a_run(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.path("papers").mkdir()
    answer = tick(defs, instance)

    assert asked_for(answer) == []
    assert answer.skip_message
    assert instance.get_dynamic_partitions("collections") == ["papers"]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_collection_whose_run_waits_or_works_gets_no_second_one(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop, status: dg.DagsterRunStatus
) -> None:
    project.put("papers/a.txt", "words")
    add_run(instance, "papers", status)
    answer = tick(defs, instance)

    assert asked_for(answer) == []
    assert answer.skip_message
    assert "due work" in answer.skip_message


def test_work_registered_by_a_tick_that_died_is_asked_for(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "words")
    scan_uploads(project.bench.ledger, project.bench.uploads_dir, project.bench.rules)

    assert asked_for(tick(defs, instance)) == ["papers"]


def test_the_same_work_is_asked_for_again_after_a_failed_run(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "words")
    assert asked_for(tick(defs, instance)) == ["papers"]
    add_run(instance, "papers", dg.DagsterRunStatus.FAILURE)

    assert asked_for(tick(defs, instance)) == ["papers"]


def test_at_most_two_requests_wait_and_the_most_urgent_come_first(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    for name in "abcd":
        project.put(f"{name}/1.txt", "words")
        project.put(f"{name}/2.txt", "words")
    project.scan()
    for name in "abcd":
        project.ingest(name)
    for name in "abd":
        project.put(f"{name}/1.txt", "other words")
    project.scan()
    project.path("c/1.txt").unlink()

    answer = tick(defs, instance)
    assert len(asked_for(answer)) == 2
    assert asked_for(answer)[0] == "c"
    add_run(instance, "c", dg.DagsterRunStatus.NOT_STARTED)
    assert len(asked_for(tick(defs, instance))) == 1
    add_run(instance, "a", dg.DagsterRunStatus.NOT_STARTED)
    assert asked_for(tick(defs, instance)) == []


def test_what_a_dead_run_holds_is_freed(defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop) -> None:
    project.put("papers/a.txt", "words")
    project.scan()
    dead = add_run(instance, "papers", dg.DagsterRunStatus.FAILURE)
    alive = add_run(instance, "other", dg.DagsterRunStatus.STARTED)
    lease = "2099-01-01"
    project.change_documents(run_id=alive, lease_until=lease)
    assert asked_for(tick(defs, instance)) == []

    project.change_documents(run_id=dead, lease_until=lease)
    assert asked_for(tick(defs, instance)) == ["papers"]
    assert project.column("run_id") == {"a.txt": None}


def test_replaced_points_get_a_run_that_deletes_them(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "words")
    project.catch_up()
    project.put("papers/a.txt", "other words")
    project.rule(point_grace_s=60)
    project.catch_up()

    assert asked_for(tick(defs, instance)) == ["papers"]
    project.rule(point_grace_s=0)
    project.ingest()
    assert asked_for(tick(defs, instance)) == []


def test_deletions_that_wait_for_a_person_are_the_reason(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "words")
    project.catch_up()
    project.path("papers/a.txt").unlink()
    answer = tick(defs, instance)
    assert answer.skip_message
    assert "confirm-deletions" in answer.skip_message


def test_files_still_being_written_are_the_reason(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_INGEST__SETTLE_S", "60")
    project.put("papers/b.txt", "words")
    answer = tick(defs, instance)
    assert answer.skip_message
    assert "still being written" in answer.skip_message


def test_a_collection_whose_runs_keep_failing_is_given_a_pause(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "words")
    for _ in range(2):
        assert asked_for(tick(defs, instance)) == ["papers"]
        add_run(instance, "papers", dg.DagsterRunStatus.FAILURE)

    answer = tick(defs, instance)

    assert asked_for(answer) == []
    assert "The last runs of papers failed" in str(answer.skip_message)
