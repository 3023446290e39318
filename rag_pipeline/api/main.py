"""What uvicorn runs: the API over the settings of this process."""

from rag_pipeline.api.app import build_app
from rag_pipeline.composition import build_workbench
from rag_pipeline.settings import Settings

_settings = Settings()
_deadline_s = _settings.api.search_deadline_s
app = build_app(
    build_workbench(_settings, pool_size=20, statement_timeout_s=_deadline_s), search_deadline_s=_deadline_s
)
