"""How numbers are shown in the Dagster UI: what a person wants to see of a run, a few entries per asset."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from rag_pipeline.errors import ReasonCode
from rag_pipeline.ledger.runs import Verdict
from rag_pipeline.services.report import IngestReport

Metadata = dict[str, Any]

_MAX_VERDICTS = 20


def documents_metadata(report: IngestReport) -> Metadata:
    """What became of the documents, and a table of those that are not searchable."""
    return {
        "documents_claimed": report.claimed,
        "extracted": report.extracted,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
        "postponed": report.postponed,
        "failed": report.failed,
        "skipped": sum(report.reasons.values()) - report.failed,
        "megabytes_read": round(report.bytes_read / 1e6, 2),
        "not_searchable": dg.MetadataValue.md(_not_searchable(report)),
        **_seconds(report, "documents"),
    }


def chunks_metadata(report: IngestReport) -> Metadata:
    """How many passages were cut."""
    return {"chunks": report.chunks, "tokens": report.tokens, **_seconds(report, "chunks")}


def embeddings_metadata(report: IngestReport) -> Metadata:
    """What the model was asked, and what it was not."""
    return {
        "embedded": report.embedded,
        "cached": report.cached,
        "tokens_embedded": report.embedded_tokens,
        "tokens_per_second": round(report.tokens_per_second, 1),
        **_seconds(report, "embeddings"),
    }


def qdrant_collection_metadata(report: IngestReport) -> Metadata:
    """What was written, what became visible, and where the time of the whole run went."""
    return {
        "documents_indexed": report.indexed,
        "points_upserted": report.points_upserted,
        "payloads_updated": report.payloads_updated,
        "points_deleted": report.points_deleted,
        **({} if report.revision is None else {"revision": report.revision}),
        "slices": report.slices,
        "run_duration_s": round(report.duration_s, 3),
        "where_the_time_went": dg.MetadataValue.md(_bars(report.stage_s)),
        **_seconds(report, "qdrant_collection"),
    }


def verdicts_table(verdicts: Sequence[Verdict]) -> str:
    """One row per collection with what was compared."""
    rows = "\n".join(
        f"| {verdict.collection} | {'yes' if verdict.has_passed else 'NO'} | {_facts(verdict.detail)} |"
        for verdict in verdicts[:_MAX_VERDICTS]
    )
    more = f"\n\n... and {len(verdicts) - _MAX_VERDICTS} more." if len(verdicts) > _MAX_VERDICTS else ""
    return f"| collection | true | compared |\n|---|---|---|\n{rows}{more}"


def _facts(detail: Mapping[str, Any]) -> str:
    return ", ".join(f"{_cell(name)} {value}" for name, value in detail.items() if not isinstance(value, dict))


def _seconds(report: IngestReport, stage: str) -> Metadata:
    return {"duration_s": round(report.stage_s.get(stage, 0.0), 3)}


def _not_searchable(report: IngestReport) -> str:
    if not report.reasons:
        return "All documents of this run are searchable."
    counts = "\n".join(
        f"| `{reason}` | {count} | {ReasonCode(reason).advice} |" for reason, count in report.reasons.most_common()
    )
    files = "\n".join(
        f"| {_cell(path)} | `{reason}` | {_cell(detail)} |" for path, reason, detail in report.not_searchable
    )
    total = sum(report.reasons.values())
    more = "" if total <= len(report.not_searchable) else f"\n\n... and {total - len(report.not_searchable)} more."
    return (
        f"| reason | documents | what to do |\n|---|---|---|\n{counts}\n\n"
        f"| document | reason | detail |\n|---|---|---|\n{files}{more}"
    )


def _cell(text: str) -> str:
    """`text` inside a Markdown table: file names are hostile, and a table cell is one line."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    for char in "\\&|`<>[]*_":  # & before <, which brings one of its own
        shown = shown.replace(char, f"\\{char}" if char != "<" else "&lt;")
    return shown[:200]


def _bars(stage_s: Mapping[str, float]) -> str:
    total = sum(stage_s.values()) or 1.0
    rows = "\n".join(
        f"| {stage} | {seconds:.2f} s | `{'█' * round(30 * seconds / total):<30}` {seconds / total:.0%} |"
        for stage, seconds in stage_s.items()
    )
    return f"| stage | time | share |\n|---|---|---|\n{rows}"
