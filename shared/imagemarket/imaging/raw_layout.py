"""Whether the data of a camera RAW lies in its file and is no row of zeros, and its lists of corrections are whole.

LibRaw does not ask. What it is told to read and does not find it leaves unset, and what is unset is shown as it
lay in memory: so each strip and tile of every directory, each chunk of a CR3 and each part of a RAF is compared
with the file's end before LibRaw sees it.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from imagemarket.imaging.errors import UnreadableImage, UnsupportedFormat
from imagemarket.imaging.headers import TiffDirectory
from imagemarket.imaging.raw_zeros import check_end, check_jpeg, check_runs

_DIRECTORIES_MAX = 100
"""Cameras write up to a dozen."""
_READ_ENTRIES_MAX = 512
"""Where more stand, LibRaw passes them over as no directory."""
_PLACES_MAX = 1_000_000

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PLANES = 256, 257, 258, 259, 277, 284
_STRIPS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_SUB_IFDS, _JPEG_AT, _JPEG_BYTES = 330, 513, 514
_RW2_AT, _FUJI_IFD, _FUJI_AT, _FUJI_BYTES = 0x118, 0xF000, 0xF007, 0xF008
_RW2_WIDTH, _RW2_HEIGHT, _RW2_FORMAT = 2, 3, 0x2D
_RW2_BLOCK, _RW2_IN_ROWS = 0x4000, 6
"""Whole blocks until the format from which on there are none, since the second part of each comes first."""
_RW2_COMPRESSED = 8
"""In stripes that LibRaw compares with the file's end itself."""
_RW2_GROUP, _RW2_GROUP_BYTES = 14, 16
"""How tightly all other formats pack their pixels, at most."""
_UNCOMPRESSED, _LOSSY_DNG = 1, 34892
_JPEGS, _NIKONS = {6, 7, _LOSSY_DNG}, 34713
_NIKONS_PACKED_BITS = 12
"""From as many a pixel on, what goes by the name of Nikon's codes may be pixels that are only packed."""
_JPEG_XS = b"\xff\x10\xff\x50"
_LIGHT, _MOSAIC, _LINEAR = 262, 32803, 34892
_WHITE, _SAMPLE_FORMAT, _FLOATS, _FLOATS_WITH_WHITE = 50717, 339, 3, 32
_DEFLATE, _PREDICTOR, _PREDICTORS_OF_FLOATS = 8, 317, {3, 34894, 34895}
_LINKS = {_STRIPS: _STRIP_BYTES, _TILES: _TILE_BYTES, _JPEG_AT: _JPEG_BYTES}
_WHOLE_NUMBERS = {3, 4, 13, 16}

_OPCODE_LISTS = {51008: "OpcodeList1", 51009: "OpcodeList2", 51022: "OpcodeList3"}
_OPCODES_MAX = 1000
_OPCODE_BYTES_MAX = 64_000_000
_MAP_POLYNOMIAL, _DEGREE_MAX = 8, 8
_PADDING = 3

_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_BOX_DEPTH_MAX, _BOXES_MAX = 8, 10_000
MAIN_BOX, EXIF_BOX = b"CMT1", b"CMT2"
"""A TIFF's first directory, and EXIF's own as the first of another TIFF."""
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_CANONS_BOX = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_METADATA_BOX_MAX = 1_000_000
_CRAW_BYTES, _CODING_BYTES = 8 + 82, 32
_CRX_TILE, _CRX_PLANE, _CRX_BAND, _CRX_NEWER = 0xFF01, 0xFF02, 0xFF03, 0x10
_CRX_HEADERS_MAX = 16_000_000
"""65,025 tiles of four planes of one band have 7 MB of headers; cameras write two tiles at most."""
_CRX_WRONG = "The sizes of the tiles, planes and bands of the RAW file's picture do not add up: it is damaged."
_RAF_PARTS_AT = 84
_CUT = "The RAW file's pixels lie beyond its end: it is damaged or cut short."


