"""PDFs made for a test: `pdf(pages)` gives the bytes of a valid file, `assemble` those of any objects."""

import zlib


def stream(content: bytes, *, entries: bytes = b"") -> bytes:
    """A stream object's body."""
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), entries, content)


def flate_stream(content: bytes) -> bytes:
    """The same, compressed."""
    return stream(zlib.compress(content, 1), entries=b"/Filter/FlateDecode")


def assemble(objects: list[bytes], *, trailer: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1; the first is the catalog."""
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        trailer,
        len(out),
    )


def pdf(contents: list[bytes], *, catalog: bytes = b"", information: bytes = b"", with_picture: bool = False) -> bytes:
    """A file with one page per content stream; `with_picture` puts a 1x1 image at hand as /I."""
    count = len(contents)
    first = 5
    kids = b" ".join(b"%d 0 R" % (first + 2 * place) for place in range(count))
    picture = b"/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
    resources = b"/Resources<</Font<</F 3 0 R>>" + (b"/XObject<</I 4 0 R>>" if with_picture else b"") + b">>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        stream(b"\0", entries=picture),
    ]
    for place, content in enumerate(contents):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]%s/Contents %d 0 R>>"
        objects += [page % (resources, first + 2 * place + 1), stream(content)]
    objects.append(b"<<%s>>" % information)
    return assemble(objects, trailer=b"/Info %d 0 R" % len(objects))


def text_page(text: str) -> bytes:
    """A content stream that shows one line."""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return b"BT /F 12 Tf 50 700 Td (%s) Tj ET" % escaped.encode("cp1252")
