"""What a request may fail with, in Qdrant's words and HTTP codes; and the translation of the engine's own errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from rag_pipeline.errors import RagPipelineError

_log = logging.getLogger(__name__)


class RestError(RagPipelineError):
    """A request that is answered with an error; `status` is the HTTP code."""

    status: ClassVar[int] = 500


class WrongInputError(RestError):
    """What was sent does not fit the collection or is not of the API's form."""

    status = 400

    def __init__(self, what: str) -> None:
        super().__init__(f"Wrong input: {what}")


class FormatError(RestError):
    """The body is not JSON, or not JSON of the API's form."""

    status = 400

    def __init__(self, what: str) -> None:
        super().__init__(f"Format error in JSON body: {what}")


class ContentTypeError(RestError):
    """The body is said not to be JSON."""

    status = 400

    def __init__(self) -> None:
        super().__init__("Content type error")


class BadRequestError(RestError):
    """More than the collection's strict mode allows."""

    status = 400

    def __init__(self, what: str) -> None:
        super().__init__(f"Bad request: {what}")


class UnauthorizedError(RestError):
    """No API key, or not the right one."""

    status = 401


class ForbiddenError(RestError):
    """A request that a web page made the browser send, or a write where strict mode allows no more."""

    status = 403


class NotFoundError(RestError):
    """No such collection, alias or point."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"Not found: {what}")


class ConflictError(RestError):
    """The name is taken."""

    status = 409


class BodyTooLargeError(RestError):
    """The request body is over the limit."""

    status = 413


class ValidationError(RestError):
    """A value of the right type that is not allowed; `where` names the part of the request."""

    status = 422

    def __init__(self, what: str, *, where: str = "JSON body") -> None:
        super().__init__(f"Validation error in {where}: [{what}]")


class RateLimitError(RestError):
    """More reads or writes in a minute than the collection's strict mode allows."""

    status = 429

    def __init__(self, what: str, *, retry_after_s: int) -> None:
        super().__init__(f"Rate limiting exceeded: {what}, retry after {retry_after_s}s")
        self.retry_after_s = retry_after_s


class EngineFailedError(RestError):
    """The engine could not do what it must always be able to do."""

    status = 500


class UnsupportedError(RestError):
    """Qdrant has it, the embedded server does not."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(f"Not supported by the embedded Qdrant: {what}. Use a Qdrant server for it.")


def collection_missing(name: str) -> NotFoundError:
    """What Qdrant says of a collection that is not there."""
    return NotFoundError(f"Collection `{name}` doesn't exist!")


@contextmanager
def engine_errors_translated() -> Iterator[None]:
    """A block in which what the binding raises becomes a `RestError`.

    The binding raises ValueError, TypeError and OverflowError for arguments it cannot read and a bare `Exception` for
    everything else, told apart only by its message (measured 2026-11-20, qdrant-edge-py 0.9.0).
    """
    try:
        yield
    except RestError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise WrongInputError(_first_line(error)) from error
    except Exception as error:
        raise _from_engine(_first_line(error)) from error
    except BaseException as error:
        # A panic of the engine; the binding's class has no importable name and is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        _log.exception("the engine panicked")
        raise EngineFailedError(f"the engine panicked: {_first_line(error)}") from error


def _from_engine(message: str) -> RestError:
    if message.startswith("No point with id"):
        return NotFoundError(f"{message} found")
    if "Shard is not initialized" in message:
        return NotFoundError("the collection was deleted while it was used")
    if message.startswith("Operation cancelled"):
        # Nothing else cancels: a thread of the engine that meets such a value stops the others (measured 2026-11-25).
        return WrongInputError("a formula met a value that is missing, of the wrong type or not finite; set `defaults`")
    if message.startswith(("Service runtime error", "Service internal error", "IO error")):
        _log.error("the engine failed: %s", message)
        return EngineFailedError(message)
    return WrongInputError(message)


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0]
