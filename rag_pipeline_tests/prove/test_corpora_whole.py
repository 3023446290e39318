"""All real and hostile files, and all file-system cases, through a running instance: none is lost, nothing falls.

What the single outcomes should be is tested in `extraction`; here every file comes to an end, and the others go on.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline_tests.e2e.corpora import CORPORA, find_probes, needs_corpora
from rag_pipeline_tests.e2e.dagster_ui import wait_until_ended
from rag_pipeline_tests.e2e.instance import Instance, running
from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir

_TIMEOUT_S = 1500.0
_MUTATED_S = 20.0


@pytest.mark.prove
@pytest.mark.timeout(3600)
@needs_corpora
def test_every_file_of_the_corpora_ends_and_the_instance_lives_on(
    default_model: LocalModel, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    del default_model
    models = tmp_path_factory.getbasetemp() / "models"
    with temporary_data_dir() as folder, running(folder, models=models) as instance:
        began = time.monotonic()
        counts = {name: _drop(instance, name) for name in ("docs", "adversarial")}
        counts["cases"] = _drop_cases(instance)
        for name, count in counts.items():
            wait_until_ended(instance, name, count=count, timeout_s=_TIMEOUT_S)
        took_s = time.monotonic() - began
        documents = {name: instance.documents(name) for name in counts}
        probes = find_probes(instance, "docs")
        status = instance.command("status", "--json")
        shown = instance.command("status")
        assert instance.get("/health/ready")["status"] == "ok"
    ends = [end for found in documents.values() for end in found.values()]
    with capsys.disabled():
        print(f"\n{len(ends)} files ended in {took_s:.0f} s: {_counted(ends)}")  # noqa: T201
        print(f"{probes.count} phrases found, {len(probes.straddling)} across two passages")  # noqa: T201
    assert [end for end in ends if end[0] not in {"indexed", "skipped", "failed"}] == []
    assert [end for end in ends if (end[0] == "indexed") == bool(end[1])] == []
    assert [end for end in ends if end[1] in {"internal_error", "extractor_crashed"}] == []
    assert (probes.missing, probes.elsewhere) == ([], [])
    assert (status.returncode, shown.returncode) == (0, 0)
    assert {one["name"] for one in json.loads(status.stdout)["collections"]} == counts.keys()
    assert "\x1b[31m" not in shown.stdout, "a file's name steers the terminal"


def _counted(ends: list[tuple[str, str | None]]) -> str:
    counted = Counter(f"{state} ({reason})" if reason else state for state, reason in ends)
    return ", ".join(f"{count} {end}" for end, count in counted.most_common())


def _drop(instance: Instance, name: str) -> int:
    """Copy a part of the corpora in; returns how many files that are."""
    waiting = instance.folder / f"waiting-{name}"
    shutil.copytree(CORPORA / name, waiting, ignore=shutil.ignore_patterns("*.py"))
    waiting.rename(instance.uploads_dir / name)
    return sum(path.is_file() for path in (instance.uploads_dir / name).rglob("*"))


def _drop_cases(instance: Instance) -> int:
    """Make the file-system cases, one of them changing while it is read; returns how many names are no folders."""
    script, waiting = CORPORA / "adversarial" / "fs_cases.py", instance.folder / "waiting-cases"
    subprocess.run([sys.executable, str(script), str(waiting)], check=True, capture_output=True)
    target = instance.uploads_dir / "cases"
    waiting.rename(target)
    changing = target / "real" / "changing.txt"
    subprocess.run([sys.executable, str(script), "--mutate", str(changing), str(_MUTATED_S)], check=True)
    changing.with_name("changing.txt.tmp").unlink(missing_ok=True)
    if not changing.exists():
        changing.write_text("recreated\n")
    return _count_all_but_folders(os.fsencode(target))


def _count_all_but_folders(root: bytes) -> int:
    """Also what is no regular file, and links to folders: each is a document with an end."""
    count = 0
    for folder, folders, names in os.walk(root):
        count += len(names) + sum(Path(os.fsdecode(folder), os.fsdecode(name)).is_symlink() for name in folders)
    return count
