"""What a look at a folder means."""

from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.domain.scanning import KnownFile, ScanPlan, Signature, plan_scan

paths = st.sampled_from([b"a", b"b", b"folder/c", b"folder/d", b"folder2/e", "ação.pdf".encode(), b"\xff\xfe"])
signatures = st.builds(Signature, st.integers(0, 3), st.integers(0, 3), st.integers(0, 9))
known_files = st.dictionaries(paths, st.builds(KnownFile, signatures, st.booleans()))
seen_files = st.dictionaries(paths, signatures)


def apply(plan: ScanPlan, known: dict[bytes, KnownFile], seen: dict[bytes, Signature]) -> dict[bytes, KnownFile]:
    after = dict(known)
    for path in [*plan.new, *plan.changed, *plan.returned]:
        after[path] = KnownFile(seen[path], is_gone=False)
    for path in plan.vanished:
        after[path] = KnownFile(known[path].signature, is_gone=True)
    return after


@given(known_files, seen_files)
def test_after_a_plan_is_applied_the_next_scan_finds_nothing(
    known: dict[bytes, KnownFile], seen: dict[bytes, Signature]
) -> None:
    plan = plan_scan(known, seen, settled_before_ns=10)
    after = apply(plan, known, seen)

    assert plan_scan(after, seen, settled_before_ns=10).is_empty
    assert {path for path, file in after.items() if not file.is_gone} == set(seen)
    assert all(after[path].signature == signature for path, signature in seen.items())


@given(known_files, seen_files)
def test_each_path_stands_in_one_list(known: dict[bytes, KnownFile], seen: dict[bytes, Signature]) -> None:
    plan = plan_scan(known, seen, settled_before_ns=5)
    everything = [*plan.new, *plan.changed, *plan.returned, *plan.vanished]

    assert len(everything) == len(set(everything))


def test_a_file_still_being_written_waits() -> None:
    plan = plan_scan({}, {b"a": Signature(1, 1, 5)}, settled_before_ns=5)

    assert (plan.new, plan.unsettled_count) == ([], 1)
    assert plan_scan({}, {b"a": Signature(1, 1, 5)}, settled_before_ns=6).new == [b"a"]


def test_a_file_still_being_written_has_not_vanished() -> None:
    known = {b"a": KnownFile(Signature(1, 1, 1), is_gone=False)}

    assert plan_scan(known, {b"a": Signature(2, 9, 9)}, settled_before_ns=9).is_empty


def test_an_unreadable_folder_loses_nothing() -> None:
    known = {path: KnownFile(Signature(1, 1, 1), is_gone=False) for path in (b"folder/c", b"folder2/e")}

    assert plan_scan(known, {}, settled_before_ns=9, unreadable_folders=(b"folder",)).vanished == [b"folder2/e"]


def test_a_restored_old_version_counts_as_changed() -> None:
    known = {b"a": KnownFile(Signature(7, 100, 200), is_gone=False)}

    assert plan_scan(known, {b"a": Signature(7, 100, 201)}, settled_before_ns=999).changed == [b"a"]
