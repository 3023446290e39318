"""What makes an instance: its processes, their command lines, what each needs and how it shows that it is ready.

    postgres ─> ledger ─┬─> code-server ─┬─> webserver
    qdrant ─────────────┤                └─> daemon (and model)
    model ──────────────┴─> api

The two stores are left out when a URL names others. `supervisor` runs the list; `up` says for how long.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rag_pipeline.embedded.child import ChildSpec
from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.embedded.preflight import WantedPort
from rag_pipeline.embedded.probes import answers_http, answers_tcp, daemon_beats, libpq_url

LOOPBACK = "127.0.0.1"
_PYTHON = (sys.executable, "-P", "-m")  # -P: a file in the working folder never takes a module's place
_CLI = (*_PYTHON, "rag_pipeline.cli")
_FIRST_EXPORT_TIMEOUT_S = 1800.0
_DAEMON_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """Everything that decides what an instance is.

    Shapes:
        data_dir, uploads_dir: absolute.
        database_url: an SQLAlchemy URL; None: the embedded PostgreSQL.
        qdrant_url: None: the embedded Qdrant.
        dagster_storage_url: None: the ledger's database (the ledger has a schema of its own there).
        dagster_yaml, workspace_yaml: Dagster's configuration.
        environment: what children inherit, before our own variables.
    """

    data_dir: Path
    uploads_dir: Path
    ports_from: int
    api_host: str
    api_port: int
    dagster_port: int
    qdrant_port: int
    code_server_port: int
    database_url: str | None
    qdrant_url: str | None
    qdrant_api_key: str | None
    dagster_storage_url: str | None
    dagster_yaml: Path
    workspace_yaml: Path
    environment: Mapping[str, str]

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps its instance's files."""
        return self.data_dir / "dagster"

    @property
    def api_url(self) -> str:
        """Where the query API answers on this machine."""
        host = LOOPBACK if self.api_host in {"0.0.0.0", "::"} else self.api_host  # noqa: S104  compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"

    @property
    def dagster_url(self) -> str:
        """Where the Dagster UI answers."""
        return f"http://{LOOPBACK}:{self.dagster_port}"

    @property
    def used_qdrant_url(self) -> str:
        """The Qdrant that is used, embedded or not."""
        return self.qdrant_url or f"http://{LOOPBACK}:{self.qdrant_port}"

    def store_ports(self) -> list[WantedPort]:
        """Ports the embedded stores will listen on."""
        return [] if self.qdrant_url else [WantedPort("the embedded Qdrant", self.qdrant_port)]

    def all_ports(self) -> list[WantedPort]:
        """Ports the whole instance will listen on."""
        return [
            WantedPort("the query API", self.api_port, self.api_host),
            WantedPort("the Dagster UI", self.dagster_port),
            WantedPort("Dagster's code server", self.code_server_port),
            *self.store_ports(),
        ]


def store_specs(plan: InstancePlan, postgres: EmbeddedPostgres | None) -> list[ChildSpec]:
    """The embedded stores that `plan` uses; `postgres` is None when a URL names another."""
    specs = [postgres.spec()] if postgres else []
    if plan.qdrant_url is None:
        specs.append(_qdrant(plan))
    return specs


def task_specs(stores: list[ChildSpec]) -> list[ChildSpec]:
    """What is done once per start: the ledger's schema, the model, a look whether the settings fit the index.

    The model is exported the first time, beside all else. Children rather than calls: an export leaves 500 MB of torch
    behind, and a thread cannot be stopped by Ctrl-C.
    """
    needs = tuple(spec.name for spec in stores if spec.name == "postgres")
    return [
        ChildSpec(name="ledger", command=(*_CLI, "upgrade-ledger"), needs=needs, is_task=True, is_ours=True),
        ChildSpec(
            name="model",
            command=(*_CLI, "prepare-model"),
            is_task=True,
            is_ours=True,
            start_timeout_s=_FIRST_EXPORT_TIMEOUT_S,
        ),
        ChildSpec(name="index", command=(*_CLI, "check-index"), needs=("ledger", "model"), is_task=True, is_ours=True),
    ]


def server_specs(plan: InstancePlan, stores: list[ChildSpec]) -> list[ChildSpec]:
    """Dagster's three processes and the query API."""
    store_names = tuple(spec.name for spec in stores)
    return [_code_server(plan, store_names), *_dagster(plan), _api(plan, store_names)]


