"""How long to wait before trying again what failed."""

_FIRST_WAIT_S = 10.0
_LONGEST_WAIT_S = 300.0


def wait_after_failures_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row: none after the first, then 10, doubling up to 300.

    The first is free because most single failures are a killed worker, and the next try finishes its work.
    """
    if failures < 2:  # noqa: PLR2004
        return 0.0
    return min(_FIRST_WAIT_S * 2 ** min(failures - 2, 10), _LONGEST_WAIT_S)
