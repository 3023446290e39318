"""`Extractor`: bytes become a Document in a child process that may be killed at any moment.

One child reads one file after another and is replaced when it dies, is killed, or has read a few hundred files. What
happens inside it is `child`; what it may do there, `confinement`; how both talk, `wire`.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

import rag_pipeline
from rag_pipeline.domain.documents import Document
from rag_pipeline.errors import DocumentError, ReasonCode, StartupError
from rag_pipeline.extraction import wire
from rag_pipeline.extraction.language import language_of
from rag_pipeline.extraction.reading import ExtractionLimits

_START_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 0.05
_FILES_PER_CHILD = 200
"""Bounds what leaks in a library, or one file's influence on another, can add up to; a start costs about 0.1 s."""

_MEMORY_DEATH_SHARE = 0.5
"""An allocation that fails usually doubles a buffer: a child that died with half of its limit in use, died of it."""

_MEMORY_SIGNALS = frozenset({signal.SIGKILL, signal.SIGABRT})
"""The kernel kills when the machine has no memory, and pdfium aborts without a word when the limit leaves it none
(measured 2026-11-20). A library that finds its heap corrupt aborts, too, and is then called the same."""


class Extractor:
    """Extracts one file at a time in a child process; a context manager that ends the child.

    Calls from several threads wait for each other.
    """

    def __init__(self, limits: ExtractionLimits | None = None) -> None:
        self._limits = limits or ExtractionLimits()
        self._child: _Child | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, if there is one; the next `extract` starts another."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def extract(self, snapshot_path: Path, *, file_name: bytes) -> Document:
        """The Document of the file at `snapshot_path`; `file_name` is what its source is called.

        Raises:
            DocumentError: it will not work as it is, took too long or too much memory, or broke the reader.
            StartupError: no child can be started; that is no fault of the document.
        """
        request = wire.encode_request(snapshot_path, file_name)
        with self._one_at_a_time:
            child = self._ready_child()
            is_fresh = child.is_fresh
            try:
                document = self._ask(child, request)
            except DocumentError as error:
                if is_fresh or error.reason not in _MAY_BE_ANOTHER_FILES_FAULT:
                    raise
                document = self._ask(self._ready_child(), request)
        return replace(document, language=language_of([page.text for page in document.pages]))

    def _ask(self, child: "_Child", request: bytes) -> Document:
        """The child's answer; a child that is not to be trusted any more is ended."""
        try:
            return wire.decode_answer(child.ask(request), limits=self._limits)
        except DocumentError as error:
            if error.reason in _CHILD_IS_SPOILT:
                self.close()
            raise
        except wire.WireError as error:
            self.close()
            raise DocumentError(ReasonCode.EXTRACTOR_CRASHED, f"the child answered nonsense: {error}") from None
        except BaseException:  # an interrupt in the middle of an answer: the next question would get its rest
            self.close()
            raise

    def _ready_child(self) -> "_Child":
        child = self._child
        if child is not None and not child.is_usable():
            self.close()
            child = None
        if child is None:
            child = self._child = _Child(self._limits)
        return child


_MAY_BE_ANOTHER_FILES_FAULT = frozenset({ReasonCode.MEMORY_LIMIT, ReasonCode.EXTRACTOR_CRASHED})
"""What is blamed on a file only by a child that read no other: an earlier one may have left a full or damaged heap, or
the thread that started the child may have ended, and the kernel the child with it (see `confinement`)."""

_CHILD_IS_SPOILT = _MAY_BE_ANOTHER_FILES_FAULT | {ReasonCode.TIME_LIMIT}


