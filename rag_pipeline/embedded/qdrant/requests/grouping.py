"""Groups: the best points for each value of a payload field.

First the groups are found: the query is asked for more and more points until enough values are among them. Then each
group that is not full is asked for alone, so that its hits are exact however rare its value is. Qdrant itself stops
after a few rounds and may answer with fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from rag_pipeline.embedded.qdrant.problems import RestError
from rag_pipeline.embedded.qdrant.reading import UNSIGNED_64, JsonObject, integer, known, path, required, string
from rag_pipeline.embedded.qdrant.requests.examples import Others, VectorSource
from rag_pipeline.embedded.qdrant.requests.payload_paths import values_at
from rag_pipeline.embedded.qdrant.requests.queries import DEFAULT_LIMIT
from rag_pipeline.embedded.qdrant.requests.vectors import point_id

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import ScoredPoint

GroupId = str | int
Ask = Callable[[JsonObject], Sequence["ScoredPoint"]]
"""The points for the body of a query."""

_QUERY_KEYS = ("prefetch", "query", "using", "filter", "params", "score_threshold", "lookup_from")
_DEFAULT_GROUP_SIZE = 3
_GROWTH = 4
_INT_64 = 2**63
"""A whole number from here on is a value that no condition can match."""


@dataclass(frozen=True, slots=True)
class Group:
    """A value of the field, and the points that have it, best first."""

    identity: GroupId
    hits: tuple[ScoredPoint, ...]


@dataclass(frozen=True, slots=True)
class GroupReader:
    """Finds the groups of one request.

    Shapes:
        query: the body of the query for single points, without what is to be returned of them.
        selected: what is to be returned of them, for a retrieve request.
        lookup: the collection where points are looked up by the groups' values, and what is wanted of them.
        points_count: at least as many as there are points.
    """

    query: JsonObject
    selected: JsonObject
    lookup: tuple[str, JsonObject] | None
    key: str
    group_size: int
    limit: int
    points_count: int

    @classmethod
    def of(cls, body: object, *, points_count: int) -> GroupReader:
        """For the body of `points/query/groups`."""
        given = known(body, of="a groups request")
        key = path(required(given, "group_by", of="a groups request"), of="group_by")
        group_size = integer(given.get("group_size", _DEFAULT_GROUP_SIZE), of="group_size", least=1)
        query = {name: given[name] for name in _QUERY_KEYS if name in given}
        if "prefetch" in query:
            query["prefetch"] = _widened(query["prefetch"], group_size)
        vectors = given.get("with_vector", given.get("with_vectors", False))
        return cls(
            query={**query, "with_payload": [key]},
            selected={"with_payload": given.get("with_payload", False), "with_vector": vectors},
            lookup=_lookup(given["with_lookup"]) if "with_lookup" in given else None,
            key=key,
            group_size=group_size,
            limit=integer(given.get("limit", DEFAULT_LIMIT), of="limit", least=1),
            points_count=points_count,
        )

    def groups(self, ask: Ask) -> list[Group]:
        """The groups, the one with the best point first."""
        has_key: JsonObject = {"must_not": {"is_empty": {"key": self.key}}}
        bound = max(1, self.points_count)
        asked = min(self.limit * self.group_size, bound)
        while True:
            found = ask(self._narrowed(has_key, limit=asked))
            groups = self._grouped(found)
            if len(found) < asked or asked >= bound or len(groups) >= self.limit:
                break
            asked = min(asked * _GROWTH, bound)
        groups = groups[: self.limit]
        if len(found) < asked or not self._can_ask_again():
            return groups
        return [self._filled(group, ask) for group in groups]

    def described(self, groups: Sequence[Group], *, home: VectorSource, others: Others) -> list[JsonObject]:
        """`PointGroup`s of the REST API."""
        ids = [hit.id if isinstance(hit.id, int) else str(hit.id) for group in groups for hit in group.hits]
        contents = _by_id(home, ids, self.selected)
        found: dict[str, JsonObject] = {}
        if self.lookup:
            name, selected = self.lookup
            found = _by_id(others(name), [group.identity for group in groups if _is_point_id(group.identity)], selected)
        return [_as_object(group, contents, found) for group in groups]

    def _can_ask_again(self) -> bool:
        """Whether a narrower filter leaves scores as they are: ranks of a fusion and a random sample change."""
        query = self.query.get("query")
        is_random = isinstance(query, dict) and "sample" in query
        return "prefetch" not in self.query and not is_random

    def _filled(self, group: Group, ask: Ask) -> Group:
        is_matchable = isinstance(group.identity, str) or group.identity < _INT_64
        if len(group.hits) >= self.group_size or not is_matchable:
            return group
        is_it: JsonObject = {"must": {"key": self.key, "match": {"value": group.identity}}}
        return replace(group, hits=tuple(ask(self._narrowed(is_it, limit=self.group_size))))

    def _narrowed(self, filter_: JsonObject, *, limit: int) -> JsonObject:
        given = self.query.get("filter")
        narrowed = {"must": [given, filter_]} if given is not None else filter_
        return {**self.query, "filter": narrowed, "limit": limit}

    def _grouped(self, points: Sequence[ScoredPoint]) -> list[Group]:
        hits: dict[tuple[type, GroupId], list[ScoredPoint]] = {}
        for point in points:
            values = values_at(point.payload or {}, self.key)
            # A point that has a value twice is in its group once.
            for value in dict.fromkeys(value for value in values if type(value) in (int, str)):
                identity = cast("GroupId", value)
                hits.setdefault((type(identity), identity), []).append(point)
        return [Group(identity, tuple(members[: self.group_size])) for (_, identity), members in hits.items()]


def _by_id(source: VectorSource, ids: Sequence[GroupId], selected: JsonObject) -> dict[str, JsonObject]:
    """The points with these ids, by their ids as text."""
    return {str(record["id"]): record for record in source.retrieve({"ids": ids, **selected})} if ids else {}


def _as_object(group: Group, contents: Mapping[str, JsonObject], found: Mapping[str, JsonObject]) -> JsonObject:
    hits = [
        {**contents[str(hit.id)], "version": hit.version, "score": np.float32(hit.score)}
        for hit in group.hits
        if str(hit.id) in contents
    ]
    answer: JsonObject = {"id": group.identity, "hits": hits}
    if _is_point_id(group.identity) and (looked_up := found.get(str(point_id(group.identity)))):
        answer["lookup"] = looked_up
    return answer


def _lookup(value: object) -> tuple[str, JsonObject]:
    """The collection that `with_lookup` names, and what of its points is wanted."""
    given: JsonObject = {"collection": value} if isinstance(value, str) else known(value, of="with_lookup")
    vectors = given.get("with_vectors", given.get("with_vector", False))
    selected: JsonObject = {"with_payload": given.get("with_payload", True), "with_vector": vectors}
    return string(required(given, "collection", of="with_lookup"), of="collection"), selected


def _is_point_id(identity: GroupId) -> bool:
    try:
        point_id(identity)
    except RestError:
        return False
    return True


def _widened(prefetch: object, group_size: int) -> object:
    """The stages with room for `group_size` points of each, as Qdrant widens them."""
    if isinstance(prefetch, list):
        return [_widened(stage, group_size) for stage in prefetch]
    stage = known(prefetch, of="prefetch")
    if "prefetch" in stage:
        stage["prefetch"] = _widened(stage["prefetch"], group_size)
    limit = integer(stage.get("limit", DEFAULT_LIMIT), of="limit", least=1)
    return {**stage, "limit": min(limit * group_size, UNSIGNED_64 - 1)}
