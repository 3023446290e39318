"""docker-compose.yml cannot be started where the tests run; here is everything about it that can be known without."""

import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONE_SHOT = {
    name
    for service in SERVICES.values()
    for name, wait in service.get("depends_on", {}).items()
    if wait["condition"] == "service_completed_successfully"
}
each_service = pytest.mark.parametrize("name", SERVICES)
each_of_ours = pytest.mark.parametrize("name", OURS)


def setting_names(model: type[BaseModel], prefix: str = "RAG_") -> Iterator[str]:
    """Every environment variable that `model` reads, groups joined by two underscores."""
    for name, field in model.model_fields.items():
        union = get_origin(field.annotation) in (Union, UnionType)
        kinds = get_args(field.annotation) if union else (field.annotation,)
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if groups:
            yield from setting_names(groups[0], f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def test_the_six_roles_are_there() -> None:
    assert {"postgres", "qdrant", "webserver", "daemon", "code-location", "api"} <= SERVICES.keys()


@each_service
def test_images_are_pinned_to_a_patch_release(name: str) -> None:
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)?$", SERVICES[name]["image"])


def test_qdrant_is_at_most_one_minor_away_from_the_client() -> None:
    image = re.search(r":v1\.(\d+)\.", SERVICES["qdrant"]["image"])
    pin = re.search(r"^qdrant-client==1\.(\d+)\.", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert image is not None
    assert pin is not None
    assert abs(int(image[1]) - int(pin[1])) <= 1


@each_of_ours
def test_every_setting_passed_exists_in_settings(name: str) -> None:
    from rag_pipeline.settings import Settings

    passed = {key for key in OURS[name]["environment"] if key.startswith("RAG_")}
    assert passed, "a service of ours without settings would use the embedded servers"
    assert passed <= set(setting_names(Settings))


@each_of_ours
def test_the_values_passed_are_accepted_by_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag_pipeline.settings import Settings

    for key, value in OURS[name]["environment"].items():
        monkeypatch.setenv(key, re.sub(r"\$\{\w+:\?[^}]*\}", "secret", value))
    settings = Settings()
    assert settings.database.url is not None
    assert settings.qdrant.url == "http://qdrant:6333"


@each_of_ours
def test_every_variable_that_workspace_and_dagster_yaml_read_is_passed(name: str) -> None:
    read = set()
    for file in ("dagster.yaml", "workspace.yaml"):
        read |= set(re.findall(r"\benv:\s*(\w+)", (ROOT / file).read_text()))
    assert read
    assert read <= OURS[name]["environment"].keys()


@each_of_ours
def test_every_command_exists(name: str) -> None:
    executable, *arguments = OURS[name]["command"]
    assert (Path(sys.executable).parent / executable).is_file()
    if executable == "rag-pipeline":
        from rag_pipeline.cli import app

        assert arguments[0] in getattr(get_command(app), "commands", {})


@pytest.mark.parametrize(
    ("name", "parser"),
    [
        ("code-location", "dagster._cli.api:grpc_command"),
        ("webserver", "dagster_webserver.cli:dagster_webserver"),
        ("daemon", "dagster._daemon.cli:run_command"),
    ],
)
def test_dagsters_options_are_known_to_it(name: str, parser: str) -> None:
    import importlib

    module, attribute = parser.split(":")
    command = getattr(importlib.import_module(module), attribute)
    known = {option for parameter in command.params for option in parameter.opts}
    given = {word for word in OURS[name]["command"] if word.startswith("-")}
    assert given
    assert given <= known


@each_service
def test_health_is_checked_unless_others_wait_for_its_end(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert "healthcheck" not in service
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["api", "code-location", "webserver"])
def test_health_checks_ask_the_port_that_the_command_opens(name: str) -> None:
    service = OURS[name]
    command = service["command"]
    port = command[command.index("-p") + 1] if "-p" in command else service["environment"]["RAG_API__PORT"]
    assert re.search(rf"\b{port}\b", " ".join(service["healthcheck"]["test"]))
    for published in service.get("ports", []):
        assert published.endswith(f":{port}")


@pytest.mark.parametrize(("status", "exit_code"), [("200 OK", 0), ("503 Service Unavailable", 1)])
def test_qdrants_health_check_tells_ready_from_not_ready(status: str, exit_code: int) -> None:
    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline().startswith(b"GET /readyz ")
            self.wfile.write(f"HTTP/1.0 {status}\r\n\r\n".encode())

    kind, shell, flag, script = SERVICES["qdrant"]["healthcheck"]["test"]
    assert (kind, shell, flag) == ("CMD", "bash", "-c")
    with socketserver.TCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        asked = script.replace("$$", "$").replace("/6333", f"/{server.server_address[1]}")
        result = subprocess.run(["bash", "-c", asked], timeout=10, check=False)
        server.shutdown()
    assert result.returncode == exit_code


def test_everyone_waits_for_an_existing_service_that_can_become_ready() -> None:
    for service in SERVICES.values():
        for awaited, wait in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if awaited in ONE_SHOT else "service_healthy"
            assert wait["condition"] == expected


def test_nobody_of_ours_starts_before_the_ledger_is_migrated() -> None:
    def waits_for(name: str) -> set[str]:
        direct = set(SERVICES[name].get("depends_on", {}))
        return direct.union(*(waits_for(other) for other in direct))

    assert list(ONE_SHOT) == ["migrate-ledger"]
    for name in OURS.keys() - ONE_SHOT:
        assert "migrate-ledger" in waits_for(name)


def test_secrets_come_only_from_the_environment_and_must_be_set() -> None:
    for service in SERVICES.values():
        for key, value in service["environment"].items():
            if "@" in value or re.search("PASSWORD|API_KEY|TOKEN|SECRET", key):
                assert re.search(r"\$\{[A-Z_]+:\?.+\}", value)
            for variable, marker in re.findall(r"\$\{(\w+)([^}]?[^}]?)", value):
                assert marker == ":?", f"{variable} may be empty"


@each_service
def test_ports_are_bound_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@each_of_ours
def test_one_image_for_all_of_ours_without_privileges(name: str) -> None:
    first = next(iter(OURS.values()))
    service = OURS[name]
    assert service["image"] == first["image"]
    assert service["build"] == first["build"]
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("privileged", False)


def test_the_daemon_has_all_that_a_run_needs_because_runs_are_its_children() -> None:
    code = OURS["code-location"]
    assert OURS["daemon"]["volumes"] == code["volumes"]
    assert OURS["daemon"]["environment"] == code["environment"]


def test_volumes_are_declared_and_files_mounted_exist() -> None:
    used = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            if not source.startswith("."):
                used.add(source)
            elif source != "./uploads":  # made by the user, as the first lines of the file say
                assert (ROOT / source).is_file()
    assert used == set(COMPOSE["volumes"])
