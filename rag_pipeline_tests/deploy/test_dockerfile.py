"""deploy/Dockerfile, as far as it can be known without building it."""

import re
from fnmatch import fnmatch
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "deploy/Dockerfile").read_text()
STAGES = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]


def copied() -> list[str]:
    """Every path that is copied out of the build context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", TEXT, flags=re.MULTILINE)
    return [source.removeprefix("./") for line in lines for source in line.split()[:-1]]


def test_every_file_copied_exists() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_every_file_copied_is_sent_to_the_builder_and_nothing_else_is() -> None:
    rules = (ROOT / "deploy/Dockerfile.dockerignore").read_text().split("\n")
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert sent == set(copied())
    assert not any(fnmatch(name, rule) for rule in sent for name in (".env", ".venv", ".data", "uploads"))


def test_base_images_are_pinned_and_one_python_runs_what_it_installed() -> None:
    images = {stage.split()[0] for stage in STAGES}
    assert len(images) == 1
    assert re.fullmatch(r"python:3\.1[1-9]\.\d+-slim-[a-z]+", images.pop())


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\w+)$", STAGES[-1], flags=re.MULTILINE)
    assert users
    assert users[-1] != "root"


def test_torch_is_the_version_of_the_makefile() -> None:
    makefile = re.search(r"^TORCH_VERSION = (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    image = re.search(r"^ARG TORCH_VERSION=(\S+)$", TEXT, flags=re.MULTILINE)
    assert makefile is not None
    assert image is not None
    assert makefile[1] == image[1]


def test_packages_are_installed_only_with_pins() -> None:
    installs = re.findall(r"pip install (.+)", TEXT)
    assert len(installs) == 3
    assert all("-c constraints.txt" in arguments or "--no-deps" in arguments for arguments in installs)


def test_build_arguments_that_compose_passes_are_declared() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    passed = set(compose["services"]["api"]["build"]["args"])
    assert passed
    assert passed <= set(re.findall(r"^ARG (\w+)", TEXT, flags=re.MULTILINE))


def test_volumes_of_compose_are_mounted_on_folders_that_the_image_gives_to_its_user() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    volumes = compose["services"]["daemon"]["volumes"]
    targets = [volume["target"] if isinstance(volume, dict) else volume.split(":")[1] for volume in volumes]
    made = re.search(r"mkdir -p (.+?) \\", STAGES[-1])
    assert made is not None
    assert set(targets) == set(made[1].split())