class _Child:
    """One child process, from its start to its death."""

    def __init__(self, limits: ExtractionLimits) -> None:
        self._limits = limits
        self._asked_count = 0
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            _command(limits),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            close_fds=True,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )
        self._await_ready()

    @property
    def is_fresh(self) -> bool:
        """Whether it has read nothing yet."""
        return self._asked_count == 0

    def is_usable(self) -> bool:
        """Whether it is alive and has not read too many files."""
        return self._process.poll() is None and self._asked_count < _FILES_PER_CHILD

    def ask(self, request: bytes) -> bytes:
        """Its answer.

        Raises:
            DocumentError: it took too long, or died.
        """
        self._asked_count += 1
        deadline = time.monotonic() + self._limits.timeout_s
        try:
            wire.write_frame(self._descriptor_to(), request)
        except BrokenPipeError:
            raise self._death(peak_bytes=0) from None
        answer = _Answer(max_bytes=wire.max_answer_bytes(self._limits))
        peak_bytes = 0
        while not answer.is_complete:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise DocumentError(ReasonCode.TIME_LIMIT, f"more than {self._limits.timeout_s:g} s")
            peak_bytes = max(peak_bytes, _address_space_bytes(self._process.pid))
            if self._has_more(min(remaining_s, _LOOK_EVERY_S)) and not answer.receive(self._descriptor_from()):
                raise self._death(peak_bytes=peak_bytes)
        return answer.message

    def kill(self) -> None:
        """Dead and gone, with whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _await_ready(self) -> None:
        ready = _Answer(max_bytes=len(wire.READY))
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not ready.is_complete:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0 or (self._has_more(remaining_s) and not ready.receive(self._descriptor_from())):
                self.kill()
                raise StartupError(
                    "The extraction child did not start; run `python -m rag_pipeline.extraction.child '{}'` to see why."
                )

    def _death(self, *, peak_bytes: int) -> DocumentError:
        """What the child died of."""
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return DocumentError(ReasonCode.EXTRACTOR_CRASHED, "the child closed its pipe")
        limit = self._limits.max_memory_bytes
        cause = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        if -status in _MEMORY_SIGNALS or peak_bytes >= _MEMORY_DEATH_SHARE * limit:
            return DocumentError(ReasonCode.MEMORY_LIMIT, f"the limit is {limit} bytes ({cause})")
        return DocumentError(ReasonCode.EXTRACTOR_CRASHED, f"the reader died: {cause}")

    def _has_more(self, timeout_s: float) -> bool:
        poll = select.poll()  # not select(): it cannot watch descriptors above 1023
        poll.register(self._descriptor_from(), select.POLLIN | select.POLLHUP)
        return bool(poll.poll(max(timeout_s, 0.001) * 1000))

    def _descriptor_to(self) -> int:
        if self._process.stdin is None:
            raise BrokenPipeError
        return self._process.stdin.fileno()

    def _descriptor_from(self) -> int:
        if self._process.stdout is None:
            raise BrokenPipeError
        return self._process.stdout.fileno()


class _Answer:
    """A message that arrives in pieces."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._received = bytearray()

    def receive(self, descriptor: int) -> bool:
        """Take what is there; `False` when the other side is gone.

        Raises:
            WireError: the message is longer than agreed.
        """
        block = os.read(descriptor, 1 << 20)
        self._received += block
        if self._size_bytes > self._max_bytes or len(self._received) > wire.HEADER.size + self._max_bytes:
            raise wire.WireError(f"more than {self._max_bytes} bytes")
        return bool(block)

    @property
    def is_complete(self) -> bool:
        """Whether all of it has arrived."""
        return len(self._received) >= wire.HEADER.size and len(self._received) >= wire.HEADER.size + self._size_bytes

    @property
    def message(self) -> bytes:
        """The message, once it is complete."""
        return bytes(self._received[wire.HEADER.size : wire.HEADER.size + self._size_bytes])

    @property
    def _size_bytes(self) -> int:
        if len(self._received) < wire.HEADER.size:
            return 0
        return wire.HEADER.unpack_from(self._received)[0]


def _command(limits: ExtractionLimits) -> list[str]:
    """No user site, no current folder on the path, no bytecode written."""
    module = "rag_pipeline.extraction.child"
    return [sys.executable, "-s", "-P", "-B", "-X", "utf8", "-m", module, orjson.dumps(asdict(limits)).decode()]


def _environment() -> dict[str, str]:
    """Nothing of ours but where our code is."""
    return {
        "PYTHONPATH": str(Path(rag_pipeline.__file__).parent.parent),
        "LC_ALL": "C.UTF-8",
    }


def _address_space_bytes(pid: int) -> int:
    """What the limit counts, now; 0 where the system has no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[0])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
