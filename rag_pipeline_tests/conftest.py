"""What every test stands on: real servers once per session, a fresh database per test, and two guards.

A workbench over them, with a model that costs nothing, is `rag_pipeline_tests.workshop`.
"""

import ipaddress
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from qdrant_client import QdrantClient

from rag_pipeline.cli import hear_interrupts
from rag_pipeline.embedded.probes import libpq_url
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.ledger import schema
from rag_pipeline_tests.embedded.postgres_server import database_name, fresh_database, running_postgres, with_database
from rag_pipeline_tests.embedded.qdrant.server import running_qdrant
from rag_pipeline_tests.embedding.models import prepared_default_model
from rag_pipeline_tests.workshop import FakeModel, Workshop

_SLOW_MARKERS = ("slow", "prove")
_SLOW_FOLDERS = frozenset({"e2e", "prove"})


class FarAddressError(Exception):
    """A test tried to reach something that is not on this machine."""


def refuse_far_addresses(event: str, arguments: Sequence[object]) -> None:
    """The network guard: an audit hook, so that no library gets around it.

    Raises:
        FarAddressError: the address is not of this machine.
    """
    if event == "socket.connect" and isinstance(address := arguments[1], tuple) and not _is_near(str(address[0])):
        raise FarAddressError(f"a test may not connect to {address[0]}: it would depend on the world outside")
    if event == "socket.getaddrinfo" and not _is_near(str(arguments[0] or "localhost")):
        raise FarAddressError(f"a test may not look up {arguments[0]}: it would depend on the world outside")


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%", 1)[0]).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(refuse_far_addresses)

# A suite that a script runs in the background has SIGINT ignored, and so would every server that tests start and stop.
hear_interrupts()


def misplaced(node_ids: Sequence[str]) -> list[str]:
    """Those of the `node_ids` of slow tests that are not in a folder for slow ones."""
    return [node_id for node_id in node_ids if not _SLOW_FOLDERS & set(Path(node_id.split("::", 1)[0]).parts)]


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for those that a library gives itself, where we can do nothing."""
    # Dagster 1.13.27 looks at every attribute of a resource class, the deprecated ones of pydantic too.
    config.addinivalue_line("filterwarnings", r"ignore:The `__\w+__` attribute is deprecated.*:DeprecationWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tier guard: a slow test cannot hide in a fast folder."""
    slow = [item.nodeid for item in items if any(item.get_closest_marker(marker) for marker in _SLOW_MARKERS)]
    if wrong := misplaced(slow):
        raise pytest.UsageError(f"slow tests belong into {sorted(_SLOW_FOLDERS)}: {', '.join(wrong)}")


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running PostgreSQL."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def ledger_template(postgres_url: str) -> str:
    """The name of a database with the ledger's schema and nothing in it."""
    url = fresh_database(postgres_url)
    schema.upgrade(url)
    return database_name(url)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database with nothing in it."""
    with temporary_database(postgres_url) as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str, ledger_template: str) -> Iterator[str]:
    """An empty ledger."""
    with temporary_database(postgres_url, template=ledger_template) as url:
        yield url


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Qdrant."""
    with running_qdrant(tmp_path_factory.mktemp("qdrant") / "storage") as url:
        yield url


@pytest.fixture
def clean_qdrant_url(qdrant_url: str) -> Iterator[str]:
    """A running Qdrant without collections."""
    yield qdrant_url
    with closing(QdrantClient(url=qdrant_url, check_compatibility=False)) as client:
        for collection in client.get_collections().collections:
            client.delete_collection(collection.name)


@pytest.fixture(scope="session")
def default_model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """The default model, prepared (some ten seconds, once)."""
    return prepared_default_model(tmp_path_factory.getbasetemp() / "models")


@pytest.fixture
def workshop(database_url: str, clean_qdrant_url: str, tmp_path: Path) -> Iterator[Workshop]:
    """An empty uploads folder over an empty ledger and an empty Qdrant, with the fake model."""
    with Workshop.open(database_url, clean_qdrant_url, tmp_path, model=FakeModel()) as workshop:
        yield workshop


@contextmanager
def temporary_database(server_url: str, *, template: str | None = None) -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    url = fresh_database(server_url, template=template)
    yield url
    name = database_name(url)
    with psycopg.connect(libpq_url(with_database(url, "postgres")), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
