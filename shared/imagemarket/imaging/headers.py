"""What a file's headers promise, read with bounds of their own before any decoder sees the file.

A decoder streams most pictures in little memory and has to hold others whole; which, and how much, follows
from the headers by arithmetic. So does the size of the metadata that libraries read without asking.

By hand, since no package answers this: imagesize tells width and height alone, and Pillow, libvips and tifffile have
read the metadata, within bounds that are not ours or none, before they tell more.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import BinaryIO, Literal

from imagemarket.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from imagemarket.imaging.jpeg_stream import JpegParts

METADATA_BYTES_MAX = 64_000_000
"""In all; a photo with a depth map and a print profile has some 5 MB of it."""
PROFILE_BYTES_MAX = 8_000_000
"""The largest colour profiles in use (for print, with many inks) have some 3 MB."""
UNFOLDED_BYTES_MAX = 16_000_000
"""What the compressed texts of a PNG, and its profile, may come to."""

_ENTRIES_MAX = 4096
_PLACES_MAX = 1_000_000
"""Strips or tiles that are looked at: 250 megapixels in tiles of 16 by 16."""
_SEGMENTS_MAX = 10_000
_CHUNKS_MAX = 100_000
"""Of a PNG with its pixels, which lie in many."""
_JPEG_PROGRESSIVE = 0xC2
_JPEG_FRAMES = frozenset({0xC0, 0xC1, _JPEG_PROGRESSIVE})
_JPEG_AC = 0x10
_JPEG_SHORTEST = {_JPEG_AC: 1, _JPEG_AC | 1: 0}
"""What a code of zeros alone stands for in the tables that decoders have where a file brings none: a change by one in
the first, for lightness, and that no more comes of a block in the second."""
_JPEG_LS = 0xF7
_JPEG_LEFT_OUT = frozenset({*range(0xE3, 0xEE), 0xEF, *range(0xF0, 0xFF)} - {_JPEG_LS})
"""Applications' segments, those kept for extensions, and comments, which no decoder asks for."""
_LATE_EXIF_BYTES_MAX = 1_000_000
_PNG_STREAMED_ROWS = 2
_PNG_COMPRESSED = frozenset({b"zTXt", b"iTXt", b"iCCP"})
_PNG_COLOURS = frozenset({b"iCCP", b"cICP"})
"""Chunks that decoders pass over where they are damaged, though the picture looks other without them."""
_UNFOLD_STEP, _UNFOLD_READ = 1_000_000, 1 << 16
_STREAM_BYTES_MAX, _STREAMS_OWN = 4, 64
"""By how much Deflate's streams, or what they unfold to, may be more than the pieces that they are for, and what each
takes for itself: random bytes are longer compressed, and a last strip may have rows below the picture."""
_PNG_CHANNELS = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
"""By colour type; a palette unfolds."""

_SRGB_TRANSFER, _HDR = 13, {16: "PQ", 18: "HLG"}
_SPACES: dict[int, Literal["srgb", "p3"]] = {1: "srgb", 12: "p3"}

