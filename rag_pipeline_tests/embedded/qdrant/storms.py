"""Storms: writes of every kind until the server is killed, over and over, against a dictionary that says what must be.

One writer sends one request after another, so when the server dies at most one is not acknowledged. After each start
everything that was acknowledged is there, and that last one whole or not at all.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, kill_while_starting

COLLECTION = "storm"
ALIAS = "storm-alias"
_OTHER = "other"
_VECTOR = "dense"
_EXTRA = "extra"
_DIMENSION = 8
_IDS = 4000
_GROUPS = 40
_PAGE = 5000
_LONGEST_ROUND_S = 2.5
_LONGEST_START_S = 0.8
_LONGEST_STOP_S = 0.3
_STOPS = 1 / 3
_SNAPSHOTS_KEPT = 2

Payload = dict[str, object]
Content = tuple[Payload, tuple[float, ...]]
Changes = dict[int, Content | None]


@dataclass(slots=True)
class Known:
    """What must be in the store.

    Shapes:
        points: id -> payload and vector.
        pending: what the request under way changes; None is a deletion.
        snapshots: name -> the points in it.
        has_extra: whether the collection has a second vector, which no point uses.
    """

    points: dict[int, Content] = field(default_factory=dict)
    pending: Changes = field(default_factory=dict)
    alias: str | None = None
    pending_alias: str | None = None
    snapshots: dict[str, dict[int, Content]] = field(default_factory=dict)
    has_extra: bool = False

    def after(self) -> dict[int, Content]:
        """The points with the request under way."""
        changed = {**self.points, **self.pending}
        return {identity: content for identity, content in changed.items() if content is not None}

    def settle(self) -> None:
        """The request under way was done."""
        self.points, self.pending = self.after(), {}
        self.alias = self.pending_alias


@dataclass(slots=True)
class Seen:
    """What a storm was.

    Shapes:
        stops: of the kills, those in the middle of a clean stop.
        starts_s: from the start of each process to its first answer.
    """

    kills: int = 0
    stops: int = 0
    requests: int = 0
    half_done: int = 0
    snapshots: int = 0
    restored: int = 0
    changed_vectors: int = 0
    indexed: int = 0
    starts_s: list[float] = field(default_factory=list)


def storm(folder: Path, *, kills: int, seed: int) -> Seen:
    """Live through `kills` rounds or some more; the state is checked after each."""
    rng, known, seen = random.Random(seed), Known(), Seen()
    for number in range(kills + 1):
        began = time.perf_counter()
        with ServerProcess(folder) as server, closing(_client(server.url)) as client:
            seen.starts_s.append(time.perf_counter() - began)
            if number == 0:
                _make_collections(client)
            _check(client, known, seen)
            if number == kills:
                assert server.stop() == 0
                break
            stopping_s = rng.uniform(0, _LONGEST_STOP_S) if rng.random() < _STOPS else None
            killer = threading.Timer(rng.uniform(0.02, _LONGEST_ROUND_S), _end, (server, stopping_s))
            killer.start()
            _write_until_it_dies(client, rng, known, seen)
            killer.join()
            seen.kills += 1
            seen.stops += stopping_s is not None
        for _ in range(rng.choice((0, 0, 1, 2))):
            kill_while_starting(folder, after_s=rng.uniform(0.1, _LONGEST_START_S))
            seen.kills += 1
    _check_folder(folder)
    return seen


def _end(server: ServerProcess, stopping_s: float | None) -> None:
    """`kill -9`, at once or that long after the server was told to stop."""
    if stopping_s is not None:
        server.process.terminate()
        time.sleep(stopping_s)
    server.kill()


def _make_collections(client: QdrantClient) -> None:
    for name in (COLLECTION, _OTHER):
        client.create_collection(
            name,
            vectors_config={_VECTOR: models.VectorParams(size=_DIMENSION, distance=models.Distance.DOT)},
            # In KB: so small that it is optimised again and again.
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1),
        )
        client.create_payload_index(name, "group", models.PayloadSchemaType.INTEGER)


def _check(client: QdrantClient, known: Known, seen: Seen) -> None:
    stored = stored_points(client)
    after = known.after()
    is_done = stored == after
    assert is_done or stored == known.points, _difference(stored, known.points, after)
    seen.half_done += bool(known.pending) and is_done
    seen.indexed += client.get_collection(COLLECTION).indexed_vectors_count or 0
    known.points, known.pending = stored, {}
    targets = {one.alias_name: one.collection_name for one in client.get_aliases().aliases}
    assert targets.get(ALIAS) in {known.alias, known.pending_alias}
    known.alias = known.pending_alias = targets.get(ALIAS)
    listed = client.list_snapshots(COLLECTION)
    assert all(description.size > 0 for description in listed)
    known.snapshots = {one.name: known.snapshots[one.name] for one in listed if one.name in known.snapshots}
    vectors = client.get_collection(COLLECTION).config.params.vectors
    known.has_extra = isinstance(vectors, dict) and _EXTRA in vectors


def stored_points(client: QdrantClient) -> dict[int, Content]:
    """Everything, by id."""
    stored: dict[int, Content] = {}
    offset = None
    while True:
        page, offset = client.scroll(COLLECTION, limit=_PAGE, offset=offset, with_vectors=True)
        for point in page:
            assert isinstance(point.id, int)
            assert isinstance(point.vector, dict)
            vector = point.vector[_VECTOR]
            assert isinstance(vector, list)
            stored[point.id] = (point.payload or {}, tuple(float(str(number)) for number in vector))
        if offset is None:
            return stored


def _difference(stored: dict[int, Content], before: dict[int, Content], after: dict[int, Content]) -> str:
    lost = [identity for identity in before.keys() & after.keys() if identity not in stored]
    risen = [identity for identity in stored if identity not in before and identity not in after]
    neither = [one for one in stored if stored[one] not in (before.get(one), after.get(one))]
    changed = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
    done = sum(stored.get(one) == after.get(one) for one in changed)
    examples = [(one, stored[one], before.get(one)) for one in neither[:3]]
    return (
        f"lost {lost[:10]}, risen {risen[:10]}, neither old nor new {len(neither)}, found and expected: {examples}; "
        f"of the request under way {done} of {len(changed)} points are done"
    )


def _write_until_it_dies(client: QdrantClient, rng: random.Random, known: Known, seen: Seen) -> None:
    kinds: list[Callable[[QdrantClient, random.Random, Known, Seen], None]] = [
        *[_upsert] * 5,
        *[_delete_ids] * 2,
        _delete_by_filter,
        *[_mark_by_filter] * 2,
        _several_at_once,
        _switch_alias,
        _snapshot,
        _restore,
        _change_vectors,
    ]
    with suppress(ResponseHandlingException):
        while True:
            rng.choice(kinds)(client, rng, known, seen)
            known.settle()
            seen.requests += 1


def _upsert(client: QdrantClient, rng: random.Random, known: Known, _: Seen) -> None:
    points = _random_points(rng)
    known.pending = dict(points)
    client.upsert(COLLECTION, _as_structs(points))


def _delete_ids(client: QdrantClient, rng: random.Random, known: Known, _: Seen) -> None:
    ids = rng.sample(range(_IDS), rng.choice((1, 30, 500)))
    known.pending = dict.fromkeys(ids)
    client.delete(COLLECTION, list(ids))


def _delete_by_filter(client: QdrantClient, rng: random.Random, known: Known, _: Seen) -> None:
    group = rng.randrange(_GROUPS)
    known.pending = dict.fromkeys(_of_group(known.points, group))
    client.delete(COLLECTION, models.FilterSelector(filter=_group_filter(group)))


def _mark_by_filter(client: QdrantClient, rng: random.Random, known: Known, _: Seen) -> None:
    group, mark = rng.randrange(_GROUPS), rng.randrange(10**6)
    known.pending = _marked(known.points, group, mark)
    client.set_payload(COLLECTION, {"mark": mark}, points=_group_filter(group))


def _several_at_once(client: QdrantClient, rng: random.Random, known: Known, _: Seen) -> None:
    """Deletes a group and gives its name to new points: done twice, it would delete those too."""
    group, points = rng.randrange(_GROUPS), _random_points(rng)
    points = {one: ({**payload, "group": group}, vector) for one, (payload, vector) in points.items()}
    known.pending = {**dict.fromkeys(_of_group(known.points, group)), **points}
    client.batch_update_points(
        COLLECTION,
        [
            models.DeleteOperation(delete=models.FilterSelector(filter=_group_filter(group))),
            models.UpsertOperation(upsert=models.PointsList(points=_as_structs(points))),
        ],
    )


def _switch_alias(client: QdrantClient, rng: random.Random, known: Known, _: Seen) -> None:
    known.pending_alias = rng.choice((COLLECTION, _OTHER))
    create = models.CreateAlias(collection_name=known.pending_alias, alias_name=ALIAS)
    client.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=ALIAS)),
            models.CreateAliasOperation(create_alias=create),
        ]
    )


def _snapshot(client: QdrantClient, _rng: random.Random, known: Known, seen: Seen) -> None:
    description = client.create_snapshot(COLLECTION)
    assert description is not None
    known.snapshots[description.name] = known.points
    seen.snapshots += 1
    for old in sorted(known.snapshots)[:-_SNAPSHOTS_KEPT]:
        client.delete_snapshot(COLLECTION, old)
        del known.snapshots[old]


def _restore(client: QdrantClient, rng: random.Random, known: Known, seen: Seen) -> None:
    if not known.snapshots:
        return
    name = rng.choice(sorted(known.snapshots))
    known.pending = {**dict.fromkeys(known.points), **known.snapshots[name]}
    client.recover_snapshot(COLLECTION, location=name)
    vectors = client.get_collection(COLLECTION).config.params.vectors
    known.has_extra = isinstance(vectors, dict) and _EXTRA in vectors
    seen.restored += 1


def _change_vectors(client: QdrantClient, rng: random.Random, known: Known, seen: Seen) -> None:
    api = client.http.collections_api
    if known.has_extra:
        api.delete_vector_name(COLLECTION, _EXTRA)
    else:
        config = models.DenseVectorConfig(size=rng.choice((2, 3)), distance=models.Distance.DOT)
        api.create_vector_name(COLLECTION, _EXTRA, vector_name_config=models.DenseVectorNameConfig(dense=config))
    known.has_extra = not known.has_extra
    seen.changed_vectors += 1


def _random_points(rng: random.Random) -> dict[int, Content]:
    """One, some, or more than the server gives the engine at once."""
    ids = rng.sample(range(_IDS), rng.choice((1, 40, 900)))
    return {
        one: (
            {"group": rng.randrange(_GROUPS), "n": rng.randrange(10**6)},
            tuple(float(rng.randrange(1000)) for _ in range(_DIMENSION)),
        )
        for one in ids
    }


def _as_structs(points: dict[int, Content]) -> list[models.PointStruct]:
    return [
        models.PointStruct(id=one, payload=payload, vector={_VECTOR: list(vector)})
        for one, (payload, vector) in points.items()
    ]


def _of_group(points: dict[int, Content], group: int) -> list[int]:
    return [one for one, (payload, _) in points.items() if payload["group"] == group]


def _marked(points: dict[int, Content], group: int, mark: int) -> Changes:
    return {one: ({**points[one][0], "mark": mark}, points[one][1]) for one in _of_group(points, group)}


def _group_filter(group: int) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key="group", match=models.MatchValue(value=group))])


def _client(url: str) -> QdrantClient:
    """A client without its version check, which may still be asking, in a thread, when the server is gone."""
    return QdrantClient(url=url, check_compatibility=False, timeout=60)


def _check_folder(folder: Path) -> None:
    """No half of anything is left: no folder aside, and one shard for each collection."""
    assert list((folder / "aside").iterdir()) == []
    for collection in (folder / "collections").iterdir():
        assert len([one for one in collection.iterdir() if one.name.startswith("shard")]) == 1
