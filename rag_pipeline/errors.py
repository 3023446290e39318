"""Every error of the project, in one tree.

    RagPipelineError
    ├── UsageError                what was asked cannot be done as asked (CLI exit code 2, HTTP 4xx)
    │   ├── CollectionNotFoundError
    │   ├── InvalidCollectionKeyError
    │   ├── InstanceRunningError      another process owns the data folder
    │   ├── InstanceNotRunningError
    │   ├── PortInUseError
    │   ├── DiskFullError
    │   ├── OpenToNetworkError        a server without a key would be reachable from outside
    │   └── IndexSpecChangedError     settings ask for another index than the one that exists
    ├── DocumentError             one document will not work as it is; a value, recorded on the document
    ├── FileUnsettledError        a file cannot be read just now; the caller queues it again (retryable)
    │   ├── FileVanishedError
    │   ├── FileChangingError
    │   ├── FileUnreachableError
    │   └── FolderMissingError
    ├── StoreUnavailableError     PostgreSQL or Qdrant does not answer (retryable)
    │   ├── LedgerUnavailableError
    │   └── VectorStoreUnavailableError
    ├── SearchDeadlineError       a search, or another answer, took longer than it may (retryable)
    ├── CollectionBusyError       another writer holds the collection (retryable)
    ├── ModelError                the embedding model cannot be found, loaded or trusted
    ├── AllDocumentsFailedError   a run tried many documents and every one failed
    ├── IndexIntegrityError       a store answered something that must not be
    ├── StartupError              a server of the instance did not start
    └── RestError                 Qdrant's own error answers: `embedded.qdrant.problems`

`retryable` and `code` are class attributes, so each question has one answer:
Dagster retries what is retryable, the API answers `code` as problem+json.
Messages say what was attempted, on what, and what to do next; never a secret, never document text.
"""

from enum import StrEnum
from typing import ClassVar


class ReasonCode(StrEnum):
    """Why a document is not searchable (`docs/reason-codes.md` is checked against this enum)."""

    # skipped: not a document
    EMPTY = "empty"
    NO_TEXT = "no_text"
    NEEDS_OCR = "needs_ocr"
    UNSUPPORTED_TYPE = "unsupported_type"
    LINK_OUTSIDE = "link_outside"
    NOT_A_FILE = "not_a_file"
    # failed: will not work as it is
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    TOO_LARGE = "too_large"
    TOO_MUCH_TEXT = "too_much_text"
    TOO_COMPLEX = "too_complex"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    UNREADABLE = "unreadable"
    UNDECODABLE = "undecodable"
    PATH_TOO_LONG = "path_too_long"
    KEEPS_CHANGING = "keeps_changing"
    EXTRACTOR_CRASHED = "extractor_crashed"
    INTERNAL_ERROR = "internal_error"

    @property
    def is_skip(self) -> bool:
        """Whether a document with it ends `skipped` (not a document) rather than `failed` (will not work as it is)."""
        return self in _SKIPPED

    @property
    def advice(self) -> str:
        """One sentence for the person whose document it is."""
        return _ADVICE[self]


_SKIPPED = frozenset(
    {
        ReasonCode.EMPTY,
        ReasonCode.NO_TEXT,
        ReasonCode.NEEDS_OCR,
        ReasonCode.UNSUPPORTED_TYPE,
        ReasonCode.LINK_OUTSIDE,
        ReasonCode.NOT_A_FILE,
    }
)

