"""A command that a script started in the background can still stop the servers it starts."""

import subprocess
import sys

_IGNORING = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
{hearing}
subprocess.run([sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"])
"""


def test_what_a_background_job_starts_hears_sigint() -> None:
    hearing = "from rag_pipeline.cli import hear_interrupts; hear_interrupts()"
    assert _does_the_child_ignore_sigint(hearing="") == "True"
    assert _does_the_child_ignore_sigint(hearing=hearing) == "False"


def _does_the_child_ignore_sigint(*, hearing: str) -> str:
    code = _IGNORING.format(hearing=hearing)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
