"""The command `rag-pipeline` as a user meets it: sentences and exit codes."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rag_pipeline.embedded.instance import own_data_dir
from rag_pipeline.embedded.leftovers import left_behind_in, postgres_leftovers
from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir
from rag_pipeline_tests.embedded.waiting import runs

_PROGRAM = Path(sys.executable).with_name("rag-pipeline")


def _run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")} | variables
    return subprocess.run(
        [str(_PROGRAM), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def _free_ports() -> int:
    """A number from which four ports are free, outside the range that connections get theirs from."""
    while True:
        first = random.randrange(20_000, 30_000)
        try:
            for port in range(first, first + 4):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first


def test_help_comes_without_loading_anything_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, rag_pipeline.cli\n"
        "heavy = {'sqlalchemy', 'dagster', 'torch', 'qdrant_client', 'psycopg', 'psutil', 'pydantic', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("command", ["up", "stop", "health", "api", "upgrade-ledger", "prepare-model"])
def test_every_command_explains_itself_and_takes_the_same_options(tmp_path: Path, command: str) -> None:
    done = _run(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    for option in ("--data-dir", "--uploads-dir", "--ports-from"):
        assert option in done.stdout


def test_a_port_in_use_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = _run("up", "--data-dir", "d", "--uploads-dir", "u", "--json", cwd=tmp_path, RAG_API__PORT=str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Port {port}, wanted by the query API, is in use; ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "d" / "postgres").exists(), "something was started before the ports were checked"


def test_an_address_that_is_not_ours_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = _run("up", "--data-dir", "d", "--uploads-dir", "u", cwd=tmp_path, RAG_API__HOST="192.0.2.1")
    assert done.returncode == 2
    assert done.stderr.startswith("Nothing can listen on 192.0.2.1:8800, wanted by the query API (")


def test_an_owned_data_folder_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with own_data_dir(tmp_path / "d"):
        done = _run("up", "--data-dir", "d", "--uploads-dir", "u", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"belongs to a running instance (pid {os.getpid()})" in done.stderr
    assert done.stderr.count("\n") == 1


def test_wrong_settings_and_options_are_exit_code_2(tmp_path: Path) -> None:
    done = _run("up", cwd=tmp_path, RAG_API__PORT="many")
    assert done.returncode == 2
    assert done.stderr.startswith("The settings are not valid: RAG_API__PORT")
    assert _run("up", "--ports-from", "0", cwd=tmp_path).returncode == 2
    assert _run("no-such-command", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("name", ["RAG_INGEST__SETLE_S", "RAG_API__PORTS", "RAG_DATABASE__URLS"])
def test_a_misspelt_setting_is_named_and_its_value_is_not(tmp_path: Path, name: str) -> None:
    done = _run("health", cwd=tmp_path, **{name: "1234567"})
    assert done.returncode == 2
    assert done.stderr == f"The settings are not valid: {name}: there is no such setting.\n"


def test_stopping_nothing_is_fine(tmp_path: Path) -> None:
    done = _run("stop", "--data-dir", "d", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"Nothing runs on {tmp_path / 'd'}.\n")


def test_stop_ends_the_owner_and_waits_for_it(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time; from pathlib import Path; from rag_pipeline.embedded.instance import own_data_dir\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit()))\n"
        "with own_data_dir(Path(sys.argv[1])): print('owned', flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "d")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "owned\n"
        done = _run("stop", "--data-dir", "d", cwd=tmp_path)
        assert done.returncode == 0
        assert f"(pid {owner.pid})" in done.stdout
        with own_data_dir(tmp_path / "d"):
            pass
    assert not runs(owner.pid)


def test_health_and_upgrade_without_an_instance_say_what_to_do(tmp_path: Path) -> None:
    done = _run("health", "--data-dir", "d", cwd=tmp_path)
    assert done.returncode == 2
    assert "start one by `rag-pipeline up`" in done.stderr
    assert _run("upgrade-ledger", "--data-dir", "d", cwd=tmp_path).returncode == 2


def test_health_of_stores_that_do_not_answer_is_exit_code_1(tmp_path: Path) -> None:
    done = _run(
        *("health", "--data-dir", "d", "--json", "--ports-from", str(_free_ports())),
        cwd=tmp_path,
        RAG_DATABASE__URL="postgresql://me:secret@127.0.0.1:1/rag",
        RAG_QDRANT__URL="http://127.0.0.1:1",
    )
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["is_well"] is False
    assert {component["name"] for component in answer["components"]} >= {"postgres", "qdrant", "api"}
    assert "secret" not in done.stdout


def test_an_interrupted_start_ends_with_0_and_leaves_nothing() -> None:
    with temporary_data_dir() as folder:
        _interrupt_a_start(folder)


def _interrupt_a_start(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    command = [str(_PROGRAM), "up", "--data-dir", "d", "--uploads-dir", "u", "--ports-from", str(_free_ports())]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        for line in up.stdout:
            if line.startswith("postgres: ready"):
                break
        up.send_signal(signal.SIGINT)
        up.stdout.read()
        assert up.stderr.read() == ""
        assert up.wait(timeout=20) == 0
    assert left_behind_in(folder / "d") == []
    assert postgres_leftovers(folder / "d" / "postgres") == []
    assert not (folder / "d" / "instance.json").exists()
