"""Real documents of the formats that are read: each is searchable or says why not, and its phrases are found."""

import pytest

from rag_pipeline_tests.e2e.corpora import find_probes, needs_corpora, probes
from rag_pipeline_tests.e2e.dagster_ui import wait_until_ended
from rag_pipeline_tests.e2e.instance import Instance

pytestmark = [pytest.mark.slow, needs_corpora]


@pytest.fixture(scope="module")
def papers(dropped: Instance) -> Instance:
    """The instance with the documents as the collection `papers`."""
    count = sum(path.is_file() for path in (dropped.uploads_dir / "papers").rglob("*"))
    wait_until_ended(dropped, "papers", count=count)
    return dropped


def test_every_document_is_searchable_or_says_why_not(papers: Instance) -> None:
    documents = papers.documents("papers")
    assert len(documents) >= 30
    assert [path for path, (state, reason) in documents.items() if (state == "indexed") == bool(reason)] == []
    probed = {path for path, _phrase in probes()}
    assert {path: documents[path] for path in probed if documents[path] != ("indexed", None)} == {}


def test_every_phrase_is_found_in_its_document_and_on_its_page(papers: Instance) -> None:
    found = find_probes(papers, "papers")
    assert found.count >= 30
    assert found.missing == []
    assert found.elsewhere == []
    assert len(found.straddling) <= found.count // 10, found.straddling
