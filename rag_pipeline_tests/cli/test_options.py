"""Options and the settings they give."""

from pathlib import Path

import pytest

from rag_pipeline.cli.options import instance_plan, settings_from
from rag_pipeline.cli.samples import copy_samples, wants_samples
from rag_pipeline.errors import UsageError
from rag_pipeline.settings import Settings, project_dir


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


def test_a_relative_option_starts_from_the_working_folder_a_default_from_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = settings_from(data_dir=Path("mine"))
    assert settings.data_dir == tmp_path / "mine"
    assert settings.uploads_dir == project_dir() / "uploads"
    assert settings.ports_from == 8800


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PORTS_FROM", "9300")
    assert settings_from().ports_from == 9300
    assert settings_from(ports_from=9400).ports_from == 9400


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_API__PORT", "secret")
    with pytest.raises(UsageError, match="RAG_API__PORT") as caught:
        settings_from()
    assert "secret" not in str(caught.value)


def test_the_plan_has_a_qdrant_key_only_with_a_qdrant_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_QDRANT__API_KEY", "k")
    assert instance_plan(settings_from(data_dir=tmp_path)).qdrant_api_key is None
    monkeypatch.setenv("RAG_QDRANT__URL", "http://q:6333/")
    plan = instance_plan(settings_from(data_dir=tmp_path))
    assert (plan.qdrant_url, plan.qdrant_api_key) == ("http://q:6333", "k")


def _default_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose default uploads folder is in `tmp_path`."""
    monkeypatch.setattr("rag_pipeline.settings.project_dir", lambda: tmp_path)
    settings = settings_from(data_dir=tmp_path / ".data")
    assert settings.uploads_dir == tmp_path / "uploads"
    return settings


def test_a_first_start_into_the_default_folder_gets_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _default_folders(tmp_path, monkeypatch)
    assert wants_samples(settings)
    settings.uploads_dir.mkdir()
    assert wants_samples(settings)
    copy_samples(settings.uploads_dir)
    copied = list((settings.uploads_dir / "samples").iterdir())
    assert {".pdf", ".md", ".html", ".txt"} == {path.suffix for path in copied}
    assert not wants_samples(settings)


def test_a_folder_that_holds_something_a_used_instance_or_a_named_folder_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _default_folders(tmp_path, monkeypatch)
    assert not wants_samples(settings_from(data_dir=tmp_path / ".data", uploads_dir=tmp_path / "uploads"))
    settings.data_dir.mkdir()
    (settings.data_dir / "instance.lock").touch()
    assert not wants_samples(settings)
    monkeypatch.setenv("RAG_UPLOADS_DIR", str(tmp_path / "uploads"))
    assert not wants_samples(settings_from(data_dir=tmp_path / "other"))
