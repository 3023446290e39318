"""Ingesting a folder: exactly once, no silent success, one bad file never stops the others."""

import errno
import os
import random
from pathlib import Path

import pytest

from rag_pipeline.errors import AllDocumentsFailedError, CollectionBusyError, CollectionNotFoundError, ReasonCode
from rag_pipeline.services.queue import collections_needing_a_run
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page
from rag_pipeline_tests.workshop import Workshop, words


def needing(workshop: Workshop) -> list[str]:
    return collections_needing_a_run(workshop.bench.ledger, point_grace_s=0, is_run_over=lambda _run: True)


def put_some(workshop: Workshop, count: int = 4) -> None:
    for n in range(count):
        workshop.put(f"papers/{n}.txt", words(f"word{n}x", 40))


def test_files_become_searchable_with_their_place(workshop: Workshop) -> None:
    workshop.put("papers/one.pdf", pdf([text_page("the first page"), text_page("a needle on the second page")]))
    workshop.put("papers/two.txt", "nothing of the kind\n\nsomething else entirely")
    workshop.catch_up()

    hit = workshop.find("a needle on the second page")[0]

    assert (hit.chunk.path, hit.chunk.page, hit.chunk.text) == ("one.pdf", 2, "a needle on the second page")
    assert hit.score == pytest.approx(1.0, abs=1e-4)
    assert workshop.states() == {"one.pdf": ("indexed", None), "two.txt": ("indexed", None)}


def test_unchanged_input_is_not_worked_on_again(workshop: Workshop) -> None:
    put_some(workshop)
    first = workshop.catch_up()
    before = workshop.whole_state()

    assert needing(workshop) == []
    again = workshop.catch_up()

    assert (first.claimed, first.extracted, first.indexed) == (4, 4, 4)
    assert first.embedded == first.points_upserted == len(before["points"]) > 0
    assert not again.has_done_something
    assert (again.extracted, again.embedded) == (0, 0)
    assert workshop.whole_state() == before
    assert needing(workshop) == []


def test_order_and_batch_size_change_no_id(workshop: Workshop) -> None:
    names = [f"papers/{n}.txt" for n in range(7)]
    workshop.put("papers/stays.txt", "so that the folder is never empty")
    states = []
    for max_documents, seed in ((500, 1), (1, 2), (3, 3)):
        workshop.rule(max_documents=max_documents)
        random.Random(seed).shuffle(names)
        for name in names:
            workshop.put(name, words(f"word{Path(name).stem}x", 60))
            os.utime(workshop.path(name), ns=(10**18, 10**18))
        workshop.catch_up()
        states.append(workshop.whole_state())
        for name in names:
            workshop.path(name).unlink()
        workshop.catch_up()
        assert set(workshop.found_paths("anything")) == {"stays.txt"}

    assert states[0] == states[1] == states[2]


def test_a_slice_ends_at_its_bytes_too(workshop: Workshop) -> None:
    put_some(workshop, 5)
    workshop.rule(max_bytes=1)

    assert workshop.catch_up().slices == 5


def test_an_edit_embeds_only_new_passages_and_keeps_other_ids(workshop: Workshop) -> None:
    text = words("steady", 400)
    workshop.put("papers/a.txt", text)
    workshop.catch_up()
    before = workshop.live_chunks()

    workshop.put("papers/a.txt", text.replace("steady200", "changed"))
    report = workshop.catch_up()

    after = workshop.live_chunks()
    new = set(after) - set(before)
    assert report.embedded == report.points_upserted == len(new) == len(set(before) - set(after))
    assert 0 < len(new) <= 2 < len(before)
    assert {chunk: after[chunk][-2] for chunk in after if chunk in before} == {
        chunk: before[chunk][-2] for chunk in before if chunk in after
    }
    workshop.whole_state()


