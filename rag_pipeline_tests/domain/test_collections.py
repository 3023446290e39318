"""Collection keys."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag_pipeline.domain.collections import check_key, is_key, key_for_folder, slug
from rag_pipeline.errors import InvalidCollectionKeyError


@given(st.text(min_size=1, max_size=120))
def test_every_folder_name_gives_a_key(folder: str) -> None:
    assert check_key(slug(folder)) == slug(folder)
    assert check_key(key_for_folder(folder, taken={slug(folder)})) != slug(folder)


@pytest.mark.parametrize(
    ("folder", "key"),
    [
        ("papers", "papers"),
        ("Relatórios 2024", "relatorios-2024"),
        ("--a__b--", "a-b"),
        ("ÁGUAS do Vale!", "aguas-do-vale"),
        ("-x", "x"),
    ],
)
def test_a_key_reads_like_the_folder(folder: str, key: str) -> None:
    assert slug(folder) == key


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True))
@example("foo-")
@example("a--b")
def test_a_folder_whose_name_is_a_key_has_that_key(folder: str) -> None:
    assert is_key(folder)
    assert slug(folder) == folder


@pytest.mark.parametrize("key", ["", "A", "a b", "a/b", "../x", "a" * 65, "é", "a\n", "-x", "-"])
def test_what_is_not_a_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidCollectionKeyError):
        check_key(key)
