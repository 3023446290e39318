"""What the child process gives up before it reads a hostile byte; called once, by `child`.

Each step is best effort where a system lacks it: the parent's clock and kill do not depend on any of them.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
"""Source: linux/prctl.h and linux/sched.h, Linux 6.1."""

_MAX_OPEN_FILES = 64


def take_over_pipes() -> tuple[int, int]:
    """Descriptors of requests and answers; what a library prints or reads by itself goes to and comes from nowhere."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return requests, answers


def confine(*, max_memory_bytes: int) -> None:
    """No more memory than that, no files written, no processes, no network, no life after the parent's."""
    if sys.platform == "linux":
        _die_with_parent()
        _leave_the_network()
    for kind, limit in (
        (resource.RLIMIT_AS, max_memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        _lower(kind, limit)


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    try:
        resource.setrlimit(kind, (limit, limit))
    except (ValueError, OSError):  # macOS refuses RLIMIT_AS
        return


def _die_with_parent() -> None:
    """Killed with the thread that started us, even in the middle of a file.

    Should it already be gone, reading the next request finds the pipe closed.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _leave_the_network() -> None:
    """An empty network of our own: as root directly, otherwise by a user namespace where the system allows it.

    Not by one as root: that gives up the right to read what others own, our own libraries maybe among it.
    """
    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
