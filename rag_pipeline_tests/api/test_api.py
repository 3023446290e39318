"""The query API over real stores: what it answers, and that every error is a problem."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from rag_pipeline.api.app import build_app
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.services.workbench import Model
from rag_pipeline.vectors.client import connect
from rag_pipeline_tests.conftest import temporary_database
from rag_pipeline_tests.embedded.qdrant.server import running_qdrant
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page
from rag_pipeline_tests.workshop import FakeModel, Workshop

SECRET_URL = "postgresql://user-name:secret-word@127.0.0.1:9/ledger-name"


def put_papers(workshop: Workshop) -> None:
    workshop.put("papers/b.pdf", pdf([text_page("first page"), text_page("a needle here")]))
    workshop.put("papers/a.md", "# A title\n\nmarkdown words")
    workshop.put("papers/c.pdf", b"%PDF-1.7\nbroken")
    workshop.catch_up()


@pytest.fixture(scope="module")
def papers(postgres_url: str, ledger_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Three documents, one of them broken, in stores that the whole module only reads."""
    folder = tmp_path_factory.mktemp("papers")
    with (
        temporary_database(postgres_url, template=ledger_template) as database_url,
        running_qdrant(folder / "storage") as qdrant_url,
        Workshop.open(database_url, qdrant_url, folder, model=FakeModel()) as workshop,
    ):
        put_papers(workshop)
        yield workshop


@pytest.fixture(scope="module")
def api(papers: Workshop) -> Iterator[TestClient]:
    with TestClient(build_app(papers.bench)) as client:
        yield client


def ask(api: TestClient, **fields: Any) -> Response:  # noqa: ANN401 - JSON
    return api.post("/api/v1/search", json={"collection": "papers", "query": "a needle here", **fields})


def is_problem(response: Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "code", "detail"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    return problem


def test_a_search_answers_passages_with_document_page_and_span(api: TestClient) -> None:
    response = ask(api, mode="dense", limit=2)
    answer = response.json()

    assert response.status_code == 200
    assert response.headers["X-API-Version"] == "v1"
    assert set(answer) == {"hits", "collection", "generation", "degraded", "took_ms"}
    assert (answer["collection"], answer["generation"], answer["degraded"]) == ("papers", 1, False)
    assert answer["took_ms"] > 0
    assert len(answer["hits"]) == 2
    hit = answer["hits"][0]
    assert set(hit) == {"score", "text", "document", "chunk"}
    assert hit["score"] == pytest.approx(1, abs=1e-4)
    assert UUID(hit["document"].pop("id"))
    assert UUID(hit["chunk"].pop("id"))
    assert hit["document"] == {"path": "b.pdf", "title": None, "media_type": "application/pdf"}
    assert hit["chunk"] == {"page": 2, "start": 0, "end": 13}
    assert hit["text"] == "a needle here"


@pytest.mark.parametrize("limit", [1, 100])
def test_limits_from_1_to_100_are_taken(api: TestClient, limit: int) -> None:
    assert len(ask(api, limit=limit).json()["hits"]) == min(limit, 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"query": " \n "},
        {"query": ""},
        {"query": "x" * 10_001},
        {"query": None},
        {"collection": 7},
        {"mode": "magic"},
        {"surprise": 1},
    ],
)
def test_what_makes_no_sense_is_refused(api: TestClient, fields: dict[str, Any]) -> None:
    problem = is_problem(ask(api, **fields), 422, "invalid_request")
    assert next(iter(fields)) in problem["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null"])
def test_a_body_that_is_no_search_is_refused(api: TestClient, body: bytes) -> None:
    response = api.post("/api/v1/search", content=body, headers={"content-type": "application/json"})

    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["nowhere", "No Key", "nul\0", ""])
def test_an_unknown_collection_is_not_found(api: TestClient, name: str) -> None:
    body = '{"collection": ' + _json(name) + ', "query": "words"}'
    response = api.post("/api/v1/search", content=body, headers={"content-type": "application/json"})

    is_problem(response, 404, "collection_not_found")


def _json(text: str) -> str:
    return '"' + "".join(f"\\u{ord(char):04x}" for char in text) + '"'


@pytest.mark.parametrize("name", ["nowhere", "a%00b", "%FF", "..%2f"])
def test_documents_of_an_unknown_collection_are_not_found(api: TestClient, name: str) -> None:
    response = api.get(f"/api/v1/collections/{name}/documents")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["nul \0 byte", "\U0001f468\u200d\U0001f469", "x " * 4_999])
def test_any_words_can_be_searched_for(api: TestClient, query: str) -> None:
    response = ask(api, query=query)

    assert response.status_code == 200
    assert len(response.json()["hits"]) == 3


@pytest.mark.parametrize("field", ["query", "collection"])
def test_half_a_character_is_refused(api: TestClient, field: str) -> None:
    body = '{"collection": "papers", "query": "words", "FIELD": "\\ud800"}'.replace("FIELD", field)
    response = api.post("/api/v1/search", content=body, headers={"content-type": "application/json"})

    is_problem(response, 422, "invalid_request")


def test_collections_are_listed_with_their_states(api: TestClient) -> None:
    [entry] = api.get("/api/v1/collections").json()["collections"]

    assert entry == {
        "name": "papers",
        "title": "papers",
        "generation": 1,
        "revision": 1,
        "documents": {"indexed": 2, "failed": 1},
        "held_deletions": 0,
        "held_reason": None,
    }


