"""The child's side of the sandbox: `python -m rag_pipeline.extraction.child LIMITS_AS_JSON`.

It reads one file after another and lives for as long as its standard input is open. Everything hostile happens here;
what it may still do is `confinement`, who kills it is `sandbox`.
"""

import sys
from pathlib import Path

import orjson

from rag_pipeline.domain.documents import Document
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction import wire
from rag_pipeline.extraction.confinement import confine, take_over_pipes
from rag_pipeline.extraction.reading import ExtractionLimits, Source, finish
from rag_pipeline.extraction.registry import format_of
from rag_pipeline.extraction.sniff import media_type_of


def main() -> None:
    """Answer requests until there are no more."""
    limits = ExtractionLimits(**orjson.loads(sys.argv[1]))
    requests, answers = take_over_pipes()
    confine(max_memory_bytes=limits.max_memory_bytes)
    wire.write_frame(answers, wire.READY)
    while (request := wire.read_frame(requests, max_bytes=wire.MAX_REQUEST_BYTES)) is not None:
        wire.write_frame(answers, _answer(request, limits))


def extract(path: Path, *, file_name: bytes, limits: ExtractionLimits) -> Document:
    """The Document of the file at `path`, once called `file_name`.

    Raises:
        DocumentError: it will not work as it is.
    """
    with path.open("rb") as file:
        media_type = media_type_of(file, file_name=file_name)
    source = Source(path, media_type, limits)
    format_ = format_of(media_type)
    return finish(format_.load()(source), source=source, extractor=format_.extractor)


def _answer(request: bytes, limits: ExtractionLimits) -> bytes:
    path, file_name = wire.decode_request(request)
    try:
        return wire.encode_document(extract(path, file_name=file_name, limits=limits))
    except DocumentError as error:
        return wire.encode_error(error)
    except MemoryError:
        return wire.encode_error(DocumentError(ReasonCode.MEMORY_LIMIT, f"more than {limits.max_memory_bytes} bytes"))
    except RecursionError:
        return wire.encode_error(DocumentError(ReasonCode.TOO_COMPLEX, "nested too deeply"))
    except OSError as error:
        return wire.encode_error(DocumentError(ReasonCode.INTERNAL_ERROR, f"the copy cannot be read: {error.strerror}"))
    except Exception as error:  # noqa: BLE001 - a reader tripped over the file; that is recorded on it, by name only
        name = type(error).__name__
        return wire.encode_error(DocumentError(ReasonCode.EXTRACTOR_CRASHED, f"the reader failed with {name}"))


if __name__ == "__main__":
    main()
