"""What is asked before anything starts."""

import socket
from pathlib import Path

import pytest

from rag_pipeline.embedded.preflight import WantedPort, check_disk_space, check_folders, check_ports
from rag_pipeline.errors import DiskFullError, PortInUseError, UsageError


def _listening(host: str = "127.0.0.1") -> socket.socket:
    listener = socket.create_server((host, 0))
    listener.listen()
    return listener


def test_a_port_in_use_is_named_with_what_wanted_it() -> None:
    with _listening() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"Port {port}, wanted by the Dagster UI, is in use"):
            check_ports([WantedPort("the Dagster UI", port)])
    check_ports([WantedPort("the Dagster UI", port)])


def test_a_port_taken_on_all_addresses_is_in_use_on_loopback() -> None:
    with _listening("0.0.0.0") as listener, pytest.raises(PortInUseError):  # noqa: S104  the case itself
        check_ports([WantedPort("it", listener.getsockname()[1])])


def test_a_port_whose_connections_wind_down_is_free() -> None:
    with _listening() as listener:
        address = listener.getsockname()
        client = socket.create_connection(address)
        served, _ = listener.accept()
        served.close()  # the side that closes first keeps TIME_WAIT
        client.close()
    check_ports([WantedPort("it", address[1])])


def test_two_servers_cannot_want_one_port() -> None:
    with pytest.raises(PortInUseError, match="the API and the UI both want port 8800"):
        check_ports([WantedPort("the API", 8800), WantedPort("the UI", 8800)])


def test_a_full_disk_is_a_sentence_even_for_a_folder_to_be_made(tmp_path: Path) -> None:
    check_disk_space(tmp_path / "a" / "b", min_free_bytes=1)
    with pytest.raises(DiskFullError, match=r"MB left and a start needs 1000000000 MB"):
        check_disk_space(tmp_path / "a" / "b", min_free_bytes=10**15)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("data_dir", ["uploads", "uploads/.data", "uploads/a/b"])
def test_a_data_folder_among_the_documents_is_refused(tmp_path: Path, data_dir: str) -> None:
    with pytest.raises(UsageError, match="must not lie in the uploads folder"):
        check_folders(data_dir=tmp_path / data_dir, uploads_dir=tmp_path / "uploads")


def test_the_uploads_folder_is_made_or_a_sentence(tmp_path: Path) -> None:
    check_folders(data_dir=tmp_path / "data", uploads_dir=tmp_path / "a" / "uploads")
    assert (tmp_path / "a" / "uploads").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        check_folders(data_dir=tmp_path / "data", uploads_dir=tmp_path / "file" / "uploads")
