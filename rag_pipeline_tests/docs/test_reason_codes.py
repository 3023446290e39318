"""`docs/reason-codes.md` lists exactly the reason codes."""

import re

from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import ReasonCode
from rag_pipeline_tests.docs.readme import ROOT

PAGE = (ROOT / "docs/reason-codes.md").read_text()


def test_every_reason_code_is_listed_with_its_end_and_its_advice() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| `", line)]
    assert rows == [f"| `{code.value}` | {DocumentState.ended_by(code).value} | {code.advice} |" for code in ReasonCode]


def test_the_text_names_no_code_that_does_not_exist() -> None:
    states = {state.value for state in DocumentState}
    known = {code.value for code in ReasonCode} | states | {"reason", "detail", "not_searchable", "nothing_failed"}
    assert set(re.findall(r"`([a-z_]+)`", PAGE)) <= known
