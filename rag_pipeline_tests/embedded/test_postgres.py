"""The embedded PostgreSQL: starting, stopping, and every way its last owner may have ended."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from rag_pipeline.embedded.leftovers import postgres_leftovers
from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.errors import StartupError
from rag_pipeline_tests.embedded.postgres_server import fresh_database, with_database
from rag_pipeline_tests.embedded.waiting import runs, wait_until


def _scalar(url: str, sql: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return row[0]


def _write(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def _owner(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that owns a server in `folder`, and the server's pid."""
    script = (
        "import sys, time; from pathlib import Path; from rag_pipeline.embedded.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), is_durable=False)\n"
        "server.start(); print(server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        try:
            yield owner, int(owner.stdout.readline())
        finally:
            owner.kill()


def test_data_is_there_after_a_stop_and_a_start(folder: Path) -> None:
    with EmbeddedPostgres(folder, is_durable=False) as server:
        _write(server.url, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (42)")
        first_pid = server.pid
    assert first_pid is not None
    assert not runs(first_pid)
    with EmbeddedPostgres(folder, is_durable=False) as server:
        assert _scalar(server.url, "SELECT x FROM t") == 42
    assert postgres_leftovers(folder / "postgres") == []


def test_the_server_is_set_up_to_keep_data_and_to_let_nobody_else_in(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        for name, value in {
            "data_checksums": "on",
            "fsync": "on",
            "synchronous_commit": "on",
            "listen_addresses": "",
            "max_connections": "100",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
        }.items():
            assert _scalar(server.url, f"SHOW {name}") == value
        socket_mode = (folder / "postgres" / ".s.PGSQL.5432").stat().st_mode
        assert stat.S_IMODE(socket_mode) == 0o700
        assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700


def test_the_urls_scheme_is_plain(folder: Path) -> None:
    assert EmbeddedPostgres(folder).url == f"postgresql://postgres@/rag?host={folder}/postgres"


def test_after_kill_9_of_the_owner_the_next_start_works_and_its_stop_really_stops(folder: Path) -> None:
    with _owner(folder) as (owner, old_server):
        owner.kill()
        owner.wait()
        assert runs(old_server), "the case is not made: the server ended with its owner"
        with EmbeddedPostgres(folder, is_durable=False) as server:
            assert not runs(old_server)
            assert _scalar(server.url, "SELECT 1") == 1
        assert postgres_leftovers(folder / "postgres") == []


def test_kill_9_of_the_server_loses_nothing_that_was_committed(folder: Path) -> None:
    with EmbeddedPostgres(folder, is_durable=False) as server:
        _write(server.url, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS x")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    with EmbeddedPostgres(folder, is_durable=False) as server:
        assert _scalar(server.url, "SELECT count(*) FROM t") == 1000


def test_a_recycled_pid_neither_stops_the_start_nor_is_killed(folder: Path) -> None:
    with EmbeddedPostgres(folder, is_durable=False) as server:
        assert server.pid is not None
        pid_file = folder / "postgres" / "postmaster.pid"
        left_behind = pid_file.read_text().split("\n")
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: postgres_leftovers(folder / "postgres") == [])
    server_user = (folder / "postgres" / "PG_VERSION").stat()
    # Of the server's own user: PostgreSQL takes only such a process for another server.
    with subprocess.Popen(["sleep", "600"], user=server_user.st_uid if os.geteuid() == 0 else None) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *left_behind[1:]]))
        os.chown(pid_file, server_user.st_uid, server_user.st_gid)
        try:
            with EmbeddedPostgres(folder, is_durable=False) as server:
                assert _scalar(server.url, "SELECT 1") == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("name", ["with space", "comma, quote ' and ü", "l" * 150, "100%"])
def test_odd_and_long_paths_work(folder: Path, name: str) -> None:
    data_dir = folder / name
    with EmbeddedPostgres(data_dir, is_durable=False) as server:
        socket_dir = Path(server.url.partition("host=")[2])
        assert _scalar(server.url, "SELECT current_database()") == "rag"
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
    assert not socket_dir.exists()
    assert (data_dir / "postgres" / "PG_VERSION").exists()


def test_a_socket_folder_that_is_somebody_elses_is_refused(folder: Path) -> None:
    data_dir = folder / "with space"
    socket_dir = Path(EmbeddedPostgres(data_dir).url.partition("host=")[2])
    socket_dir.mkdir(mode=0o777)
    socket_dir.chmod(0o777)
    try:
        with pytest.raises(StartupError, match="belongs to somebody else"):
            EmbeddedPostgres(data_dir, is_durable=False).start()
    finally:
        socket_dir.rmdir()


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with EmbeddedPostgres(folder, is_durable=False):
        pass
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("\nno_such_setting = 1\n")
    with pytest.raises(StartupError, match="no_such_setting"):
        EmbeddedPostgres(folder, is_durable=False).start()


def test_files_of_another_version_are_left_alone(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(StartupError, match="was made by PostgreSQL 17 and this is 18"):
        EmbeddedPostgres(folder).start()
    assert [path.name for path in (folder / "postgres").iterdir()] == ["PG_VERSION"]


def test_a_first_start_that_was_killed_in_the_middle_is_no_obstacle(folder: Path) -> None:
    half_made = folder / "postgres.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, is_durable=False) as server:
        assert _scalar(server.url, "SELECT 1") == 1
    assert not half_made.exists()


def test_a_server_of_another_folder_is_left_alone(folder: Path) -> None:
    with EmbeddedPostgres(folder / "a", is_durable=False) as one:
        with EmbeddedPostgres(folder / "b", is_durable=False):
            pass
        assert one.pid is not None
        assert psutil.Process(one.pid).is_running()
        assert _scalar(one.url, "SELECT 1") == 1


def test_a_fresh_database_is_empty_or_a_copy(folder: Path) -> None:
    with EmbeddedPostgres(folder, is_durable=False) as server:
        template = fresh_database(server.url)
        _write(template, "CREATE TABLE t (x int)")
        copied = fresh_database(server.url, template=template.partition("?")[0].rpartition("/")[2])
        assert _scalar(copied, "SELECT count(*) FROM t") == 0
        assert _scalar(fresh_database(server.url), "SELECT to_regclass('t')") is None
        assert _scalar(with_database(copied, "rag"), "SELECT current_database()") == "rag"
