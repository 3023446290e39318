"""The supervisor, over small real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rag_pipeline.embedded.child import Child, ChildSpec, ChildState
from rag_pipeline.embedded.leftovers import Mark, started_by
from rag_pipeline.embedded.supervisor import Patience, Supervisor
from rag_pipeline.errors import StartupError, UsageError
from rag_pipeline_tests.embedded.waiting import runs, wait_until

_QUICK = Patience(first_backoff_s=0.05, max_backoff_s=0.2, stop_grace_s=0.5)
_SLEEP = "import time; time.sleep(600)"


def _spec(name: str, code: str = _SLEEP, **changes: object) -> ChildSpec:
    return replace(ChildSpec(name=name, command=(sys.executable, "-c", code)), **changes)  # type: ignore[arg-type]  # any field


def _supervisor(folder: Path, specs: Sequence[ChildSpec], **changes: object) -> Supervisor:
    return Supervisor(
        specs,
        mark=Mark.new(folder),
        environment=dict(os.environ),
        patience=replace(_QUICK, **changes),  # type: ignore[arg-type]  # any field
    )


def _child(supervisor: Supervisor, name: str) -> Child:
    return next(child for child in supervisor.children if child.spec.name == name)


def _pid(supervisor: Supervisor, name: str) -> int:
    pid = _child(supervisor, name).pid
    assert pid is not None
    return pid


def test_a_child_starts_only_when_what_it_needs_is_ready(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    specs = [
        _spec("first", f"import pathlib, time; time.sleep(0.2); pathlib.Path({str(flag)!r}).touch(); time.sleep(600)",
              is_ready=flag.exists),
        _spec("beside"),
        _spec("second", f"import pathlib; assert pathlib.Path({str(flag)!r}).exists()", needs=("first",), is_task=True),
    ]  # fmt: skip
    seen: list[tuple[str, str]] = []
    supervisor = Supervisor(
        specs,
        mark=Mark.new(tmp_path),
        environment=dict(os.environ),
        observe=lambda children: seen.extend((child.spec.name, child.state.value) for child in children),
    )
    with supervisor:
        assert supervisor.start()
        assert [child.state for child in supervisor.children] == [ChildState.READY, ChildState.READY, ChildState.DONE]
    assert seen.index(("beside", "ready")) < seen.index(("first", "ready")) < seen.index(("second", "starting"))


def test_a_child_that_dies_later_is_restarted(tmp_path: Path) -> None:
    with _supervisor(tmp_path, [_spec("server")]) as supervisor:
        supervisor.start()
        for _ in range(2):
            old = _pid(supervisor, "server")
            os.kill(old, signal.SIGKILL)
            supervisor.watch(lambda old=old: _child(supervisor, "server").pid not in {old, None})
        assert runs(_pid(supervisor, "server"))
        assert _child(supervisor, "server").deaths == 2


def test_what_a_dead_child_started_ends_before_its_successor_starts(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = (
        "import subprocess, sys, time\n"
        f"worker = subprocess.Popen([sys.executable, '-c', {_SLEEP!r}])\n"
        f"print(worker.pid, file=open({str(note)!r}, 'w'), flush=True); time.sleep(600)"
    )
    with _supervisor(
        tmp_path, [_spec("daemon", code, is_ready=lambda: note.exists() and note.read_text() != "")]
    ) as it:
        it.start()
        worker, daemon = int(note.read_text()), _pid(it, "daemon")
        os.kill(daemon, signal.SIGKILL)
        it.watch(lambda: _child(it, "daemon").pid not in {daemon, None})
        assert wait_until(lambda: not runs(worker))


def test_restarts_slow_down(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import pathlib, sys, time; pathlib.Path({str(gate)!r}).exists() and sys.exit(3); time.sleep(600)"
    with _supervisor(tmp_path, [_spec("server", code)], first_backoff_s=0.1, max_backoff_s=100.0) as supervisor:
        supervisor.start()
        gate.touch()
        os.kill(_pid(supervisor, "server"), signal.SIGKILL)
        until = time.monotonic() + 1.5
        supervisor.watch(lambda: time.monotonic() > until)
        child = _child(supervisor, "server")
        # Waits of 0.1, 0.2, 0.4 and 0.8 s: without them there would be dozens of deaths.
        assert 3 <= child.deaths <= 5
        assert child.last_exit_code == 3


def test_a_child_whose_log_cannot_be_written_is_tried_again_and_the_others_go_on(tmp_path: Path) -> None:
    logs, away = tmp_path / "logs", tmp_path / "away"
    with _supervisor(tmp_path, [_spec("server"), _spec("other")]) as supervisor:
        supervisor.start()
        server, other = _child(supervisor, "server"), _pid(supervisor, "other")
        logs.rename(away)
        logs.touch()
        os.kill(_pid(supervisor, "server"), signal.SIGKILL)
        supervisor.watch(lambda: server.deaths >= 3)
        assert server.pid is None
        logs.unlink()
        away.rename(logs)
        supervisor.watch(lambda: server.state is ChildState.READY)
        assert _pid(supervisor, "other") == other


def test_a_child_that_died_thousands_of_times_is_still_restarted(tmp_path: Path) -> None:
    with _supervisor(tmp_path, [_spec("server")]) as supervisor:
        supervisor.start()
        _child(supervisor, "server").deaths = 5000  # two days of a full disk
        old = _pid(supervisor, "server")
        os.kill(old, signal.SIGKILL)
        supervisor.watch(lambda: _child(supervisor, "server").pid not in {old, None})
        assert runs(_pid(supervisor, "server"))


def test_a_crash_loop_at_the_start_is_an_error_with_the_last_words(tmp_path: Path) -> None:
    code = "import sys; print('the reason', file=sys.stderr); sys.exit(7)"
    sibling = _spec("sibling")
    with (
        _supervisor(tmp_path, [sibling, _spec("server", code, is_ready=lambda: False)]) as supervisor,
        pytest.raises(StartupError, match=r"server ended with exit code 7.*server\.log:\nthe reason"),
    ):
        supervisor.start()
    assert _child(supervisor, "server").deaths == 2
    assert _child(supervisor, "sibling").pid is None


def test_our_own_servers_refusal_is_a_sentence_for_the_user(tmp_path: Path) -> None:
    code = "import sys; print('noise'); print('Port 1 is taken.'); sys.exit(2)"
    with (
        _supervisor(tmp_path, [_spec("qdrant", code, is_ours=True, is_ready=lambda: False)]) as supervisor,
        pytest.raises(UsageError, match=r"^Port 1 is taken\.$"),
    ):
        supervisor.start()


def test_a_task_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    with (
        _supervisor(tmp_path, [_spec("ledger", "raise SystemExit('no')", is_task=True)]) as supervisor,
        pytest.raises(StartupError, match="ledger ended with exit code 1"),
    ):
        supervisor.start()
    assert _child(supervisor, "ledger").deaths == 1


def test_a_child_that_never_becomes_ready_is_an_error(tmp_path: Path) -> None:
    with (
        _supervisor(tmp_path, [_spec("server", is_ready=lambda: False, start_timeout_s=0.3)]) as supervisor,
        pytest.raises(StartupError, match="server was not ready after 0 s"),
    ):
        supervisor.start()


def test_a_command_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    with (
        _supervisor(tmp_path, [replace(_spec("server"), command=("/no/such/program",))]) as supervisor,
        pytest.raises(StartupError, match="server cannot be started"),
    ):
        supervisor.start()


def test_a_start_that_is_no_longer_wanted_ends_at_once(tmp_path: Path) -> None:
    with _supervisor(tmp_path, [_spec("server", is_ready=lambda: False)]) as supervisor:
        began = time.monotonic()
        assert not supervisor.start(should_stop=lambda: time.monotonic() > began + 0.3)
    assert time.monotonic() - began < 3


def test_children_stop_in_reverse_order_of_need(tmp_path: Path) -> None:
    order = tmp_path / "order"
    flags = {name: tmp_path / name for name in ("store", "server", "client")}

    def code(name: str) -> str:
        return (
            "import pathlib, time\n"
            f"pathlib.Path({str(flags[name])!r}).touch()\n"
            "try: time.sleep(600)\n"
            f"except KeyboardInterrupt: time.sleep(0.1); print({name!r}, file=open({str(order)!r}, 'a'))"
        )

    specs = [
        _spec("store", code("store"), is_ready=flags["store"].exists),
        _spec("server", code("server"), needs=("store",), is_ready=flags["server"].exists),
        _spec("client", code("client"), needs=("server",), is_ready=flags["client"].exists),
    ]
    with _supervisor(tmp_path, specs) as supervisor:
        assert supervisor.start()
    assert order.read_text().split() == ["client", "server", "store"]
    assert {child.state for child in supervisor.children} == {ChildState.STOPPED}


_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)


def test_what_ignores_the_polite_signal_is_killed_with_all_it_started(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "daemon.log"
    runaway = f"import os; os.setsid(); {_STUBBORN}"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {runaway!r}]); {_STUBBORN}"
    spec = _spec("daemon", code, is_ready=lambda: log.exists() and log.read_text().count("deaf") == 2)
    mark = Mark.new(tmp_path)
    with Supervisor([spec], mark=mark, environment=dict(os.environ), patience=_QUICK) as supervisor:
        assert supervisor.start()
        began = time.monotonic()
        assert len(started_by(mark)) == 2
    assert started_by(mark) == []
    assert time.monotonic() - began < 4


def test_kill_9_of_the_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', 'import os; os.setsid(); ' + {_SLEEP!r}])"
    script = f"""
