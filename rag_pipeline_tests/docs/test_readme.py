"""README and `docs/`: commands, links, pictures, and what is promised of each shell block."""

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from rag_pipeline.cli import app
from rag_pipeline_tests.docs.readme import README, ROOT, Block, shell_blocks

DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [(path, block) for path in DOCUMENTS for block in shell_blocks(path)]
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
each_block = pytest.mark.parametrize(
    ("path", "block"), BLOCKS, ids=[f"{path.name}:{block.line}" for path, block in BLOCKS]
)
MAX_PICTURE_BYTES = 300_000


def commands() -> dict[str, set[str]]:
    """Every command's name and its options."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for name, command in group.commands.items()
    }


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def named_commands(text: str) -> list[list[str]]:
    """The words after each `rag-pipeline` that stands in code, in a block or within a line."""
    code = re.findall(r"`([^`\n]*)`", text) + [line for block in _fenced(text) for line in block.splitlines()]
    calls = [re.search(r"(?:^|[ /])rag-pipeline +([a-z].*)$", line.split("#")[0].rstrip()) for line in code]
    return [shlex.split(call[1], posix=True) for call in calls if call]


def _fenced(text: str) -> list[str]:
    return re.findall(r"^```(?:sh|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_block
def test_every_shell_block_says_whether_it_is_run_or_why_not(path: Path, block: Block) -> None:
    assert block.mark is not None, f"no comment right before the block on line {block.line} of {path.name}"
    assert block.is_e2e or (block.mark == "not run" and len(block.note) > 10)


@each_block
def test_every_command_of_a_shell_block_exists(path: Path, block: Block) -> None:
    known = {"make": make_targets(), ".venv/bin/rag-pipeline": set(commands())}
    for command in block.commands:
        words = shlex.split(command, comments=True)
        if words[0] in known:
            assert words[1] in known[words[0]], f"{command} in {path.name}"
        else:
            assert block.mark == "not run", f"{words[0]} is none of ours: {path.name}"


@each_document
def test_every_command_and_option_named_in_a_text_exists(path: Path) -> None:
    for words in named_commands(path.read_text()):
        for name in words[0].rstrip(",").split("|"):
            assert name in commands(), f"rag-pipeline {name} in {path.name}"
            assert {word.split("=")[0] for word in words if word.startswith("--")} <= commands()[name], words


def test_a_command_that_is_shown_is_found_in_text_and_in_blocks() -> None:
    text = 'Say `rag-pipeline stop`.\n```sh\n.venv/bin/rag-pipeline search a "b c" --limit 1  # first\n```\n'
    assert named_commands(text) == [["stop"], ["search", "a", "b c", "--limit", "1"]]


def test_every_command_a_person_needs_is_in_the_readme_or_in_operating() -> None:
    text = README.read_text() + (ROOT / "docs/operating.md").read_text()
    started_by_up = {"api", "upgrade-ledger", "prepare-model"}
    assert [name for name in commands() if f"rag-pipeline {name}" not in text and name not in started_by_up] == []


def test_every_make_target_is_in_the_readme_and_none_else() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b(?= |`|$|\n)", "\n".join(_code(README.read_text()))))
    assert named == make_targets() - {"help"}


def _code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text) + _fenced(text)


@each_document
def test_every_link_leads_to_something_that_exists(path: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / unquote(file)).resolve() if file else path
        assert found.exists(), f"{target} in {path.name}"
        assert found.is_relative_to(ROOT), f"{target} in {path.name}"
        assert not anchor or anchor in anchors(found), f"{target} in {path.name}"


def test_every_folder_and_file_named_in_the_layout_exists() -> None:
    section = README.read_text().split("\n## Layout\n")[1].split("\n## ")[0]
    named = {name.rstrip("/") for name in re.findall(r"\b([a-z_]+(?:/|\.py))(?=\s)", _fenced(section)[0])}
    assert len(named) > 12
    assert [name for name in named if not (ROOT / name).exists() and not (ROOT / "rag_pipeline" / name).exists()] == []
    places = [
        place for place in re.findall(r"`([a-z_/.]+[/.][a-z_/.]*)`", section.split("| Go to |")[1]) if "*" not in place
    ]
    assert len(places) > 8
    assert [name for name in places if not (ROOT / "rag_pipeline" / name).exists() and not (ROOT / name).exists()] == []


def test_every_picture_is_used_small_and_described() -> None:
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    pictures = list((ROOT / "docs/images").iterdir())
    assert len(pictures) >= 2
    for picture in pictures:
        assert re.search(rf"!\[[^\]]{{20,}}\]\([a-z/]*{picture.name}\)", text), picture.name
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < MAX_PICTURE_BYTES


@each_document
def test_no_line_is_wider_than_a_page_outside_tables(path: Path) -> None:
    wide = [line for line in path.read_text().splitlines() if len(line) > 130 and not line.startswith(("|", "!["))]
    assert wide == []


def test_the_quick_start_is_run_from_up_to_stop() -> None:
    blocks = [block for block in shell_blocks() if block.is_e2e]
    assert blocks[0].commands == ["make up"]
    assert [block.is_background for block in blocks] == [True] + [False] * (len(blocks) - 1)
    assert blocks[-1].commands[-1].endswith("rag-pipeline stop")


def test_blocks_are_read_with_their_marks_and_joined_lines(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(
        "```text\n```sh is not one\n```\n\n<!-- run: e2e, background -->\n```sh\n# a comment\nmake \\\n  up\n```\n"
        "\n<!-- not run: it is far away -->\n\n```bash\nfirst\n```\n<!-- run: e2e -->\n~~~sh\n.venv/bin/x y\n~~~\n"
    )
    up, unmarked, other = shell_blocks(document)
    assert (up.line, up.commands, up.is_background) == (6, ["make up"], True)
    assert (unmarked.mark, unmarked.text) == (None, "first")
    assert other.script(bin_dir=Path("/there/bin")) == "/there/bin/x y"


def test_a_block_without_an_end_is_an_error(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("```sh\nmake up\n")
    with pytest.raises(ValueError, match="line 1 has no end"):
        shell_blocks(document)
