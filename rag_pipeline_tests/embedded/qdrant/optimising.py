"""A collection that is soon due for optimisation, a writer that keeps a model of it, and what is seen on the disk."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx

DIMENSION = 32
BATCH = 400
DUE = {"indexing_threshold": 16, "vacuum_min_vector_number": 100}
"""128 vectors; ten times as many are optimised without waiting for the writer to pause."""

NAME = "c"
PATIENCE_S = 60.0

Found = TypeVar("Found")
Stored = dict[int, tuple[dict[str, object], list[float]]]


def make(http: httpx.Client) -> None:
    """The collection; dot product, so that vectors come back as they were sent."""
    vectors = {"size": DIMENSION, "distance": "Dot"}
    _done(http.put(f"/collections/{NAME}", json={"vectors": vectors, "optimizers_config": DUE}))


class Writer:
    """Writes of every kind; `model` is what the acknowledged ones amount to."""

    def __init__(self, http: httpx.Client, *, seed: int = 0) -> None:
        self._http = http
        self._random = random.Random(seed)
        self._next_id = 0
        self.model: Stored = {}
        self.pending: Stored | None = None
        """The model with the write that was sent and not acknowledged yet."""

    def resume(self, model: Stored) -> None:
        """What another writer left."""
        self.model, self._next_id = model, max(model, default=-1) + 1

    def load(self, points: int) -> None:
        """So many new points, in upserts of BATCH."""
        for _ in range(0, points, BATCH):
            self._write(self._upsert(BATCH))

    def write_one_upsert(self) -> None:
        """A few new points: too few for anything to be due."""
        self._write(self._upsert())

    def write(self) -> None:
        """One write of any kind."""
        kinds = (self._upsert, self._overwrite, self._delete, self._delete_by_filter, self._set_payload)
        more = (self._set_payload_by_filter, self._update_vectors, self._clear, self._delete_key, self._insert_only)
        self._write(self._random.choice((*kinds, *more))())

    def _write(self, what: tuple[str, str, dict[str, object], Stored]) -> None:
        method, path, body, self.pending = what
        _done(self._http.request(method, f"/collections/{NAME}/points{path}", params={"wait": "true"}, json=body))
        self.model, self.pending = self.pending, None

    def _upsert(self, count: int = 20) -> tuple[str, str, dict[str, object], Stored]:
        ids = range(self._next_id, self._next_id + count)
        self._next_id += count
        return self._upsert_of({i: ({"n": i, "group": i % 50}, self._vector()) for i in ids})

    def _overwrite(self) -> tuple[str, str, dict[str, object], Stored]:
        return self._upsert_of({i: ({"n": -i, "group": i % 50}, self._vector()) for i in self._some()})

    def _insert_only(self) -> tuple[str, str, dict[str, object], Stored]:
        points: Stored = {i: ({"n": 0}, self._vector()) for i in (*self._some(), self._next_id)}
        self._next_id += 1
        method, path, body, _ = self._upsert_of(points)
        return method, path, {**body, "update_mode": "insert_only"}, {**points, **self.model}

    def _upsert_of(self, points: Stored) -> tuple[str, str, dict[str, object], Stored]:
        rows = [{"id": i, "vector": vector, "payload": payload} for i, (payload, vector) in points.items()]
        return "PUT", "", {"points": rows}, {**self.model, **points}

    def _delete(self) -> tuple[str, str, dict[str, object], Stored]:
        gone = self._some()
        return "POST", "/delete", {"points": gone}, {i: self.model[i] for i in self.model if i not in gone}

    def _delete_by_filter(self) -> tuple[str, str, dict[str, object], Stored]:
        number = self._random.choice(list(self.model.values()))[0].get("n", 0)
        left = {i: point for i, point in self.model.items() if point[0].get("n") != number}
        return "POST", "/delete", {"filter": _match("n", number)}, left

    def _set_payload(self) -> tuple[str, str, dict[str, object], Stored]:
        ids, mark = self._some(), self._random.randrange(10**6) / 8
        return "POST", "/payload", {"points": ids, "payload": {"mark": mark}}, self._payloads(ids, {"mark": mark})

    def _set_payload_by_filter(self) -> tuple[str, str, dict[str, object], Stored]:
        group, mark = self._random.randrange(50), self._random.randrange(10**6) / 8
        ids = [i for i, (payload, _) in self.model.items() if payload.get("group") == group]
        body = {"filter": _match("group", group), "payload": {"mark": mark}}
        return "POST", "/payload", body, self._payloads(ids, {"mark": mark})

    def _payloads(self, ids: list[int], added: dict[str, object]) -> Stored:
        return {**self.model, **{i: ({**self.model[i][0], **added}, self.model[i][1]) for i in ids}}

    def _update_vectors(self) -> tuple[str, str, dict[str, object], Stored]:
        vectors = {i: self._vector() for i in self._some()}
        points = [{"id": i, "vector": vector} for i, vector in vectors.items()]
        after = {**self.model, **{i: (self.model[i][0], vector) for i, vector in vectors.items()}}
        return "PUT", "/vectors", {"points": points}, after

    def _clear(self) -> tuple[str, str, dict[str, object], Stored]:
        ids = self._some()
        return "POST", "/payload/clear", {"points": ids}, {**self.model, **{i: ({}, self.model[i][1]) for i in ids}}

    def _delete_key(self) -> tuple[str, str, dict[str, object], Stored]:
        ids = self._some()
        after = {i: ({k: v for k, v in self.model[i][0].items() if k != "n"}, self.model[i][1]) for i in ids}
        return "POST", "/payload/delete", {"points": ids, "keys": ["n"]}, {**self.model, **after}

    def _some(self) -> list[int]:
        return self._random.sample(sorted(self.model), 5)

    def _vector(self) -> list[float]:
        """Eighths, which survive."""
        return [self._random.randrange(-800, 800) / 8 for _ in range(DIMENSION)]


def stored(http: httpx.Client) -> Stored:
    """All points that the server has."""
    body = {"limit": 10**6, "with_vector": True}
    points = _done(http.post(f"/collections/{NAME}/points/scroll", json=body))["points"]
    return {point["id"]: (point["payload"] or {}, point["vector"]) for point in points}


def described(http: httpx.Client) -> dict:
    """What `GET /collections/{name}` answers."""
    return _done(http.get(f"/collections/{NAME}"))


def wait_until_green(http: httpx.Client) -> dict:
    """The collection's description, once there is nothing left to optimise."""
    return wait_for(lambda: (found := described(http))["status"] == "green" and found)


def wait_for(look: Callable[[], Found | bool]) -> Found:
    """What `look` gives, once that is something."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found  # pyright: ignore[reportReturnType] - not False


def generation(storage: Path) -> str:
    """The folder that the collection's points are in."""
    return (storage / "collections" / NAME / "current").read_text().strip()


def generations(storage: Path) -> list[str]:
    """All folders of points that the collection has on the disk."""
    return sorted(path.name for path in (storage / "collections" / NAME).iterdir() if path.name.startswith("shard"))


def copies(storage: Path) -> list[Path]:
    """Shards being optimised."""
    return list((storage / "aside").iterdir())


def children(storage: Path) -> list[int]:
    """Pids of the processes that optimise something of this storage."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if b"optimising.child" in (line := _command_line(process)) and str(storage / "aside").encode() in line
    ]


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _match(key: str, value: object) -> dict[str, object]:
    return {"must": [{"key": key, "match": {"value": value}}]}


def _done(response: httpx.Response) -> dict:
    assert response.status_code == 200, response.text[:500]
    return response.json()["result"]