def child_environment(plan: InstancePlan, *, database_url: str) -> dict[str, str]:
    """All that children of the instance read about it."""
    ours = {
        "RAG_DATA_DIR": str(plan.data_dir),
        "RAG_UPLOADS_DIR": str(plan.uploads_dir),
        "RAG_PORTS_FROM": str(plan.ports_from),
        "RAG_API__HOST": plan.api_host,
        "RAG_API__PORT": str(plan.api_port),
        "RAG_CODE_SERVER__HOST": LOOPBACK,
        "RAG_CODE_SERVER__PORT": str(plan.code_server_port),
        "RAG_DATABASE__URL": database_url,
        "RAG_QDRANT__URL": plan.used_qdrant_url,
        "RAG_DAGSTER_STORAGE_URL": plan.dagster_storage_url or dagster_storage_url(database_url),
        "DAGSTER_HOME": str(plan.dagster_home),
        "PYTHONUNBUFFERED": "1",  # or the last words of a crash stay in a buffer
    }
    inherited = {name: value for name, value in plan.environment.items() if name != "RAG_QDRANT__API_KEY"}
    if plan.qdrant_api_key:
        ours["RAG_QDRANT__API_KEY"] = plan.qdrant_api_key
    return {**inherited, **ours}


def dagster_storage_url(database_url: str) -> str:
    """`database_url` with the driver that dagster-postgres ships, psycopg2."""
    return "postgresql+psycopg2" + libpq_url(database_url)[libpq_url(database_url).index("://") :]


def prepare_dagster_home(plan: InstancePlan) -> None:
    """DAGSTER_HOME holds the current `dagster.yaml`; written anew at each start, so that an update takes effect."""
    plan.dagster_home.mkdir(parents=True, exist_ok=True)
    target = plan.dagster_home / "dagster.yaml"
    draft = target.with_suffix(".new")
    draft.write_bytes(plan.dagster_yaml.read_bytes())
    draft.replace(target)


def _qdrant(plan: InstancePlan) -> ChildSpec:
    url = f"http://{LOOPBACK}:{plan.qdrant_port}"
    return ChildSpec(
        name="qdrant",
        command=(
            *_PYTHON,
            "rag_pipeline.embedded.qdrant",
            *("--data-dir", str(plan.data_dir / "qdrant")),
            *("--host", LOOPBACK),
            *("--port", str(plan.qdrant_port)),
        ),
        is_ready=lambda: answers_http(f"{url}/readyz"),
        is_ours=True,
        url=url,
    )


def _code_server(plan: InstancePlan, stores: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        name="code-server",
        # Not `dagster code-server start`: its inner process does not come back when killed (measured, Dagster 1.13).
        command=(
            *(*_PYTHON, "dagster", "api", "grpc"),
            *("--module-name", "rag_pipeline.definitions"),
            *("--host", LOOPBACK),
            *("--port", str(plan.code_server_port)),
            "--empty-working-directory",
            # Runs are then started with this Python, not with whatever `dagster` PATH finds.
            "--use-python-environment-entry-point",
        ),
        needs=(*stores, "ledger"),
        is_ready=lambda: answers_tcp(LOOPBACK, plan.code_server_port),
    )


def _dagster(plan: InstancePlan) -> list[ChildSpec]:
    url = plan.dagster_url
    workspace = str(plan.workspace_yaml)
    planned_at = time.time()
    return [
        ChildSpec(
            name="webserver",
            command=(
                *(*_PYTHON, "dagster_webserver"),
                *("--host", LOOPBACK),
                *("--port", str(plan.dagster_port)),
                *("--workspace", workspace),
            ),
            needs=("code-server",),
            is_ready=lambda: answers_http(f"{url}/server_info"),
            url=url,
        ),
        ChildSpec(
            name="daemon",
            command=(*_PYTHON, "dagster._daemon", "run", "--workspace", workspace),
            # The model, because a run may start at once; the webserver is only asked for the daemon's heartbeat.
            needs=("code-server", "model"),
            is_ready=lambda: daemon_beats(url, since=planned_at),
            start_timeout_s=_DAEMON_TIMEOUT_S,
        ),
    ]


def _api(plan: InstancePlan, stores: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        name="api",
        command=(*_CLI, "api"),
        needs=(*stores, "ledger", "model"),
        is_ready=lambda: answers_http(f"{plan.api_url}/health/ready"),
        is_ours=True,
        url=plan.api_url,
    )
