"""ZIP, as a folder: every file in it that can be read, under its name; nothing is written anywhere."""

from functools import partial

from rag_pipeline.extraction.formats.packages import opened_package
from rag_pipeline.extraction.formats.parts import read_parts
from rag_pipeline.extraction.reading import Reading, Source

_NOT_DOCUMENTS = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def read(source: Source) -> Reading:
    """The pages of all members that can be read, numbered through.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with opened_package(source) as package:
        members = [member for member in package.files() if not _is_no_document(member.filename)]
        named = ((member.filename, partial(package.read_file, member)) for member in members)
        parts = read_parts(named, inside=source, first_number=1)
        return Reading(pages=tuple(parts.pages), metadata={"file_count": len(members), **parts.facts()})


def _is_no_document(name: str) -> bool:
    return name.startswith(_NOT_DOCUMENTS[0]) or name.rsplit("/", 1)[-1] in _NOT_DOCUMENTS