import os, sys, time
from pathlib import Path
from rag_pipeline.embedded.child import ChildSpec
from rag_pipeline.embedded.leftovers import Mark, started_by
from rag_pipeline.embedded.supervisor import Supervisor
mark = Mark.new(Path({str(tmp_path)!r}))
specs = [ChildSpec(name=str(n), command=(sys.executable, "-c", {code!r})) for n in range(3)]
supervisor = Supervisor(specs, mark=mark, environment=dict(os.environ))
supervisor.start(); time.sleep(0.5)
print(*[one.pid for one in started_by(mark)], flush=True)
supervisor.watch(lambda: False)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        keepers = [one.pid for one in psutil.Process(owner.pid).children() if one.pid not in pids]
        assert len(pids) == 6
        assert len(keepers) == 1
        owner.kill()
    assert wait_until(lambda: not any(runs(pid) for pid in [*pids, *keepers]))


def test_an_observer_whose_terminal_is_gone_keeps_nothing_from_stopping(tmp_path: Path) -> None:
    def hang_up(_children: Sequence[Child]) -> None:
        raise BrokenPipeError

    mark = Mark.new(tmp_path)
    with Supervisor([_spec("server")], mark=mark, environment=dict(os.environ), observe=hang_up) as supervisor:
        assert supervisor.start()
        assert len(started_by(mark)) == 1
    assert started_by(mark) == []