def check_raw(file: BinaryIO, found: str) -> None:
    """Raises `UnreadableImage` where a RAW of the format names data that the file does not hold, or zeros stand in
    their place, or a DNG carries a list of opcodes that is empty, cut short, or says too little of how its pixels are
    to be read; and `UnsupportedFormat` where it has samples that LibRaw shows as another picture."""
    size = file.seek(0, os.SEEK_END)
    try:
        if found == "cr3":
            _check_boxes(_File(file, size))
        elif found == "raf":
            _check_raf(file, size)
        else:
            unseen = size  # what lies upon each other is not looked at again and again
            for directory in directories(file):
                _check_pixels(directory, size, found)
                _check_opcodes(directory)
                if found == "dng":
                    _check_samples(directory)
                pieces = _sensors_pieces(directory, found, size)
                unseen -= sum(length for _, length in pieces)
                if pieces and unseen >= 0:
                    _check_zeros(file, directory, pieces)
    except (struct.error, OverflowError) as error:
        raise UnreadableImage("The RAW file ends within its headers: it is damaged or cut short.") from error


def directories(file: BinaryIO, *, base: int = 0) -> Iterator[TiffDirectory]:
    """Each directory of a TIFF once: the chain, and what each names as its sub-directories.

    Raises `UnreadableImage` where one does not lie in the file, or there are more than any camera writes.
    """
    first = TiffDirectory(file, base=base)
    waiting, seen = [first], {first.at}
    while waiting:
        directory = waiting.pop(0)
        if not directory.whole:
            raise UnreadableImage("A directory of the RAW file lies beyond its end: it is damaged or cut short.")
        yield directory
        for at in (*directory.numbers(_SUB_IFDS), *directory.numbers(_FUJI_IFD), directory.following):
            if at in seen or not at:
                continue
            seen.add(at)
            if len(seen) > _DIRECTORIES_MAX:
                raise UnreadableImage(f"The RAW file names more than {_DIRECTORIES_MAX} directories.")
            if directory.entries_at(at) <= _READ_ENTRIES_MAX:
                waiting.append(TiffDirectory(file, at, base=base))


def _check_pixels(directory: TiffDirectory, size: int, found: str, *, base: int = 0) -> None:
    fields = directory.fields
    if directory.repeated & {*_LINKS, *_LINKS.values(), _RW2_AT, _WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT}:
        raise UnreadableImage("A directory of the RAW file says twice where its pixels lie.")
    links = dict(_LINKS)
    if found == "rw2" and fields.keys() & {_RW2_AT, _STRIPS}:
        _check_rw2(directory, size)
        del links[_STRIPS]
    for tag, counts_tag in links.items():
        if tag not in fields:
            continue
        if fields[tag].kind not in _WHOLE_NUMBERS or not fields[tag].count:
            raise UnreadableImage("A directory of the RAW file does not say where its pixels lie.")
        places = directory.numbers(tag, most=_PLACES_MAX)
        counts = directory.numbers(counts_tag, most=_PLACES_MAX)
        if counts and len(counts) != len(places):
            raise UnreadableImage("A directory of the RAW file names another number of places than of their sizes.")
        counts = counts or (1,) * len(places)
        if tag == _JPEG_AT and not places[0]:
            continue  # cameras without a preview leave its place empty
        if any(base + place + max(count, 1) > size for place, count in zip(places, counts, strict=True)):
            raise UnreadableImage(_CUT)
        if tag in {_STRIPS, _TILES}:
            _check_geometry(directory, tag, places, counts, size=size, of_dng=found == "dng")


def _check_rw2(directory: TiffDirectory, size: int) -> None:
    """The data go from their place to the file's end, and are as many as the sides ask for.

    How many bytes the strip has is no help: some cameras write how many the pixels were before they were packed, and
    some 0 (ExifTool's PanasonicRaw.pm); LibRaw does not ask.
    """
    at = _RW2_AT if _RW2_AT in directory.fields else _STRIPS  # beside the former, the strips' own says 2**32 - 1
    (place,) = directory.numbers(at, most=1) or (size,)
    if place + max(_rw2_bytes(directory), 1) > size:
        raise UnreadableImage(_CUT)


