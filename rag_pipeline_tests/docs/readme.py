"""The shell blocks of a Markdown document and what is promised of each: read here, run by the tests in `e2e`.

Right before each ```sh block stands a comment:

    <!-- run: e2e -->               the end-to-end test runs it and waits for its end; exit code 0
    <!-- run: e2e, background -->   the same, but it runs until it is stopped
    <!-- not run: REASON -->        no test runs it, for this reason
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"

_SHELLS = frozenset({"sh", "bash", "shell", "console", "zsh"})
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([A-Za-z]*)")
_MARK = re.compile(r"^<!-- (not run|run): (.+) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One shell block.

    Shapes:
        text: its lines, without the fence.
        line: number of its fence in the document, from 1.
        mark: "run", "not run", or None where no comment stands before it.
        note: what the comment says after the colon: the runner ("e2e", "e2e, background"), or the reason.
    """

    text: str
    line: int
    mark: str | None
    note: str

    @property
    def is_e2e(self) -> bool:
        """Whether the end-to-end test runs it."""
        return self.mark == "run" and self.note.split(",")[0] == "e2e"

    @property
    def is_background(self) -> bool:
        """Whether it runs until it is stopped."""
        return self.is_e2e and self.note.endswith(", background")

    @property
    def commands(self) -> list[str]:
        """Its commands one by one: continued lines joined, comments and blank lines left out."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        lines = (line.strip() for line in joined.splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    def script(self, *, bin_dir: Path) -> str:
        """Its commands for `sh -e`, with the programs of the environment in `bin_dir` for those of `.venv/bin`."""
        return "\n".join(self.commands).replace(".venv/bin/", f"{bin_dir}/")


def shell_blocks(readme: Path = README) -> list[Block]:
    """The shell blocks of `readme`, in their order."""
    lines = readme.read_text(encoding="utf-8").splitlines()
    blocks: list[Block] = []
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        end = _end_of_block(lines, number, fence=opening[1])
        if opening[2].lower() in _SHELLS:
            mark = _MARK.match(lines[number - 1].strip()) if number else None
            blocks.append(
                Block(
                    text="\n".join(lines[number + 1 : end]),
                    line=number + 1,
                    mark=mark[1] if mark else None,
                    note=mark[2] if mark else "",
                )
            )
        number = end + 1
    return blocks


def _end_of_block(lines: list[str], start: int, *, fence: str) -> int:
    for number in range(start + 1, len(lines)):
        stripped = lines[number].strip()
        if stripped.startswith(fence) and not stripped.strip(fence[0]):
            return number
    msg = f"The block that begins on line {start + 1} has no end."
    raise ValueError(msg)