def test_documents_are_paged_in_a_stable_order_with_a_total(api: TestClient) -> None:
    pages = [api.get(f"/api/v1/collections/papers/documents?limit=1&offset={n}").json() for n in range(4)]

    assert [[entry["path"] for entry in page["documents"]] for page in pages] == [["a.md"], ["b.pdf"], ["c.pdf"], []]
    assert {page["total"] for page in pages} == {3}
    failed = pages[2]["documents"][0]
    assert (failed["state"], failed["reason"]) == ("failed", "corrupt")
    first = pages[0]["documents"][0]
    assert (first["state"], first["reason"], first["title"]) == ("indexed", None, "A title")
    assert first["media_type"] == "text/markdown"
    assert {"id", "path", "state", "reason"} <= set(first)


def test_documents_can_be_asked_for_by_state(api: TestClient) -> None:
    answer = api.get("/api/v1/collections/papers/documents?state=failed").json()

    assert ([entry["path"] for entry in answer["documents"]], answer["total"]) == (["c.pdf"], 1)


def test_deleted_documents_are_listed_only_when_asked_for(workshop: Workshop) -> None:
    put_papers(workshop)
    workshop.path("papers/a.md").unlink()
    workshop.catch_up()
    with TestClient(build_app(workshop.bench)) as api:
        alive = api.get("/api/v1/collections/papers/documents").json()
        deleted = api.get("/api/v1/collections/papers/documents?state=deleted").json()

    assert ([entry["path"] for entry in alive["documents"]], alive["total"]) == (["b.pdf", "c.pdf"], 2)
    assert ([entry["path"] for entry in deleted["documents"]], deleted["total"]) == (["a.md"], 1)


def test_a_page_has_at_most_1000_documents(api: TestClient) -> None:
    assert api.get("/api/v1/collections/papers/documents?limit=1000").status_code == 200
    for query in ("limit=1001", "limit=0", "offset=-1", "state=lost", f"offset={2**63}"):
        is_problem(api.get(f"/api/v1/collections/papers/documents?{query}"), 422, "invalid_request")


def test_a_path_that_does_not_exist_is_a_problem_too(api: TestClient) -> None:
    is_problem(api.get("/api/v1/nothing"), 404, "not_found")
    is_problem(api.get("/api/v1/search"), 405, "method_not_allowed")


def test_health_says_that_all_is_well(api: TestClient) -> None:
    assert api.get("/health/live").json() == {"status": "ok"}
    assert api.get("/health/ready").json() == {"status": "ok"}


def test_openapi_lists_every_path(api: TestClient) -> None:
    assert set(api.get("/openapi.json").json()["paths"]) == {
        "/api/v1/search",
        "/api/v1/collections",
        "/api/v1/collections/{name}/documents",
        "/health/live",
        "/health/ready",
    }
    assert api.get("/docs").status_code == 200


def test_the_page_to_try_the_api_on_asks_nobody_else(api: TestClient) -> None:
    page = api.get("/docs").text
    parts = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    answers = {part: api.get(part) for part in parts if part.startswith("/") and not part.startswith("//")}

    assert sorted(answers) == sorted(parts)
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {part.rsplit(".", 1)[-1] for part in parts} == {"js", "css", "png"}
    assert "://" not in page
    assert "/openapi.json" in page


def test_without_qdrant_a_search_is_refused_and_says_when_to_come_back(papers: Workshop) -> None:
    bench = replace(papers.bench, qdrant=connect("http://127.0.0.1:9"), ledger=Ledger(papers.database_url))
    with TestClient(build_app(bench)) as api:
        problem = is_problem(ask(api), 503, "vector_store_unavailable")
        assert ask(api).headers["Retry-After"].isdigit()
        is_problem(api.get("/health/ready"), 503, "vector_store_unavailable")
        assert api.get("/health/live").status_code == 200
        assert api.get("/api/v1/collections").status_code == 200
    assert "127.0.0.1" not in problem["detail"]


def test_without_the_ledger_nothing_leaks(papers: Workshop) -> None:
    bench = replace(papers.bench, ledger=Ledger(SECRET_URL), qdrant=connect(papers.qdrant_url))
    with TestClient(build_app(bench)) as api:
        answers = [ask(api), api.get("/api/v1/collections"), api.get("/api/v1/collections/papers/documents")]
        answers.append(api.get("/health/ready"))
    for answer in answers:
        is_problem(answer, 503, "ledger_unavailable")
        assert answer.headers["Retry-After"]
        for secret in ("secret-word", "user-name", "ledger-name", "127.0.0.1", "postgresql://"):
            assert secret not in answer.text


def test_a_bug_is_a_problem_without_details(papers: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object, text: str) -> None:
        raise ZeroDivisionError(SECRET_URL + text)

    monkeypatch.setattr(type(papers.embedder), "embed_query", broken)
    bench = replace(papers.bench, ledger=Ledger(papers.database_url), qdrant=connect(papers.qdrant_url))
    with TestClient(build_app(bench), raise_server_exceptions=False) as api:
        problem = is_problem(ask(api), 500, "internal_error")
    assert "secret" not in problem["detail"]


def test_the_real_model_finds_by_meaning(workshop: Workshop, default_model: LocalModel) -> None:
    workshop.bench = replace(workshop.bench, model=Model(lambda: default_model, runtime="onnx", threads=1))
    workshop.put("papers/tides.txt", "The moon pulls the water of the oceans towards itself twice a day.")
    workshop.put("papers/bread.txt", "Knead the dough, let it rise for an hour, and bake it in a hot oven.")
    report = workshop.catch_up()
    with TestClient(build_app(workshop.bench)) as api:
        tides, bread = ask(api, query="why does the sea rise and fall?").json(), ask(api, query="cooking recipe").json()

    assert report.embedded == 2
    assert tides["hits"][0]["document"]["path"] == "tides.txt"
    assert bread["hits"][0]["document"]["path"] == "bread.txt"
    assert tides["hits"][0]["score"] > tides["hits"][1]["score"] + 0.1
