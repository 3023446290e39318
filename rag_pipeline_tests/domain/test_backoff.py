"""Waiting after failures."""

from rag_pipeline.domain.backoff import wait_after_failures_s


def test_the_first_failure_is_free_and_the_others_wait_longer_and_longer() -> None:
    assert [wait_after_failures_s(failures) for failures in range(9)] == [0, 0, 10, 20, 40, 80, 160, 300, 300]
    assert wait_after_failures_s(10_000) == 300
