"""Reading a big body in slices gives what reading it whole gives, whatever the points hold."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_pipeline.embedded.qdrant import slicing
from rag_pipeline.embedded.qdrant.problems import FormatError
from rag_pipeline.embedded.qdrant.reading import parsed

TRICKY = st.sampled_from(["},{", '"},{"', "\\", '\\"},{', "]}", "[{", '"points"', "é", ""])
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), TRICKY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=8,
)
POINTS = st.lists(st.one_of(st.dictionaries(st.sampled_from(["id", "payload", "x"]), VALUES), VALUES), max_size=30)


@given(points=POINTS, more=st.dictionaries(st.sampled_from(["update_mode", "a"]), VALUES), indent=st.booleans())
@settings(deadline=None)
def test_slices_give_what_the_whole_gives(points: list[object], more: dict[str, object], indent: bool) -> None:
    option = orjson.OPT_INDENT_2 if indent else None
    body = orjson.dumps({"points": points, **more}, option=option)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(slicing, "_SLICE_BYTES", 16)
        assert parsed(body) == {"points": points, **more}
        for end in range(0, len(body) - 1, 7):
            assert slicing.read_in_slices(body[:end]) is None


@pytest.mark.parametrize("ending", [b",]}", b",", b"", b"]", b"]}}", b"],}", b'],"points":[]', b"]} x"])
def test_what_is_no_json_stays_none(ending: bytes) -> None:
    body = b'{"points":[' + b",".join([b'{"id":1}'] * 100_000) + ending
    assert slicing.read_in_slices(body) is None
    with pytest.raises(FormatError):
        parsed(body)


def test_many_points_are_read_in_many_slices() -> None:
    points = [{"id": i, "vector": [0.5] * 100, "payload": {"a": [{"b": 1}, {"b": 2}]}} for i in range(5000)]
    assert slicing.read_in_slices(orjson.dumps({"points": points})) == {"points": points}
