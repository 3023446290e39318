"""Random histories of a folder: whatever happened, and however the runs fell, the end is that of a fresh ingest."""

import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from hypothesis import strategies as st

from rag_pipeline_tests.services.crashes import start_anew
from rag_pipeline_tests.workshop import FakeModel, Workshop, words

_NAMES = ["a.txt", "b.md", "sub/c.txt", "sub/d.html", "e.txt"]
_TEXTS = [
    words("alpha", 60),
    words("alpha", 24) + "\n\n" + words("beta", 30),
    words("beta", 30),
    "# Title\n\none two three",
    "same\n\nsame\n\nsame",
    "",
    "%PDF-1.7\nbroken",
]

_edits = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(_NAMES), st.sampled_from(_TEXTS)),
    st.tuples(st.just("delete"), st.sampled_from(_NAMES), st.just("")),
    st.tuples(st.just("touch"), st.sampled_from(_NAMES), st.just("")),
    st.tuples(st.just("rename"), st.sampled_from(_NAMES), st.sampled_from(_NAMES)),
    st.tuples(st.just("scan"), st.just(""), st.just("")),
    st.tuples(st.just("run"), st.just(""), st.sampled_from(["1", "2", "500"])),
    st.tuples(st.just("first stages"), st.just(""), st.sampled_from(["1", "2", "3"])),
)
histories = st.lists(_edits, min_size=3, max_size=14)


def check_history(workshop: Workshop, history: list[tuple[str, str, str]], folder: Path) -> None:
    """Live through a history, catch up, and compare with a fresh ledger and Qdrant collection over the same files."""
    workshop.put("papers/stays.txt", "so that the folder is never empty")
    for what, name, value in history:
        _do(workshop, what, name, value)
    workshop.catch_up()
    workshop.catch_up()
    lived = workshop.whole_state()
    assert workshop.ingest().claimed == 0
    start_anew(workshop, scan=False)
    with Workshop.open(workshop.database_url, workshop.qdrant_url, folder / uuid4().hex, model=FakeModel()) as fresh:
        fresh.bench = replace(fresh.bench, uploads_dir=workshop.bench.uploads_dir)
        fresh.catch_up()
        assert fresh.whole_state() == lived
    start_anew(workshop, scan=False)
    for path in sorted(workshop.path("papers").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def _do(workshop: Workshop, what: str, name: str, value: str) -> None:
    path = workshop.path(f"papers/{name}")
    if what == "put":
        workshop.put(f"papers/{name}", value)
    elif what == "delete":
        path.unlink(missing_ok=True)
    elif what == "touch" and path.is_file():
        os.utime(path, ns=(10**18, path.stat().st_mtime_ns // 10**9 * 10**9 - 10**9))
        workshop.let_time_pass(path)
    elif what == "rename" and path.is_file():
        target = workshop.path(f"papers/{value}")
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        workshop.let_time_pass(target)
    elif what == "scan":
        workshop.scan()
    elif what == "run":
        workshop.rule(max_documents=int(value))
        workshop.catch_up()
    elif what == "first stages":
        workshop.scan()
        workshop.ingest(stages=("documents", "chunks", "embeddings")[: int(value)])
