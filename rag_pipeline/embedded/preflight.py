"""Whether a start can work at all, asked before anything starts: disk space, ports, folders."""

import errno
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_pipeline.errors import DiskFullError, PortInUseError, UsageError

MIN_FREE_BYTES = 500 * 1024 * 1024
"""A first start writes about 40 MB for PostgreSQL and 90 MB for the exported model; the rest is room for documents."""


@dataclass(frozen=True, slots=True)
class WantedPort:
    """A port and what will listen there."""

    purpose: str
    port: int
    host: str = "127.0.0.1"


def check_disk_space(data_dir: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
    """Nothing, when the disk of `data_dir` (which need not exist yet) has `min_free_bytes` left.

    Raises:
        DiskFullError: it has less.
    """
    existing = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < min_free_bytes:
        raise DiskFullError(
            f"The disk of {data_dir} has {free_bytes // 1_000_000} MB left and a start needs "
            f"{min_free_bytes // 1_000_000} MB; free some, or choose another disk by --data-dir."
        )


def check_ports(wanted: Sequence[WantedPort]) -> None:
    """Nothing, when every port can be listened on.

    Raises:
        PortInUseError: one is taken, or two of `wanted` want the same.
        UsageError: this user or machine cannot listen there at all.
    """
    purposes: dict[int, str] = {}
    for one in wanted:
        if one.port in purposes:
            raise PortInUseError(f"{purposes[one.port]} and {one.purpose} both want port {one.port}; change one.")
        purposes[one.port] = one.purpose
        _check_port(one)


def check_folders(*, data_dir: Path, uploads_dir: Path) -> None:
    """Nothing, when the two folders do not mix and the uploads folder exists afterwards.

    Raises:
        UsageError: the data folder lies in the uploads folder, or the latter cannot be made.
    """
    if data_dir == uploads_dir or uploads_dir in data_dir.parents:
        raise UsageError(
            f"The data folder {data_dir} must not lie in the uploads folder {uploads_dir}: "
            "its files would be taken for documents. Choose other folders by --data-dir and --uploads-dir."
        )
    try:
        uploads_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The uploads folder {uploads_dir} cannot be made ({error.strerror}); choose another by --uploads-dir."
        ) from error


def _check_port(wanted: WantedPort) -> None:
    try:
        family, _, _, _, address = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            # As servers do: a port whose connections are still winding down (TIME_WAIT) is free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {wanted.port}, wanted by {wanted.purpose}, is in use; "
                "stop what listens there, or count all ports from another number by --ports-from."
            ) from error
        raise UsageError(
            f"Nothing can listen on {wanted.host}:{wanted.port}, wanted by {wanted.purpose} ({error.strerror}); "
            "choose another address, or other ports by --ports-from."
        ) from error
