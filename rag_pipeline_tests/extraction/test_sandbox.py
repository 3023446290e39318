"""Whatever a file does to the child, it ends as a reason code on that file, and the next file is read."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.extraction.sandbox import Extractor
from rag_pipeline_tests.extraction.pdf_files import assemble, flate_stream

_SLOW = b"<div>" * 100_000
"""lexbor looks through all open elements at each new one: 20,000 take 0.6 s, so this takes 15 (measured 2026-11-20)."""


@pytest.fixture
def slow_file(tmp_path: Path) -> Path:
    return _file(tmp_path, "slow", _SLOW)


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    return _file(tmp_path, "good", b"the next file is read")


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _children(of: int | None = None) -> set[int]:
    """Ids of the extraction children of a process, this one by default."""
    return {child.pid for child in psutil.Process(of).children() if "rag_pipeline.extraction.child" in child.cmdline()}


def _new_child(work: Callable[[], object]) -> int:
    """The id of the child that `work` started."""
    before = _children()
    work()
    (pid,) = _children() - before
    return pid


def _is_gone(pid: int, *, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _reason(extractor: Extractor, path: Path, name: bytes) -> ReasonCode:
    with pytest.raises(DocumentError) as caught:
        extractor.extract(path, file_name=name)
    return caught.value.reason


def test_one_child_reads_many_files_and_ends_with_its_extractor(good_file: Path) -> None:
    with Extractor() as extractor:
        pid = _new_child(lambda: extractor.extract(good_file, file_name=b"a.txt"))
        for _ in range(5):
            extractor.extract(good_file, file_name=b"a.txt")
        assert pid in _children()
    assert _is_gone(pid)


def test_a_slow_file_is_stopped_in_time_and_the_next_one_read(slow_file: Path, good_file: Path) -> None:
    with Extractor(ExtractionLimits(timeout_s=0.4)) as extractor:
        began = time.monotonic()
        assert _reason(extractor, slow_file, b"a.html") is ReasonCode.TIME_LIMIT
        assert time.monotonic() - began < 2
        assert extractor.extract(good_file, file_name=b"a.txt").pages[0].text == "the next file is read"


def test_a_file_that_takes_too_much_memory_is_stopped_and_the_next_one_read(tmp_path: Path, good_file: Path) -> None:
    bomb = assemble(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>",
            flate_stream(b"q Q " * 20_000_000),
        ]
    )
    with Extractor(ExtractionLimits(max_memory_bytes=150_000_000)) as extractor:
        path = _file(tmp_path, "bomb", bomb)
        assert _reason(extractor, path, b"a.pdf") is ReasonCode.MEMORY_LIMIT
        assert extractor.extract(good_file, file_name=b"a.txt").char_count > 0


@pytest.mark.parametrize(
    ("sent", "reason"),
    [(signal.SIGSEGV, ReasonCode.EXTRACTOR_CRASHED), (signal.SIGKILL, ReasonCode.MEMORY_LIMIT)],
)
def test_a_child_that_dies_is_blamed_on_its_file_and_replaced(
    slow_file: Path, good_file: Path, sent: signal.Signals, reason: ReasonCode
) -> None:
    before = _children()
    killer = threading.Timer(0.5, lambda: [os.kill(pid, sent) for pid in _children() - before])
    with Extractor() as extractor:
        killer.start()
        assert _reason(extractor, slow_file, b"a.html") is reason
        killer.join()
        assert extractor.extract(good_file, file_name=b"a.txt").char_count > 0


def test_a_child_that_died_between_files_is_no_files_fault(good_file: Path) -> None:
    with Extractor() as extractor:
        pid = _new_child(lambda: extractor.extract(good_file, file_name=b"a.txt"))
        os.kill(pid, signal.SIGKILL)
        assert extractor.extract(good_file, file_name=b"a.txt").char_count > 0


def test_a_child_whose_starting_thread_ends_is_no_files_fault(good_file: Path, tmp_path: Path) -> None:
    takes_a_while = _file(tmp_path, "takes a while", b"<div>" * 20_000 + b"deep")
    may_end = threading.Event()

    def start_the_child() -> None:
        pids.append(_new_child(lambda: extractor.extract(good_file, file_name=b"a.txt")))
        may_end.wait()

    pids: list[int] = []
    with Extractor() as extractor:
        thread = threading.Thread(target=start_the_child)
        thread.start()
        while not pids:
            time.sleep(0.01)
        threading.Timer(0.1, may_end.set).start()
        assert extractor.extract(takes_a_while, file_name=b"a.html").pages[0].text == "deep"
        assert _is_gone(*pids)
        thread.join()


def test_text_over_the_limit_is_refused(tmp_path: Path) -> None:
    with Extractor(ExtractionLimits(max_text_chars=100, max_file_bytes=1000)) as extractor:
        assert _reason(extractor, _file(tmp_path, "a", b"x" * 101), b"a.txt") is ReasonCode.TOO_MUCH_TEXT
        assert _reason(extractor, _file(tmp_path, "b", b"x" * 1001), b"a.txt") is ReasonCode.TOO_LARGE
        assert extractor.extract(_file(tmp_path, "c", b"x" * 100), file_name=b"a.txt").char_count == 100


def test_a_name_of_any_bytes_is_passed_on(good_file: Path) -> None:
    with Extractor() as extractor:
        assert extractor.extract(good_file, file_name=b"\xff\n\xfe.MD").media_type == "text/markdown"


def test_a_copy_that_is_missing_is_our_fault(tmp_path: Path) -> None:
    with Extractor() as extractor:
        assert _reason(extractor, tmp_path / "gone", b"a.txt") is ReasonCode.INTERNAL_ERROR


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what the child has")
def test_the_child_has_no_secrets_no_files_of_ours_and_little_memory(
    good_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_SECRET", "s3cret")
    inheritable = os.open(good_file, os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    with Extractor(ExtractionLimits(max_memory_bytes=500_000_000)) as extractor:
        pid = _new_child(lambda: extractor.extract(good_file, file_name=b"a.txt"))
        process = Path("/proc") / str(pid)
        assert b"s3cret" not in (process / "environ").read_bytes()
        limits = psutil.Process(pid)
        assert limits.rlimit(psutil.RLIMIT_AS) == (500_000_000, 500_000_000)
        assert limits.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert limits.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert os.getsid(pid) == pid
        targets = {str(link.readlink()) for link in (process / "fd").iterdir()}
        assert str(good_file) not in targets
        assert all(target.startswith(("pipe:", "/dev/null")) for target in targets)
    os.close(inheritable)


_CAN_LEAVE = "import ctypes; c = ctypes.CDLL(None); exit(bool(c.unshare(0x40000000) and c.unshare(0x50000000)))"


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_the_child_has_no_network_where_the_system_lets_it_leave(good_file: Path) -> None:
    if subprocess.run([sys.executable, "-c", _CAN_LEAVE], check=False).returncode != 0:
        pytest.skip("this system lets no process leave the network")
    with Extractor() as extractor:
        pid = _new_child(lambda: extractor.extract(good_file, file_name=b"a.txt"))
        assert Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


_PARENT = """
import sys, time
from pathlib import Path
from rag_pipeline.extraction.sandbox import Extractor
extractor = Extractor()
extractor.extract(Path(sys.argv[1]), file_name=b"a.txt")
print("ready", flush=True)
if sys.argv[2]:
    extractor.extract(Path(sys.argv[2]), file_name=b"a.html")
time.sleep(60)
"""


@pytest.mark.parametrize("is_busy", [False, True])
def test_the_child_does_not_outlive_a_parent_that_is_killed(good_file: Path, slow_file: Path, is_busy: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(good_file), str(slow_file) if is_busy else ""], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        time.sleep(0.2)
        (child,) = _children(parent.pid)
        parent.kill()
        parent.wait()
        assert _is_gone(child)
