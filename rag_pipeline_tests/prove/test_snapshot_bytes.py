"""Each byte of a real snapshot flipped, one after another, and the server killed at many moments of a recovery."""

import random
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from rag_pipeline.embedded.qdrant.snapshots.archive import SnapshotRefusedError, verify
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant
from rag_pipeline_tests.embedded.qdrant.test_snapshot_crashes import client_of, filled, until_it_dies

_ROUNDS = 30
_LONGEST_S = 8.0
"""Some recoveries long: on a busy machine all kills within 2.5 s came before the first one ended."""


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_every_flipped_byte_of_a_real_snapshot_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_qdrant(tmp_path / "storage") as url, closing(client_of(url)) as client:
        filled(client, "c", count=1000)
        made = client.create_snapshot("c")
        assert made
    archive = tmp_path / "storage" / "snapshots" / "c" / made.name
    content = archive.read_bytes()
    assert verify(archive) == made.checksum
    accepted = [position for position in range(len(content)) if _is_accepted_with(archive, content, flipped=position)]
    assert accepted == []
    with capsys.disabled():
        print(f"\n{len(content)} bytes of a snapshot of 1000 points, each flipped: all refused")  # noqa: T201


def _is_accepted_with(archive: Path, content: bytes, *, flipped: int) -> bool:
    with archive.open("r+b") as file:
        file.seek(flipped)
        file.write(bytes([content[flipped] ^ 1 << flipped % 8]))
    try:
        verify(archive)
    except SnapshotRefusedError:
        return False
    finally:
        with archive.open("r+b") as file:
            file.seek(flipped)
            file.write(content[flipped : flipped + 1])
    return True


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_kills_at_random_moments_of_recoveries_leave_the_old_or_the_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, counts, chance = tmp_path / "storage", [], random.Random(3)
    with ServerProcess(folder) as server, closing(client_of(server.url)) as client:
        for name, count in (("one", 10), ("two", 20)):
            filled(client, name, count=count)
            client.create_snapshot(name)
    saved = {path.parent.name: path.as_uri() for path in (folder / "snapshots").glob("*/*.snapshot")}

    def recover_each(http: httpx.Client) -> None:
        for source in ("two", "one"):
            http.put("/collections/one/snapshots/recover", json={"location": saved[source]}).raise_for_status()
            http.post("/collections/one/snapshots").raise_for_status()

    for _ in range(_ROUNDS):
        with ServerProcess(folder) as server, closing(client_of(server.url)) as client:
            counts.append(client.count("one").count)
            until_it_dies(server, recover_each, after_s=chance.uniform(0.1, _LONGEST_S))
    assert set(counts) <= {10, 20}
    assert [path for path in (folder / "snapshots").rglob("*.snapshot") if not verify(path)] == []
    with capsys.disabled():
        print(f"\n{_ROUNDS} kills: {counts.count(10)} times the old, {counts.count(20)} times the new")  # noqa: T201
