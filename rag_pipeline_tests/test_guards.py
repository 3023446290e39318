"""The guards of conftest hold."""

import socket

import pytest

from rag_pipeline_tests.conftest import FarAddressError, misplaced


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_a_test_cannot_reach_another_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(FarAddressError, match=address[0]):
        connection.connect(address)


def test_a_test_cannot_look_up_a_name_outside() -> None:
    with pytest.raises(FarAddressError, match=r"example\.com"):
        socket.getaddrinfo("example.com", 80)


def test_a_test_can_reach_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_slow_tests_belong_into_their_folders() -> None:
    allowed = ["rag_pipeline_tests/e2e/test_up.py::test_a", "rag_pipeline_tests/prove/test_b.py::test_b[x]"]
    assert misplaced([*allowed, "rag_pipeline_tests/services/test_c.py::test_e2e"]) == [
        "rag_pipeline_tests/services/test_c.py::test_e2e"
    ]
