"""`docs/api.md` describes the paths, the states and the problems that there are."""

import re

from fastapi.routing import APIRoute

from rag_pipeline import errors
from rag_pipeline.api import problems, routes_collections, routes_health, routes_search, schemas
from rag_pipeline.domain.states import DocumentState
from rag_pipeline_tests.docs.readme import ROOT

PAGE = (ROOT / "docs/api.md").read_text()
V1 = "/api/v1"


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """Names in the first cell of each table row of `text`."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]


def test_every_path_has_a_section() -> None:
    routers = [(routes_search.router, V1), (routes_collections.router, V1), (routes_health.router, "")]
    paths = {
        f"{method} {prefix}{route.path}"
        for router, prefix in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    headings = [line for line in PAGE.splitlines() if line.startswith("## ")]
    assert set(re.findall(r"`([A-Z]+ /[^`]*)`", " ".join(headings))) == paths


def test_every_field_of_a_search_is_described_with_its_limits() -> None:
    text = section("`POST /api/v1/search`")
    assert first_cells(text) == list(schemas.SearchRequest.model_fields)
    assert f"1 to {schemas.MAX_QUERY_CHARS:,} characters" in text
    assert f"1 to {schemas.MAX_HITS} |" in text


def test_the_example_of_an_answer_has_exactly_its_fields() -> None:
    example = re.search(r"```json\n(.*?)```", section("`POST /api/v1/search`"), re.DOTALL)
    assert example is not None
    answer = schemas.SearchResponse.model_validate_json(example[1])
    assert answer.model_fields_set == set(schemas.SearchResponse.model_fields)
    assert answer.hits[0].document.model_fields_set == set(schemas.HitDocument.model_fields)
    assert answer.hits[0].chunk.model_fields_set == set(schemas.HitChunk.model_fields)


def test_the_example_of_a_list_of_documents_has_exactly_its_fields() -> None:
    text = section("`GET /api/v1/collections/{name}/documents`")
    example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert example is not None
    page = schemas.DocumentPage.model_validate_json(example[1])
    assert page.documents[0].model_fields_set == set(schemas.DocumentEntry.model_fields)
    assert f"1 to {schemas.MAX_PAGE:,}" in text


def test_every_state_is_described() -> None:
    states = first_cells(section("`GET /api/v1/collections/{name}/documents`"))[3:]
    assert states == [state.value for state in DocumentState]


def test_every_field_of_a_collection_is_named() -> None:
    text = section("`GET /api/v1/collections`")
    assert [name for name in schemas.CollectionEntry.model_fields if f"`{name}`" not in text] == []


def test_every_error_with_a_status_of_its_own_is_listed_with_it() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Problems"), re.MULTILINE))
    abstract = {errors.StoreUnavailableError}
    for kind, status in problems._STATUS.items():
        if kind not in abstract:
            assert listed.get(kind.code) == str(status.value), kind
    for kind in errors.StoreUnavailableError.__subclasses__():
        assert listed.get(kind.code) == "503"


def test_every_listed_problem_is_one_of_ours_or_of_http() -> None:
    ours = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    of_http = {"invalid_request", "not_found", "method_not_allowed"}
    assert set(first_cells(section("Problems"))) <= ours | of_http
