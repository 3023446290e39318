"""How many of the phrases that real documents hold are found in their extracted text, per format."""

from collections import Counter
from pathlib import Path

import pytest

from rag_pipeline_tests.extraction.test_corpora import CORPORA, holds, probes

_LEAST_SHARE = 0.99


@pytest.mark.prove
@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
def test_phrases_are_found_per_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked, found = Counter[str](), Counter[str]()
    for path, phrase in probes():
        kind = Path(path).suffix
        asked[kind] += 1
        found[kind] += holds(path, phrase, tmp_path)
    with capsys.disabled():
        print()  # noqa: T201 - its figures
        for kind in sorted(asked):
            print(f"{kind:6} {found[kind]:4} of {asked[kind]:4}")  # noqa: T201
    assert asked
    assert all(found[kind] >= _LEAST_SHARE * asked[kind] for kind in asked)