def test_a_renamed_file_costs_no_embedding(workshop: Workshop) -> None:
    put_some(workshop)
    workshop.catch_up()

    workshop.path("papers/0.txt").rename(workshop.path("papers/renamed.txt"))
    workshop.let_time_pass(workshop.path("papers/renamed.txt"))
    came = workshop.catch_up()
    went = workshop.catch_up()

    # The old name goes once the new one is searchable: in no moment is the text dark.
    assert (came.embedded, came.deleted, came.indexed) == (0, 0, 1)
    assert (went.embedded, went.deleted, went.indexed) == (0, 1, 0)
    assert workshop.found_paths(words("word0x", 40), limit=1) == ["renamed.txt"]
    assert workshop.states()["0.txt"] == ("deleted", None)
    workshop.whole_state()


def test_a_touched_file_keeps_everything_but_its_date(workshop: Workshop) -> None:
    put_some(workshop, 2)
    workshop.catch_up()
    before = workshop.whole_state()

    os.utime(workshop.path("papers/0.txt"), ns=(10**18, 10**18))
    workshop.let_time_pass(workshop.path("papers/0.txt"))
    report = workshop.catch_up()
    after = workshop.whole_state()

    assert (report.unchanged, report.extracted, report.embedded, report.points_upserted) == (1, 0, 0, 0)
    assert after["chunks"] == before["chunks"]
    for point, (payload, vector) in after["points"].items():
        was_payload, was_vector = before["points"][point]
        expected = {**was_payload, "modified_at": "2001-09-09T01:46:40+00:00"}
        assert payload == (expected if payload["path"] == "0.txt" else was_payload)
        assert vector == was_vector


def test_text_that_moves_is_found_at_its_new_place(workshop: Workshop) -> None:
    workshop.put("papers/a.pdf", pdf([text_page("first"), text_page("a moving passage")]))
    workshop.catch_up()
    workshop.put("papers/a.pdf", pdf([text_page("first"), text_page("inserted"), text_page("a moving passage")]))
    report = workshop.catch_up()

    hit = workshop.find("a moving passage")[0]
    assert (hit.chunk.page, report.embedded, report.payloads_updated) == (3, 1, 2)
    [payload] = [p for p, _ in workshop.whole_state()["points"].values() if p["text"] == "a moving passage"]
    assert payload["page"] == 3


def test_equal_files_are_embedded_once_and_found_twice(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "the same words")
    workshop.put("papers/b.txt", "the same words")
    report = workshop.catch_up()

    assert (report.embedded, report.points_upserted) == (1, 2)
    assert sorted(workshop.found_paths("the same words")) == ["a.txt", "b.txt"]


