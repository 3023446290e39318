"""Waiting for what other processes do."""

import time
from collections.abc import Callable

import psutil


def wait_until(is_true: Callable[[], bool], *, timeout_s: float = 10.0) -> bool:
    """Whether `is_true` became true within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    """Whether `pid` runs; a zombie, which only waits to be counted, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
