"""Routes of snapshots: of a collection, of its shard, of the whole storage.

Who waits for what: one snapshot is made or unpacked at a time (`archiving`), since each uses a core and the disk.
Writers of a collection wait while it is copied, searches never. A recovery holds `structure` and the collection's
`writing` only while it swaps.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from rag_pipeline.embedded.qdrant.http.replies import accepted, answering
from rag_pipeline.embedded.qdrant.http.uploads import receive
from rag_pipeline.embedded.qdrant.http.workplace import Workplace, to_end, workplace_of
from rag_pipeline.embedded.qdrant.names import checked_collection_name
from rag_pipeline.embedded.qdrant.problems import EngineFailedError, NotFoundError, WrongInputError, collection_missing
from rag_pipeline.embedded.qdrant.reading import JsonObject, choice, known, required, string
from rag_pipeline.embedded.qdrant.snapshots import backup
from rag_pipeline.embedded.qdrant.snapshots.archive import COLLECTION, STORAGE
from rag_pipeline.embedded.qdrant.snapshots.shelf import Shelf

_log = logging.getLogger(__name__)

_PRIORITIES = ("no_sync", "snapshot", "replica")


async def list_snapshots(request: Request) -> object:
    """`GET .../snapshots`."""
    return await asyncio.to_thread(_shelf(request).descriptions)


async def create_snapshot(request: Request) -> object:
    """`POST .../snapshots`."""
    shelf = _shelf(request)
    return await _answered(request, lambda: _create(request, shelf))


async def download_snapshot(request: Request) -> object:
    """`GET .../snapshots/{snapshot}`."""
    return _download(_shelf(request).path_of(request.path_params["snapshot"]))


async def delete_snapshot(request: Request) -> object:
    """`DELETE .../snapshots/{snapshot}`."""
    shelf, name = _shelf(request), request.path_params["snapshot"]
    shelf.path_of(name)

    async def remove() -> bool:
        await asyncio.to_thread(shelf.remove, name)
        return True

    return await _answered(request, remove)


async def recover(request: Request) -> object:
    """`PUT .../snapshots/recover`."""
    place = workplace_of(request)
    given = known(await place.json_of(request), of="snapshot recover")
    location = string(required(given, "location", of="snapshot recover"), of="location")
    choice(given.get("priority", "no_sync"), of="priority", among=_PRIORITIES)
    checksum = string(given["checksum"], of="checksum") if "checksum" in given else None
    name = _recovered_name(request)
    shelves = place.shelves
    shelf = shelves.shard(name) if "shard" in request.path_params else shelves.collection(name)
    archive = shelves.located(location, shelf=shelf)
    return await _answered(request, lambda: _replace(request, name, archive, checksum=checksum))


async def upload(request: Request) -> object:
    """`POST .../snapshots/upload`."""
    place, name = workplace_of(request), _recovered_name(request)
    choice(request.query_params.get("priority", "no_sync"), of="priority", among=_PRIORITIES)
    _is_awaited(request)
    checksum = request.query_params.get("checksum")
    room_bytes = await asyncio.to_thread(backup.room_bytes, place.storage)
    max_bytes = min(room_bytes, place.max_snapshot_bytes or room_bytes)
    archive = place.storage.new_aside()
    await receive(request, archive, max_bytes=max_bytes)

    async def replace() -> bool:
        try:
            return await _replace(request, name, archive, checksum=checksum)
        finally:
            await asyncio.to_thread(archive.unlink, missing_ok=True)

    return await _answered(request, replace)


async def stream_shard(request: Request) -> object:
    """`GET /collections/{name}/shards/{shard}/snapshot`: one that is made for this answer."""
    place = workplace_of(request)
    shelf = Shelf(place.storage.new_aside(), _shelf(request).prefix)
    made = await _create(request, shelf)
    answer = _download(shelf.path_of(str(made["name"])))
    answer.background = BackgroundTask(shutil.rmtree, shelf.folder, ignore_errors=True)
    return answer


async def _create(request: Request, shelf: Shelf) -> JsonObject:
    place = workplace_of(request)
    staging = place.storage.new_aside()
    async with place.archiving:
        try:
            if "name" in request.path_params:
                await _copy(place, request.path_params["name"], staging)
                return await asyncio.to_thread(backup.shelve, place.storage, staging, shelf, kind=COLLECTION)
            await _copy_all(place, staging)
            return await asyncio.to_thread(backup.shelve, place.storage, staging, shelf, kind=STORAGE)
        finally:
            await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)


async def _copy(place: Workplace, name: str, target: Path) -> None:
    collection = place.storage.collection(name)
    async with collection.writing:
        present = place.storage.successor(collection)
        await to_end(backup.copy_collection, place.storage, present, target)


async def _copy_all(place: Workplace, target: Path) -> None:
    """Each collection at its own moment, none created, deleted or renamed meanwhile."""
    async with place.structure:
        open_names = {collection.name for collection in place.storage.collections}
        if broken := place.storage.names - open_names:
            raise EngineFailedError(f"collections that could not be loaded cannot be saved: {sorted(broken)}")
        backup.collection_copy(target, "").mkdir(parents=True)
        for name in sorted(open_names):
            await _copy(place, name, backup.collection_copy(target, name))
        await asyncio.to_thread(backup.copy_aliases, place.storage, target)


async def _replace(request: Request, name: str, archive: Path, *, checksum: str | None) -> bool:
    place, is_shard = workplace_of(request), "shard" in request.path_params
    async with place.archiving:
        folder = await asyncio.to_thread(backup.unpacked_collection, place.storage, archive, checksum=checksum)
        try:
            async with place.structure:
                await _swap(place, name, folder, is_shard=is_shard)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return True


async def _swap(place: Workplace, name: str, folder: Path, *, is_shard: bool) -> None:
    opened = [collection for collection in place.storage.collections if collection.name == name]
    if not opened:
        if is_shard:
            raise collection_missing(name)
        if name not in place.storage.names:
            place.storage.require_free(name)
        await to_end(place.storage.replace, name, folder)
        return
    async with opened[0].writing:
        if is_shard:
            backup.require_same_vectors(folder, opened[0])
        await to_end(place.storage.replace, name, folder)


async def _answered(request: Request, work: Callable[[], Awaitable[object]]) -> object:
    """What the work comes to; or, when nobody waits, that it was accepted and goes on."""
    if _is_awaited(request):
        return await work()
    started = time.perf_counter()
    workplace_of(request).go_on(work())
    return accepted(started=started)


def _is_awaited(request: Request) -> bool:
    wait = request.query_params.get("wait", "true")
    if wait not in ("true", "false"):
        raise WrongInputError("`wait` must be true or false")
    return wait == "true"


def _shelf(request: Request) -> Shelf:
    shelves = workplace_of(request).shelves
    if "name" not in request.path_params:
        return shelves.storage
    name = workplace_of(request).collection_of(request).name
    if "shard" not in request.path_params:
        return shelves.collection(name)
    _check_shard(request)
    return shelves.shard(name)


def _recovered_name(request: Request) -> str:
    """The collection that is replaced, or made when it is not there. A shard's must be there."""
    storage = workplace_of(request).storage
    if "shard" in request.path_params:
        _check_shard(request)
        return storage.collection(request.path_params["name"]).name
    return checked_collection_name(storage.aliases.resolve(request.path_params["name"]))


