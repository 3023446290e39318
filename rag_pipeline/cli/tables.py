"""Tables and passages on a terminal. Names and texts are hostile: control characters never reach it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rag_pipeline.ledger.documents import DocumentRow
    from rag_pipeline.services.search import SearchAnswer

_MAX_ROWS = 20


def shown(text: str) -> str:
    """`text` on one line, with what could steer a terminal, or reorder what is read, as escapes."""
    plain = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in " ".join(text.split(" ")))
    return escape(plain)


def print_hits(answer: "SearchAnswer", *, max_chars: int) -> None:
    """The passages, best first."""
    console = Console(highlight=False)
    if not answer.hits:
        console.print(f"Nothing found in {answer.collection}.")
    for number, hit in enumerate(answer.hits, start=1):
        place = shown(hit.chunk.path) + (f", page {hit.chunk.page}" if hit.chunk.page else "")
        console.print(f"[bold]{number}. {place}[/bold]  [dim]{hit.score:.3f}[/dim]")
        text = " ".join(hit.chunk.text.split())
        console.print("   " + shown(text[:max_chars]) + (" ..." if len(text) > max_chars else ""))


def print_trouble(rows: "Sequence[DocumentRow]") -> None:
    """Documents that are not searchable, with their reason."""
    _print_not_searchable(
        [{"path": row.path, "state": row.state, "reason": row.reason, "detail": row.detail} for row in rows]
    )


def print_status(found: dict[str, Any]) -> None:
    """Collections with their documents, what is held back, and what is not searchable."""
    console = Console(highlight=False)
    running = found["running"]
    console.print(f"Running: {running['api_url']}, Dagster {running['dagster_url']}" if running else "Not running.")
    if not found["collections"]:
        console.print("No collections yet: put files into uploads/<collection>/.")
        return
    table = Table("collection", "generation", "documents", "waiting for you", box=None)
    for one in found["collections"]:
        counts = ", ".join(f"{count} {state}" for state, count in sorted(one["documents"].items())) or "none"
        held = one["held_deletions"]
        waiting = f"{held} deletions ({one['held_reason']}): confirm-deletions {one['name']}" if held else ""
        table.add_row(one["name"], str(one["generation"] or "-"), counts, shown(waiting))
    console.print(table)
    for one in found["collections"]:
        if one["not_searchable"]:
            console.print(f"\n{one['name']}: not searchable")
            _print_not_searchable(one["not_searchable"])


def _print_not_searchable(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    from rag_pipeline.errors import ReasonCode

    table = Table("document", "reason", "what to do", box=None)
    advice = {code.value: code.advice for code in ReasonCode}
    for row in rows[:_MAX_ROWS]:
        table.add_row(shown(row["path"]), row["reason"], advice.get(row["reason"]) or row["detail"])
    console = Console(highlight=False)
    console.print(table)
    if len(rows) > _MAX_ROWS:
        console.print(f"... and {len(rows) - _MAX_ROWS} more (--json lists them).")
