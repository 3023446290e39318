"""`Settings`, `.env.example` and the README's table say the same."""

import os
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from rag_pipeline.settings import Settings
from rag_pipeline_tests.docs.described import every_setting
from rag_pipeline_tests.docs.readme import README, ROOT

ENV_EXAMPLE = ROOT / ".env.example"
SETTINGS = list(every_setting())


def example_with_everything_set(folder: Path) -> Path:
    """`.env.example` with the # taken away from every setting."""
    target = folder / ".env"
    target.write_text(re.sub(r"^#(?=[A-Z])", "", ENV_EXAMPLE.read_text(), flags=re.MULTILINE))
    return target


def rows_of_the_settings_table() -> list[str]:
    section = README.read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_every_setting_has_a_meaning_in_one_line() -> None:
    assert [setting.name for setting in SETTINGS if not setting.meaning.strip() or "\n" in setting.meaning] == []


def test_the_readme_has_exactly_the_settings_with_their_defaults_and_meanings() -> None:
    assert rows_of_the_settings_table() == [setting.table_row for setting in SETTINGS]


def test_the_example_has_exactly_the_settings_with_their_defaults_and_meanings() -> None:
    blocks = ENV_EXAMPLE.read_text().rstrip("\n").split("\n\n")
    assert blocks[2:] == [setting.env_lines for setting in SETTINGS]


def test_the_example_as_it_is_sets_nothing() -> None:
    assert dotenv_values(ENV_EXAMPLE) == {}


def test_the_example_with_everything_set_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    example = example_with_everything_set(tmp_path)
    given = Settings(_env_file=example)  # pyright: ignore[reportCallIssue] - pydantic-settings takes it
    assert given.model_dump() == Settings(_env_file=None).model_dump()  # pyright: ignore[reportCallIssue] - as above


def test_what_the_example_names_besides_settings_is_for_the_compose_file(tmp_path: Path) -> None:
    names = set(dotenv_values(example_with_everything_set(tmp_path)))
    others = names - {setting.name for setting in SETTINGS}
    assert others == {"POSTGRES_PASSWORD"}
    assert all(f"${{{name}:?" in (ROOT / "docker-compose.yml").read_text() for name in others)


def test_the_example_holds_no_secret(tmp_path: Path) -> None:
    values = dotenv_values(example_with_everything_set(tmp_path))
    secret = [name for name in values if re.search(r"(PASSWORD|KEY|SECRET|URL)$", name)]
    assert len(secret) >= 4
    assert not any(values[name] for name in secret)


def test_every_name_in_the_documents_that_looks_like_a_setting_is_one() -> None:
    known = {setting.name for setting in SETTINGS} | {"RAG_TEST_QDRANT_URL"}
    documents = [README, ENV_EXAMPLE, ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        name for path in documents for name in re.findall(r"\bRAG_[A-Z0-9_]*[A-Z0-9]\b(?!__?\*)", path.read_text())
    }
    groups = {setting.name.split("__")[0] for setting in SETTINGS if "__" in setting.name}
    assert named - groups <= known
    assert len(named & known) > 20
