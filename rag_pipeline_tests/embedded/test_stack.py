"""What an instance is made of."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rag_pipeline.embedded.health import ask_components, without_password
from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.embedded.stack import (
    InstancePlan,
    child_environment,
    dagster_storage_url,
    prepare_dagster_home,
    server_specs,
    store_specs,
    task_specs,
)

_PROJECT = Path(__file__).parents[2]


def _plan(folder: Path) -> InstancePlan:
    return InstancePlan(
        data_dir=folder / "data",
        uploads_dir=folder / "uploads",
        ports_from=9000,
        api_host="127.0.0.1",
        api_port=9000,
        dagster_port=9001,
        qdrant_port=9002,
        code_server_port=9003,
        database_url=None,
        qdrant_url=None,
        qdrant_api_key=None,
        dagster_storage_url=None,
        dagster_yaml=_PROJECT / "dagster.yaml",
        workspace_yaml=_PROJECT / "workspace.yaml",
        environment={"HOME": "/home/me", "RAG_QDRANT__API_KEY": "of-another-qdrant", "RAG_PORTS_FROM": "1"},
    )


def test_every_need_stands_before_what_needs_it(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    stores = store_specs(plan, EmbeddedPostgres(plan.data_dir))
    seen: set[str] = set()
    for spec in [*stores, *task_specs(stores), *server_specs(plan, stores)]:
        assert set(spec.needs) <= seen, spec.name
        seen.add(spec.name)
    assert seen == {"postgres", "qdrant", "ledger", "model", "index", "code-server", "webserver", "daemon", "api"}


def test_stores_that_urls_name_are_left_alone(tmp_path: Path) -> None:
    plan = replace(_plan(tmp_path), database_url="postgresql://db/rag", qdrant_url="http://q:6333", qdrant_api_key="k")
    assert store_specs(plan, None) == []
    assert plan.store_ports() == []
    assert all(not {"postgres", "qdrant"} & set(spec.needs) for spec in [*task_specs([]), *server_specs(plan, [])])
    environment = child_environment(plan, database_url="postgresql://db/rag")
    assert environment["RAG_DATABASE__URL"] == "postgresql://db/rag"
    assert environment["RAG_QDRANT__URL"] == "http://q:6333"
    assert environment["RAG_QDRANT__API_KEY"] == "k"


def test_children_are_found_beside_this_python_never_by_path(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    for spec in [*store_specs(plan, None), *task_specs([]), *server_specs(plan, [])]:
        assert spec.command[:3] == (sys.executable, "-P", "-m"), spec.name


def test_what_children_read_wins_over_what_they_inherit(tmp_path: Path) -> None:
    environment = child_environment(_plan(tmp_path), database_url="postgresql://postgres@/rag?host=/s")
    assert environment["HOME"] == "/home/me"
    assert environment["RAG_PORTS_FROM"] == "9000"
    assert "RAG_QDRANT__API_KEY" not in environment, "the embedded Qdrant has no key"
    assert environment["RAG_DAGSTER_STORAGE_URL"] == "postgresql+psycopg2://postgres@/rag?host=/s"


def test_our_variables_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag_pipeline.settings import Settings

    plan = replace(_plan(tmp_path), api_port=9100, code_server_port=9200)
    for name, value in child_environment(plan, database_url="postgresql://postgres@/rag?host=/s").items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.data_dir, settings.uploads_dir) == (plan.data_dir, plan.uploads_dir)
    assert (settings.api_port, settings.dagster_port, settings.qdrant_port) == (9100, 9001, 9002)
    assert settings.code_server_port == 9200
    assert settings.database.url is not None
    assert settings.dagster_storage_url is not None
    assert settings.qdrant.url == "http://127.0.0.1:9002"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_dagster_gets_the_driver_it_ships(scheme: str) -> None:
    assert dagster_storage_url(f"{scheme}://u:p@h:1/d?x=y") == "postgresql+psycopg2://u:p@h:1/d?x=y"


def test_dagsters_configuration_is_written_anew(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    for _ in range(2):
        prepare_dagster_home(plan)
        target = plan.dagster_home / "dagster.yaml"
        assert target.read_bytes() == plan.dagster_yaml.read_bytes()
        target.write_text("old")


@pytest.mark.parametrize(
    ("host", "url"), [("0.0.0.0", "http://127.0.0.1:9000"), ("::1", "http://[::1]:9000"), ("a.b", "http://a.b:9000")]  # noqa: S104  the case itself
)  # fmt: skip
def test_the_apis_url_is_one_that_can_be_opened(tmp_path: Path, host: str, url: str) -> None:
    assert replace(_plan(tmp_path), api_host=host).api_url == url


def test_nothing_that_answers_is_not_well() -> None:
    components = ask_components(
        database_url="postgresql://postgres@127.0.0.1:1/rag",
        qdrant_url="http://127.0.0.1:1",
        qdrant_api_key=None,
        dagster_url="http://127.0.0.1:1",
        api_url="not a url",
    )
    assert [component.name for component in components] == ["postgres", "qdrant", "webserver", "daemon", "api"]
    assert not any(component.is_well for component in components)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me@host/db"),
        ("postgresql://me:se@cret@host/db", "postgresql://me@host/db"),
        ("postgresql://postgres@/rag?host=/s", "postgresql://postgres@/rag?host=/s"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
