"""What a file says of itself: how it was taken, and what its maker wrote about it."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from imagemarket.imaging.headers import TiffDirectory
from imagemarket.imaging.models import EmbeddedDescription, TechnicalMetadata
from imagemarket.imaging.nobodys_words import is_nobodys
from imagemarket.imaging.raw_layout import MAIN_BOX, XMP_BOX, metadata_boxes
from imagemarket.imaging.windows_latin import letters_of, western
from imagemarket.platform.text import what_shows

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from PIL.Image import Exif

_EXIF_DIRECTORY = 0x8769
_MAKE, _MODEL, _DATE, _OFFSET = 0x010F, 0x0110, 0x0132, 0x9010
_EXPOSURE, _F_NUMBER, _ISO, _TAKEN, _FOCAL, _LENS = 0x829A, 0x829D, 0x8827, 0x9003, 0x920A, 0xA434
_TAKEN_OFFSET = 0x9011
_TITLED, _SOFTWARE, _ARTIST, _COPYRIGHT = 0x010E, 0x0131, 0x013B, 0x8298
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9E
_WINDOWS = (_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS)
"""Texts that Windows' Explorer writes, in UTF-16."""
_DESCRIBING = (_TITLED, _MAKE, _MODEL, _SOFTWARE, _ARTIST, _COPYRIGHT, *_WINDOWS)
_NO_TIME = "1970:01:01 00:00:00"
"""A program's clock at 0: it knew of no time."""
_TEXT_MAX = 100
_TITLE_MAX = 200
_DESCRIPTION_MAX = 2000
_JUDGED_MAX = 10_000
"""What of a title or description is looked at before it is cut: data are told by their end too."""
_KEYWORDS_MAX = 50
_ENTITY = re.compile(r"&#?\w+;")
"""A sign as HTML writes it, whose semicolon parts nothing."""
_PACKET_BYTES_MAX = 2_000_000
"""Of XMP or IPTC; a packet with the history of many edits has some 100 KB."""
_PIECES_MAX = 10_000
"""Segments or chunks that are passed over in search of a packet."""

_XMP_IN_JPEG, _EXIF_IN_JPEG, _IPTC_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0", b"Photoshop 3.0\0"
_XMP_IN_PNG, _HEX_IN_PNG = b"XML:com.adobe.xmp", b"Raw profile type "
_TEXTS_IN_PNG = {b"Title": "title", b"Description": "description"}
_HEX_BYTES_MAX = 2 * _PACKET_BYTES_MAX + 100_000
"""With its line ends."""
_XMP_IN_TIFF, _IPTC_IN_TIFF, _PHOTOSHOP_IN_TIFF = 700, 33723, 34377
_IPTC_RESOURCE = 0x0404

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC, _PHOTOSHOP = "{http://purl.org/dc/elements/1.1/}", "{http://ns.adobe.com/photoshop/1.0/}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Metadata of hostile files: what cannot be read is not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- how it was taken ------------------------------------------------------------------------------


def exif_fields(exif: Exif) -> tuple[dict[int, Any], dict[int, Any]]:
    """Of the main directory what is needed of it, and all of EXIF's own. Empty where they cannot be read."""
    with quiet():
        try:
            return {tag: exif.get(tag) for tag in (_MAKE, _MODEL, _DATE)}, dict(exif.get_ifd(_EXIF_DIRECTORY))
        except Exception:  # noqa: BLE001 - a hostile directory can fail in any way
            return {}, {}


