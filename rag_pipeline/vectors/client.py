"""The connection to Qdrant, and the translation of its errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from rag_pipeline.errors import IndexIntegrityError, VectorStoreUnavailableError

_FIRST_SERVER_FAULT = 500
_RETRY_LATER = frozenset({408, 425, 429})


def connect(url: str, *, api_key: str | None = None, timeout_s: float = 30.0) -> QdrantClient:
    """A client for the Qdrant at `url`; connects when first used."""
    # The version check would ask the server now, and warn where it cannot.
    return QdrantClient(url=url, api_key=api_key, timeout=int(timeout_s), check_compatibility=False)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what goes wrong while `doing` something in Qdrant into our errors.

    Raises:
        VectorStoreUnavailableError: Qdrant does not answer, or cannot now.
        IndexIntegrityError: Qdrant answers that the request makes no sense; what it holds is not what we wrote.
    """
    try:
        yield
    except UnexpectedResponse as error:
        status = error.status_code or _FIRST_SERVER_FAULT
        reason = error.reason_phrase or ""
        if status >= _FIRST_SERVER_FAULT or status in _RETRY_LATER:
            raise VectorStoreUnavailableError(f"Qdrant answered {status} {reason} while {doing}.") from error
        body = error.content.decode("utf-8", "replace")[:200]
        raise IndexIntegrityError(f"Qdrant answered {status} {reason} while {doing}: {body}") from error
    except (ResponseHandlingException, ApiException, httpx.HTTPError) as error:
        raise VectorStoreUnavailableError(f"Qdrant does not answer while {doing}: {error}") from error
