"""What Dagster is told: assets, partitions, jobs, checks; and runs of them, in process, over real stores."""

import json
from typing import Any

import dagster as dg
import pytest

from rag_pipeline.defs.metadata import documents_metadata, qdrant_collection_metadata
from rag_pipeline.errors import CollectionNotFoundError
from rag_pipeline.services.report import IngestReport
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page
from rag_pipeline_tests.workshop import Workshop

STAGES = ["documents", "chunks", "embeddings", "qdrant_collection"]


def run_ingest(
    defs: dg.Definitions, instance: dg.DagsterInstance, *, selection: list[str] | None = None, raises: bool = True
) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions("collections", ["papers"])
    return defs.resolve_job_def("ingest").execute_in_process(
        instance=instance,
        partition_key="papers",
        asset_selection=[dg.AssetKey(name) for name in selection] if selection else None,
        raise_on_error=raises,
    )


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = [event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey(asset)]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_each_asset_follows_from_the_one_before_and_has_a_partition_per_collection(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()

    assert graph.get_all_asset_keys() == {dg.AssetKey(name) for name in STAGES}
    for before, name in zip([None, *STAGES], STAGES, strict=False):
        node = graph.get(dg.AssetKey(name))
        assert node.parent_keys == ({dg.AssetKey(before)} if before else set())
        assert isinstance(node.partitions_def, dg.DynamicPartitionsDefinition)
        assert node.partitions_def.name == "collections"


def test_every_job_runs_in_one_process(defs: dg.Definitions) -> None:
    for job in (defs.resolve_job_def("ingest"), defs.resolve_implicit_global_asset_job_def()):
        assert job.executor_def.name == "in_process", job.name


def test_the_definitions_load_without_any_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from rag_pipeline.definitions import build_definitions
    from rag_pipeline.settings import Settings

    monkeypatch.delenv("RAG_DATABASE__URL", raising=False)
    dg.Definitions.validate_loadable(build_definitions(Settings()))


def test_a_run_makes_documents_searchable_and_says_what_it_did(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.pdf", pdf([text_page("the tide is high")]))
    project.put("papers/bad.pdf", b"%PDF-1.7\nbroken")
    project.put("papers/empty.txt", b"")
    project.scan()
    result = run_ingest(defs, instance)

    assert result.success
    documents = metadata_of(result, "documents")
    assert {name: documents[name] for name in ("documents_claimed", "extracted", "failed", "skipped")} == {
        "documents_claimed": 3,
        "extracted": 1,
        "failed": 1,
        "skipped": 1,
    }
    assert "corrupt" in documents["not_searchable"]
    assert "bad.pdf" in documents["not_searchable"]
    assert metadata_of(result, "chunks")["chunks"] == 1
    assert metadata_of(result, "embeddings")["embedded"] == 1
    points = metadata_of(result, "qdrant_collection")
    assert (points["documents_indexed"], points["points_upserted"], points["points_deleted"]) == (1, 1, 0)
    assert project.found_paths("the tide is high") == ["a.pdf"]
    assert instance.get_materialized_partitions(dg.AssetKey("qdrant_collection")) == {"papers"}


def test_the_same_run_through_the_implicit_asset_job(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "some words")
    project.scan()
    instance.add_dynamic_partitions("collections", ["papers"])
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, partition_key="papers", asset_selection=[dg.AssetKey(name) for name in STAGES]
    )

    assert result.success
    assert project.found_paths("some words") == ["a.txt"]


def test_materializing_only_documents_leaves_the_rest_due(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "some words")
    project.scan()
    first = run_ingest(defs, instance, selection=["documents"])

    assert [event.asset_key.path for event in first.get_asset_materialization_events() if event.asset_key] == [
        ["documents"]
    ]
    assert project.states() == {"a.txt": ("chunking", None)}
    second = run_ingest(defs, instance)
    assert metadata_of(second, "documents")["extracted"] == 0
    assert project.states() == {"a.txt": ("indexed", None)}


def test_a_run_of_many_files_has_few_events(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    folder = project.path("papers")
    folder.mkdir()
    for n in range(300):
        (folder / f"{n}.txt").write_text(f"word{n}")
    project.let_time_pass(folder / "299.txt")
    project.rule(max_documents=10)
    project.scan()
    result = run_ingest(defs, instance)

    events = instance.all_logs(result.run_id)
    assert len(events) <= 150
    assert metadata_of(result, "qdrant_collection")["documents_indexed"] == 300


def test_a_run_of_a_collection_that_is_not_there_fails_with_a_sentence(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    del project
    with pytest.raises(CollectionNotFoundError, match="no collection 'papers'"):
        run_ingest(defs, instance)


def test_checks_show_the_verdicts_and_name_what_fails(
    defs: dg.Definitions, instance: dg.DagsterInstance, project: Workshop
) -> None:
    project.put("papers/a.txt", "some words")
    project.catch_up()
    good = _checks(defs, instance)
    project.put("papers/bad.pdf", b"%PDF-1.7\nbroken")
    project.bench.qdrant.delete("papers__g1", list(project.qdrant_points()))
    project.catch_up()
    bad = _checks(defs, instance)

    assert {name: check.passed for name, check in good.items()} == {
        "every_chunk_has_a_point": True,
        "every_indexed_document_has_a_chunk": True,
        "every_point_is_recorded": True,
        "nothing_failed": True,
    }
    assert {name: check.passed for name, check in bad.items()} == {
        "every_chunk_has_a_point": True,
        "every_indexed_document_has_a_chunk": True,
        "every_point_is_recorded": False,
        "nothing_failed": False,
    }
    assert bad["nothing_failed"].severity is dg.AssetCheckSeverity.WARN
    assert bad["every_point_is_recorded"].severity is dg.AssetCheckSeverity.ERROR
    assert "papers" in json.dumps(bad["nothing_failed"].metadata["failing"].value)


def _checks(defs: dg.Definitions, instance: dg.DagsterInstance) -> dict[str, Any]:
    graph = defs.resolve_asset_graph()
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*graph.asset_check_keys))
    result = (
        dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
        .resolve_job_def("checks")
        .execute_in_process(instance=instance)
    )
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def test_hostile_file_names_stay_in_their_table_cell() -> None:
    report = IngestReport()
    report.not_indexed("a|b`<script>\n](http://x)", "corrupt", "x" * 1000, is_failure=True)
    table = documents_metadata(report)["not_searchable"].value

    row = table.splitlines()[-1]
    assert row.startswith("| a\\|b\\`&lt;script\\>\ufffd\\](http://x) | `corrupt` |")
    assert row.count("|") - row.count("\\|") == 4


def test_times_are_shown_as_shares_of_the_whole() -> None:
    report = IngestReport(stage_s={"documents": 3.0, "embeddings": 1.0})
    table = qdrant_collection_metadata(report)["where_the_time_went"].value

    assert "75%" in table
    assert "25%" in table