def test_no_chunk_is_longer_than_asked_by_the_models_tokenizer(workshop: Workshop) -> None:
    workshop.put("papers/prose.txt", words("tokenization", 300))
    workshop.put("papers/no_spaces.txt", "x9" * 3000)
    workshop.put("papers/chinese.txt", "\u6c34\u6587\u5b66" * 500)
    workshop.put("papers/emoji.txt", "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 200)
    workshop.catch_up()

    rows = workshop.live_chunks().values()
    texts = [row[-2] for row in rows]
    counts = workshop.bench.model.tokenizer.count(texts)

    assert {row[-1] for row in rows} == {"prose.txt", "no_spaces.txt", "chinese.txt", "emoji.txt"}
    assert max(counts) <= workshop.bench.chunking.max_tokens
    assert counts == [row[-3] for row in rows]


def test_every_file_that_is_not_searchable_says_why(workshop: Workshop) -> None:
    outside = workshop.put("other/secret.txt", "outside")
    workshop.put("papers/good.txt", "good words")
    workshop.put("papers/empty.txt", b"")
    workshop.put("papers/blank.txt", b" \n\t ")
    workshop.put("papers/corrupt.pdf", b"%PDF-1.7\n" + b"\0garbage" * 50)
    workshop.put("papers/binary.bin", bytes(range(256)) * 20)
    workshop.put("papers/scan.pdf", pdf([b"q 100 0 0 100 0 0 cm /I Do Q"], with_picture=True))
    os.mkfifo(workshop.path("papers/pipe"))
    workshop.path("papers/link.txt").symlink_to(outside)
    workshop.path("papers/dangling.txt").symlink_to("nowhere")
    workshop.path("papers/inside.txt").symlink_to("good.txt")
    workshop.let_time_pass(workshop.path("papers/inside.txt"))
    report = workshop.catch_up()

    assert workshop.states() == {
        "good.txt": ("indexed", None),
        "inside.txt": ("indexed", None),
        "empty.txt": ("skipped", "empty"),
        "blank.txt": ("skipped", "no_text"),
        "corrupt.pdf": ("failed", "corrupt"),
        "binary.bin": ("skipped", "unsupported_type"),
        "scan.pdf": ("skipped", "needs_ocr"),
        "pipe": ("skipped", "not_a_file"),
        "link.txt": ("skipped", "link_outside"),
        "dangling.txt": ("skipped", "not_a_file"),
    }
    assert (report.claimed, report.indexed, report.failed, sum(report.reasons.values())) == (10, 2, 1, 8)
    assert {path for path, _reason, _detail in report.not_searchable} == {
        path for path, state in workshop.states().items() if state[0] != "indexed"
    }
    assert needing(workshop) == ["other"]


def test_a_failed_document_that_is_mended_is_indexed(workshop: Workshop) -> None:
    workshop.put("papers/a.pdf", b"%PDF-1.7\nbroken")
    workshop.catch_up()
    assert workshop.states()["a.pdf"][0] == "failed"

    workshop.put("papers/a.pdf", pdf([text_page("mended words")]))
    workshop.catch_up()

    assert workshop.states()["a.pdf"] == ("indexed", None)
    assert workshop.found_paths("mended words") == ["a.pdf"]


def test_an_indexed_document_replaced_by_a_corrupt_one_leaves_search(workshop: Workshop) -> None:
    good = pdf([text_page("words that were good")])
    workshop.put("papers/a.pdf", good)
    workshop.catch_up()
    workshop.put("papers/a.pdf", good[: len(good) // 3])
    workshop.catch_up()

    assert workshop.states()["a.pdf"] == ("failed", "corrupt")
    assert workshop.found_paths("words that were good") == []
    assert workshop.whole_state()["points"] == {}

    workshop.put("papers/a.pdf", good)
    assert workshop.catch_up().embedded == 0
    assert workshop.found_paths("words that were good") == ["a.pdf"]


def test_a_deleted_file_leaves_search_and_its_text_leaves_the_ledger(workshop: Workshop) -> None:
    put_some(workshop, 2)
    workshop.catch_up()
    workshop.path("papers/0.txt").unlink()
    report = workshop.catch_up()

    assert report.deleted == 1
    assert set(workshop.found_paths(words("word0x", 40))) == {"1.txt"}
    workshop.whole_state()


def test_when_twenty_were_tried_and_all_failed_the_run_fails_with_everything_recorded(workshop: Workshop) -> None:
    for n in range(20):
        workshop.put(f"papers/{n:02}.pdf", b"%%PDF-1.7\nbroken %d" % n)
    workshop.scan()

    with pytest.raises(AllDocumentsFailedError, match="All 20 documents"):
        workshop.ingest()

    assert set(workshop.states().values()) == {("failed", "corrupt")}
    assert needing(workshop) == []


def test_when_nineteen_failed_and_one_did_not_the_run_is_good(workshop: Workshop) -> None:
    for n in range(19):
        workshop.put(f"papers/{n:02}.pdf", b"%%PDF-1.7\nbroken %d" % n)
    workshop.put("papers/zz.txt", "a good one")

    assert workshop.catch_up().failed == 19
    assert workshop.found_paths("a good one") == ["zz.txt"]


def test_only_one_run_writes_a_collection(workshop: Workshop) -> None:
    put_some(workshop, 1)
    workshop.scan()
    with workshop.bench.ledger.writer("papers"), pytest.raises(CollectionBusyError):
        workshop.ingest()

    assert workshop.ingest().indexed == 1


def test_another_collection_can_be_written_meanwhile(workshop: Workshop) -> None:
    put_some(workshop, 1)
    workshop.scan()
    with workshop.bench.ledger.writer("other"):
        assert workshop.ingest().indexed == 1


def test_a_run_of_an_unknown_collection_says_which_there_are(workshop: Workshop) -> None:
    put_some(workshop, 1)
    workshop.scan()
    with pytest.raises(CollectionNotFoundError, match="papers"):
        workshop.ingest("nowhere")


def test_only_the_first_stages_leave_the_rest_due(workshop: Workshop) -> None:
    put_some(workshop, 3)
    workshop.put("papers/bad.pdf", b"%PDF-1.7\nbroken")
    workshop.scan()
    report = workshop.ingest(stages=("documents",))

    assert (report.extracted, report.chunks) == (3, 0)
    assert {state for state, _ in workshop.states().values()} == {"chunking", "failed"}
    assert needing(workshop) == ["papers"]
    report = workshop.ingest()
    assert (report.extracted, report.indexed, report.failed) == (0, 3, 0)
    assert needing(workshop) == []
    workshop.whole_state()


def test_a_run_gives_way_when_others_wait_and_its_turn_is_over(workshop: Workshop) -> None:
    put_some(workshop, 4)
    workshop.scan()
    workshop.rule(max_documents=1, turn_s=0)

    assert workshop.ingest(is_somebody_waiting=lambda: True).indexed == 1
    assert needing(workshop) == ["papers"]
    assert workshop.ingest(is_somebody_waiting=lambda: False).indexed == 3


def test_a_file_that_vanished_before_it_was_read_waits_for_the_scan(workshop: Workshop) -> None:
    put_some(workshop, 2)
    workshop.scan()
    workshop.path("papers/0.txt").unlink()
    report = workshop.ingest()

    assert (report.postponed, report.indexed) == (1, 1)
    assert workshop.states()["0.txt"][0] == "queued"
    workshop.catch_up()
    assert workshop.states()["0.txt"][0] == "deleted"


def test_a_file_on_a_disk_that_fails_is_tried_again_before_it_is_failed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_some(workshop, 1)
    workshop.rule(retry_after_s=0.0)
    workshop.scan()
    read = os.read

    def fails(descriptor: int, size: int) -> bytes:
        if Path(f"/proc/self/fd/{descriptor}").resolve().is_relative_to(workshop.bench.uploads_dir):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", fails)
    report = workshop.ingest()
    assert (report.postponed, report.failed) == (2, 1)
    assert workshop.states() == {"0.txt": ("failed", "unreadable")}
    monkeypatch.undo()

    workshop.put("papers/0.txt", words("other", 40))
    assert workshop.catch_up().indexed == 1


def test_documents_of_a_bumped_extractor_are_read_again(
    workshop: Workshop,
) -> None:
    put_some(workshop, 2)
    workshop.catch_up()
    workshop.change_documents(extractor="text/0")
    report = workshop.catch_up()

    assert (report.extracted, report.unchanged, report.embedded) == (2, 0, 0)
    assert needing(workshop) == []


def test_documents_of_a_type_that_was_not_read_are_tried_again_with_other_formats(workshop: Workshop) -> None:
    (workshop.bench.uploads_dir / "papers").mkdir(exist_ok=True)
    (workshop.bench.uploads_dir / "papers/a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert workshop.catch_up().reasons == {"unsupported_type": 1}
    assert needing(workshop) == []
    workshop.change_documents(extractor="formats/0")

    assert workshop.catch_up().reasons == {"unsupported_type": 1}
    assert needing(workshop) == []


def test_skips_and_failures_are_told_apart_by_their_reason() -> None:
    assert ReasonCode.EMPTY.is_skip
    assert not ReasonCode.CORRUPT.is_skip
    assert all(reason.advice for reason in ReasonCode)