def technical_metadata(main: Mapping[int, Any], detail: Mapping[int, Any]) -> TechnicalMetadata:
    """The fields that photographers ask for, of the two directories; nothing personal is read."""
    make, model = _text(main.get(_MAKE)), _text(main.get(_MODEL))
    camera = (
        model if not make or (model and model.lower().startswith(make.split()[0].lower())) else f"{make} {model or ''}"
    )
    iso = detail.get(_ISO)
    if isinstance(iso, tuple):
        iso = iso[0] if iso else None
    return TechnicalMetadata(
        camera=camera or None,
        lens=_text(detail.get(_LENS)),
        iso=iso if isinstance(iso, int) and 0 < iso < 10_000_000 else None,
        exposure=_exposure(detail.get(_EXPOSURE)),
        aperture=_number(detail.get(_F_NUMBER), 0.1, 1000),
        focal_length_mm=_number(detail.get(_FOCAL), 0.1, 100_000),
        taken_at=_moment(detail.get(_TAKEN), detail.get(_TAKEN_OFFSET))
        or _moment(main.get(_DATE), detail.get(_OFFSET)),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        found = _utf8(value)
        value = western(value) if found is None else found
    if not isinstance(value, str):
        return None
    clean = "".join(letter for letter in value.split("\0")[0] if letter.isprintable()).strip()
    return clean[:_TEXT_MAX] or None


def _number(value: Any, least: float, most: float) -> float | None:
    try:
        number = round(float(value), 2)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if least <= number <= most else None


def _exposure(value: Any) -> str | None:
    seconds = _number_exact(value)
    if seconds is None or not 0 < seconds <= 100_000:
        return None
    return f"1/{round(1 / seconds)}" if seconds < Fraction(2, 5) else f"{float(seconds):g}"


def _number_exact(value: Any) -> Fraction | None:
    try:
        return Fraction(float(value)).limit_denominator(1_000_000)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None


def _moment(value: Any, offset: Any) -> datetime | None:
    """What the camera's clock said; with its distance from UTC where the file says that, else of no time zone."""
    text = _text(value)
    if text is None or text[:19] == _NO_TIME:
        return None
    try:
        moment = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - the file says no more
    except ValueError:
        return None
    found = re.fullmatch(r"([+-])(\d\d):?([0-5]\d)", _text(offset) or "")
    if found is None or int(found[2]) > 14:
        return moment
    distance = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return moment.replace(tzinfo=timezone(-distance if found[1] == "-" else distance))


# --- what its maker wrote --------------------------------------------------------------------------


@dataclass
class _Packets:
    """The blocks of metadata of one file, as they stand in it."""

    xmp: bytes = b""
    iptc: bytes = b""
    exif: Mapping[int, Any] = field(default_factory=dict)
    png: dict[str, str] = field(default_factory=dict)
    """PNG's own texts, by what they are in a description."""


def read_description(path: Path) -> EmbeddedDescription:
    """`description_of` of the file at the path. Empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return description_of(file)
    except OSError:
        return EmbeddedDescription()


def description_of(file: BinaryIO) -> EmbeddedDescription:
    """Title, description, keywords and credit from XMP, else from IPTC, else from EXIF, else from PNG's own texts; a
    headline is a title where there is no other, and so are EXIF's description and its title. What a device or a
    program wrote is no title and no description. Empty where the file carries none. No pixel is decoded."""
    with quiet():
        try:
            packets = _packets(file)
        except Exception:  # noqa: BLE001 - of a hostile file, in any way
            return EmbeddedDescription()
        xmp, xmp_headline = _or_nothing(_from_xmp, packets.xmp)
        iptc, iptc_headline = _or_nothing(_from_iptc, packets.iptc)
        exif, exif_title = _or_nothing(_from_exif, packets.exif)
        png, _ = _or_nothing(_from_png, packets.png)
    described = [xmp, iptc, exif, png]
    make, model, program = (_exif_text(packets.exif, tag, _TEXT_MAX) or "" for tag in (_MAKE, _MODEL, _SOFTWARE))

    def somebodys(*texts: str | None, most: int) -> str | None:
        found = next((text for text in texts if text and not is_nobodys(text, (make, model), (program,))), None)
        return found and _clean(found, most)

    return EmbeddedDescription(
        title=somebodys(
            *(xmp.title, iptc.title, xmp_headline, iptc_headline, exif_title, exif.title, png.title), most=_TITLE_MAX
        ),
        description=somebodys(*(each.description for each in described), most=_DESCRIPTION_MAX),
        keywords=next((each.keywords for each in described if each.keywords), ()),
        creator=next((each.creator for each in described if each.creator), None),
        copyright=next((each.copyright for each in described if each.copyright), None),
        credit=next((each.credit for each in described if each.credit), None),
    )


def _or_nothing(read: Any, packet: Any) -> tuple[EmbeddedDescription, str | None]:
    """What a reader finds in a packet, and its title of last resort."""
    try:
        return read(packet) if packet else (EmbeddedDescription(), None)
    except Exception:  # noqa: BLE001 - a hostile packet can fail in any way
        return EmbeddedDescription(), None


def _packets(file: BinaryIO) -> _Packets:
    head = file.read(12)
    file.seek(0)
    if head.startswith(b"\xff\xd8\xff"):
        return _packets_of_jpeg(file)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _packets_of_png(file)
    if head[:2] in {b"II", b"MM"}:
        return _packets_of_tiff(file)
    if head[4:12] == b"ftypcrx ":
        boxes = metadata_boxes(file)
        return _Packets(xmp=boxes.get(XMP_BOX, b""), exif=_exif_of(boxes.get(MAIN_BOX, b"")))
    return _Packets()


def _packets_of_jpeg(file: BinaryIO) -> _Packets:
    found = _Packets()
    iptc = b""
    file.seek(2)
    for _ in range(_PIECES_MAX):
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF or marker[1] in {0xD9, 0xDA}:
            break
        if marker[1] == 0xFF:  # fill
            file.seek(-1, os.SEEK_CUR)
            continue
        (length,) = struct.unpack(">H", file.read(2))
        data = file.read(length - 2) if length >= 2 else b""
        if marker[1] == 0xE1 and data.startswith(_XMP_IN_JPEG) and not found.xmp:
            found.xmp = data[len(_XMP_IN_JPEG) :]
        elif marker[1] == 0xE1 and data.startswith(_EXIF_IN_JPEG) and not found.exif:
            found.exif = _exif_of(data)
        elif marker[1] == 0xED and data.startswith(_IPTC_IN_JPEG) and len(iptc) < _PACKET_BYTES_MAX:
            iptc += data[len(_IPTC_IN_JPEG) :]  # one block of resources may go on in the next segment
    found.iptc = _iptc_resource(iptc)
    return found


def _packets_of_png(file: BinaryIO) -> _Packets:
    """Chunks to the file's end: ExifTool writes its own behind the pixels. What exiv2 and ImageMagick write in hex
    counts where the file has no chunk made for it; PNG has none for IPTC."""
    found = _Packets()
    in_hex: dict[bytes, bytes] = {}
    file.seek(8)
    for _ in range(_PIECES_MAX * 10):  # the pixels lie in many
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        (length,) = struct.unpack(">I", head[:4])
        behind = file.tell() + length + 4
        if head[4:] == b"eXIf" and length <= _PACKET_BYTES_MAX:
            found.exif = _exif_of(_EXIF_IN_JPEG + file.read(length))
        elif head[4:] in {b"iTXt", b"tEXt", b"zTXt"} and length <= _HEX_BYTES_MAX:
            keyword, _, rest = file.read(length).partition(b"\0")
            if keyword == _XMP_IN_PNG and head[4:] == b"iTXt" and len(rest) > 2 and not found.xmp:
                found.xmp = _png_text(head[4:], rest, _PACKET_BYTES_MAX)
            elif keyword.startswith(_HEX_IN_PNG) and keyword not in in_hex:  # of each the first: a bound to the work
                in_hex[keyword] = _out_of_hex(_png_text(head[4:], rest, _HEX_BYTES_MAX))
            elif (name := _TEXTS_IN_PNG.get(keyword)) is not None:
                text = _png_text(head[4:], rest, _PACKET_BYTES_MAX)
                said = _utf8(text) if head[4:] == b"iTXt" else text.decode("latin-1")
                found.png.setdefault(name, said or "")
        file.seek(behind)
    iptc, exif, xmp, app1 = (in_hex.get(_HEX_IN_PNG + kind, b"") for kind in (b"iptc", b"exif", b"xmp", b"APP1"))
    if app1.startswith(_XMP_IN_JPEG):
        xmp = xmp or app1[len(_XMP_IN_JPEG) :]
    elif app1.startswith(_EXIF_IN_JPEG):
        exif = exif or app1
    found.xmp = found.xmp or xmp
    found.iptc = _iptc_resource(iptc.removeprefix(_IPTC_IN_JPEG)) or iptc
    if exif and not found.exif:
        found.exif = _exif_of(_EXIF_IN_JPEG + exif.removeprefix(_EXIF_IN_JPEG))
    return found


def _png_text(kind: bytes, data: bytes, most: int) -> bytes:
    """What a text chunk says behind its keyword; empty where it is broken."""
    squeezed = kind == b"zTXt"
    if squeezed:
        data = data[1:]  # behind the method, of which there is one
    elif kind == b"iTXt":
        squeezed = data[:1] == b"\1"
        data = data[2:].split(b"\0", 2)[-1]  # behind a language and a translated keyword
    try:
        return zlib.decompressobj().decompress(data, most) if squeezed else data
    except zlib.error:
        return b""


def _out_of_hex(text: bytes) -> bytes:
    """The block of a "Raw profile": its kind and its size in a line each, and then its bytes in hex."""
    parts = text.strip().split(b"\n", 2)
    try:
        return bytes.fromhex(parts[2].decode("ascii"))[: min(int(parts[1]), _PACKET_BYTES_MAX)]
    except (IndexError, ValueError):
        return b""


def _packets_of_tiff(file: BinaryIO) -> _Packets:
    """Of the first directory, in which all keep them: TIFF and the RAW formats that are one at heart."""
    directory = TiffDirectory(file)

    def packet(tag: int) -> bytes:
        found = directory.fields.get(tag)
        return directory.data(tag) if found is not None and found.size <= _PACKET_BYTES_MAX else b""

    exif: dict[int, Any] = {
        tag: packet(tag).split(b"\0")[0].decode("latin-1")
        for tag in _DESCRIBING
        if tag in directory.fields and directory.fields[tag].kind in {2, 7, 129}
    }
    exif |= {tag: packet(tag) for tag in _WINDOWS if tag in directory.fields and directory.fields[tag].kind == 1}
    own, resource = packet(_IPTC_IN_TIFF), _iptc_resource(packet(_PHOTOSHOP_IN_TIFF))
    return _Packets(xmp=packet(_XMP_IN_TIFF), iptc=_fuller(own, resource), exif=exif)


def _fuller(own: bytes, resource: bytes) -> bytes:
    """Of the two places that a TIFF has for IPTC, its own tag's, but where that is the other's beginning or breaks off:
    ImageMagick 6 writes a quarter there, since it counts the bytes by fours."""
    own = _in_order(own)
    if resource.startswith(own.rstrip(b"\0")):
        return resource
    (said, whole), (beside, _) = _iptc_fields(own), _iptc_fields(resource)
    return own if whole or _values(said) >= _values(beside) else resource


def _values(fields: Mapping[tuple[int, int], list[bytes]]) -> int:
    return sum(map(len, fields.values()))


def _exif_of(data: bytes) -> Mapping[int, Any]:
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(data)
        return {tag: exif.get(tag) for tag in _DESCRIBING}
    except Exception:  # noqa: BLE001 - a hostile directory can fail in any way
        return {}


def _iptc_resource(data: bytes) -> bytes:
    """The IPTC block among Photoshop's image resources."""
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, at + 4)
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name of even size, its length included
        if at + 4 > len(data):
            break
        (size,) = struct.unpack_from(">I", data, at)
        if number == _IPTC_RESOURCE:
            return data[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return b""


def _from_xmp(packet: bytes) -> tuple[EmbeddedDescription, str | None]:
    from defusedxml import ElementTree

    if len(packet) > _PACKET_BYTES_MAX:
        return EmbeddedDescription(), None
    root: Element = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    properties: dict[str, list[str]] = {}
    # What is described further in is another picture, such as one that this was made of.
    packed = root if root.tag == f"{_RDF}RDF" else root.find(f".//{_RDF}RDF")
    for described in [] if packed is None else packed.findall(f"{_RDF}Description"):
        found = [(name, [value]) for name, value in described.attrib.items()]
        found += [(child.tag, _texts(child)) for child in described]
        for name, values in found:
            if not properties.get(name):
                properties[name] = values

    def texts(name: str) -> list[str]:
        return properties.get(name, [])

    def first(name: str, most: int) -> str | None:
        return next((clean for each in texts(name) if (clean := _clean(each, most))), None)

    return EmbeddedDescription(
        title=first(f"{_DC}title", _JUDGED_MAX),
        description=first(f"{_DC}description", _JUDGED_MAX),
        keywords=_keywords(texts(f"{_DC}subject")),
        creator=_names(texts(f"{_DC}creator")),
        copyright=first(f"{_DC}rights", _TITLE_MAX),
        credit=first(f"{_PHOTOSHOP}Credit", _TITLE_MAX),
    ), first(f"{_PHOTOSHOP}Headline", _JUDGED_MAX)


def _keywords(entries: Iterable[str]) -> tuple[str, ...]:
    """Each entry's, of which some programs write all into one with semicolons between them."""
    parts = (part for each in entries for part in ([each] if _ENTITY.search(each) else each.split(";")))
    return tuple(islice((clean for part in parts if (clean := _clean(part, _TEXT_MAX))), _KEYWORDS_MAX))


def _names(entries: Iterable[str]) -> str | None:
    """All who made it, as many as there is room for."""
    names = ""
    for name in dict.fromkeys(clean for each in entries if (clean := _clean(each, _TEXT_MAX))):
        together = f"{names}, {name}" if names else name
        names = together if len(together) <= _TEXT_MAX else names
    return names or None


def _texts(value: Element) -> list[str]:
    """The texts of a property, whichever of its shapes the file has; of several languages the default's first, then
    English."""
    items = list(value.iter(f"{_RDF}li"))
    if not items:
        return [value.text] if value.text else []

    def rank(item: Element) -> int:
        language = item.get(_LANGUAGE, "").lower()
        return 0 if language == "x-default" else 1 if language.split("-")[0] == "en" else 2

    alternatives = value.find(f"{_RDF}Alt") is not None
    return [item.text for item in (sorted(items, key=rank) if alternatives else items) if item.text]


def _in_order(block: bytes) -> bytes:
    """IPTC's bytes as they were written: kept as numbers of four bytes, a program that brings a TIFF into another byte
    order turns each of them round, which ExifTool tells by the first as well."""
    if block[:1] == b"\x1c" or block[3:4] != b"\x1c":
        return block
    block += bytes(-len(block) % 4)
    return struct.pack(f">{len(block) // 4}I", *struct.unpack(f"<{len(block) // 4}I", block))


def _iptc_fields(block: bytes) -> tuple[dict[tuple[int, int], list[bytes]], bool]:
    """The values by record and dataset, and whether they go to the block's end, zeros behind them aside."""
    fields: dict[tuple[int, int], list[bytes]] = {}
    end = 0
    while end + 5 <= len(block) and block[end] == 0x1C:
        record, dataset, size = struct.unpack_from(">BBH", block, end + 1)
        at = end + 5
        if size & 0x8000:  # the length of the length
            wide = size & 0x7FFF
            if wide > 4 or at + wide > len(block):
                break
            size = int.from_bytes(block[at : at + wide], "big")
            at += wide
        if at + size > len(block):
            break
        fields.setdefault((record, dataset), []).append(block[at : at + size])
        end = at + size
    return fields, not block[end:].strip(b"\0")


def _from_iptc(block: bytes) -> tuple[EmbeddedDescription, str | None]:
    """IPTC-IIM 4.2. Its texts are in the alphabet that 1:90 says; else each in UTF-8 where it is valid, or Windows'
    Latin where it reads like that: programs add their own fields beside those that are there."""
    fields, _ = _iptc_fields(_in_order(block))
    declared = b"".join(fields.get((1, 90), []))
    letters = next((letters for escape, letters in _ALPHABETS.items() if escape in declared), None)
    utf8 = b"\x1b%G" in declared or letters is None

    def decoded(value: bytes) -> str | None:
        text = _utf8(value) if utf8 else None
        if text is not None:
            return text
        return western(value) if letters is None else "".join(letters[byte] for byte in value)

    def texts(number: int) -> list[str]:
        return [text for each in fields.get((2, number), []) if (text := decoded(each)) is not None]

    def first(number: int, most: int) -> str | None:
        return next((clean for each in texts(number) if (clean := _clean(each, most))), None)

    return EmbeddedDescription(
        title=first(5, _JUDGED_MAX),
        description=first(120, _JUDGED_MAX),
        keywords=_keywords(texts(25)),
        creator=_names(texts(80)),
        copyright=first(116, _TITLE_MAX),
        credit=first(110, _TITLE_MAX),
    ), first(105, _JUDGED_MAX)


def _from_exif(fields: Mapping[int, Any]) -> tuple[EmbeddedDescription, str | None]:
    title, comment, keywords = (_windows_text(fields.get(tag)) for tag in _WINDOWS)
    return EmbeddedDescription(
        title=_clean(title, _JUDGED_MAX),
        description=_clean(comment, _JUDGED_MAX),
        keywords=_keywords([keywords]),
        creator=_exif_text(fields, _ARTIST, _TEXT_MAX),
        copyright=_exif_text(fields, _COPYRIGHT, _TITLE_MAX),
    ), _exif_text(fields, _TITLED, _JUDGED_MAX)


def _windows_text(value: Any) -> str:
    data = value if isinstance(value, bytes) else b""
    return data.decode("utf-16-le", "replace").split("\0")[0]


def _from_png(texts: Mapping[str, str]) -> tuple[EmbeddedDescription, None]:
    return EmbeddedDescription(
        title=_clean(texts.get("title", ""), _JUDGED_MAX),
        description=_clean(texts.get("description", ""), _JUDGED_MAX),
    ), None


def _exif_text(fields: Mapping[int, Any], tag: int, most: int) -> str | None:
    value = fields.get(tag)
    if isinstance(value, str):  # read as Latin-1, letter by letter
        value = value.encode("latin-1", "replace")
    if not isinstance(value, bytes):
        return None
    value = value.split(b"\0")[0]
    found = _utf8(value)
    found = western(value) if found is None else found
    return None if found is None else _clean(found, most)


def _utf8(data: bytes) -> str | None:
    """The text; None where it is no UTF-8. Behind letters of several bytes a last one may be cut, as the lengths of
    IPTC's fields cut them, and is left out."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        cut = error.end == len(data) and error.reason == "unexpected end of data" and not whole.isascii()
        return whole.decode() if cut else None


# Made here, as those of Windows' Latin are.
_ALPHABETS = {
    b"\x1b" + set_number + final: letters_of(f"iso8859_{part}")
    for final, part in zip(b"B C D L G F H M b".split(), (2, 3, 4, 5, 6, 7, 8, 9, 15), strict=True)
    for set_number in (b"-", b".", b"/")
}
"""By how ISO 2022 announces them: the right halves of ISO 8859."""


def _clean(text: str, most: int) -> str | None:
    """As a title may hold it: composed (NFC), without what cannot be seen, of bounded length; None where nothing is
    left."""
    return what_shows(text[: 4 * most], most, lines=True) or None
