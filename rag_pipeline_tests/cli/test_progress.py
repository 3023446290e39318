"""What a person or a script sees."""

import json
from pathlib import Path

import pytest

from rag_pipeline.cli.progress import print_health, progress_for
from rag_pipeline.embedded.child import Child, ChildSpec, ChildState
from rag_pipeline.embedded.health import ComponentHealth
from rag_pipeline.embedded.instance import RunningInstance


def _instance(folder: Path) -> RunningInstance:
    return RunningInstance(
        api_url="http://127.0.0.1:1",
        dagster_url="http://127.0.0.1:2",
        qdrant_url="http://127.0.0.1:3",
        qdrant_api_key=None,
        database_url="postgresql://postgres@/rag",
        pid=4,
        data_dir=str(folder / "my data"),
        uploads_dir=str(folder / "uploads"),
        started_at=5.0,
    )


def _children() -> list[Child]:
    return [Child(ChildSpec(name=name, command=("x",), url=f"http://{name}"), Path("x")) for name in ("api", "daemon")]


def test_json_is_exactly_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_for(as_json=True) as progress:
        progress.observe(_children())
        progress.ready(_instance(tmp_path))
        progress.observe(_children())
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err == ""
    promised = {"api_url", "dagster_url", "qdrant_url", "qdrant_api_key", "database_url", "pid"}
    assert promised <= json.loads(out).keys()


def test_lines_tell_each_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    children = _children()
    with progress_for(as_json=False) as progress:
        progress.observe(children)
        children[0].state, children[0].took_s = ChildState.READY, 1.25
        progress.observe(children)
        progress.observe(children)
        children[0].state, children[0].deaths, children[0].last_exit_code = ChildState.RESTARTING, 1, -9
        progress.observe(children)
    assert capsys.readouterr().out.splitlines() == [
        "api: ready after 1.2 s, http://api",
        "api: ended with exit code -9, restarting (time 1)",
    ]


def test_the_next_steps_are_commands_that_find_this_instance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_for(as_json=False) as progress:
        progress.ready(_instance(tmp_path))
        (tmp_path / "uploads" / "samples").mkdir(parents=True)
        progress.ready(_instance(tmp_path))
    out = capsys.readouterr().out
    assert f"rag-pipeline search COLLECTION \"words\" --data-dir '{tmp_path}/my data'" in out
    assert "rag-pipeline search samples " in out
    assert f"rag-pipeline stop --data-dir '{tmp_path}/my data'" in out


def test_health_names_what_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    print_health(
        [ComponentHealth("api", "http://a", is_well=True), ComponentHealth("qdrant", "http://q", is_well=False)]
    )
    lines = capsys.readouterr().out.splitlines()
    assert "well" in lines[1]
    assert "does not answer" in lines[2]