def _rw2_bytes(directory: TiffDirectory) -> int:
    """At least; 0 where they are compressed."""
    width, height = (directory.numbers(side, (0,))[0] for side in (_RW2_WIDTH, _RW2_HEIGHT))
    stored = directory.numbers(_RW2_FORMAT, (0,))[0]
    needed = 0 if stored == _RW2_COMPRESSED else width // _RW2_GROUP * _RW2_GROUP_BYTES * height
    blocks = _RW2_AT in directory.fields and stored < _RW2_IN_ROWS
    return needed + (-needed % _RW2_BLOCK if blocks else 0)


def _sensors_pieces(directory: TiffDirectory, found: str, size: int) -> list[tuple[int, int]]:
    """Where the sensor's data lie and how many bytes they are; empty where the directory has none."""
    fields = directory.fields
    if found == "rw2":
        place = directory.numbers(_RW2_AT if _RW2_AT in fields else _STRIPS, most=1)
        # without the last block, which is filled up
        return [(each, max(_rw2_bytes(directory) - _RW2_BLOCK, 0) or size - each) for each in place]
    # what a CR2 has of other pictures in strips has sides, and what an ORF has lies in none of these directories
    if not (directory.numbers(_LIGHT, (0,))[0] in {_MOSAIC, _LINEAR} or found == "orf" or _WIDTH not in fields):
        return []
    places, counts = (_STRIPS, _STRIP_BYTES) if _STRIPS in fields else (_TILES, _TILE_BYTES)
    lengths = directory.numbers(counts, most=_PLACES_MAX)
    return list(zip(directory.numbers(places, most=_PLACES_MAX), lengths, strict=False))


def _check_zeros(file: BinaryIO, directory: TiffDirectory, pieces: list[tuple[int, int]]) -> None:
    """No zeros stand in place of the sensor's data."""
    compression, light = directory.numbers(_COMPRESSION, (1,))[0], directory.numbers(_LIGHT, (0,))[0]
    if compression in _JPEGS:
        for piece in pieces:
            check_jpeg(file, *piece)
        return
    if compression == _NIKONS:
        file.seek(pieces[0][0])
        if file.read(len(_JPEG_XS)) == _JPEG_XS:  # filled up to its size
            return
        width, height = (directory.numbers(each, (0,))[0] for each in (_WIDTH, _HEIGHT))
        if sum(length for _, length in pieces) * 8 < width * height * _NIKONS_PACKED_BITS:
            for piece in pieces:
                check_runs(file, *piece)
    if light != _LINEAR or compression != _UNCOMPRESSED:  # what is no sensor's own may have a black margin
        check_end(file, pieces)


def _check_geometry(
    directory: TiffDirectory, tag: int, places: tuple[int, ...], counts: tuple[int, ...], *, size: int, of_dng: bool
) -> None:
    """As many pieces as the picture's sides ask for, each with as many bytes as its pixels take.

    LibRaw goes by the sides alone where nothing is compressed, and reads on where a table of tiles has ended.
    """
    width, height = (directory.numbers(side, (0,))[0] for side in (_WIDTH, _HEIGHT))
    samples, bits = (directory.numbers(each, (1,))[0] for each in (_SAMPLES, _BITS))
    if width < 1 or height < 1:
        return
    tiled = tag == _TILES
    if tiled:
        across, down = (directory.numbers(each, (0,))[0] for each in (_TILE_WIDTH, _TILE_HEIGHT))
    else:
        across, down = width, min(directory.numbers(_ROWS_PER_STRIP, (height,))[0] or height, height)
    if across < 1 or down < 1:
        raise UnreadableImage("The RAW file's tiles have no size.")
    planes = samples if directory.numbers(_PLANES, (1,))[0] == 2 else 1
    needed = math.ceil(width / across) * math.ceil(height / down) * planes
    if (tiled or of_dng) and len(places) < needed:
        raise UnreadableImage(
            f"The RAW file names {len(places)} of the {needed} pieces of its picture: it is damaged or cut short."
        )
    if not of_dng or directory.numbers(_COMPRESSION, (1,))[0] != _UNCOMPRESSED:
        return
    row = math.ceil(across * bits * samples / planes / 8)
    for number, (place, count) in enumerate(zip(places, counts, strict=True)):
        rows = down if tiled else max(0, min(down, height - number % math.ceil(height / down) * down))
        if count < row * rows or place + row * rows > size:
            raise UnreadableImage(_CUT)
    if not tiled and planes == 1:  # read in one go from the first
        ends = [place + count for place, count in zip(places, counts, strict=True)]
        if places[0] + row * height > size or ends[:-1] != list(places[1:]):
            raise UnreadableImage("The strips of the RAW file's picture do not follow each other.")


