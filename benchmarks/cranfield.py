"""Cranfield through the whole system: 1,398 abstracts dropped as files, searched through the API.

    python benchmarks/cranfield.py [--corpus DIR] [--ports-from N]

Starts an instance of its own in a temporary folder and stops it. Prints nDCG@10 and recall of dense search, documents
per second, and where the time of the runs went. The corpus is looked for in ../shared/corpora/retrieval/cranfield
(BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv).
"""

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from rag_pipeline.ledger.engine import driver_url

_PROJECT = Path(__file__).resolve().parent.parent
_CORPUS = _PROJECT.parent / "shared" / "corpora" / "retrieval" / "cranfield"


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description="Cranfield through the whole system.")
    parser.add_argument("--corpus", type=Path, default=_CORPUS)
    parser.add_argument("--ports-from", type=int, default=9700)
    options = parser.parse_args()
    if not (options.corpus / "corpus.jsonl").is_file():
        sys.exit(f"There is no corpus.jsonl in {options.corpus}; name a folder in BEIR layout with --corpus.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "uploads").mkdir()
        instance = _start(folder, options.ports_from)
        try:
            figures = _measure(folder, instance, options.corpus)
        finally:
            subprocess.run([_command(), "stop", "--data-dir", str(folder / "data")], check=True)
    print(json.dumps(figures, indent=2))


def _command() -> str:
    return str(Path(sys.executable).parent / "rag-pipeline")


def _start(folder: Path, ports_from: int) -> dict[str, Any]:
    folders = ["--data-dir", str(folder / "data"), "--uploads-dir", str(folder / "uploads")]
    command = [_command(), "up", "--json", *folders, "--ports-from", str(ports_from)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        sys.exit("The instance has no output.")
    line = process.stdout.readline()
    if not line:
        sys.exit("The instance did not start.")
    return json.loads(line)


def _measure(folder: Path, instance: dict[str, Any], corpus: Path) -> dict[str, Any]:
    documents = _read_jsonl(corpus / "corpus.jsonl")
    began = time.monotonic()
    _drop(documents, folder)
    with httpx.Client(base_url=instance["api_url"], timeout=60) as client:
        states = _wait_until_done(client, len(documents))
        seconds = time.monotonic() - began
        quality = _evaluate(client, corpus)
    runs = _runs(instance["database_url"])
    stages: dict[str, float] = defaultdict(float)
    for counts in runs:
        for stage, stage_s in counts.get("stage_s", {}).items():
            stages[stage] += stage_s
    return {
        "documents": len(documents),
        "states": states,
        "runs": len(runs),
        "drop_to_all_searchable_s": round(seconds, 1),
        "documents_per_second": round(len(documents) / seconds, 1),
        "documents_per_second_in_runs": round(len(documents) / sum(counts.get("duration_s", 0) for counts in runs), 1),
        "stage_s": {stage: round(stage_s, 2) for stage, stage_s in stages.items()},
        "chunks": sum(counts.get("chunks", 0) for counts in runs),
        "tokens_per_second": round(sum(counts.get("embedded_tokens", 0) for counts in runs) / stages["embeddings"]),
        **quality,
    }


def _drop(documents: list[dict[str, Any]], folder: Path) -> None:
    """All files at once, by the rename of a folder."""
    waiting = folder / "cranfield"
    waiting.mkdir()
    for document in documents:
        (waiting / f"{document['_id']}.txt").write_text(f"{document['title']}\n\n{document['text']}")
    waiting.rename(folder / "uploads" / "cranfield")


def _wait_until_done(client: httpx.Client, count: int) -> dict[str, int]:
    while True:
        found = client.get("/api/v1/collections").json()["collections"]
        states = {state: number for one in found for state, number in one["documents"].items() if number}
        if sum(states.get(state, 0) for state in ("indexed", "skipped", "failed")) == count:
            return states
        time.sleep(0.5)


def _evaluate(client: httpx.Client, corpus: Path) -> dict[str, Any]:
    with (corpus / "qrels.tsv").open() as file:
        relevant: dict[str, set[str]] = defaultdict(set)
        for row in csv.DictReader(file, delimiter="\t"):
            if float(row["score"]) > 0:
                relevant[row["query-id"]].add(row["corpus-id"])
    gains, recalls, latencies_ms = [], [], []
    for query in _read_jsonl(corpus / "queries.jsonl"):
        wanted = relevant.get(query["_id"])
        if not wanted:
            continue
        began = time.monotonic()
        answer = client.post(
            "/api/v1/search", json={"collection": "cranfield", "query": query["text"], "limit": 100}
        ).json()
        latencies_ms.append((time.monotonic() - began) * 1000)
        ranked = list(dict.fromkeys(Path(hit["document"]["path"]).stem for hit in answer["hits"]))
        gains.append(_ndcg(ranked, wanted))
        recalls.append(len(wanted.intersection(ranked)) / len(wanted))
    latencies_ms.sort()
    return {
        "queries": len(gains),
        "ndcg_at_10": round(sum(gains) / len(gains), 4),
        "recall_of_100_passages": round(sum(recalls) / len(recalls), 4),
        "search_p50_ms": round(latencies_ms[len(latencies_ms) // 2], 1),
        "search_p95_ms": round(latencies_ms[int(len(latencies_ms) * 0.95)], 1),
    }


def _ndcg(ranked: list[str], wanted: set[str], *, at: int = 10) -> float:
    gain = sum(1 / math.log2(rank + 2) for rank, document in enumerate(ranked[:at]) if document in wanted)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(at, len(wanted))))


def _runs(database_url: str) -> list[dict[str, Any]]:
    engine = sa.create_engine(driver_url(database_url))
    with engine.connect() as connection:
        counts = connection.scalars(sa.text("select counts from rag.runs where finished_at is not null"))
        return [row for row in counts if row.get("claimed")]


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    with path.open() as file:
        return [json.loads(line) for line in file]


if __name__ == "__main__":
    main()
