"""What leaves with a rendition: who made it, where its licence is, and nothing else."""

from __future__ import annotations

import io
import struct
import uuid
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.metadata import read_description
from imagemarket.imaging.models import Rendition
from imagemarket.imaging.renditions import make_thumbnails
from imagemarket.imaging.watermark import make_watermarked
from imagemarket.imaging.xmp_rights import Rights

IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")
PAGE, TERMS = f"https://market.example/images/{IMAGE_ID}", "https://market.example/terms"
RIGHTS = Rights(creator='Zoë "Z" <O\'Neill> & Söhne', credit="Zoë / imagemarket", terms_url=TERMS, page_url=PAGE)
SECRETS = (b"Jane", b"SN123", b"secret", b"ACME", b"ICC_PROFILE", b"Photoshop", b"8BIM")
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_NAMES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
}
EXPECTED = {
    "dc:creator": RIGHTS.creator,
    "dc:rights": f"© {RIGHTS.creator}",
    "photoshop:Credit": RIGHTS.credit,
    "plus:Licensor/plus:LicensorURL": PAGE,
    "xmpRights:Marked": "True",
    "xmpRights:WebStatement": TERMS,
}


@pytest.fixture(scope="module", params=["opaque", "see-through"])
def renditions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Rendition]:
    """Of an original that is full of what must not leave."""
    folder = tmp_path_factory.mktemp("rights")
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x8298] = "ACME", "Jane Doe", "secret"
    exif.get_ifd(0x8769).update({0xA431: "SN123", 0x9003: "2024:05:06 07:08:09"})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret Jane</x:xmpmeta>"
    picture = Image.linear_gradient("L").resize((1200, 800)).convert("RGB")
    path = folder / "a.jpg"
    if request.param == "opaque":
        picture.save(path, exif=exif, xmp=xmp, comment=b"secret", dpi=(301, 301))
    else:
        picture.putalpha(Image.linear_gradient("L").resize((1200, 800)))
        info = PngImagePlugin.PngInfo()
        info.add_text("Author", "Jane secret")
        path = folder / "a.png"
        picture.save(path, exif=exif, pnginfo=info, dpi=(301, 301))
    master = inspect(path).master
    return make_thumbnails(master, RIGHTS) + make_watermarked(master, IMAGE_ID, RIGHTS)


def test_every_rendition_says_whose_it_is_and_nothing_else(renditions: list[Rendition], tmp_path: Path) -> None:
    assert len(renditions) == 12
    for rendition in renditions:
        name = f"{rendition.kind} {rendition.long_edge} {rendition.format}"
        for secret in SECRETS:
            assert secret not in rendition.data, name
        with Image.open(io.BytesIO(rendition.data)) as opened:
            assert properties(opened.info["xmp"]) == EXPECTED, name
            assert not dict(opened.getexif()), name
            assert not opened.info.get("icc_profile"), name
            assert "comment" not in opened.info, name
        if rendition.format == "jpeg":  # the one of these formats that is uploaded, so that its words are read
            path = tmp_path / "a.jpg"
            path.write_bytes(rendition.data)
            assert read_description(path).creator == RIGHTS.creator
        assert {"jpeg": _segments, "webp": _chunks, "avif": _items}[rendition.format](rendition.data) <= {
            "jpeg": {"APP0 JFIF", "APP1 http://ns.adobe.com/xap/1.0/"},
            "webp": {"VP8X", "VP8 ", "ALPH", "XMP "},
            "avif": {"av01", "mime application/rdf+xml"},
        }[rendition.format], name


def properties(packet: bytes) -> dict[str, str]:
    """Every property of a packet by its usual name."""
    root = ElementTree.fromstring(packet.decode("utf-8"))
    (description,) = root.iter(f"{_RDF}Description")
    found = {_name(key): value for key, value in description.attrib.items() if not key.startswith(_RDF)}
    for element in description:
        leaves = [leaf for leaf in element.iter() if not len(leaf)]
        assert len(leaves) == 1
        path = [_name(each.tag) for each in element.iter() if not each.tag.startswith(_RDF)]
        found["/".join(path)] = leaves[0].text or ""
    return found


def _name(tag: str) -> str:
    namespace, _, local = tag[1:].partition("}")
    return f"{_NAMES[namespace]}:{local}"


def _segments(data: bytes) -> set[str]:
    """Application and comment segments of a JPEG."""
    at, found = 2, set()
    while data[at + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if 0xE0 <= data[at + 1] <= 0xEF or data[at + 1] == 0xFE:
            found.add(f"APP{data[at + 1] - 0xE0} {data[at + 4 : at + 2 + length].split(bytes(1))[0].decode('latin-1')}")
        at += 2 + length
    return found


def _chunks(data: bytes) -> set[str]:
    """Chunks of a WebP."""
    at, found = 12, set()
    while at < len(data):
        found.add(data[at : at + 4].decode())
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        at += 8 + length + length % 2
    return found


def _items(data: bytes) -> set[str]:
    """Items of an AVIF: pictures by their kind, other data by their media type."""
    at = data.index(b"iinf")
    (size,) = struct.unpack(">I", data[at - 4 : at])
    body, found = data[at : at - 4 + size], set()
    place = 0
    while (place := body.find(b"infe", place)) >= 0:
        (length,) = struct.unpack(">I", body[place - 4 : place])
        kind = body[place + 12 : place + 16].decode()
        rest = body[place + 16 : place - 4 + length].split(b"\0")
        found.add(f"{kind} {rest[1].decode()}" if kind == "mime" else kind)
        place += 4
    return found


def test_without_rights_there_is_no_metadata_at_all() -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 100), "navy").save(out, "TIFF")
    for rendition in make_thumbnails(out.getvalue()):
        with Image.open(io.BytesIO(rendition.data)) as opened:
            assert "xmp" not in opened.info


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_makes_a_packet_that_can_be_read(creator: str, credit: str) -> None:
    found: dict[str, Any] = properties(Rights(creator=creator, credit=credit, terms_url=TERMS, page_url=PAGE).xmp())
    assert found.keys() == EXPECTED.keys()
    assert found["xmpRights:WebStatement"] == TERMS


def test_it_costs_little() -> None:
    assert len(RIGHTS.xmp()) < 1200