def _check_samples(directory: TiffDirectory) -> None:
    """LibRaw takes planes for pixels, the white of short floats, where none is said, for 65,535 in place of 1, and all
    floats of Deflate for differences as those of floats are made.

    Raises `UnsupportedFormat` then.
    """
    if directory.numbers(_LIGHT, (0,))[0] not in {_MOSAIC, _LINEAR}:
        return
    if directory.numbers(_PLANES, (1,))[0] == 2 and directory.numbers(_SAMPLES, (1,))[0] > 1:
        raise UnsupportedFormat("The DNG's colours lie in planes; save it with the colours of each pixel together.")
    if directory.numbers(_SAMPLE_FORMAT, (1,))[0] != _FLOATS:
        return
    predictor = directory.numbers(_PREDICTOR, (1,))[0]
    if directory.numbers(_COMPRESSION, (1,))[0] == _DEFLATE and predictor not in _PREDICTORS_OF_FLOATS:
        raise UnsupportedFormat(
            f"The DNG's floats are compressed by Deflate with Predictor {predictor}; save it with Predictor 3,"
            " or without compression."
        )
    if directory.numbers(_BITS, (1,))[0] < _FLOATS_WITH_WHITE and _WHITE not in directory.fields:
        raise UnsupportedFormat(
            "The DNG has floats of less than 32 bits, and no WhiteLevel; save it with whole numbers."
        )


def _check_opcodes(directory: TiffDirectory) -> None:
    """Each list of opcodes (DNG 1.7, chapter 7) is whole, and not empty.

    Of a lossy DNG LibRaw takes from OpcodeList2 how its 8 bits become light, plane by plane, into memory that it has
    not set: a list that leaves one out shows what lay there.
    """
    for tag, name in _OPCODE_LISTS.items():
        if tag not in directory.fields:
            continue
        if tag in directory.repeated or directory.fields[tag].size > _OPCODE_BYTES_MAX:
            raise UnreadableImage(f"The DNG's {name} is no list of opcodes.")
        planes = _planes_of(directory.data(tag), name)
        lossy = directory.numbers(_COMPRESSION, (1,))[0] == _LOSSY_DNG
        if name == "OpcodeList2" and lossy and not planes >= set(range(directory.numbers(_SAMPLES, (1,))[0])):
            raise UnreadableImage(f"The DNG's {name} does not say of each colour how it is to be read.")


def _planes_of(data: bytes, name: str) -> set[int]:
    """The planes that the list's polynomials are for."""
    (count,) = struct.unpack_from(">I", data) if len(data) >= 4 else (0,)
    if not 0 < count <= _OPCODES_MAX:
        raise UnreadableImage(f"The DNG's {name} has {count} opcodes: 1 to {_OPCODES_MAX} are read. Save it without.")
    at, planes = 4, set[int]()
    for _ in range(count):
        if at + 16 > len(data):
            raise UnreadableImage(f"The DNG's {name} is cut short.")
        opcode, _, _, size = struct.unpack_from(">4I", data, at)
        at += 16
        if size > len(data) - at:
            raise UnreadableImage(f"The DNG's {name} is cut short.")
        if opcode == _MAP_POLYNOMIAL:
            if size < 36:
                raise UnreadableImage(f"The DNG's {name} is cut short.")
            plane, degree = (struct.unpack_from(">I", data, at + place)[0] for place in (16, 32))
            if plane > 3 or degree > _DEGREE_MAX or size != 36 + 8 * (degree + 1):
                raise UnreadableImage(f"The DNG's {name} has a polynomial that cannot be read.")
            planes.add(plane)
        at += size
    if len(data) - at > _PADDING:
        raise UnreadableImage(f"The DNG's {name} says less than its size.")
    return planes


