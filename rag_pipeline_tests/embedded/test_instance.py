"""Owning a data folder, and finding who does."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rag_pipeline.composition import build_workbench
from rag_pipeline.embedded.instance import (
    SCRATCH_DIR,
    RunningInstance,
    announce,
    find_instance,
    is_owned,
    own_data_dir,
    owner_pid,
)
from rag_pipeline.embedded.leftovers import MARK_VARIABLE, Mark
from rag_pipeline.errors import InstanceRunningError, UsageError
from rag_pipeline.settings import Settings
from rag_pipeline_tests.embedded.waiting import runs

_OWN = (
    "import sys, time; from pathlib import Path; from rag_pipeline.embedded.instance import own_data_dir\n"
    "with own_data_dir(Path(sys.argv[1])): print('owned', flush=True); time.sleep(600)"
)


@contextmanager
def _other_owner(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", _OWN, str(folder)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "owned\n"
        try:
            yield owner
        finally:
            owner.kill()


def _instance(folder: Path) -> RunningInstance:
    return RunningInstance(
        api_url="http://127.0.0.1:1",
        dagster_url="http://127.0.0.1:2",
        qdrant_url="http://127.0.0.1:3",
        qdrant_api_key=None,
        database_url="postgresql://postgres@/rag",
        pid=os.getpid(),
        data_dir=str(folder),
        uploads_dir=str(folder / "uploads"),
        started_at=1.0,
    )


def test_a_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    with (
        _other_owner(tmp_path) as owner,
        pytest.raises(InstanceRunningError, match=rf"pid {owner.pid}"),
        own_data_dir(tmp_path),
    ):
        pass


def test_the_lock_of_a_killed_owner_is_free_at_once(tmp_path: Path) -> None:
    with _other_owner(tmp_path) as owner:
        assert owner_pid(tmp_path) == owner.pid
        owner.kill()
        owner.wait()
        assert owner_pid(tmp_path) is None
        with own_data_dir(tmp_path):
            assert owner_pid(tmp_path) == os.getpid()
    assert not is_owned(tmp_path)


def test_an_instance_is_found_from_its_announcement_to_its_end(tmp_path: Path) -> None:
    assert find_instance(tmp_path / "missing") is None
    with own_data_dir(tmp_path):
        assert find_instance(tmp_path) is None
        announce(_instance(tmp_path))
        assert find_instance(tmp_path) == _instance(tmp_path)
        assert stat.S_IMODE((tmp_path / "instance.json").stat().st_mode) == 0o600
    assert find_instance(tmp_path) is None
    assert not (tmp_path / "instance.json").exists()


def test_a_file_that_a_killed_owner_left_is_no_instance(tmp_path: Path) -> None:
    (tmp_path / "instance.lock").write_text("1")
    (tmp_path / "instance.json").write_text(json.dumps(_instance(tmp_path).as_json()))
    assert find_instance(tmp_path) is None
    with _other_owner(tmp_path):
        assert find_instance(tmp_path) is None, "the former owner's description was taken for the new one's"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"pid": 1}', "null"])
def test_a_damaged_description_is_no_instance(text: str) -> None:
    assert RunningInstance.from_json(text) is None


def test_looking_for_an_instance_never_keeps_another_from_owning(tmp_path: Path) -> None:
    look = (
        "import sys; from pathlib import Path; from rag_pipeline.embedded.instance import find_instance\n"
        "while True: find_instance(Path(sys.argv[1]))"
    )
    with own_data_dir(tmp_path):
        pass
    with subprocess.Popen([sys.executable, "-c", look, str(tmp_path)]) as looker:
        time.sleep(0.3)
        for _ in range(5):
            with own_data_dir(tmp_path):
                pass
        assert looker.poll() is None
        looker.kill()


def test_what_a_killed_owner_started_is_ended_and_strangers_are_not(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    ours = {**os.environ, MARK_VARIABLE: str(Mark.new(tmp_path))}
    of_another = {**os.environ, MARK_VARIABLE: str(Mark.new(tmp_path / "other"))}
    with (
        subprocess.Popen(sleep, env=ours, start_new_session=True) as leftover,
        subprocess.Popen(sleep, env=of_another) as neighbour,
        subprocess.Popen(sleep) as stranger,
    ):
        try:
            with own_data_dir(tmp_path):
                assert not runs(leftover.pid)
            assert neighbour.poll() is None
            assert stranger.poll() is None
        finally:
            for one in (leftover, neighbour, stranger):
                one.kill()


def test_copies_that_a_killed_run_left_are_removed_by_the_next_owner(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "snapshot-1").write_text("text of a document")
    (scratch / "snapshot-2").symlink_to(tmp_path)
    with own_data_dir(tmp_path):
        assert list(scratch.iterdir()) == []
        (scratch / "snapshot-3").touch()
        with pytest.raises(InstanceRunningError), own_data_dir(tmp_path):
            pass
        assert [left.name for left in scratch.iterdir()] == ["snapshot-3"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"), own_data_dir(tmp_path / "file" / "data"):
        pass


def test_a_description_survives_json(tmp_path: Path) -> None:
    instance = replace(_instance(tmp_path), qdrant_api_key='é\n"key')
    assert RunningInstance.from_json(json.dumps(instance.as_json())) == instance


def test_what_is_removed_is_what_runs_write(tmp_path: Path) -> None:
    stores = {"database": {"url": "postgresql:///rag"}, "qdrant": {"url": "http://127.0.0.1:9"}}
    bench = build_workbench(Settings(data_dir=tmp_path, **stores))  # type: ignore[arg-type]  # pydantic takes dicts
    assert bench.scratch_dir == tmp_path / SCRATCH_DIR
    bench.close()
