"""The Makefile and `.ci/run`, run for real in a folder of their own; what pip would download is a stand-in."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"help", "install", "up", "test", "prove", "check", "fix", "bench", "clean"}

# Stands for the interpreter of a finished environment: answers what the Makefile asks, records what pip is told.
PYTHON = """#!/bin/sh
here=$(dirname "$0")
case "$*" in
  *"import sys, venv, ensurepip"*) exit 0;;
  *'m.version("torch")'*) [ -f "$here/torch" ] && cat "$here/torch"; exit;;
  *"pip "*install*) echo "$*" >> "$here/pip-calls"
    echo "Collecting everything"; echo "  Downloading big-1.0.whl (12.5 MB)"
    [ -f "$here/pip-fails" ] && { echo "ERROR: No space left on device"; exit 1; }
    case "$*" in *"torch=="*) echo 2.13.0 > "$here/torch";; esac;;
esac
exit 0
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile and an environment that is made but empty."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    executable(tmp_path / ".venv/bin/python", PYTHON)
    return tmp_path


def environment() -> dict[str, str]:
    """The environment without what a `make test` around these tests, or the person who typed it, has set for make."""
    set_for_make = re.compile("MAKE|MFLAGS|TORCH_INDEX$|PYTHON$|VENV$|ARGS$|TEST_ARGS$")
    return {name: value for name, value in os.environ.items() if not set_for_make.match(name)}


