"""Handing files in: everything that was asked for, or a sentence that says what not."""

import os
from pathlib import Path

import pytest

from rag_pipeline.errors import UsageError
from rag_pipeline.services.submit import Submitted, copy_in, follow, register
from rag_pipeline_tests.workshop import Workshop, words


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "a.txt").write_text(words("first", 10))
    (source / "below" / "b.txt").write_text(words("second", 10))
    return source


def hand_in(workshop: Workshop, source: Path) -> Submitted:
    bench = workshop.bench
    return copy_in(source, collection="papers", ledger=bench.ledger, uploads_dir=bench.uploads_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up rights, which only root can get back")
def test_a_subfolder_that_may_not_be_read_is_named(workshop: Workshop, source: Path) -> None:
    for folder in [source, *source.parents][:-2]:
        folder.chmod(0o755)
    (source / "below").chmod(0)
    hand_in(workshop, source / "a.txt")  # opens the ledger while that is allowed
    os.seteuid(65534)
    try:
        with pytest.raises(UsageError, match=r"below: Permission denied"):
            hand_in(workshop, source)
    finally:
        os.seteuid(0)


def test_a_folder_in_the_place_of_a_file_is_named(workshop: Workshop, source: Path) -> None:
    workshop.put("papers/a.txt/inside.txt", "words")

    with pytest.raises(UsageError, match=r"papers/a\.txt: Is a directory"):
        hand_in(workshop, source)
    assert list(workshop.path(".incoming").iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_named(workshop: Workshop, source: Path) -> None:
    workshop.put("papers/below", "words")

    with pytest.raises(UsageError, match=r"papers/below: (File exists|Not a directory)"):
        hand_in(workshop, source)


def test_a_file_that_vanishes_ends_the_wait_when_its_deletion_is_held(workshop: Workshop, source: Path) -> None:
    bench = workshop.bench
    submitted = hand_in(workshop, source)
    register(bench.ledger, submitted, uploads_dir=bench.uploads_dir, rules=bench.rules)
    for name in ("a.txt", "below/b.txt"):
        workshop.path(f"papers/{name}").unlink()
    workshop.scan()
    looks = iter([True] * 3)
    *_, rows = found = list(follow(bench.ledger, submitted, is_worked_on=lambda: next(looks, False)))

    assert len(found) == 1
    assert {(row.state, row.reason) for row in rows} == {("queued", "file_vanished")}
    assert all("the folder is empty" in (row.detail or "") for row in rows)
