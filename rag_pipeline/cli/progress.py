"""What a person sees of servers as they run: a live table on a terminal, lines elsewhere, one line with --json."""

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rag_pipeline.cli.samples import COLLECTION_FOLDER
from rag_pipeline.embedded.child import Child, ChildState
from rag_pipeline.embedded.health import ComponentHealth
from rag_pipeline.embedded.instance import RunningInstance
from rag_pipeline.settings import project_dir

_REFRESH_S = 0.25
_STYLES = {
    ChildState.READY: "green",
    ChildState.DONE: "green",
    ChildState.STARTING: "yellow",
    ChildState.RESTARTING: "red",
    ChildState.FAILED: "red",
}


class Progress(Protocol):
    """Shows how an instance starts and runs."""

    def observe(self, children: Sequence[Child]) -> None:
        """Show `children` as they are now; called about ten times a second."""

    def ready(self, instance: RunningInstance) -> None:
        """Show where everything answers and what to do next."""


@contextmanager
def progress_for(*, as_json: bool) -> Iterator[Progress]:
    """The way of showing that suits standard output."""
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        yield _JsonLine()
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            yield _LiveTable(live)
    else:
        yield _Lines(console)


def print_health(components: Sequence[ComponentHealth]) -> None:
    """A table of `components` on standard output."""
    table = Table("component", "state", "where", box=None)
    for component in components:
        state = Text("well", style="green") if component.is_well else Text("does not answer", style="red")
        table.add_row(component.name, state, Text(component.url, overflow="fold"))
    Console(highlight=False).print(table)


class _JsonLine:
    def observe(self, children: Sequence[Child]) -> None:
        """Nothing: the log files have it."""

    def ready(self, instance: RunningInstance) -> None:
        sys.stdout.write(json.dumps(instance.as_json()) + "\n")
        sys.stdout.flush()


class _Lines:
    """One line per change of state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, tuple[ChildState, int]] = {}

    def observe(self, children: Sequence[Child]) -> None:
        for child in children:
            now = (child.state, child.deaths)
            before = self._seen.get(child.spec.name)
            self._seen[child.spec.name] = now
            if before != now and child.state is not ChildState.WAITING:
                self._console.print(f"{child.spec.name}: {_state(child)}{_detail(child)}", markup=False)

    def ready(self, instance: RunningInstance) -> None:
        self._console.print(_next_steps(instance))


class _LiveTable:
    """A table that stays in place, with the next steps below once all is ready."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._instance: RunningInstance | None = None
        self._drawn_at = 0.0
        self._drawn_states: list[ChildState] = []

    def observe(self, children: Sequence[Child]) -> None:
        now, states = time.monotonic(), [child.state for child in children]
        if states == self._drawn_states and now - self._drawn_at < _REFRESH_S:
            return
        self._drawn_at, self._drawn_states = now, states
        table = Table("component", "state", "where", "seconds", box=None)
        for child in children:
            where = child.spec.url or (f"pid {child.pid}" if child.pid else "")
            table.add_row(
                child.spec.name, Text(_state(child), style=_STYLES.get(child.state, "dim")), where, _seconds(child)
            )
        is_ending = any(state in {ChildState.STOPPING, ChildState.STOPPED} for state in states)
        below = [_next_steps(self._instance)] if self._instance and not is_ending else []
        self._live.update(Group(table, *below), refresh=True)

    def ready(self, instance: RunningInstance) -> None:
        self._instance = instance
        self._drawn_at = 0.0


def _state(child: Child) -> str:
    if child.state is ChildState.RESTARTING:
        return f"ended with exit code {child.last_exit_code}, restarting (time {child.deaths})"
    return child.state.value


def _detail(child: Child) -> str:
    if child.state.is_ready and child.took_s is not None:
        return f" after {child.took_s:.1f} s{f', {child.spec.url}' if child.spec.url else ''}"
    return f" (pid {child.pid})" if child.pid else ""


def _seconds(child: Child) -> str:
    if child.took_s is not None:
        return f"{child.took_s:.1f}"
    return f"{time.monotonic() - child.began_at:.0f}" if child.state is ChildState.STARTING else ""


def _next_steps(instance: RunningInstance) -> Text:
    has_samples = (Path(instance.uploads_dir) / COLLECTION_FOLDER).is_dir()
    example = 'samples "What does a leak allowance cover?"' if has_samples else 'COLLECTION "words"'
    # Other commands find the instance by its data folder.
    is_default = Path(instance.data_dir) == project_dir() / ".data"
    option = "" if is_default else f" --data-dir {shlex.quote(instance.data_dir)}"
    command = _command()
    return Text(
        f"\nReady.\n"
        f"Search:         {command} search {example}{option}\n"
        f"Add documents:  copy them into {instance.uploads_dir}/COLLECTION/\n"
        f"Query API:      {instance.api_url}/docs\n"
        f"Dagster UI:     {instance.dagster_url}\n"
        f"Logs:           {instance.data_dir}/logs\n"
        f"Stop:           Ctrl-C, or {command} stop{option}\n"
    )


def _command() -> str:
    """How the command can be typed where `up` was: by its name when it is on the PATH, else by its path."""
    path = Path(sys.executable).parent / "rag-pipeline"
    if shutil.which("rag-pipeline") == str(path):
        return "rag-pipeline"
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))