_ADVICE = {
    ReasonCode.EMPTY: "The file has no bytes; put the real file in its place.",
    ReasonCode.NO_TEXT: "The file opens but holds no text.",
    ReasonCode.NEEDS_OCR: "The pages are pictures; run OCR on the file and put the result in its place.",
    ReasonCode.UNSUPPORTED_TYPE: "This type is not read; save the file as one that is: docs/formats.md lists them.",
    ReasonCode.LINK_OUTSIDE: "Links are not followed out of the collection's folder; copy the file in.",
    ReasonCode.NOT_A_FILE: "Only regular files are read.",
    ReasonCode.CORRUPT: "The file is damaged; put an intact copy in its place.",
    ReasonCode.ENCRYPTED: "The file asks for a password; save it without one.",
    ReasonCode.TOO_LARGE: "The file is larger than the limit; split it, or raise RAG_EXTRACTION__MAX_FILE_BYTES.",
    ReasonCode.TOO_MUCH_TEXT: "The text is too long; split the file, or raise RAG_EXTRACTION__MAX_TEXT_CHARS.",
    ReasonCode.TOO_COMPLEX: "The file nests too deeply or has too many parts; simplify it.",
    ReasonCode.TIME_LIMIT: "Reading took longer than allowed; split the file, or raise RAG_EXTRACTION__TIMEOUT_S.",
    ReasonCode.MEMORY_LIMIT: "Reading took too much memory; split the file, or raise RAG_EXTRACTION__MAX_MEMORY_BYTES.",
    ReasonCode.UNREADABLE: "The file may not be read by this user; change its permissions.",
    ReasonCode.UNDECODABLE: "The text's encoding could not be told; save it as UTF-8.",
    ReasonCode.PATH_TOO_LONG: "The path is longer than the system can open; move the file up.",
    ReasonCode.KEEPS_CHANGING: "The file changed each time it was read; it is read again once it changes no more.",
    ReasonCode.EXTRACTOR_CRASHED: "The reader crashed on this file; please report it.",
    ReasonCode.INTERNAL_ERROR: "The fault is ours; see the run's log and please report it.",
}


class RagPipelineError(Exception):
    """Base of all our errors."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False


class UsageError(RagPipelineError):
    """What was asked cannot be done as asked."""

    code = "bad_request"


class CollectionNotFoundError(UsageError):
    """No collection has this key."""

    code = "collection_not_found"


class InvalidCollectionKeyError(UsageError):
    """A collection key is not `[a-z0-9][a-z0-9-]{0,63}`."""

    code = "invalid_collection_key"


class InstanceRunningError(UsageError):
    """Another process owns the data folder."""

    code = "instance_running"


class InstanceNotRunningError(UsageError):
    """The command needs a running instance and there is none."""

    code = "instance_not_running"


class PortInUseError(UsageError):
    """A port that a server needs is taken."""

    code = "port_in_use"


class DiskFullError(UsageError):
    """The disk that holds the data folder has too little space left."""

    code = "disk_full"


class OpenToNetworkError(UsageError):
    """A server without an API key would be reachable from outside this machine."""

    code = "open_to_network"


class IndexSpecChangedError(UsageError):
    """The settings ask for another IndexSpec than that of the live generation."""

    code = "index_spec_changed"


class DocumentError(RagPipelineError):
    """One document will not work as it is; carries the reason code that the ledger records."""

    code = "document_error"

    def __init__(self, reason: ReasonCode, detail: str = "") -> None:
        """Keep `reason` (what the ledger records) and `detail` (one sentence for a person, no document text)."""
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class FileUnsettledError(RagPipelineError):
    """A file cannot be read just now."""

    code = "file_unsettled"
    retryable = True


class FileVanishedError(FileUnsettledError):
    """The file is no longer there; the scan decides what that means."""

    code = "file_vanished"


class FileChangingError(FileUnsettledError):
    """The file was written to while it was read."""

    code = "file_changing"


class FileUnreachableError(FileUnsettledError):
    """The disk or the network under the file failed just now (EIO, ETIMEDOUT)."""

    code = "file_unreachable"


class FolderMissingError(FileUnsettledError):
    """The collection's folder itself cannot be opened: that says nothing about its files."""

    code = "folder_missing"


class StoreUnavailableError(RagPipelineError):
    """A store does not answer; trying again later may work."""

    code = "store_unavailable"
    retryable = True


class LedgerUnavailableError(StoreUnavailableError):
    """PostgreSQL does not answer."""

    code = "ledger_unavailable"


class VectorStoreUnavailableError(StoreUnavailableError):
    """Qdrant does not answer."""

    code = "vector_store_unavailable"


class SearchDeadlineError(RagPipelineError):
    """The answer took longer than it may; the stores are slow or overloaded."""

    code = "search_deadline"
    retryable = True


class CollectionBusyError(RagPipelineError):
    """Another writer holds the collection's lock."""

    code = "collection_busy"
    retryable = True


class ModelError(RagPipelineError):
    """The embedding model cannot be found, loaded or trusted."""

    code = "model_error"


class AllDocumentsFailedError(RagPipelineError):
    """At least 20 documents were tried and every one failed: the cause is likely ours."""

    code = "all_documents_failed"


class IndexIntegrityError(RagPipelineError):
    """A store answered something that our own rules exclude."""

    code = "index_integrity"


class StartupError(RagPipelineError):
    """A server of the instance did not become ready."""

    code = "startup_failed"
