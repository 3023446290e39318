"""Log files of children."""

import os
from pathlib import Path

import pytest

from rag_pipeline.embedded import logs

FULL_DISK = Path("/dev/full")


def test_each_start_has_a_file_of_its_own_and_the_last_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "api.log"
    for number in range(6):
        with logs.open_log(path) as log:
            log.write(f"start {number}".encode())
    assert path.read_text() == "start 5"
    assert [path.with_name(f"api.log.{number}").read_text() for number in (1, 2, 3)] == [
        "start 4",
        "start 3",
        "start 2",
    ]
    assert len(list(path.parent.iterdir())) == 1 + logs.KEPT_FILES


def test_a_growing_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    with logs.open_log(path) as log:
        os.write(log.fileno(), b"x" * 1000)
        logs.bound(path, max_bytes=1000)
        assert path.stat().st_size == 1000
        os.write(log.fileno(), b"y")
        logs.bound(path, max_bytes=1000)
        os.write(log.fileno(), b"after")
    assert path.read_bytes() == b"after"
    assert path.with_name("api.log.1").stat().st_size == 1001


@pytest.mark.skipif(not FULL_DISK.exists(), reason="this system has no device that is always full")
def test_a_full_disk_costs_no_log_and_raises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(b"x" * 1001)
    path.with_name("api.log.1").symlink_to(FULL_DISK)
    logs.bound(path, max_bytes=1000)
    assert path.stat().st_size == 1001
    logs.bound(path, max_bytes=1000)
    assert path.stat().st_size == 0
    assert path.with_name("api.log.1").stat().st_size == 1001


def test_the_tail_is_the_last_lines_that_say_something(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    assert logs.tail(path) == ""
    path.write_bytes(b"first\n" * 10_000 + b"\n\xff last but one  \n\n\nlast\n\n")
    assert logs.tail(path, max_lines=2) == "\ufffd last but one\nlast"
    logs.bound(tmp_path / "missing")
