"""ZIP packages (Office, OpenDocument, EPUB, plain ZIP) and the XML in them, opened within bounds.

What an archive says of itself is checked before anything is unpacked, and `zipfile` gives no member more bytes than it
declared. XML may define no entities: that is how a kilobyte becomes gigabytes, or a local file.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from lxml import etree

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.reading import Source

_MAX_MEMBERS = 20_000
_XML_BYTES_PER_CHAR = 8
"""Of markup around a character of text, and more: real documents of the corpora have 2 to 300, but are small."""

_LEAST_XML_BYTES = 20_000_000
_XML_NAMES = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_CORE = "docProps/core.xml"
_CORE_FACTS = {
    "{http://purl.org/dc/elements/1.1/}title": "title",
    "{http://purl.org/dc/elements/1.1/}creator": "author",
    "{http://purl.org/dc/terms/}created": "created",
    "{http://purl.org/dc/terms/}modified": "modified",
}


class Package:
    """An open archive whose members fit the limits."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = frozenset(archive.namelist())

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            DocumentError: there is none of this name.
        """
        try:
            return self._archive.read(name)
        except KeyError:
            raise DocumentError(ReasonCode.CORRUPT, f"the archive lacks {name[:80]}") from None

    def xml(self, name: str) -> etree._Element:
        """The root of a member that is XML.

        Raises:
            DocumentError: it is not there, or defines entities.
        """
        return parse_xml(self.read(name))

    def xml_or_none(self, name: str) -> etree._Element | None:
        """As `xml`; `None` for what is missing or damaged: a part beside the text must not cost the text."""
        try:
            return self.xml(name) if name in self.names else None
        except (DocumentError, etree.XMLSyntaxError, zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError):
            return None

    def read_file(self, member: zipfile.ZipInfo) -> bytes:
        """The bytes of one of `files`, of two of the same name the one that is meant."""
        return self._archive.read(member)

    def files(self) -> list[zipfile.ZipInfo]:
        """The members that are files, in the archive's order."""
        return [member for member in self._archive.infolist() if not member.is_dir()]


@contextmanager
def opened_package(source: Source) -> Iterator[Package]:
    """A block with the package, in which whatever its readers trip over means that the file is damaged.

    Raises:
        DocumentError: it is damaged, encrypted, or past a limit.
    """
    with damage_is_named(), source.open() as file, zipfile.ZipFile(file) as archive:
        _check(archive, source)
        yield Package(archive)


@contextmanager
def damage_is_named() -> Iterator[None]:
    """A block for a reader of damaged files: any error of its own becomes CORRUPT, by name only."""
    try:
        yield
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - parsers raise whatever they trip over
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise DocumentError(ReasonCode.ENCRYPTED, "the archive asks for a password") from None
        raise DocumentError(ReasonCode.CORRUPT, f"damaged inside ({type(error).__name__})") from None


def parse_xml(content: bytes) -> etree._Element:
    """The root element; entities are never resolved, nothing is loaded.

    Raises:
        DocumentError: it defines entities.
    """
    if _ENTITY.search(content.replace(b"\0", b"")):  # in UTF-16, too
        raise DocumentError(ReasonCode.CORRUPT, "its XML defines entities, which no such file needs")
    return etree.fromstring(
        content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    )


def core_facts(package: Package) -> dict[str, str]:
    """Title, author and dates of an Office package, those it says."""
    core = package.xml_or_none(_CORE)
    if core is None:
        return {}
    facts = {_CORE_FACTS[e.tag]: (e.text or "").strip() for e in core if e.tag in _CORE_FACTS}
    return with_days({key: fact for key, fact in facts.items() if fact})


def with_days(facts: dict[str, str]) -> dict[str, str]:
    """The facts, moments cut to their day; those that are no dates left out."""
    known = dict(facts)
    for key in ("created", "modified"):
        try:
            known[key] = date.fromisoformat(facts[key][:10]).isoformat()
        except KeyError:
            continue
        except ValueError:
            del known[key]
    return known


def _check(archive: zipfile.ZipFile, source: Source) -> None:
    members, limits = archive.infolist(), source.limits
    if len(members) > _MAX_MEMBERS:
        raise DocumentError(ReasonCode.TOO_COMPLEX, f"{len(members)} files inside, the limit is {_MAX_MEMBERS}")
    if any(member.flag_bits & 1 for member in members):
        raise DocumentError(ReasonCode.ENCRYPTED, "the archive asks for a password")
    unpacked_bytes = sum(member.file_size for member in members)
    if unpacked_bytes > limits.max_file_bytes:
        raise DocumentError(
            ReasonCode.TOO_LARGE, f"unpacks to {unpacked_bytes} bytes, the limit is {limits.max_file_bytes}"
        )
    xml_bytes = sum(member.file_size for member in members if member.filename.lower().endswith(_XML_NAMES))
    if xml_bytes > max(_LEAST_XML_BYTES, limits.max_text_chars * _XML_BYTES_PER_CHAR):
        raise DocumentError(ReasonCode.TOO_MUCH_TEXT, f"{xml_bytes} bytes of XML")