_TAG_WIDTH, _TAG_HEIGHT, _TAG_BITS, _TAG_COMPRESSION, _TAG_STRIPS = 256, 257, 258, 259, 273
_TAG_PHOTOMETRIC, _TAG_INK_SET = 262, 332
_PALETTE, _INKS, _YCBCR, _JPEG = 3, 5, 6, 7
_TIFF_COLOURS = {0: 1, 1: 1, 2: 3, _PALETTE: 1, _INKS: 4, _YCBCR: 3}
"""Channels of each photometric interpretation that is read."""
_TIFF_NAMES = {
    -1: "not said",
    0: "grey with white as zero",
    1: "grey",
    2: "RGB",
    _PALETTE: "a palette",
    4: "a mask",
    _INKS: "inks",
    _YCBCR: "YCbCr",
    8: "CIELAB",
    9: "ICCLAB",
    10: "ITULAB",
    32803: "a sensor's filter array",
    32844: "LogL",
    32845: "LogLuv",
    34892: "a sensor's linear raw",
}
_TIFF_SAMPLES = {1: "whole numbers", 2: "whole numbers with a sign", 3: "floats", 4: "samples of no said kind"}
_TIFF_READ = {
    0: {(1, 1), (2, 1), (4, 1), (8, 1), (16, 1)},
    1: {(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (32, 3)},
    2: {(8, 1), (16, 1), (32, 3)},
    _PALETTE: {(1, 1), (2, 1), (4, 1), (8, 1)},
    _INKS: {(8, 1), (16, 1)},
    _YCBCR: {(8, 1)},
}
"""Bits and sample format that come out right, by photometric interpretation: `tests/unit/imaging/test_tiff_colours.py`
is the whole table."""
_MULTIPLIED, _PLAIN = 1, 2
_BESIDE = {_MULTIPLIED: "an opacity that they are multiplied by", _PLAIN: "an opacity"}
_WHOLE, _WHOLE_OR_FLOAT = {(8, 1), (16, 1)}, {(8, 1), (16, 1), (32, 3)}
_TIFF_READ_BESIDE = {
    0: {0: _WHOLE, 1: _WHOLE_OR_FLOAT, 2: _WHOLE_OR_FLOAT, _INKS: _WHOLE},
    _MULTIPLIED: {1: _WHOLE, 2: _WHOLE_OR_FLOAT, _INKS: {(8, 1)}},
    _PLAIN: {0: _WHOLE, 1: _WHOLE_OR_FLOAT, 2: _WHOLE_OR_FLOAT, _INKS: {(8, 1)}},
}
"""Of those, what comes out right where further channels stand beside the colours, by the kind of the first: an opacity,
or any other, which is left out. libvips gives colours back as they were before they were multiplied."""
_TAG_SAMPLES, _TAG_ROWS_PER_STRIP, _TAG_STRIP_BYTES, _TAG_PLANES = 277, 278, 279, 284
_TAG_TILE_WIDTH, _TAG_TILE_HEIGHT, _TAG_TILES, _TAG_TILE_BYTES = 322, 323, 324, 325
_TILE_SIDES = frozenset({_TAG_TILE_WIDTH, _TAG_TILE_HEIGHT})
_TAG_EXTRA_SAMPLES, _TAG_SAMPLE_FORMAT, _TAG_PROFILE, _TAG_FILL_ORDER = 338, 339, 34675, 266
_TAG_KIND, _REDUCED_OR_MASK = 254, 1 | 4
_TAG_OLD_KIND, _OLD_REDUCED = 255, 2
_TAG_ORIENTATION, _TAG_COLOUR_MAP = 274, 320
_TAG_RESOLUTION_UNIT, _TAG_INK_NAMES, _TAG_INKS = 296, 333, 334
_WHOLE_NUMBERS, _NUMBERS = frozenset({1, 3}), frozenset({1, 3, 4, 5, 6, 8, 9, 10, 11, 12})
_RANGES = {280: _WHOLE_NUMBERS, 281: _WHOLE_NUMBERS, 340: _NUMBERS, 341: _NUMBERS}
"""The least and greatest sample, by the types that they come in, which libtiff knows where it is one for all
channels."""
_RESOLUTIONS, _RATIONAL = (282, 283), 5
"""Along and down, which libtiff knows where they are not below zero."""
_KNOWN: dict[int, Sequence[int]] = {
    _TAG_ORIENTATION: range(1, 9),
    _TAG_RESOLUTION_UNIT: range(1, 4),
    _TAG_PLANES: range(1, 3),
}
"""Values that there are."""
_VALUES_BYTES_MAX = 1 << 16
_PAGES_MAX = 100
"""Directories that are looked at for the picture."""
_TAG_MAKE, _TAG_SUB_IFDS, _TAG_DNG_VERSION = 271, 330, 50706
_PIXEL_TABLES = frozenset({_TAG_STRIPS, _TAG_STRIP_BYTES, _TAG_TILES, _TAG_TILE_BYTES})
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TYPE_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
"""None, CCITT (RLE, fax 3 and 4), LZW, JPEG, Deflate, PackBits, and Deflate's older number."""
_DEFLATE = frozenset({8, 32946})
_SENSORS, _CAMERAS_COMPRESSIONS = frozenset({32803, 34892}), frozenset({32767, 34713})
"""Photometric interpretations of what a sensor saw, and how Sony and Nikon compress it."""
_ONLY_WARNED_OF = frozenset({2, 3, 4, 7})
"""CCITT and JPEG: what is missing or damaged in them is no error to libtiff, but a warning."""
_UNSIGNED = 1
_SHORT = 3
_ANIMATION = "The file is an animation; only still pictures are accepted."


@dataclass(frozen=True)
class Header:
    """The first picture of a file, as it is stored: not yet upright."""

    width: int
    height: int
    pixel_bytes: float
    """Decoded, with all of its channels."""
    held_bytes: int
    """What the decoder has to hold at once; a few rows where the format can be streamed."""
    remedy: str
    """What makes such a file one that can be streamed."""
    page: int = 0
    sub_ifd: int | None = None
    """TIFF: the picture's place in the chain of directories, or among the sub-directories of that one."""
    late_exif: bytes = b""
    """PNG: what stands behind the pixels, where no decoder looks for it, and not before them."""
    space: Literal["srgb", "p3"] | None = None
    """PNG: the colour space that it names by code points, whatever its profile says."""
    channels: int | None = None
    """TIFF: how many of its channels say how it looks, where masks and the like come behind them."""
    fail_on: Literal["truncated", "error", "warning"] = "truncated"
    """What ends the decoding: damage that libvips would paint over in black."""
    jpeg: JpegParts | None = None
    deflated: tuple[tuple[int, int], ...] = ()
    """TIFF: where its Deflate streams lie and how long they are, whose sums the decoder does not look at."""
    covered_bytes: int = 0
    """TIFF: the whole picture, with what its tiles have beyond it."""
    tile: tuple[int, int] | None = None
    instead: Mapping[int, bytes] = field(default_factory=dict[int, bytes])
    """TIFF: what its decoder is given from which places on, in place of what stands there."""


@dataclass(frozen=True)
class Field:
    """One entry of a TIFF directory: its type's number, how many values, and where they lie."""

    kind: int
    count: int
    place: int
    inline: bytes

    @property
    def size(self) -> int:
        return self.count * _TYPE_BYTES.get(self.kind, 1)


class TiffDirectory:
    """A directory of a TIFF or BigTIFF, the first where `at` names no other; values are read where they are asked for.

    `base` is where the TIFF begins, for one within another file. The magic number behind the byte order is not looked
    at but to tell BigTIFF: camera RAW has others there.

    Raises `UnreadableImage` where there is none.
    """

    def __init__(self, file: BinaryIO, at: int | None = None, *, base: int = 0) -> None:
        self._file, self._base = file, base
        file.seek(base)
        head = file.read(16)
        self._order = "<" if head[:2] == b"II" else ">"
        big = self._big = head[2:4] in {b"+\0", b"\0+"}
        try:
            if at is None:
                (at,) = self._unpack("Q" if big else "I", head[8:16] if big else head[4:8])
            self.at = at
            self.head_bytes = 16 if big else 8
            file.seek(base + at)
            (count,) = self._unpack("Q" if big else "H", file.read(8 if big else 2))
            if count > _ENTRIES_MAX:
                raise UnreadableImage(f"The TIFF's directory names {count} entries; {_ENTRIES_MAX} are the most.")
            entry = struct.Struct(f"{self._order}HH{'Q8s' if big else 'I4s'}")
            table = file.read(entry.size * count)
            self.whole = len(table) == entry.size * count
            """Whether all of its entries lie within the file."""
            self._entries = list[tuple[int, bytes]]()
            """The tag of each, and all of it."""
            self.fields: dict[int, Field] = {}
            self.repeated: set[int] = set()
            """Tags that it names more than once; the first one stands in `fields`, which is libtiff's."""
            for tag, kind, number, inline in entry.iter_unpack(table[: len(table) // entry.size * entry.size]):
                self._entries.append((tag, entry.pack(tag, kind, number, inline)))
                if tag in self.fields:
                    self.repeated.add(tag)
                else:
                    self.fields[tag] = Field(kind, number, self._unpack("Q" if big else "I", inline)[0], inline)
            link = file.read(8 if big else 4)
            self.following = self._unpack("Q" if big else "I", link)[0] if len(link) == (8 if big else 4) else 0
            """Where the next directory of the chain lies; 0 behind the last."""
        except (struct.error, OSError, OverflowError, ValueError) as error:
            raise UnreadableImage("The TIFF has no readable directory.") from error

    def _unpack(self, code: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(f"{self._order}{code}", data)

    def numbers(self, tag: int, default: tuple[int, ...] = (), *, most: int = 64) -> tuple[int, ...]:
        """The first values of a field of whole numbers."""
        field = self.fields.get(tag)
        if field is None or field.kind not in _TYPE_CODES or not field.count:
            return default
        count = min(field.count, most)
        size = count * _TYPE_BYTES[field.kind]
        return self._unpack(f"{count}{_TYPE_CODES[field.kind]}", self._bytes(field, size))

    def text(self, tag: int, *, most: int = 64) -> str:
        """The first letters of a text; empty where there is none."""
        field = self.fields.get(tag)
        if field is None:
            return ""
        return self._bytes(field, min(field.size, most)).split(b"\0")[0].decode("ascii", "replace")

    def data(self, tag: int) -> bytes:
        """The bytes of a field of any type, as they stand."""
        field = self.fields[tag]
        return self._bytes(field, field.size)

    def without(self, tags: Collection[int], *, last: bool) -> dict[int, bytes]:
        """What to write at which place so that fields, and where it is to be the last one the link to the next
        directory, are not there; nothing where they are not."""
        kept = [entry for tag, entry in self._entries if tag not in tags]
        following = 0 if last else self.following
        if (len(kept), following) == (len(self._entries), self.following):
            return {}
        count, link = "QQ" if self._big else "HI"
        head, tail = (struct.pack(f"{self._order}{code}", of) for code, of in ((count, len(kept)), (link, following)))
        return {self.at: head + b"".join(kept) + tail}

    def entries_at(self, at: int) -> int:
        """How many entries a directory at another place says that it has."""
        try:
            self._file.seek(self._base + at)
            (count,) = self._unpack("Q" if self._big else "H", self._file.read(8 if self._big else 2))
        except (struct.error, OSError, OverflowError, ValueError) as error:
            raise UnreadableImage("A directory of the TIFF lies beyond its end.") from error
        return count

    def _bytes(self, field: Field, size: int) -> bytes:
        if field.size <= len(field.inline):
            return field.inline[:size]
        try:
            self._file.seek(self._base + field.place)
        except (OSError, OverflowError, ValueError) as error:
            raise UnreadableImage("The TIFF points beyond any file's end.") from error
        data = self._file.read(size)
        if len(data) < size:
            raise UnreadableImage("The TIFF points beyond its own end.")
        return data

    def check_metadata(self) -> None:
        """Raises `ImageTooLarge` where its fields are more than a library should be made to read."""
        _check_metadata(
            sum(field.size for tag, field in self.fields.items() if tag not in _PIXEL_TABLES),
            self.fields[_TAG_PROFILE].size if _TAG_PROFILE in self.fields else 0,
        )

    def raw_format(self) -> str | None:
        """DNG, NEF and ARW are TIFF files; their first directory tells them apart, and whether a sensor's data lies
        below: programs keep the camera's name in a TIFF that they make of its picture."""
        if _TAG_DNG_VERSION in self.fields:
            return "dng"
        if _TAG_SUB_IFDS not in self.fields:
            return None
        maker = self.text(_TAG_MAKE).upper()
        found = next((name for prefix, name in (("NIKON", "nef"), ("SONY", "arw")) if maker.startswith(prefix)), None)
        return found if found is None or self._is_of_camera() else None

    def _is_of_camera(self) -> bool:
        """Whether it begins a RAW: with a preview of old JPEG or marked as reduced, or with a sensor's data in it or
        below it, or what lies below cannot be read."""
        if not _is_whole(self) or _is_sensors(self) or self.numbers(_TAG_COMPRESSION, (1,))[0] not in _COMPRESSIONS:
            return True
        try:
            below = [
                TiffDirectory(self._file, at, base=self._base)
                for at in self.numbers(_TAG_SUB_IFDS, most=_PAGES_MAX)
                if at
            ]
            return any(not each.whole or _is_sensors(each) for each in below)
        except UnreadableImage:
            return True


def orientation_of(exif: bytes) -> int:
    """How a picture of such EXIF is to be turned; 1, which is not at all, where it does not say."""
    try:
        (found,) = TiffDirectory(io.BytesIO(exif)).numbers(_TAG_ORIENTATION, (1,), most=1)
    except UnreadableImage:
        return 1
    return found if found in range(1, 9) else 1


def read_header(file: BinaryIO, found: str) -> Header:
    """The header of a file that was sniffed to be jpeg, png or tiff.

    Raises:
        UnreadableImage: There is no picture behind the first bytes.
        UnsupportedFormat: It is stored in a way that is not on the allow-list.
        ImageTooLarge: Its metadata is.
    """
    try:
        return {"jpeg": _jpeg, "png": _png, "tiff": _tiff}[found](file)
    except struct.error as error:
        raise UnreadableImage("The file ends within its header.") from error


def _check_metadata(total: int, profile: int) -> None:
    if total > METADATA_BYTES_MAX:
        raise ImageTooLarge(
            f"The file carries {total / 1e6:,.0f} MB of metadata; {METADATA_BYTES_MAX // 1_000_000} MB are the most."
            " Save it without."
        )
    if profile > PROFILE_BYTES_MAX:
        raise ImageTooLarge(
            f"The file's colour profile has {profile / 1e6:,.0f} MB; {PROFILE_BYTES_MAX // 1_000_000} MB are the most."
        )


def _jpeg(file: BinaryIO) -> Header:
    """Markers up to the first scan (ITU-T T.81, annex B).

    A decoder reads a sequential JPEG of one scan row by row; of one that comes in several scans it keeps every
    coefficient, two bytes each, until the last has arrived.
    """
    file.seek(2)
    metadata = 0
    frame: tuple[int, bytes] | None = None
    head, transform, shortest = bytearray(b"\xff\xd8"), 0, dict(_JPEG_SHORTEST)
    for _ in range(_SEGMENTS_MAX):
        byte = file.read(1)
        while byte and byte != b"\xff":  # decoders skip what stands between segments; so must this
            byte = file.read(1)
            metadata += 1
            if metadata > METADATA_BYTES_MAX:
                _check_metadata(metadata, 0)
        while byte == b"\xff":
            byte = file.read(1)
        if not byte or byte == b"\xd9":
            break
        marker = byte[0]
        if marker in {0x00, 0x01} or 0xD0 <= marker <= 0xD8:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if length < 2:
            break
        if marker in _JPEG_LEFT_OUT:
            metadata += length
            _check_metadata(metadata, 0)
            file.seek(length - 2, 1)
            continue
        data = file.read(length - 2)
        if len(data) < length - 2:
            break
        if marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}):
            if marker not in _JPEG_FRAMES:
                raise UnsupportedFormat(
                    "The JPEG is arithmetic-coded, lossless or hierarchical; save it as a baseline or progressive one."
                )
            frame = marker, data
        elif marker == 0xDA:
            if frame is None:
                break
            header, parts = _jpeg_frame(*frame, scan=data)
            if not parts.progressive:  # some write zeros there, which are read as what has to stand there
                data = data[: 1 + 2 * data[0]] + b"\0\x3f\0"
            head += b"\xff\xda" + struct.pack(">H", len(data) + 2) + data
            if transform:  # what libjpeg does with one that it does not know, but with a warning
                known = {3: b"\0\1", 4: b"\0\2"}.get(len(parts.components))
                if known and head[transform] not in known:
                    head[transform] = known[1]
            used = {_JPEG_AC | each & 15 for each in data[2 : 1 + 2 * data[0] : 2]}
            zeros = parts.several_scans or not any(shortest.get(table, 0) for table in used)
            return replace(header, jpeg=replace(parts, head=bytes(head), scan_at=file.tell(), may_hold_zeros=zeros))
        else:
            metadata += length
            _check_metadata(metadata, 0)
        if marker == 0xC4:
            shortest |= _codes_of_zeros(data)
        if marker == 0xE0 and data[:5] == b"JFIF\0" and len(data) > 5:
            data = data[:5] + b"\1" + data[6:]  # read like any version, but warned of
        if marker == 0xEE and data[:5] == b"Adobe" and len(data) > 11:
            transform = len(head) + 4 + 11
        head += bytes((0xFF, marker)) + struct.pack(">H", length) + data
    raise UnreadableImage("The JPEG has no picture in it.")


def _codes_of_zeros(data: bytes) -> dict[int, int]:
    """Of each Huffman table, by its class and number, what its code of zeros alone stands for, which is the first of
    its symbols (ITU-T T.81, annex C)."""
    tables, at = dict[int, int](), 0
    while at + 17 < len(data):
        tables[data[at]] = data[at + 17]
        at += 17 + sum(data[at + 1 : at + 17])
    return tables


def _jpeg_frame(marker: int, data: bytes, *, scan: bytes) -> tuple[Header, JpegParts]:
    precision, height, width, components = struct.unpack(">BHHB", data[:6])
    if precision != 8:
        raise UnsupportedFormat(f"The JPEG has {precision} bits a channel; save it with 8, or as a TIFF.")
    if width and components and not height:
        raise UnsupportedFormat("The JPEG's height stands behind its picture (DNL); save it anew.")
    if not (width and height and components) or len(data) < 6 + 3 * components or len(scan) < 1:
        raise UnreadableImage("The JPEG has no picture in it.")
    factors = [(data[6 + 3 * place + 1] >> 4 or 1, data[6 + 3 * place + 1] & 15 or 1) for place in range(components)]
    widest, tallest = max(across for across, _ in factors), max(down for _, down in factors)
    samples = sum(width * across / widest * height * down / tallest for across, down in factors)
    several_scans = marker == _JPEG_PROGRESSIVE or scan[0] < components
    header = Header(
        width,
        height,
        pixel_bytes=components,
        held_bytes=int(2 * samples) if several_scans else 64 * width * components,
        remedy="save it as a baseline JPEG, not a progressive one",
    )
    return header, JpegParts(
        head=b"",
        scan_at=0,
        scan=scan,
        may_hold_zeros=True,
        components=frozenset(data[6 : 6 + 3 * components : 3]),
        progressive=marker == _JPEG_PROGRESSIVE,
        several_scans=several_scans,
        rows_at_once=8 * tallest,
    )


def _png(file: BinaryIO) -> Header:
    """Chunks up to the first pixels (ISO/IEC 15948, clause 5)."""
    file.seek(8)
    header = file.read(25)
    if header[4:8] == b"CgBI":
        raise UnsupportedFormat("It is a PNG made for iPhones by Xcode; save it as a plain PNG.")
    if header[4:8] != b"IHDR":
        raise UnreadableImage("The PNG does not begin with its header.")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header[8:21])
    if not (width and height):
        raise UnreadableImage("The PNG has no picture in it.")
    metadata, transparent, room, space = 0, False, UNFOLDED_BYTES_MAX, None
    seen = set[bytes]()
    for _ in range(_SEGMENTS_MAX):
        head = file.read(8)
        if len(head) < 8:
            break
        if head[4:] == b"IDAT":
            file.seek(-8, os.SEEK_CUR)
            break
        (length,) = struct.unpack(">I", head[:4])
        metadata += length
        seen.add(head[4:])
        transparent |= head[4:] == b"tRNS"
        _check_metadata(metadata, length if head[4:] == b"iCCP" else 0)
        behind = file.tell() + length + 4
        if head[4:] == b"acTL" and struct.unpack(">I", file.read(4))[0] > 1:
            raise UnsupportedFormat(_ANIMATION)
        if head[4:] in _PNG_COLOURS:
            chunk = file.read(length + 4)
            if zlib.crc32(head[4:] + chunk[:-4]).to_bytes(4, "big") != chunk[-4:]:
                raise UnreadableImage(
                    f"The PNG's {head[4:].decode()} chunk, which says what its colours mean, is damaged."
                )
            file.seek(-len(chunk), os.SEEK_CUR)
        if head[4:] == b"cICP":
            if length != 4:
                raise UnreadableImage("The PNG's cICP chunk, which names its colours, is damaged or cut short.")
            space = _space_of(file.read(4))
        if head[4:] in _PNG_COMPRESSED:
            room -= _unfolded(head[4:], file.read(length), room)
        file.seek(behind)
    else:
        raise ImageTooLarge(f"The PNG has more than {_SEGMENTS_MAX} chunks before its pixels.")
    late_exif = _behind_pixels(file, seen)
    channels = _PNG_CHANNELS.get(colour, 4) + (transparent and colour in {0, 2})
    pixel_bytes = channels * (2 if depth == 16 else 1)
    return Header(
        width,
        height,
        pixel_bytes=pixel_bytes,
        held_bytes=width * pixel_bytes * (height if interlaced else _PNG_STREAMED_ROWS),
        remedy="save it without interlacing",
        space=space,
        late_exif=late_exif,
        fail_on="error",
    )


def _behind_pixels(file: BinaryIO, seen: set[bytes]) -> bytes:
    """The EXIF behind a PNG's pixels where there is none among the kinds of chunks before them, which `seen` names;
    empty for none. The file stands at the first IDAT.

    Raises `UnsupportedFormat` for an animation of more than the picture: one frame is a still picture where that frame
    is the picture itself.
    """
    if b"acTL" in seen and b"fcTL" not in seen:
        raise UnsupportedFormat(_ANIMATION)
    exif = b""
    for _ in range(_CHUNKS_MAX):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        (length,) = struct.unpack(">I", head[:4])
        behind = file.tell() + length + 4
        if b"acTL" in seen and head[4:] in {b"fcTL", b"fdAT"}:
            raise UnsupportedFormat(_ANIMATION)
        if head[4:] == b"eXIf" and b"eXIf" not in seen and not exif and length <= _LATE_EXIF_BYTES_MAX:
            exif = file.read(length)
        file.seek(behind)
    return exif


def _space_of(data: bytes) -> Literal["srgb", "p3"]:
    """The colour space that a PNG names by coding-independent code points (ITU-T H.273), which go before a profile.

    Raises `UnsupportedFormat`, naming it, for all but sRGB and Display P3.
    """
    primaries, transfer, matrix, full_range = struct.unpack(">4B", data)
    if (transfer, matrix, full_range) == (_SRGB_TRANSFER, 0, 1) and primaries in _SPACES:
        return _SPACES[primaries]
    named = f" HDR ({_HDR[transfer]}):" if transfer in _HDR else ""
    raise UnsupportedFormat(
        f"The PNG's colours are{named} code points {primaries}/{transfer}/{matrix}/{full_range} of cICP, which are not"
        " taken; save it as sRGB or with an ICC profile."
    )


def _unfolded(kind: bytes, chunk: bytes, room: int) -> int:
    """Bytes of a compressed text or profile, found by unfolding it as far as there is room."""
    _, _, rest = chunk.partition(b"\0")
    if kind == b"iTXt":
        if rest[:1] != b"\1":  # as it stands, not compressed
            return 0
        data = rest[2:].split(b"\0", 2)[-1]  # behind a language and a translated keyword
    else:
        data = rest[1:]
    stream, unfolded = zlib.decompressobj(), 0
    try:
        while data and not stream.eof:
            unfolded += len(stream.decompress(data, _UNFOLD_STEP))
            if unfolded > room:
                raise ImageTooLarge(
                    f"The PNG's compressed texts and profile unfold to more than {UNFOLDED_BYTES_MAX // 1_000_000} MB."
                    " Save it without."
                )
            data = stream.unconsumed_tail
    except zlib.error:
        pass  # broken: the decoder passes it over
    return unfolded


def _check_colours(directory: TiffDirectory, *, samples: int, bits: int, compression: int) -> tuple[int, int]:
    """How many of the channels are colours, and how many an opacity beside them. Raises `UnsupportedFormat`, naming
    what is not taken, for all but the ways that come out right."""
    photometric = directory.numbers(_TAG_PHOTOMETRIC, (-1,))[0]
    kinds = directory.numbers(_TAG_SAMPLE_FORMAT, (_UNSIGNED,))
    kind = kinds[0]
    name = _TIFF_NAMES.get(photometric, f"of photometric interpretation {photometric}")
    stored = f"{bits}-bit {_TIFF_SAMPLES.get(kind, f'samples of format {kind}')}"
    remedy = "save it as RGB with 8 or 16 bits a channel"
    if len({*directory.numbers(_TAG_BITS, (1,)), bits}) > 1 or len(set(kinds)) > 1:
        raise UnsupportedFormat(f"The TIFF's colours are {name}, its channels stored in different ways; {remedy}.")
    if (bits, kind) not in _TIFF_READ.get(photometric, ()):
        raise UnsupportedFormat(f"The TIFF's colours are {name} of {stored}; {remedy}.")
    colours = _TIFF_COLOURS[photometric]
    if samples < colours or (photometric == _PALETTE and samples > 1):
        raise UnsupportedFormat(f"The TIFF's colours are {name} in {samples} channels of {stored}; {remedy}.")
    table = directory.fields.get(_TAG_COLOUR_MAP)
    # libtiff leaves any other out, and shows the palette's numbers as greys
    if photometric == _PALETTE and (table is None or (table.kind, table.count) != (_SHORT, 3 << bits)):
        raise UnreadableImage(
            f"The TIFF's colours are a palette, and it holds no table of {3 << bits} numbers of 16 bits for it."
        )
    if photometric == _INKS and directory.numbers(_TAG_INK_SET, (1,))[0] != 1:
        raise UnsupportedFormat(f"The TIFF's colours are inks other than CMYK; {remedy}.")
    if photometric == _YCBCR and compression != _JPEG:
        raise UnsupportedFormat(f"The TIFF's colours are {name} of {stored} without JPEG compression; {remedy}.")
    in_planes = directory.numbers(_TAG_PLANES, (1,))[0] == 2
    if in_planes and (bits < 8 or _TAG_TILE_WIDTH in directory.fields):
        raise UnsupportedFormat(
            f"The TIFF's colours are {name} of {stored} in planes{' of tiles' if bits >= 8 else ''}; save it with its"
            " channels together."
        )
    order = directory.numbers(_TAG_FILL_ORDER, (1,))[0]
    if order != 1 and bits > 1:  # the standard has it for one bit only, and readers differ in what they turn around
        raise UnsupportedFormat(f"The TIFF's colours are {name} of {stored} in fill order {order}; {remedy}.")
    extras = directory.numbers(_TAG_EXTRA_SAMPLES, (0,))
    if any(extras) and (len(extras) > samples - colours or _MULTIPLIED in extras[1:]):
        raise UnsupportedFormat(
            f"The TIFF's colours are {name}, and what it says of the channels beside them contradicts itself, or has an"
            f" opacity behind the first; save it without, or {remedy.removeprefix('save it ')}."
        )
    if samples == colours:
        return colours, 0
    beside = extras[0] if extras[0] in _BESIDE else 0
    # libvips reads grey as one plane, whatever the file says
    if (bits, kind) not in _TIFF_READ_BESIDE[beside].get(photometric, ()) or (in_planes and colours == 1):
        planes = " in planes" if in_planes else ""
        raise UnsupportedFormat(
            f"The TIFF's colours are {name} of {stored}{planes} with {_BESIDE.get(beside, 'another channel')} beside"
            f" them; save it without, or {remedy.removeprefix('save it ')}."
        )
    return colours, int(beside in _BESIDE)


def _tiff(file: BinaryIO) -> Header:
    """The directory of the picture (TIFF 6.0; BigTIFF after libtiff's description of it).

    Strips and tiles are decoded one at a time, or a row of tiles; a picture of one strip is held whole.
    """
    page, sub_ifd, directory, passed = _picture_of(file)
    width, height = (directory.numbers(tag, (0,))[0] for tag in (_TAG_WIDTH, _TAG_HEIGHT))
    samples = directory.numbers(_TAG_SAMPLES, (1,))[0]
    bits = directory.numbers(_TAG_BITS, (1,))[0]
    if width < 1 or height < 1 or samples < 1 or bits < 1:
        raise UnreadableImage("The TIFF has no picture in its directory.")
    compression = directory.numbers(_TAG_COMPRESSION, (1,))[0]
    if compression not in _COMPRESSIONS:
        raise UnsupportedFormat(
            f"The TIFF is compressed by method {compression}; save it with LZW, Deflate, PackBits, JPEG or none."
        )
    colours, opacity = _check_colours(directory, samples=samples, bits=bits, compression=compression)
    _check_layout(directory.fields.keys())
    size = file.seek(0, os.SEEK_END)
    for tag in (_TAG_STRIPS, _TAG_TILES):
        places = directory.numbers(tag, most=_PLACES_MAX)
        if any(place >= size for place in places):
            raise UnreadableImage("The TIFF's pixels lie beyond its end: it is damaged or cut short.")
        if any(place < directory.head_bytes or place == directory.at for place in places):
            raise UnreadableImage("The TIFF's pixels are said to lie where its header does: it is damaged.")
    planes = samples if directory.numbers(_TAG_PLANES, (1,))[0] == 2 else 1
    pixel_bits = bits * samples
    tile_width, tile_height = (directory.numbers(tag, (0,))[0] for tag in (_TAG_TILE_WIDTH, _TAG_TILE_HEIGHT))
    tile = (tile_width, tile_height) if tile_width > 0 and tile_height > 0 else None
    across, rows = tile or (width, min(directory.numbers(_TAG_ROWS_PER_STRIP, (height,))[0] or height, height))
    row_of_pieces = -(-width // across) * across * rows * pixel_bits // 8
    return Header(
        width,
        height,
        pixel_bytes=pixel_bits / 8,
        held_bytes=row_of_pieces * (2 if tile else 1) * (2 if planes > 1 else 1),
        remedy="save it in strips of a few rows, or in tiles of 256 pixels",
        channels=colours + opacity if samples > colours + opacity else None,
        page=page,
        sub_ifd=sub_ifd,
        fail_on="warning" if compression in _ONLY_WARNED_OF else "error",
        deflated=_deflated(directory, size) if compression in _DEFLATE else (),
        covered_bytes=row_of_pieces * -(-height // rows) if tile else width * height * pixel_bits // 8,
        tile=tile,
        instead=_without_errors(passed),
    )


def _check_layout(named: AbstractSet[int]) -> None:
    """Raises `UnsupportedFormat` where tags name both strips and tiles, of which libtiff takes one; the places of tiles
    alone may stand where those of strips do, as in TIFF 5.0."""
    both = named >= {_TAG_STRIPS, _TAG_TILES} or named >= {_TAG_STRIP_BYTES, _TAG_TILE_BYTES}
    if named >= _TILE_SIDES:
        unclear = _TAG_TILES not in named and _TAG_ROWS_PER_STRIP in named
    else:
        unclear = not named.isdisjoint({*_TILE_SIDES, _TAG_TILES, _TAG_TILE_BYTES})
    if both or unclear:
        raise UnsupportedFormat(
            "The TIFF does not say clearly whether its pixels lie in strips or in tiles; save it in strips."
        )


def _without_errors(passed: Sequence[TiffDirectory]) -> dict[int, bytes]:
    """What libtiff would end the decoding for, and what says nothing of the pixels, is kept from it: a directory behind
    the picture's, and fields whose values it does not know."""
    instead = dict[int, bytes]()
    for directory in passed:
        samples = directory.numbers(_TAG_SAMPLES, (1,))[0]
        asked = (*_KNOWN, *_RANGES, *_RESOLUTIONS, _TAG_INKS, _TAG_INK_NAMES)
        unknown = {tag for tag in asked if tag in directory.fields and not _is_known(directory, tag, samples)}
        instead |= directory.without(unknown, last=directory is passed[-1])
    return instead


def _is_known(directory: TiffDirectory, tag: int, samples: int) -> bool:
    """Whether libtiff knows the value of a field; one beyond the end, or of many bytes, is none to look at."""
    try:
        if tag in _KNOWN or tag == _TAG_INKS:
            return directory.numbers(tag, (1,))[0] in _KNOWN.get(tag, (samples,))
        found = directory.fields[tag]
        if tag in _RESOLUTIONS:
            return (found.kind, found.count) == (_RATIONAL, 1)
        if found.size > _VALUES_BYTES_MAX or (
            tag in _RANGES and (found.kind not in _RANGES[tag] or found.count != samples)
        ):
            return False
        data, size = directory.data(tag), _TYPE_BYTES.get(found.kind, 1)
    except UnreadableImage:
        return False
    return data.count(b"\0") == samples if tag == _TAG_INK_NAMES else data[size:] == data[:-size]


def _deflated(directory: TiffDirectory, size: int) -> tuple[tuple[int, int], ...]:
    """Where the pieces of a picture lie, and how long they are; to the file's end where that is not said, as libtiff
    reads them then."""
    pieces = list[tuple[int, int]]()
    for places_tag, counts_tag in ((_TAG_TILES, _TAG_TILE_BYTES), (_TAG_STRIPS, _TAG_STRIP_BYTES)):
        places, counts = (directory.numbers(tag, most=_PLACES_MAX) for tag in (places_tag, counts_tag))
        pieces += [
            (place, count if count > 0 else size - place)
            for place, count in zip_longest(places, counts[: len(places)], fillvalue=0)
        ]
    return tuple(dict.fromkeys(pieces))


def check_sums(file: BinaryIO, header: Header) -> None:
    """Raises `UnreadableImage` where a Deflate stream of a TIFF unfolds to other bytes than it was made of, or all to
    far more than they are for.

    libtiff unfolds until a strip is full and does not come to the sum behind it (RFC 1950), so that this has to be done
    once more.
    """
    room = header.covered_bytes * _STREAM_BYTES_MAX + len(header.deflated) * _STREAMS_OWN + _UNFOLD_STEP
    for place, length in header.deflated:
        file.seek(place)
        used = _summed(file, length, room)
        if used is None:
            raise UnreadableImage("The TIFF's pixels are damaged or cut short: they are not what their sums say.")
        room -= used


def _summed(file: BinaryIO, length: int, room: int) -> int | None:
    """How many bytes a Deflate stream unfolds to; None where it does not end within the room, or its sum is another
    one."""
    stream, used = zlib.decompressobj(), 0
    try:
        while not stream.eof:
            data = stream.unconsumed_tail
            if not data:
                data = file.read(min(length, _UNFOLD_READ))
                length -= len(data)
            if not data or used > room:
                return None
            used += max(len(stream.decompress(data, _UNFOLD_STEP)), len(data))
    except zlib.error:
        return None
    return used


def _picture_of(file: BinaryIO) -> tuple[int, int | None, TiffDirectory, list[TiffDirectory]]:
    """Its place in the chain and among the first one's sub-directories, the directory, and all that a decoder comes
    through: the first that is neither a reduced picture (`NewSubfileType`, else the older `SubfileType`) nor a mask, in
    the chain, else below its beginning. The largest of the chain where all are reduced."""
    chain = list(_chain(file))
    whole = [number for number, each in enumerate(chain) if _is_whole(each)]
    if whole:
        return whole[0], None, chain[whole[0]], chain
    for number, at in enumerate(chain[0].numbers(_TAG_SUB_IFDS, most=_PAGES_MAX)):
        below = _checked(TiffDirectory(file, at))
        if _is_whole(below):
            return 0, number, below, [below, *chain]
    sides = [each.numbers(_TAG_WIDTH, (0,))[0] * each.numbers(_TAG_HEIGHT, (0,))[0] for each in chain]
    largest = sides.index(max(sides))
    return largest, None, chain[largest], chain


def _chain(file: BinaryIO) -> Iterator[TiffDirectory]:
    """The directories from the first to the picture's, or all where none is the picture."""
    directory, seen = _checked(TiffDirectory(file)), set[int]()
    while True:
        yield directory
        seen.add(directory.at)
        if _is_whole(directory):
            return
        if not directory.following or directory.following in seen or len(seen) >= _PAGES_MAX:
            return
        directory = _checked(TiffDirectory(file, directory.following))


def _is_whole(directory: TiffDirectory) -> bool:
    if _TAG_KIND in directory.fields:
        return not directory.numbers(_TAG_KIND, (0,))[0] & _REDUCED_OR_MASK
    return directory.numbers(_TAG_OLD_KIND, (0,))[0] != _OLD_REDUCED


def _is_sensors(directory: TiffDirectory) -> bool:
    photometric, compression = (directory.numbers(tag, (0,))[0] for tag in (_TAG_PHOTOMETRIC, _TAG_COMPRESSION))
    return photometric in _SENSORS or compression in _CAMERAS_COMPRESSIONS


def _checked(directory: TiffDirectory) -> TiffDirectory:
    if not directory.whole:
        raise UnreadableImage("The TIFF's directory lies beyond its end: it is damaged or cut short.")
    directory.check_metadata()
    return directory