def make(project: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=project,
        env=environment() | extra,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pip_calls(project: Path) -> list[str]:
    calls = project / ".venv/bin/pip-calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_make_alone_lists_every_target_on_one_line_each(project: Path) -> None:
    lines = make(project).stdout.splitlines()
    assert {line.split()[1] for line in lines} == TARGETS
    assert all(len(line.split(maxsplit=2)[2]) > 10 for line in lines)


def test_every_target_listed_is_phony_so_that_a_file_of_that_name_does_not_hide_it() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


def test_torch_comes_first_and_without_its_index_for_anything_else(project: Path) -> None:
    assert make(project, "install", "TORCH_INDEX=https://example.org/cpu").returncode == 0
    torch, rest = pip_calls(project)
    assert "--no-deps --index-url https://example.org/cpu torch==2.13.0" in torch
    assert "example.org" not in rest
    assert rest.endswith("-c constraints.txt -c .venv/torch.txt -e .[dev]")


def test_torch_index_may_come_from_the_environment(project: Path) -> None:
    make(project, "install", TORCH_INDEX="https://example.org/cpu")
    assert "--index-url https://example.org/cpu" in pip_calls(project)[0]


def test_without_an_index_torch_comes_from_pips_default(project: Path) -> None:
    make(project, "install")
    assert "torch==2.13.0" in pip_calls(project)[0]
    assert "--index-url" not in pip_calls(project)[0]


def test_a_torch_that_is_there_is_kept_and_pip_is_held_to_it(project: Path) -> None:
    (project / ".venv/bin/torch").write_text("2.12.1+rocm6\n")
    assert make(project, "install").returncode == 0
    assert len(pip_calls(project)) == 1
    assert (project / ".venv/torch.txt").read_text() == "torch==2.12.1+rocm6\n"


def test_a_second_install_does_nothing_until_what_is_asked_for_changes(project: Path) -> None:
    make(project, "install")
    once = pip_calls(project)
    make(project, "install")
    assert pip_calls(project) == once
    later = time.time() + 5
    os.utime(project / "constraints.txt", (later, later))
    make(project, "install")
    assert len(pip_calls(project)) == len(once) + 1


def test_a_failed_installation_says_why_and_is_tried_again(project: Path) -> None:
    fails = project / ".venv/bin/pip-fails"
    fails.touch()
    result = make(project, "install")
    assert result.returncode != 0
    assert "No space left on device" in result.stderr
    fails.unlink()
    assert make(project, "install").returncode == 0


def test_progress_shows_what_is_large_and_keeps_the_rest_in_the_log(project: Path) -> None:
    result = make(project, "install")
    assert "  Downloading big-1.0.whl (12.5 MB)" in result.stdout
    assert "Collecting" not in result.stdout
    assert "Collecting everything" in (project / ".venv/install.log").read_text()


def test_a_shim_that_fails_when_run_is_passed_over(project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / ".venv")
    folder = tmp_path / "a folder with spaces"
    executable(folder / "python3.13", "#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n")
    # Without pip, the environment is made in a tenth of the time; what is asked here is who makes it.
    executable(
        folder / "python3.12",
        "#!/bin/sh\n"
        f'[ "$2" = venv ] && {{ echo "made by 3.12" > used; exec "{sys.executable}" "$@" --without-pip; }}\n'
        f'exec "{sys.executable}" "$@"\n',
    )
    make(project, ".venv/.installed", "pip=false", PATH=f"{folder}:/usr/bin:/bin")
    assert (project / "used").exists()
    assert (project / ".venv/pyvenv.cfg").is_file()


def test_a_clear_sentence_when_there_is_no_python(project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / ".venv")
    result = make(project, "install", f"PYTHON={tmp_path}/python2")
    assert result.returncode != 0
    assert "No Python 3.11 or newer" in result.stderr
    assert "PYTHON=/path/to/python3" in result.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_up_and_make_waits_for_it(project: Path, sent: signal.Signals) -> None:
    executable(
        project / ".venv/bin/rag-pipeline",
        f"#!{sys.executable}\n"
        "import signal, sys, time\n"
        "def stop(*_):\n    time.sleep(0.3)\n    print('stopped cleanly', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, stop)\nsignal.signal(signal.SIGTERM, stop)\n"
        "print('ready', sys.argv[1:], flush=True)\ntime.sleep(30)\n",
    )
    make(project, "install")
    with subprocess.Popen(
        ["make", "up", "ARGS=--ports-from 9000"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready ['up', '--ports-from', '9000']\n"
        if sent is signal.SIGINT:  # a terminal sends it to the whole group
            os.killpg(process.pid, sent)
        else:
            process.send_signal(sent)
        rest = process.stdout.read()
    assert rest.startswith("stopped cleanly\n")
    assert "Error" not in rest


def test_the_exit_code_of_up_is_not_swallowed(project: Path) -> None:
    executable(project / ".venv/bin/rag-pipeline", "#!/bin/sh\nexit 2\n")
    assert make(project, "up").returncode == 2


def test_clean_keeps_the_environment_the_data_and_the_uploads(project: Path) -> None:
    kept = [project / name / "file" for name in (".venv", ".data", "uploads")]
    gone = [project / "rag_pipeline/deep/__pycache__/file", project / ".pytest_cache/file"]
    for path in kept + gone:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert make(project, "clean").returncode == 0
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_bench_stops_at_the_first_benchmark_that_fails(project: Path) -> None:
    (project / "benchmarks").mkdir()
    (project / "benchmarks/a.py").touch()
    make(project, "install")
    executable(project / ".venv/bin/python", "#!/bin/sh\nexit 3\n")
    result = make(project, "bench")
    assert result.returncode != 0
    assert "== benchmarks/a.py" in result.stdout


@pytest.mark.parametrize(("check", "test", "expected"), [(0, 0, 0), (2, 0, 2), (0, 2, 2), (1, 2, 2)], ids=str)
def test_ci_runs_check_and_test_and_ends_with_the_worse_code(
    tmp_path: Path, check: int, test: int, expected: int
) -> None:
    executable(tmp_path / ".ci/run", (ROOT / ".ci/run").read_text())
    executable(
        tmp_path / "bin/make",
        '#!/bin/sh\necho "$1" >> called\n'
        f"[ $1 = check ] && exit {check}\n"
        f'[ $1 = test ] && {{ echo "=== 3 passed in 0.10s ==="; echo "make: rest"; exit {test}; }}\n'
        "exit 0\n",
    )
    result = subprocess.run(
        [tmp_path / ".ci/run"],
        env=os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert (tmp_path / "called").read_text().split() == ["install", "check", "test"]
    assert result.returncode == expected
    assert result.stdout.splitlines()[-1] == "=== 3 passed in 0.10s ==="