def _check_shard(request: Request) -> None:
    shard = request.path_params["shard"]
    if not (shard.isascii() and shard.isdecimal()):
        raise WrongInputError("a shard is named by its number")
    if int(shard[:20]) != 0:
        raise NotFoundError(f"Shard {shard[:20]} not found")


def _download(path: Path) -> FileResponse:
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


def _routes(prefix: str) -> list[Route]:
    return [
        Route(prefix, answering(list_snapshots), methods=["GET"]),
        Route(prefix, answering(create_snapshot), methods=["POST"]),
        Route(f"{prefix}/{{snapshot}}", answering(download_snapshot), methods=["GET"]),
        Route(f"{prefix}/{{snapshot}}", answering(delete_snapshot), methods=["DELETE"]),
    ]


_OF_COLLECTION = "/collections/{name}/snapshots"
_OF_SHARD = "/collections/{name}/shards/{shard}"
ROUTES = [
    *(
        Route(f"{prefix}/recover", answering(recover), methods=["PUT"])
        for prefix in (_OF_COLLECTION, f"{_OF_SHARD}/snapshots")
    ),
    *(
        Route(f"{prefix}/upload", answering(upload), methods=["POST"])
        for prefix in (_OF_COLLECTION, f"{_OF_SHARD}/snapshots")
    ),
    *_routes(_OF_COLLECTION),
    *_routes(f"{_OF_SHARD}/snapshots"),
    *_routes("/snapshots"),
    Route(f"{_OF_SHARD}/snapshot", answering(stream_shard), methods=["GET"]),
]