# --- containers that are no TIFF -------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    file: BinaryIO
    size: int

    def numbers(self, code: str, at: int) -> tuple[int, ...]:
        self.file.seek(at)
        return struct.unpack(code, self.file.read(struct.calcsize(code)))


def _check_boxes(file: _File) -> None:
    """Boxes lie within the one around them, and samples within the file (ISO/IEC 14496-12)."""
    left, samples, unseen, waiting = _BOXES_MAX, 0, file.size, [(0, file.size, 0)]
    while waiting:
        at, end, depth = waiting.pop()
        chunks: tuple[int, ...] = ()
        sizes: tuple[int, ...] = ()
        coded = b""
        while at + 8 <= end:
            left -= 1
            if left < 0:
                raise UnreadableImage(f"The RAW file has more than {_BOXES_MAX} boxes.")
            length, *name = file.numbers(">I4c", at)
            kind, head = b"".join(name), 8  # pyright: ignore[reportArgumentType, reportCallIssue]
            if length == 1:
                length, head = file.numbers(">Q", at + 8)[0], 16
            elif length == 0:
                length = end - at
            if length < head or at + length > end:
                raise UnreadableImage(_CUT if depth == 0 else "A box of the RAW file is longer than the one around it.")
            if kind in _BOXES and depth < _BOX_DEPTH_MAX:
                waiting.append((at + head, at + length, depth + 1))
            elif kind in {b"co64", b"stco"}:
                chunks = _table(file, at + head + 4, at + length, "Q" if kind == b"co64" else "I")
            elif kind == b"stsd":
                coded = _coding_of(file, at + head, at + length)
            elif kind == b"stsz":
                (each,) = file.numbers(">I", at + head + 4)
                (count,) = file.numbers(">I", at + head + 8)
                sizes = (each,) * min(count, 1) if each else _table(file, at + head + 8, at + length, "I")
            at += length
        if chunks:
            samples += 1
            if not sizes or any(place + 1 > file.size for place in chunks) or chunks[0] + sizes[0] > file.size:
                raise UnreadableImage(_CUT)
            if any(place + size > file.size for place, size in zip(chunks, sizes, strict=False)):
                raise UnreadableImage(_CUT)
            if coded:
                headers = min(int.from_bytes(coded[-4:], "big"), sizes[0], _CRX_HEADERS_MAX)
                file.file.seek(chunks[0])
                _check_crx(coded, file.file.read(headers), sizes[0])
                for place, length in zip(chunks, sizes, strict=False):
                    unseen -= length
                    if unseen >= 0:
                        check_runs(file.file, place, length)
                        check_end(file.file, [(place, length)])
    if not samples:
        raise UnreadableImage("The RAW file holds no picture data.")


def metadata_boxes(file: BinaryIO) -> dict[bytes, bytes]:
    """Of a CR3 the boxes of metadata, by the kind or the UUID of each: XMP, and TIFFs in Canon's own box."""
    found = dict[bytes, bytes]()
    waiting = [(0, file.seek(0, os.SEEK_END))]
    left = _BOXES_MAX
    while waiting:
        at, end = waiting.pop()
        while at + 8 <= end and left:
            left -= 1
            file.seek(at)
            head = file.read(32)
            length, kind, inner = int.from_bytes(head[:4], "big"), head[4:8], at + 8
            if length == 1:
                length, inner = int.from_bytes(head[8:16], "big"), at + 16
            if kind == b"uuid":
                kind, inner = head[inner - at : inner - at + 16], inner + 16
            if at + length > end or inner > at + length:
                break
            if kind in {b"moov", _CANONS_BOX}:
                waiting.append((inner, at + length))
            elif kind in {MAIN_BOX, EXIF_BOX, XMP_BOX} and at + length - inner <= _METADATA_BOX_MAX:
                file.seek(inner)
                found.setdefault(kind, file.read(at + length - inner))
            at += length
    return found


