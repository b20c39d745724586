"""What a file says of itself, wherever and however it says it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.metadata import description_of, read_description
from imagemarket.imaging.models import EmbeddedDescription
from imagemarket.imaging.sandbox import Inspector
from imagemarket.platform.text import clean_line
from local.raw_fixtures import write_tiled_dng
from tests.described import CAPTION, CREDIT, KEYWORD, TITLE, alternatives, keywords, with_iptc, xmp


def _jpeg(**options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "teal").save(out, "JPEG", **options)
    return out.getvalue()


def _iptc(*fields: tuple[int, bytes], charset: bytes | None = None) -> bytes:
    return with_iptc(_jpeg(), *fields, charset=charset)


def _of(data: bytes) -> EmbeddedDescription:
    return description_of(io.BytesIO(data))


# --- XMP -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("languages", "taken"),
    [
        ({"x_default": "One", "de": "Eins"}, "One"),
        ({"de": "Eins", "x_default": "One"}, "One"),
        ({"de": "Eins", "fr": "Un", "X_DEFAULT": "One"}, "One"),
        ({"de": "Eins", "en_US": "One"}, "One"),
        ({"de": "Eins", "fr": "Un"}, "Eins"),
    ],
)
def test_of_several_languages_the_default_is_taken_then_english(languages: dict[str, str], taken: str) -> None:
    assert _of(_jpeg(xmp=xmp(alternatives(**languages)))).title == taken


def test_keywords_keep_their_order_and_a_property_may_be_an_attribute() -> None:
    bag = "<dc:subject><rdf:Bag><rdf:li>one</rdf:li><rdf:li>two</rdf:li></rdf:Bag></dc:subject>"
    found = _of(_jpeg(xmp=xmp(bag, attributes='photoshop:Credit="Ada / House" photoshop:Headline="A headline"')))
    assert (found.keywords, found.credit, found.title) == (("one", "two"), "Ada / House", "A headline")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("behind", [False, True])
def test_xmp_of_a_png_may_stand_before_or_behind_its_pixels(behind: bool, compressed: bool) -> None:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(out, "PNG")
    png, packet = out.getvalue(), xmp(alternatives(x_default="A tree"))
    text = b"XML:com.adobe.xmp\0" + (b"\1\0\0\0" + zlib.compress(packet) if compressed else b"\0\0\0\0" + packet)
    chunk = struct.pack(">I", len(text)) + b"iTXt" + text + struct.pack(">I", zlib.crc32(b"iTXt" + text))
    at = len(png) - 12 if behind else 33
    assert _of(png[:at] + chunk + png[at:]).title == "A tree"


def test_a_look_at_a_picture_finds_what_it_says_of_itself(tmp_path: Path, decoder: Inspector) -> None:
    """As the first step of the saga looks, from a process that can open no file: with what becomes suggestions."""
    said = EmbeddedDescription(title="Zürich", description="A lake", keywords=("sea", "boats"), credit="Ada / House")
    fields = ((TITLE, "Zürich"), (CAPTION, "A lake"), (KEYWORD, "sea"), (KEYWORD, "boats"), (CREDIT, "Ada / House"))
    (tmp_path / "iptc.jpg").write_bytes(_iptc(*((number, text.encode("latin-1")) for number, text in fields)))
    packet = xmp(
        alternatives(x_default="Zürich")
        + "<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>A lake</rdf:li></rdf:Alt></dc:description>"
        + keywords("sea", "boats"),
        attributes='photoshop:Credit="Ada / House"',
    )
    (tmp_path / "xmp.jpg").write_bytes(_jpeg(xmp=packet))
    Image.new("RGB", (80, 64), "teal").save(tmp_path / "xmp.tif", tiffinfo={700: packet})
    for path in sorted(tmp_path.iterdir()):
        assert inspect(path).described == decoder.inspect(path).described == said, path.name


@pytest.mark.parametrize("letters", ["latin-1", "cp1252", "utf-8"])
def test_the_letters_of_iptc_and_exif_are_read_in_the_sandbox_too(
    tmp_path: Path, decoder: Inspector, letters: str
) -> None:
    exif = Image.Exif()
    exif[0x8298], exif[0x013B] = "© Zoë".encode(letters), "Zoë".encode(letters)
    (tmp_path / "exif.jpg").write_bytes(_jpeg(exif=exif))
    (tmp_path / "iptc.jpg").write_bytes(_iptc((TITLE, "Zoë".encode(letters)), (KEYWORD, "Süden".encode(letters))))
    (tmp_path / "xmp.jpg").write_bytes(_jpeg(xmp=xmp(alternatives(x_default="Zoë"))))
    found = {path.stem: decoder.inspect(path).described for path in tmp_path.iterdir()}
    assert (found["exif"].copyright, found["exif"].creator) == ("© Zoë", "Zoë")
    assert (found["iptc"].title, found["iptc"].keywords) == ("Zoë", ("Süden",))
    assert found["xmp"].title == "Zoë"


def test_xmp_of_tiff_and_of_a_raw_is_read(tmp_path: Path) -> None:
    packet = xmp(alternatives(x_default="A tree"))
    Image.new("RGB", (80, 64), "teal").save(tmp_path / "a.tif", tiffinfo={700: packet})
    assert read_description(tmp_path / "a.tif").title == "A tree"
    write_tiled_dng(tmp_path / "a.dng", np.full((128, 128, 3), 0.3), fields=[(700, 1, packet)])
    assert inspect(tmp_path / "a.dng").described.title == "A tree"


def _iptc_block(jpeg: bytes) -> bytes:
    """The resources that `with_iptc` put into a JPEG."""
    length = struct.unpack(">H", jpeg[4:6])[0]
    return jpeg[4 + 2 + len(b"Photoshop 3.0\0") : 4 + length]


def _tiff_with_iptc(own: tuple[int, bytes] | None, resources: bytes | None) -> bytes:
    """With its own tag's bytes as such (7) or as numbers of four bytes (4)."""
    fields: Any = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in ((33723, 7, own and own[1]), (34377, 1, resources)):
        if value is not None:
            fields[tag], fields.tagtype[tag] = value, kind
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "teal").save(out, "TIFF", tiffinfo=fields)
    if own is None or own[0] == 7:
        return out.getvalue()
    entry = struct.pack("<HHI", 33723, 7, len(own[1]))
    assert entry in out.getvalue()
    return out.getvalue().replace(entry, struct.pack("<HHI", 33723, 4, len(own[1]) // 4))


_SAID = (TITLE, b"Tram"), (KEYWORD, b"tram"), (KEYWORD, b"rain"), (CAPTION, b"In the rain"), (CREDIT, b"Ada")
_RESOURCES = _iptc_block(_iptc(*_SAID))
_BLOCK = _RESOURCES[_RESOURCES.index(b"\x1c\x02") :]
_FOURS = _BLOCK.ljust(-(-len(_BLOCK) // 4) * 4, b"\0")
_TURNED = b"".join(_FOURS[at : at + 4][::-1] for at in range(0, len(_FOURS), 4))
_OTHER = _iptc_block(_iptc((TITLE, b"Other")))


@pytest.mark.parametrize(
    ("own", "resources"),
    [
        *[((7, _BLOCK[:length]), _RESOURCES) for length in range(len(_BLOCK))],
        ((7, _BLOCK), _OTHER),
        ((7, _BLOCK + bytes(3)), _RESOURCES),
        ((7, b"no IPTC"), _RESOURCES),
        ((7, _BLOCK), b"8BIM no resources"),
        ((7, _BLOCK), _RESOURCES[:-20]),
        ((7, _BLOCK), None),
        (None, _RESOURCES),
        ((4, _FOURS), None),
        ((4, _TURNED), _OTHER),
        ((4, _TURNED[: len(_TURNED) // 16 * 4]), _RESOURCES),
    ],
)
def test_of_two_places_for_iptc_in_a_tiff_the_fuller_is_read(own: tuple[int, Any] | None, resources: bytes) -> None:
    """ImageMagick 6 cuts the one to a quarter; libtiff turns the numbers of it round for another byte order."""
    found = _of(_tiff_with_iptc(own, resources))
    assert (found.title, found.keywords) == ("Tram", ("tram", "rain"))
    assert (found.description, found.credit) == ("In the rain", "Ada")


def _png(*chunks: tuple[bytes, bytes], behind: bool = False) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "teal").save(out, "PNG")
    png = out.getvalue()
    at = len(png) - 12 if behind else 33
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return png[:at] + b"".join(packed) + png[at:]


def _in_hex(kind: str, block: bytes, chunk: bytes = b"zTXt", size: int | None = None) -> tuple[bytes, bytes]:
    """As ImageMagick writes a block that PNG has no chunk for: 72 letters in a line."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(block) if size is None else size:8}\n{lines}\n".encode()
    data = {b"zTXt": b"\0" + zlib.compress(text), b"tEXt": text, b"iTXt": b"\0\0\0\0" + text}[chunk]
    return chunk, f"Raw profile type {kind}".encode() + b"\0" + data


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("chunk", [b"zTXt", b"tEXt", b"iTXt"])
def test_what_programs_write_into_a_png_in_hex_is_read(
    chunk: bytes, behind: bool, tmp_path: Path, decoder: Inspector
) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "Boats", "Ada"
    resources = _iptc_block(_iptc((TITLE, "Zürich".encode()), (KEYWORD, b"sea")))
    bare = resources[resources.index(b"\x1c\x02") :]
    packet = xmp(alternatives(x_default="A tree"))
    for kind, block, title in (
        ("iptc", resources, "Zürich"),
        ("iptc", b"Photoshop 3.0\0" + resources, "Zürich"),
        ("iptc", bare, "Zürich"),
        ("xmp", packet, "A tree"),
        ("APP1", b"http://ns.adobe.com/xap/1.0/\0" + packet, "A tree"),
        ("exif", exif.tobytes(), "Boats"),
        ("exif", exif.tobytes().removeprefix(b"Exif\0\0"), "Boats"),
        ("APP1", exif.tobytes(), "Boats"),
    ):
        (tmp_path / "a.png").write_bytes(_png(_in_hex(kind, block, chunk), behind=behind))
        for found in (read_description(tmp_path / "a.png"), decoder.inspect(tmp_path / "a.png").described):
            assert found.title == title, kind
    every = _png(_in_hex("exif", exif.tobytes()), _in_hex("iptc", resources), _in_hex("xmp", packet))
    assert (_of(every).title, _of(every).keywords, _of(every).creator) == ("A tree", ("sea",), "Ada")
    own = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(alternatives(x_default="Its own"))
    assert _of(_png(_in_hex("xmp", packet), (b"iTXt", own))).title == "Its own"


def test_hostile_blocks_in_hex_are_passed_over() -> None:
    good = _iptc_block(_iptc((TITLE, b"Boats")))
    kind, text = _in_hex("iptc", good)
    bomb = b"Raw profile type iptc\0\0" + zlib.compress(b"\niptc\n 9\n" + b"0" * 50_000_000)
    for chunks in (
        [(kind, text[:-10])],
        [(kind, text[:24] + b"no deflate")],
        [(b"tEXt", b"Raw profile type iptc\0")],
        [(b"tEXt", b"Raw profile type iptc\0\niptc\n x\nzz")],
        [_in_hex("iptc", good, size=-5)],
        [(kind, bomb)],
        [(kind, bomb)] * 300,
    ):
        assert _of(_png(*chunks)).title in {None, "Boats"}
        assert _of(_png(*chunks, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(alternatives(x_default="A tree")))))


# --- IPTC ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "charset", "title"),
    [
        ("Café in Zürich".encode("latin-1"), None, "Café in Zürich"),
        (b"Rock \x92n\x92 roll \x96 caf\xe9", None, "Rock \u2019n\u2019 roll \u2013 café"),
        ("Café in Zürich".encode(), None, "Café in Zürich"),
        ("Café in Zürich".encode(), b"\x1b%G", "Café in Zürich"),
        ("Café in Zürich".encode("latin-1"), b"\x1b%G", "Café in Zürich"),  # declared falsely
        ("Cafe\u0301".encode(), b"\x1b%G", "Café"),
        (b"caf\x81\xe9", None, None),  # no letter of Windows' Latin
    ],
)
def test_iptc_is_read_in_the_letters_it_was_written_in(data: bytes, charset: bytes | None, title: str | None) -> None:
    assert _of(_iptc((5, data), charset=charset)).title == title


def test_each_text_of_iptc_tells_its_own_alphabet_where_none_is_declared() -> None:
    texts = (5, "Zürich".encode("cp1252")), (25, "Käse".encode()), (25, "Öl".encode("cp1252")), (110, b"House")
    for fields in (texts, texts[::-1]):
        found = _of(_iptc(*fields))
        assert (found.title, {*found.keywords}, found.credit) == ("Zürich", {"Käse", "Öl"}, "House")


def test_xmp_goes_before_iptc_and_a_title_before_any_headline() -> None:
    data = _iptc((105, b"IPTC headline"), (120, b"IPTC text"))
    assert (_of(data).title, _of(data).description) == ("IPTC headline", "IPTC text")
    packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp("", attributes='photoshop:Headline="XMP headline"')
    both = data[:2] + b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet + data[2:]
    assert _of(both).title == "XMP headline"
    titled = _iptc((105, b"IPTC headline"), (5, b"IPTC title"))
    assert _of(titled[:2] + both[2 : 4 + len(packet) + 2] + titled[2:]).title == "IPTC title"


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        (("tree;lake; sky",), ("tree", "lake", "sky")),
        (("tree; lake;;", "; red sky ;"), ("tree", "lake", "red sky")),
        (
            ("tree, lake", "rock &amp; roll", "salt &#38; pepper"),
            ("tree, lake", "rock &amp; roll", "salt &#38; pepper"),
        ),
        ((";".join(f"word {number}" for number in range(80)),), tuple(f"word {number}" for number in range(50))),
    ],
)
def test_semicolons_part_the_keywords_of_one_entry(entries: tuple[str, ...], taken: tuple[str, ...]) -> None:
    assert _of(_iptc(*((KEYWORD, each.encode()) for each in entries))).keywords == taken
    packet = xmp(keywords(*(each.replace("&", "&amp;") for each in entries)))
    assert _of(_jpeg(xmp=packet)).keywords == taken


# --- EXIF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Boats on a lake", "Boats on a lake"),
        ("Café", "Café"),
        *[
            (each, None)
            for each in ("OLYMPUS DIGITAL CAMERA", "SONY DSC", "DCF 1.0", "IMG_0042", "  ", "0000", "default")
        ],
    ],
)
def test_an_exif_description_is_a_title_of_last_resort_unless_a_camera_wrote_it(said: str, title: str | None) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x8298] = said.encode(), "Ada", "Ada 2024"
    found = _of(_jpeg(exif=exif))
    assert (found.title, found.creator, found.copyright) == (title, "Ada", "Ada 2024")
    assert _of(_jpeg(exif=exif, xmp=xmp(alternatives(x_default="A title")))).title == "A title"


def test_the_texts_of_explorer_and_of_png_are_titles_of_last_resort(tmp_path: Path) -> None:
    exif = Image.Exif()
    for tag, said in ((0x9C9B, "Boats \u00e9t\u00e9"), (0x9C9C, "By the quay"), (0x9C9E, "sea;boat")):
        exif[tag] = said.encode("utf-16-le") + b"\0\0"
    Image.new("RGB", (80, 64)).save(tmp_path / "a.tif", exif=exif)
    for found in (_of(_jpeg(exif=exif)), _of((tmp_path / "a.tif").read_bytes())):
        assert (found.title, found.description) == ("Boats \u00e9t\u00e9", "By the quay")
        assert found.keywords == ("sea", "boat")
    assert _of(_jpeg(exif=exif, xmp=xmp(alternatives(x_default="A title")))).title == "A title"
    exif[0x9C9B] = "OLYMPUS DIGITAL CAMERA".encode("utf-16-le")
    assert _of(_jpeg(exif=exif)).title is None
    written = _of(_png((b"tEXt", b"Title\0Caf\xe9"), (b"iTXt", "Description\0\0\0\0\0Das Caf\u00e9".encode())))
    assert (written.title, written.description) == ("Caf\u00e9", "Das Caf\u00e9")
    assert _of(_png((b"tEXt", b"Title\0IMG_0042"))).title is None


def test_all_who_made_a_picture_are_named_as_far_as_there_is_room() -> None:
    by_line = 80
    assert _of(_iptc((by_line, b"Ada"), (by_line, b"Bob"), (by_line, b"Ada"))).creator == "Ada, Bob"
    assert _of(_iptc((by_line, b"A" * 90), (by_line, b"B" * 30), (by_line, b"Cy"))).creator == "A" * 90 + ", Cy"
    both = "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"
    assert _of(_jpeg(xmp=xmp(both))).creator == "Ada, Bob"


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("+09:00", "2024-05-01T12:00:00+09:00"),
        ("-03:30", "2024-05-01T12:00:00-03:30"),
        ("+00:00", "2024-05-01T12:00:00Z"),
        (None, "2024-05-01T12:00:00"),
        ("   :  ", "2024-05-01T12:00:00"),
        ("+25:00", "2024-05-01T12:00:00"),
    ],
)
@pytest.mark.parametrize("tags", [(0x9003, 0x9011), (0x0132, 0x9010)])
def test_a_time_has_the_zone_that_the_file_names_and_no_other(
    tmp_path: Path, offset: str | None, expected: str, tags: tuple[int, int]
) -> None:
    exif = Image.Exif()
    detail = exif.get_ifd(0x8769)
    if tags[0] == 0x0132:
        exif[0x0132] = "2024:05:01 12:00:00"
    else:
        detail[tags[0]] = "2024:05:01 12:00:00"
    if offset is not None:
        detail[tags[1]] = offset
    detail[0x8827] = 100
    (tmp_path / "a.jpg").write_bytes(_jpeg(exif=exif))
    assert inspect(tmp_path / "a.jpg").technical.model_dump(mode="json")["taken_at"] == expected


@pytest.mark.parametrize(
    ("taken", "changed", "expected"),
    [
        ("1970:01:01 00:00:00", None, None),
        ("1970:01:01 00:00:00", "2024:05:01 12:00:00", "2024-05-01T12:00:00"),
        ("0000:00:00 00:00:00", None, None),
        ("1970:01:01 00:00:01", None, "1970-01-01T00:00:01"),
    ],
)
def test_a_clock_at_zero_tells_no_time(tmp_path: Path, taken: str, changed: str | None, expected: str | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = taken
    if changed:
        exif[0x0132] = changed
    (tmp_path / "a.jpg").write_bytes(_jpeg(exif=exif))
    assert inspect(tmp_path / "a.jpg").technical.model_dump(mode="json")["taken_at"] == expected


def test_exif_of_a_big_tiff_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2024:05:01 12:00:00"
    Image.new("RGB", (80, 64), "teal").save(tmp_path / "a.tif", exif=exif, big_tiff=True)
    assert (tmp_path / "a.tif").read_bytes()[2] == 43
    assert inspect(tmp_path / "a.tif").technical.model_dump(mode="json")["taken_at"] == "2024-05-01T12:00:00"


# --- what cannot be read is not there --------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<",
        b"\xff\xfe",
        b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>',
        b"<a>" * 100_000,
        xmp("<dc:title/>"),
        b"x" * 60_000,
    ],
)
def test_a_packet_that_cannot_be_read_is_passed_over(packet: bytes, tmp_path: Path) -> None:
    data = b"http://ns.adobe.com/xap/1.0/\0" + packet[:60_000]
    whole = _jpeg()
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + whole[2:])
    assert read_description(path) == EmbeddedDescription()
    assert inspect(path).described == EmbeddedDescription()


def test_lengths_are_bounded_and_what_cannot_be_seen_is_left_out() -> None:
    found = _of(_iptc((5, b"a\x00\x07b" + b"c" * 2000), *[(25, b"word") for _ in range(80)]))
    assert found.title == "ab" + "c" * 198
    assert len(found.keywords) == 50
    for cut in range(0, 400, 3):
        _of(_iptc((5, b"title"), (25, b"word"))[:cut])  # ends, whatever it finds


@pytest.mark.parametrize(
    "unseen",
    [
        *("\u2800", "\u115f", "\u1160", "\u3164", "\uffa0", "\u034f", "\u200b", "\u00ad", "\u2066"),
        *("\ufffc", "\u303f", "\U0001d159", "\U00016fe4", "\ue000", "\uf8ff", "\U0010fffd"),
    ],
)
def test_what_a_file_suggests_holds_nothing_that_a_title_may_not(unseen: str) -> None:
    found = _of(_iptc((5, f"a{unseen}b".encode()), (25, unseen.encode()), (25, f"{unseen}word{unseen}".encode())))
    assert found.title == clean_line("ab")
    assert found.keywords == ("word",)


@pytest.mark.parametrize("text", ["കടല\u0d4d\u200d", "سال ۱۴۰۲ \u0647\u200d"], ids=ascii)
def test_what_a_file_suggests_keeps_the_joiners_that_its_script_needs(text: str) -> None:
    found = _of(_iptc((5, text.encode()), (25, text.encode()), (120, f"{text}\u200d".encode())))
    assert (found.title, found.keywords, found.description) == (text, (text,), text)


@pytest.mark.parametrize("parting", ["\u2028", "\u2029", "\u0085", "\v", "\f"])
def test_what_parts_lines_parts_words(parting: str) -> None:
    found = _of(_iptc((5, f"Red{parting}fox".encode()), (120, f"{parting}one{parting}two".encode())))
    assert (found.title, found.description) == ("Red fox", "one two")


# --- what others wrote ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "text", "codec"),
    [
        (b"\x1b-B", "Łódź żółw", "iso8859_2"),
        (b"\x1b-L", "Москва", "iso8859_5"),
        (b"\x1b.F", "Αθήνα", "iso8859_7"),
        (b"\x1b-A", "Zürich", "iso8859_1"),
    ],
)
def test_iptc_is_read_in_the_alphabet_that_it_declares(charset: bytes, text: str, codec: str) -> None:
    assert _of(_iptc((5, text.encode(codec)), charset=charset)).title == text


@pytest.mark.parametrize("charset", [b"\x1b%G", None])
def test_a_letter_that_the_length_of_an_iptc_field_cut_is_left_out(charset: bytes | None) -> None:
    found = _of(_iptc((5, "日本の美しい".encode()[:-1]), (25, "空".encode()), charset=charset))
    assert (found.title, found.keywords) == ("日本の美し", ("空",))


def test_what_a_picture_was_made_of_does_not_speak_for_it() -> None:
    other = "<rdf:Description><dc:title><rdf:Alt><rdf:li>Other</rdf:li></rdf:Alt></dc:title></rdf:Description>"
    packet = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
     xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:m="http://ns.adobe.com/xap/1.0/mm/">
     <rdf:Description><m:Pantry><rdf:Bag><rdf:li>{other}</rdf:li></rdf:Bag></m:Pantry><dc:title/></rdf:Description>
     <rdf:Description><dc:title><rdf:Alt><rdf:li>Mine</rdf:li></rdf:Alt></dc:title></rdf:Description>
    </rdf:RDF></x:xmpmeta>"""
    assert _of(_jpeg(xmp=packet.encode())).title == "Mine"
    assert _of(_jpeg(xmp=packet.replace("Mine", "").encode())).title is None


@pytest.mark.parametrize(
    "written",
    [
        *(
            "DCIM\\100MEDIA\\DJI_0012.JPG",
            "SAMSUNG CAMERA PICTURES",
            "Exif_JPEG_PICTURE",
            "IMG_20200101_121212.jpg",
            "dav",
        ),
        *("<KENOX S630  / Samsung S630>", "My picture.jpg", "rhdr"),
    ],
)
def test_what_cameras_write_by_themselves_is_no_title(written: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = written
    assert _of(_jpeg(exif=exif)).title is None


def test_a_text_whose_letters_were_lost_before_suggests_nothing() -> None:
    bag = "<dc:subject><rdf:Bag><rdf:li>caf\ufffd</rdf:li><rdf:li>two</rdf:li></rdf:Bag></dc:subject>"
    found = _of(with_iptc(_jpeg(xmp=xmp(alternatives(x_default="Caf\ufffd") + bag)), (5, "Café".encode())))
    assert (found.title, found.keywords) == ("Café", ("two",))
    assert _of(_jpeg(xmp=xmp(alternatives(x_default="Caf\ufffd")))).title is None
