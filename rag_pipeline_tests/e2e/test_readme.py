"""The README's shell blocks, run as they are written in a copy of the project, as a newcomer would."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rag_pipeline_tests.docs.readme import ROOT, Block, shell_blocks
from rag_pipeline_tests.e2e.instance import environment, free_ports, wait_for, what_runs_on
from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir

pytestmark = pytest.mark.slow

_FIRST_ANSWER_S = 120.0
_LEFT_OUT = shutil.ignore_patterns(".*", "uploads", "rag_pipeline_tests", "benchmarks", "__pycache__", "*.egg-info")


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of the project whose `.venv` is this environment, installed already."""
    with temporary_data_dir() as folder:
        project = folder / "rag_pipeline"
        shutil.copytree(ROOT, project, ignore=_LEFT_OUT)
        (project / ".venv").mkdir()
        (project / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        (project / ".venv" / ".installed").touch()  # what `make install` leaves when it is done
        yield project


def test_the_blocks_of_the_readme_work_as_written_one_after_the_other(project: Path) -> None:
    ports_from = free_ports()
    # The copy's code, and ports that no one uses; all else is as in a terminal.
    variables = environment(PYTHONPATH=str(project), RAG_PORTS_FROM=str(ports_from))
    background, *blocks = [block for block in shell_blocks() if block.is_e2e]
    assert background.is_background
    assert len(blocks) >= 3
    began = time.monotonic()
    with subprocess.Popen(
        ["sh", "-e", "-c", background.text],
        cwd=project,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as up:
        try:
            assert up.stdout is not None
            assert any(line == "Ready.\n" for line in up.stdout), "it ended before it was ready"
            _wait_for_samples(f"http://127.0.0.1:{ports_from}")
            said = "".join(_run(block, project, variables) for block in blocks)
            assert time.monotonic() - began < _FIRST_ANSWER_S
            assert up.wait(10) == 0, "the last block stops it"
        finally:
            if up.poll() is None:
                os.killpg(up.pid, signal.SIGINT)
    for shown in ("leak-allowance-policy.html", "decisions: 3 indexed", "0001-stores.md", "9 indexed"):
        assert shown in said
    assert what_runs_on(project) == []


def _wait_for_samples(api_url: str) -> None:
    """The few seconds that the README speaks of."""
    url = f"{api_url}/api/v1/collections/samples/documents"
    with httpx.Client(trust_env=False) as client:
        wait_for(lambda: client.get(url, params={"state": "indexed"}).json().get("total"), lambda total: total == 9)


def _run(block: Block, project: Path, variables: dict[str, str]) -> str:
    """What a block prints, which must end well."""
    done = subprocess.run(
        ["sh", "-e", "-c", block.text], cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"block on line {block.line}: {done.stderr}"
    return done.stdout
