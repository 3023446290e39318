"""The file of a multipart request, streamed to the disk: never in memory, never more than there is room for."""

import asyncio
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from rag_pipeline.embedded.qdrant.problems import BodyTooLargeError, EngineFailedError, WrongInputError

_FIELD = b"snapshot"
_WRITE_BYTES = 1024 * 1024
_DRAINED_BYTES = 64 * 1024 * 1024


async def receive(request: Request, path: Path, *, max_bytes: int) -> None:
    """`path`, a new file, is what came as the form's `snapshot`.

    Raises:
        WrongInputError: the body is not a form with that file.
        BodyTooLargeError: the body is longer than `max_bytes`.
        EngineFailedError: the disk is full.
    """
    if int(request.headers.get("content-length", "0")) > max_bytes:
        await _drain(request)
        raise _too_large(max_bytes)
    parts = _Parts()
    parser = MultipartParser(
        _boundary(request),
        {"on_part_begin": parts.begin, "on_header_field": parts.field, "on_header_value": parts.value,
         "on_headers_finished": parts.content, "on_part_data": parts.data, "on_end": parts.end},
    )  # fmt: skip
    try:
        await _stream(request, parser, parts, path, max_bytes=max_bytes)
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise


class _Parts:
    """What the parser calls. `ready` gathers the content of the wanted part until it is written."""

    def __init__(self) -> None:
        self.ready = bytearray()
        self.is_found = False
        self.is_ended = False
        self._is_wanted = False
        self._headers: list[tuple[bytearray, bytearray]] = []

    def begin(self) -> None:
        self._headers = []

    def field(self, data: bytes, start: int, end: int) -> None:
        if not self._headers or self._headers[-1][1]:
            self._headers.append((bytearray(), bytearray()))
        self._headers[-1][0].extend(data[start:end])

    def value(self, data: bytes, start: int, end: int) -> None:
        self._headers[-1][1].extend(data[start:end])

    def content(self) -> None:
        disposition = next((value for name, value in self._headers if name.lower() == b"content-disposition"), b"")
        _, options = parse_options_header(bytes(disposition))
        self._is_wanted = options.get(b"name") == _FIELD and not self.is_found
        self.is_found = self.is_found or self._is_wanted

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._is_wanted:
            self.ready.extend(memoryview(data)[start:end])

    def end(self) -> None:
        self.is_ended = True


async def _stream(request: Request, parser: MultipartParser, parts: _Parts, path: Path, *, max_bytes: int) -> None:
    received_bytes = 0
    try:
        with path.open("xb") as file:
            async for chunk in request.stream():
                received_bytes += len(chunk)
                if received_bytes > max_bytes:
                    await _drain(request)
                    raise _too_large(max_bytes)
                parser.write(chunk)
                if len(parts.ready) >= _WRITE_BYTES:
                    await asyncio.to_thread(file.write, bytes(parts.ready))
                    parts.ready.clear()
            file.write(parts.ready)
    except FormParserError as error:
        raise WrongInputError("the body is not a form of multipart/form-data") from error
    except OSError as error:
        raise EngineFailedError(f"the uploaded snapshot could not be written: {error.strerror}") from error
    if not parts.is_found or not parts.is_ended:
        raise WrongInputError(f"the form needs a whole file `{_FIELD.decode()}`")


async def _drain(request: Request) -> None:
    """Reads on a little: a client that only listens after sending should get its answer."""
    dropped_bytes = 0
    async for chunk in request.stream():
        dropped_bytes += len(chunk)
        if dropped_bytes > _DRAINED_BYTES:
            return


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise WrongInputError("a snapshot is uploaded as multipart/form-data")
    return options[b"boundary"]


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the snapshot is larger than allowed (limit: {max_bytes} bytes)")
