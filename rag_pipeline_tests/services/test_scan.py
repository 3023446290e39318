"""Looking at the uploads folder, and the guard that a vanished folder deletes nothing."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from rag_pipeline.errors import CollectionNotFoundError
from rag_pipeline.ledger import collections
from rag_pipeline.services.deletions import confirm_deletions
from rag_pipeline.services.queue import collections_needing_a_run
from rag_pipeline.services.scan import scan_uploads
from rag_pipeline.services.submit import copy_in
from rag_pipeline_tests.workshop import Workshop, words


def keys(workshop: Workshop) -> dict[str, bytes]:
    with workshop.bench.ledger.begin() as connection:
        return {collection.key: collection.folder for collection in collections.list_all(connection)}


def held(workshop: Workshop, collection: str = "papers") -> tuple[int, str | None]:
    with workshop.bench.ledger.begin() as connection:
        found = collections.get(connection, collection)
        return found.held_deletions, found.held_reason


def needing(workshop: Workshop) -> list[str]:
    return collections_needing_a_run(workshop.bench.ledger, point_grace_s=60, is_run_over=lambda _run: True)


def put_many(workshop: Workshop, folder: str, count: int) -> None:
    for n in range(count):
        path = workshop.path(f"{folder}/{n:02}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"unique{n}in{Path(folder).name}")
    workshop.let_time_pass(workshop.path(f"{folder}/00.txt"))
    time.sleep(0.02)


def searchable(workshop: Workshop) -> int:
    return len(workshop.find("anything"))


def test_a_file_still_being_written_waits(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "half")
    workshop.rule(settle_s=0.2)
    first = workshop.scan()
    time.sleep(0.25)
    second = workshop.scan()

    assert (first.new, first.unsettled, first.new_collections) == (0, 1, ["papers"])
    assert (second.new, second.unsettled) == (1, 0)


def test_an_unchanged_folder_gives_nothing_to_do(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "words")
    workshop.put("papers/below/b.txt", "words")
    workshop.put("loose.txt", "words")
    assert workshop.scan().new == 3
    again = workshop.scan()

    assert (again.new, again.changed, again.returned, again.vanished, again.new_collections) == (0, 0, 0, 0, [])


def test_an_older_version_put_back_with_its_old_date_is_noticed(workshop: Workshop) -> None:
    path = workshop.put("papers/a.txt", "first version")
    backup = workshop.bench.scratch_dir.parent / "backup.txt"
    shutil.copy2(path, backup)
    workshop.catch_up()
    workshop.put("papers/a.txt", "other version")
    workshop.catch_up()

    shutil.copy2(backup, path)
    workshop.let_time_pass(path)
    assert path.stat().st_mtime_ns == backup.stat().st_mtime_ns
    report = workshop.catch_up()

    assert (report.indexed, report.embedded) == (1, 0)
    assert [hit.chunk.text for hit in workshop.find("first")] == ["first version"]
    workshop.whole_state()


def test_names_that_are_not_utf8_make_documents_like_any_other(workshop: Workshop) -> None:
    folder = b"caf\xe9"
    workshop.put(folder + b"/r\xe9sum\xe9 \n.txt", "odd words")
    workshop.scan()
    assert keys(workshop) == {"caf-xe9": folder}

    workshop.ingest("caf-xe9")
    hit = workshop.find("odd words", collection="caf-xe9")[0]
    assert hit.chunk.path == "r\\xe9sum\\xe9 \n.txt"

    workshop.path(folder + b"/r\xe9sum\xe9 \n.txt").unlink()
    workshop.put(folder + b"/other.txt", "other words")
    workshop.catch_up("caf-xe9")
    assert workshop.states("caf-xe9") == {"r\\xe9sum\\xe9 \n.txt": ("deleted", None), "other.txt": ("indexed", None)}


def test_each_folder_is_a_collection_and_folders_of_one_slug_are_two(workshop: Workshop) -> None:
    workshop.put("My Papers/a.txt", "a")
    workshop.put("my papers/a.txt", "b")
    workshop.put("\u0645\u0644\u0641/a.txt", "c")
    report = workshop.scan()

    assert len(report.new_collections) == len(keys(workshop)) == 3
    assert keys(workshop)["my-papers"] == b"My Papers"
    assert report.new == 3
    assert workshop.scan().new_collections == []


def test_a_folder_whose_name_is_a_key_keeps_it_when_another_has_that_slug(workshop: Workshop) -> None:
    workshop.put("UPPER/a.txt", "a")
    workshop.put("upper/a.txt", "b")
    workshop.scan()

    assert keys(workshop)["upper"] == b"upper"
    assert len(keys(workshop)) == 2


@pytest.mark.parametrize("key", ["foo-", "a--b"])
def test_a_file_handed_in_for_a_key_with_odd_hyphens_is_found_under_it(
    workshop: Workshop, tmp_path: Path, key: str
) -> None:
    source = tmp_path / "a.txt"
    source.write_text("words to find")
    bench = workshop.bench
    submitted = copy_in(source, collection=key, ledger=bench.ledger, uploads_dir=bench.uploads_dir)
    workshop.let_time_pass(workshop.path(f"{key}/a.txt"))
    workshop.scan()
    workshop.ingest(key)

    assert keys(workshop) == {key: key.encode()}
    assert list(submitted.paths.values()) == [b"a.txt"]
    assert workshop.found_paths("words to find", collection=key) == ["a.txt"]


def test_loose_files_and_a_folder_named_default_are_the_default_collection(workshop: Workshop) -> None:
    workshop.put("loose.txt", "loose words")
    workshop.put("default/inside.txt", "inside words")
    workshop.put("Default/other.txt", "other words")
    workshop.scan()
    workshop.ingest("default")

    assert sorted(workshop.found_paths("words", collection="default")) == ["default/inside.txt", "loose.txt"]
    assert [key for key, folder in keys(workshop).items() if folder == b"Default"] != ["default"]


def test_a_collection_appears_with_its_folder_even_when_empty(workshop: Workshop) -> None:
    workshop.path("papers").mkdir()

    assert workshop.scan().new_collections == ["papers"]
    assert held(workshop) == (0, None)
    assert needing(workshop) == []


def test_folders_with_a_dot_are_no_collections(workshop: Workshop) -> None:
    workshop.put(".incoming/half.txt", "half an upload")
    report = workshop.scan()

    assert (report.new, report.new_collections, keys(workshop)) == (0, [], {})


def test_a_missing_uploads_folder_is_no_error(workshop: Workshop) -> None:
    workshop.bench.uploads_dir.rmdir()

    assert workshop.scan().new_collections == []


def test_a_file_replaced_by_a_folder_goes_and_what_is_in_it_comes(workshop: Workshop) -> None:
    workshop.put("papers/thing", "text of the file")
    workshop.put("papers/other", "text of another")
    workshop.catch_up()
    workshop.path("papers/thing").unlink()
    workshop.put("papers/thing/inside.txt", "text of the inside")
    workshop.catch_up()

    assert workshop.states() == {
        "thing": ("deleted", None),
        "other": ("indexed", None),
        "thing/inside.txt": ("indexed", None),
    }
    workshop.path("papers/thing/inside.txt").unlink()
    workshop.path("papers/thing").rmdir()
    workshop.put("papers/thing", "text of the file")
    workshop.catch_up()
    assert workshop.states()["thing"] == ("indexed", None)


def test_a_change_behind_a_link_is_a_change_of_the_document(workshop: Workshop) -> None:
    workshop.put("papers/real.txt", "first words")
    workshop.path("papers/link.txt").symlink_to("real.txt")
    workshop.let_time_pass(workshop.path("papers/link.txt"))
    workshop.catch_up()
    workshop.put("papers/real.txt", "second words here")

    assert workshop.scan().changed == 2
    workshop.ingest()
    assert sorted(workshop.found_paths("second words here")) == ["link.txt", "real.txt"]


def test_links_to_folders_are_not_followed(workshop: Workshop) -> None:
    workshop.put("papers/below/a.txt", "words")
    workshop.path("papers/round").symlink_to(".")
    workshop.path("papers/below/up").symlink_to("..")
    workshop.path("papers/again").symlink_to("below")
    workshop.let_time_pass(workshop.path("papers/again"))
    workshop.catch_up()

    assert workshop.states() == {
        "below/a.txt": ("indexed", None),
        "again": ("skipped", "not_a_file"),
        "round": ("skipped", "link_outside"),
        "below/up": ("skipped", "link_outside"),
    }


def test_only_one_process_scans_at_a_time(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "words")
    with workshop.bench.ledger.scanner() as is_held:
        assert is_held
        assert workshop.scan().is_busy
    assert workshop.scan().new == 1


def test_a_missing_folder_deletes_nothing_and_its_return_is_no_work(workshop: Workshop) -> None:
    put_many(workshop, "papers", 3)
    workshop.catch_up()
    workshop.path("papers").rename(workshop.path(".away"))
    report = workshop.catch_up()

    assert (report.claimed, searchable(workshop)) == (0, 3)
    assert held(workshop) == (3, "the folder is missing")
    assert needing(workshop) == []

    workshop.path(".away").rename(workshop.path("papers"))
    assert workshop.scan().returned == 3
    assert held(workshop) == (0, None)
    assert needing(workshop) == []


def test_a_folder_replaced_by_a_link_is_not_followed_and_deletes_nothing(workshop: Workshop, tmp_path: Path) -> None:
    put_many(workshop, "papers", 3)
    workshop.catch_up()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("not in the uploads folder")
    workshop.path("papers").rename(workshop.path(".away"))
    workshop.path("papers").symlink_to(outside)
    workshop.catch_up()

    assert held(workshop) == (3, "the folder is a link")
    assert sorted(set(workshop.found_paths("anything"))) == ["00.txt", "01.txt", "02.txt"]

    workshop.path("papers").unlink()
    workshop.path(".away").rename(workshop.path("papers"))
    assert workshop.scan().returned == 3
    assert held(workshop) == (0, None)


def test_a_file_seen_before_its_folder_became_a_link_is_not_read(workshop: Workshop, tmp_path: Path) -> None:
    workshop.put("papers/a.txt", "words")
    workshop.scan()
    outside = tmp_path / "outside"
    workshop.path("papers").rename(outside)
    workshop.path("papers").symlink_to(outside)
    report = workshop.ingest()

    assert (report.claimed, report.embedded) == (1, 0)
    assert workshop.states() == {"a.txt": ("queued", None)}


def test_an_emptied_folder_deletes_nothing_until_confirmed(workshop: Workshop) -> None:
    put_many(workshop, "papers", 2)
    workshop.catch_up()
    for path in workshop.path("papers").iterdir():
        path.unlink()
    workshop.catch_up()
    assert held(workshop) == (2, "the folder is empty")
    assert searchable(workshop) == 2

    assert confirm_deletions(workshop.bench.ledger, "papers") == 2
    assert held(workshop) == (0, None)
    assert needing(workshop) == ["papers"]
    workshop.catch_up()
    assert searchable(workshop) == 0
    assert workshop.qdrant_points() == {}
    assert held(workshop) == (0, None)


@pytest.mark.parametrize(("present", "gone", "is_held"), [(40, 20, False), (39, 20, True), (30, 19, False)])
def test_more_than_half_and_at_least_twenty_wait(workshop: Workshop, present: int, gone: int, is_held: bool) -> None:
    put_many(workshop, "papers", present)
    workshop.catch_up()
    for n in range(gone):
        workshop.path(f"papers/{n:02}.txt").unlink()
    workshop.catch_up()
    workshop.catch_up()

    assert searchable(workshop) == (present if is_held else present - gone)
    assert held(workshop)[0] == (gone if is_held else 0)


def test_a_renamed_subfolder_is_released_once_its_content_is_back(workshop: Workshop) -> None:
    put_many(workshop, "papers/old", 25)
    workshop.put("papers/other.txt", "stays")
    workshop.catch_up()
    embedded = len(workshop.embedder.embedded)
    workshop.path("papers/old").rename(workshop.path("papers/new"))
    workshop.scan()
    assert held(workshop)[0] == 25

    workshop.catch_up()
    assert held(workshop) == (0, None)
    workshop.catch_up()

    assert len(workshop.embedder.embedded) == embedded
    assert sorted(set(workshop.found_paths("anything"))) == [*(f"new/{n:02}.txt" for n in range(25)), "other.txt"]
    workshop.whole_state()


def test_a_deletion_waits_for_a_file_that_was_moved_and_for_no_other_that_is_due(workshop: Workshop) -> None:
    for name in ("deleted", "moved", "stays"):
        workshop.put(f"papers/{name}.txt", f"{name:8}")
    workshop.catch_up()
    workshop.put("bulk/waiting.txt", "8 bytes.")
    workshop.scan()
    workshop.path("papers/deleted.txt").unlink()
    workshop.path("papers/moved.txt").rename(workshop.path("bulk/moved.txt"))
    workshop.let_time_pass(workshop.path("bulk/moved.txt"))
    workshop.scan()

    assert workshop.column("is_delete_wanted") == {"deleted.txt": True, "moved.txt": False, "stays.txt": False}
    workshop.ingest("bulk")
    workshop.scan()
    assert workshop.column("is_delete_wanted") == {"deleted.txt": True, "moved.txt": True, "stays.txt": False}


def test_another_disk_under_the_same_name_deletes_nothing(workshop: Workshop) -> None:
    put_many(workshop, "papers", 25)
    workshop.catch_up()
    workshop.path("papers").rename(workshop.path(".away"))
    put_many(workshop, "papers/another", 80)
    workshop.catch_up()
    workshop.catch_up()

    assert held(workshop)[0] == 25
    with workshop.bench.ledger.begin() as connection:
        assert collections.count_states(connection)["papers"] == {"indexed": 105}


def test_a_renamed_collection_is_a_new_one_and_the_old_one_waits(workshop: Workshop) -> None:
    put_many(workshop, "papers", 2)
    workshop.catch_up()
    workshop.path("papers").rename(workshop.path("articles"))
    workshop.scan()
    workshop.ingest("articles")
    workshop.scan()

    assert held(workshop) == (2, "the folder is missing")
    assert searchable(workshop) == 2
    assert len(workshop.find("anything", collection="articles")) == 2


def test_a_document_whose_folder_is_away_stays_searchable_however_often_it_is_due(workshop: Workshop) -> None:
    put_many(workshop, "papers", 2)
    workshop.catch_up()
    workshop.put("papers/00.txt", "changed but not read yet")
    workshop.scan()
    workshop.path("papers").rename(workshop.path(".away"))
    for _ in range(6):
        workshop.change_documents(not_before="2020-01-01")
        workshop.ingest()
    workshop.scan()
    for _ in range(6):
        workshop.change_documents(not_before="2020-01-01")
        workshop.catch_up()

    assert searchable(workshop) == 2
    assert needing(workshop) == []
    workshop.path(".away").rename(workshop.path("papers"))
    workshop.catch_up()
    assert set(workshop.states().values()) == {("indexed", None)}
    assert workshop.found_paths("changed but not read yet", limit=1) == ["00.txt"]


def test_deletions_trickling_in_are_judged_together(workshop: Workshop) -> None:
    put_many(workshop, "papers", 30)
    workshop.catch_up()
    workshop.rule(settle_s=60)
    for n in range(28):
        workshop.path(f"papers/{n:02}.txt").unlink()
        if n in {10, 20, 27}:
            workshop.scan()
    workshop.rule(settle_s=0)
    workshop.scan()

    assert held(workshop)[0] == 28


def test_confirming_for_an_unknown_collection_is_refused(workshop: Workshop) -> None:
    with pytest.raises(CollectionNotFoundError):
        confirm_deletions(workshop.bench.ledger, "nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up rights, which only root can get back")
@pytest.mark.parametrize(("name", "mode"), [("papers", 0), ("papers/below", 0), ("papers/below", 0o444)])
def test_what_may_not_be_read_is_not_gone(workshop: Workshop, name: str, mode: int) -> None:
    workshop.put("papers/a.txt", "words a")
    workshop.put("papers/below/b.txt", "words b")
    workshop.catch_up()
    # A non-root user must be able to come as far as the uploads folder.
    for folder in [workshop.bench.uploads_dir, *workshop.bench.uploads_dir.parents][:-2]:
        folder.chmod(0o755)
    workshop.path(name).chmod(mode)
    os.seteuid(65534)
    try:
        report = scan_uploads(workshop.bench.ledger, workshop.bench.uploads_dir, workshop.bench.rules)
    finally:
        os.seteuid(0)
    workshop.path(name).chmod(0o755)

    assert report.vanished == report.held == (2 if name == "papers" else 0)
    assert needing(workshop) == []
    workshop.catch_up()
    assert searchable(workshop) == 2


def test_a_path_of_any_length_becomes_a_document(workshop: Workshop) -> None:
    folder = workshop.path("papers")
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    # Random names: PostgreSQL compresses long values before it finds them too long for an index.
    letters = bytes(set(range(1, 256)) - {ord("/")})
    for _ in range(14):
        name = bytes(random.choices(letters, k=250))
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("deep.txt", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(file, b"deep words")
    os.close(file)
    os.close(here)
    workshop.put("papers/near.txt", words("near", 5))
    workshop.catch_up()

    assert sorted(workshop.states().values()) == [("indexed", None), ("indexed", None)]
    assert any(len(path) > 3_500 for path in workshop.states())