def _coding_of(file: _File, at: int, end: int) -> bytes:
    """How a track's pictures are coded, of what Canon's own coding says of itself; empty where they are of another."""
    entry, coding = at + 8, at + 8 + _CRAW_BYTES
    if coding + 8 + _CODING_BYTES > end or file.numbers(">4s", entry + 4) != (b"CRAW",):
        return b""
    kind, coded = file.numbers(f">4s{_CODING_BYTES}s", coding + 4)
    return coded if kind == b"CMP1" else b""  # pyright: ignore[reportReturnType]


def _check_crx(coded: bytes, front: bytes, size: int) -> None:
    """What the headers in front of a sample say of the sizes of its tiles, their planes and the bands of these adds up,
    and no plane is without data (as Laurent Clévy has described it, and LibRaw reads it; lossless or lossy).

    LibRaw finds each by the sizes of those before it, and leaves a colour without data as memory had it.
    """
    width, height, across, down, _, planes, levels, _, headers = struct.unpack(">8x4I4BI", coded)
    planes, bands = planes >> 4, 3 * (levels & 15) + 1
    if not (across and down):
        raise UnreadableImage(_CRX_WRONG)
    data, left = io.BytesIO(front), size - headers
    for _ in range(math.ceil(width / across) * math.ceil(height / down)):
        newer, tile, beside = _crx_header(data, _CRX_TILE)
        left -= tile
        for _ in range(planes):
            _, plane, _ = _crx_header(data, _CRX_PLANE)
            tile -= plane
            for _ in range(bands):
                _, band, unused = _crx_header(data, _CRX_BAND)
                plane -= band
                if unused > band or (bands == 1 and unused == band):
                    raise UnreadableImage("A plane of the RAW file's picture has no data: it is damaged.")
            if plane < 0 or (plane and not newer):
                raise UnreadableImage(_CRX_WRONG)
        if tile < beside or (tile and not newer):
            raise UnreadableImage(_CRX_WRONG)
    if left < 0:
        raise UnreadableImage(_CRX_WRONG)


def _crx_header(data: BinaryIO, kind: int) -> tuple[bool, int, int]:
    """Whether it is of the newer kind, how many bytes it is for, and how many of them are none of what it is for."""
    found, length, size = struct.unpack(">HHI", data.read(8))
    rest = data.read(length - 4)
    if found not in {kind, kind | _CRX_NEWER} or length not in {8, 16} or len(rest) < length - 4:
        raise UnreadableImage(_CRX_WRONG)
    if length == 16 and kind == _CRX_TILE:
        return True, size, sum(struct.unpack_from(">IH", rest, 4))
    if length == 16:
        return True, size, struct.unpack_from(">H", rest, 8)[0]
    return found != kind, size, struct.unpack(">I", rest)[0] & 0x7FFFF if kind == _CRX_BAND else 0


def _table(file: _File, at: int, end: int, code: str) -> tuple[int, ...]:
    (count,) = file.numbers(">I", at)
    if count > _PLACES_MAX or at + 4 + count * struct.calcsize(code) > end:
        raise UnreadableImage("A table of the RAW file is longer than the box around it.")
    return file.numbers(f">{count}{code}", at + 4)


def _check_raf(file: BinaryIO, size: int) -> None:
    """The preview, the sensor's description and its data: a place and a length each."""
    places = _File(file, size).numbers(">6I", _RAF_PARTS_AT)
    parts = list(zip(places[::2], places[1::2], strict=True))
    if not all(parts[-1]) or any(place + length > size for place, length in parts):
        raise UnreadableImage(_CUT)
    for (before, _), (after, _) in pairwise(sorted(part for part in parts if all(part))):
        if before == after:
            raise UnreadableImage("The parts of the RAW file lie upon each other.")
    at = parts[-1][0]
    file.seek(at)
    if file.read(4) in {b"II*\0", b"MM\0*"}:
        for directory in directories(file, base=at):
            for offset in directory.numbers(_FUJI_AT):
                length = directory.numbers(_FUJI_BYTES, (1,))[0]
                if at + offset + max(length, 1) > size:
                    raise UnreadableImage(_CUT)
            _check_pixels(directory, size, "raf", base=at)
    check_end(file, parts[-1:])
