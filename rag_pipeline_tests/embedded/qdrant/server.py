"""The embedded Qdrant as a real process, for any test that needs one."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

READY_WITHIN_S = 20.0
_POLL_S = 0.01


class ServerProcess:
    """A running server; `url` is known and it is ready once this is made."""

    def __init__(
        self, folder: Path, *, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        log = (folder.parent / f"{folder.name}.log").open("ab")
        with log:
            command, variables = [*_command(folder), *arguments], {**os.environ, **(environment or {})}
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=variables)
        try:
            self.url = _announced(self.process.stdout)
        except RuntimeError:
            self.wait()
            raise
        _wait_until_ready(self.url)

    def __enter__(self) -> Self:
        """The server, killed at the latest when the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """No server outlives a failed test."""
        self.kill()

    def kill(self) -> None:
        """`kill -9`, and its end."""
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        code = self.process.wait(timeout=READY_WITHIN_S)
        if self.process.stdout:
            self.process.stdout.close()
        return code


def kill_while_starting(folder: Path, *, after_s: float) -> None:
    """A server over `folder`, killed that long after its start."""
    process = subprocess.Popen(_command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    process.kill()
    process.wait()


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "rag_pipeline.embedded.qdrant", "--data-dir", str(folder), "--port", "0"]


@contextmanager
def running_qdrant(data_dir: Path) -> Iterator[str]:
    """The URL of an embedded Qdrant over `data_dir`, ready to be asked; stopped at the end."""
    server = ServerProcess(data_dir)
    try:
        yield server.url
    finally:
        server.stop()


def _announced(output: IO[bytes] | None) -> str:
    line = output.readline().decode().strip() if output else ""
    if not line.startswith("http://"):
        raise RuntimeError("the embedded Qdrant ended before it was ready; its log lies beside its folder")
    return line


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=1):  # noqa: S310 - our own server
                return
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
