"""constraints.txt pins exactly what the project pulls in; docs/decisions/0003 says why each direct part is there."""

import re
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().split("\n") if line and not line.startswith("#")
)
# Parts of a CUDA or ROCm build of torch: they come with the build the user chose.
TORCH_BUILD = re.compile(r"torch|triton|pytorch-triton|nvidia-|cuda-")


def pulled_in() -> set[str]:
    """Every package that the direct dependencies need here, by way of the installed metadata."""
    found: dict[str, set[str]] = {}
    waiting = list(DIRECT)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = ({""} | requirement.extras) - found.setdefault(name, set())
        found[name] |= extras
        for line in (distribution(name).requires or []) if extras else []:
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name for name in found if not TORCH_BUILD.match(name)}


def test_everything_pulled_in_has_an_exact_pin() -> None:
    assert sorted(pulled_in() - PINS.keys()) == []
    assert all(re.fullmatch(r"[0-9][0-9A-Za-z.]*", pin) for pin in PINS.values())


def test_nothing_else_is_pinned() -> None:
    assert sorted(PINS.keys() - pulled_in()) == []


def test_the_installed_versions_are_the_pinned_ones() -> None:
    assert {name: version(name) for name in PINS} == PINS


def test_the_pins_name_no_machine() -> None:
    assert not re.search(r"file:|https?:|/home|/root|@ ", (ROOT / "constraints.txt").read_text())


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_every_direct_dependency_is_justified(requirement: Requirement) -> None:
    decision = (ROOT / "docs/decisions/0003-dependencies.md").read_text()
    assert f"| {requirement.name} |" in decision
