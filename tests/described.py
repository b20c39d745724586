"""Pictures that say of themselves what they show: XMP packets, and IPTC fields in a JPEG."""

from __future__ import annotations

import struct

_PREFIXES = 'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'


def xmp(properties: str, attributes: str = "") -> bytes:
    """A packet with the properties of Dublin Core and Photoshop, as elements and as attributes."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"<rdf:Description {_PREFIXES} {attributes}>{properties}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def alternatives(**languages: str) -> str:
    """A title in several languages."""
    items = "".join(
        f'<rdf:li xml:lang="{language.replace("_", "-")}">{text}</rdf:li>' for language, text in languages.items()
    )
    return f"<dc:title><rdf:Alt>{items}</rdf:Alt></dc:title>"


def keywords(*words: str) -> str:
    """Keywords in their order."""
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
    return f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>"


def with_iptc(jpeg: bytes, *fields: tuple[int, bytes], charset: bytes | None = None) -> bytes:
    """The JPEG with the fields of record 2 among Photoshop's resources, behind another one."""
    block = b"" if charset is None else b"\x1c\x01\x5a" + struct.pack(">H", len(charset)) + charset
    for number, data in fields:
        block += bytes([0x1C, 2, number]) + struct.pack(">H", len(data)) + data
    resources = b"8BIM" + struct.pack(">H", 0x03ED) + b"\0\0" + struct.pack(">I", 3) + b"abc\0"
    resources += b"8BIM" + struct.pack(">H", 0x0404) + b"\4name\0" + struct.pack(">I", len(block)) + block
    data = b"Photoshop 3.0\0" + resources
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


TITLE, KEYWORD, CREDIT, CAPTION = 5, 25, 110, 120
"""Fields of IPTC's record 2."""
