"""From a file's bytes to an upright sRGB picture of bounded size: one decode, scaled while it runs.

What a file may cost is decided from its headers by arithmetic before a decoder sees it. JPEG, PNG and TIFF are
read by libvips, with every other of its decoders blocked; camera RAW by LibRaw.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from imagemarket.imaging.corrected import Corrected
from imagemarket.imaging.errors import (
    ImageRejected,
    ImageTooLarge,
    ImageTooNarrow,
    ImageTooSmall,
    UnreadableImage,
    UnsupportedFormat,
)
from imagemarket.imaging.formats import RAW_FORMATS, sniff
from imagemarket.imaging.headers import Header, check_sums, orientation_of, read_header
from imagemarket.imaging.jpeg_stream import JpegStream
from imagemarket.imaging.other_kinds import what_is_wrong
from imagemarket.imaging.raw_layout import check_raw

if TYPE_CHECKING:
    import pyvips
    import rawpy
    from PIL.Image import Image

MASTER_LONG_EDGE = 1000
MAX_MEGAPIXELS = 250
"""Above what today's medium-format cameras take (150), below what a decoder's memory can be made to burst with."""
MIN_LONG_EDGE = 64
"""Smaller is no picture that anyone can license, and gives no meaningful perceptual hash."""
MAX_ASPECT = 100
"""Longer side to shorter. A thumbnail of 150 px is one pixel wide at 150 to 1; the widest panoramas have some 20."""
MAX_HELD_BYTES = 640_000_000
"""What a decoder may have to hold at once: 200 megapixels of three bytes, and some; with the file itself and
the interpreter the process stays below 900 MB."""
MAX_RAW_HELD_BYTES = 760_000_000
"""The same for RAW, with the file: LibRaw gets it as bytes in memory."""

_MAX_SIDE = 65_500
_PADDED_SCANS_MAX = 32
"""Each costs a decode up to there."""
_MAX_DECODED_BYTES = 1_600_000_000
"""In all, streamed or not: 200 megapixels of four channels of 16 bits."""
_MAX_COVERED_BYTES = 2_000_000_000
"""The same with what tiles have beyond the picture."""
_LOADERS = {"jpeg": "jpegload_source", "png": "pngload_source", "tiff": "tiffload_source"}
_STREAMED = {"access": "sequential"}
_TILE_SIZE_REFUSED = "tile size out of range"
"""What libvips says of tiles that are far larger than their picture, as small as that may be, and of sides that are no
multiple of 16."""
_TILE_STEP = 16
_ORIENTATION, _EXIF = "orientation", "exif-data"
_PROFILE = "icc-profile-data"
_PROFILE_CLASSES = frozenset({b"scnr", b"mntr", b"prtr", b"spac"})
"""Of a device or a colour space; links of two devices, effects and named colours say nothing of a picture's."""
_PROFILE_BETWEEN = frozenset({b"XYZ ", b"Lab "})
"""What such a profile leads to, from where the next one goes on."""
_INTENTS = ("perceptual", "relative", "saturation")
"""In the order in which they are tried: some profiles for print hold the tables of one alone."""
_SIDEWAYS = 5
_OPAQUE = 255
_RAW_HALF, _RAW_WHOLE = 2 + 8 / 4 + 3 / 4 + 3 / 4, 2 + 8 + 3 + 3
"""Bytes of LibRaw and of ours for each pixel of a sensor: mosaic, four 16-bit channels, picture, our copy of it."""
_PREVIEW_PART = 2
"""A preview may stand for a picture up to twice as wide and high, and for any where it fills the master."""
_QUARTER_TURNS = {3: 180, 5: 90, 6: 270}
"""LibRaw's flips as degrees counter-clockwise."""


@dataclass(frozen=True)
class Decoded:
    """What one decode gives."""

    format: str
    width: int
    height: int
    """Pixels of the original, upright."""
    picture: Image
    """RGB, or RGBA where something of it can be seen through; long edge at most `MASTER_LONG_EDGE`."""
    exif: bytes = b""
    """As it stands in a JPEG or PNG; empty for others."""
    turned: bool = False
    """By the file's own word, to stand upright."""
    from_preview: bool = False
    """RAW: what the sensor saw could not be read, and this is the JPEG that the camera put beside it."""


class Source:
    """A file that is open, which nobody needs leave to open again: a descriptor, or bytes."""

    def __init__(self, held: int | bytes) -> None:
        self._held = held

    def reader(self) -> BinaryIO:
        """The file from its beginning. One reader at a time: a descriptor has one place."""
        if isinstance(self._held, bytes):
            return io.BytesIO(self._held)
        os.lseek(self._held, 0, os.SEEK_SET)
        return open(self._held, "rb", closefd=False)

    def for_vips(self) -> Any:
        """The same for libvips, which keeps a copy of the descriptor."""
        sources = load_decoder().Source
        if isinstance(self._held, bytes):
            return sources.new_from_memory(self._held)
        os.lseek(self._held, 0, os.SEEK_SET)
        return sources.new_from_descriptor(self._held)


def decode(path: Path) -> Decoded:
    """`decode_source` of the file at the path."""
    with path.open("rb") as file:
        return decode_source(Source(file.fileno()))


def decode_source(source: Source) -> Decoded:
    """Decode the picture of a file.

    Raises:
        UnsupportedFormat: The bytes are of no accepted type, whatever the name says.
        ImageTooLarge, ImageTooSmall, ImageTooNarrow: Its sides, its metadata or the memory it takes are out of bounds;
            nothing was decoded.
        UnreadableImage: It is broken, or cut short.
    """
    found = sniff(source.reader())
    if found is None:
        raise UnsupportedFormat(what_is_wrong(source.reader()))
    return _decode_raw(source, found) if found in RAW_FORMATS else _decode(source, found)


def _check_sides(width: int, height: int) -> None:
    if max(width, height) > _MAX_SIDE or width * height > MAX_MEGAPIXELS * 1_000_000:
        raise ImageTooLarge(
            f"The picture is {width} by {height} pixels; {MAX_MEGAPIXELS} megapixels"
            f" and {_MAX_SIDE} pixels a side are the most."
        )
    if max(width, height) < MIN_LONG_EDGE:
        raise ImageTooSmall(
            f"The picture is {width} by {height} pixels; its longer side needs {MIN_LONG_EDGE} at least."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageTooNarrow(
            f"The picture is {width} by {height} pixels; its longer side may be {MAX_ASPECT} times the shorter at most."
        )


def _check_cost(header: Header) -> None:
    if header.pixel_bytes * header.width * header.height > _MAX_DECODED_BYTES:
        raise ImageTooLarge(
            f"The picture's {header.width} by {header.height} pixels of {header.pixel_bytes:g} bytes each are too much"
            " to decode; save it with 8 bits a channel and without extra channels."
        )
    if header.held_bytes > MAX_HELD_BYTES:
        raise ImageTooLarge(
            f"The picture can only be decoded with {header.held_bytes / 1e6:,.0f} MB of it in memory at once;"
            f" {MAX_HELD_BYTES // 1_000_000} MB are the most. To have it accepted, {header.remedy}."
        )
    if header.covered_bytes > _MAX_COVERED_BYTES:
        raise ImageTooLarge(
            f"The picture's tiles come to {header.covered_bytes / 1e6:,.0f} MB, more than the"
            f" {_MAX_COVERED_BYTES // 1_000_000:,} that are decoded at most. To have it accepted, {header.remedy}."
        )


@lru_cache(maxsize=1)
def load_decoder() -> Any:
    """libvips with three decoders on its allow-list, and no cache."""
    import pyvips

    pyvips.block_untrusted_set(state=True)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 - its only form
    for allowed in ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadTiff"):
        pyvips.operation_block_set(allowed, False)  # noqa: FBT003
    pyvips.cache_set_max(0)
    return pyvips


class _Padded(Exception):
    """The decoder found zeros before a marker of a JPEG, and nothing was damaged before it."""

    def __init__(self, marker_at: int, zeros: int) -> None:
        super().__init__(marker_at, zeros)
        self.marker_at, self.zeros = marker_at, zeros


def _decode(source: Source, found: str) -> Decoded:
    padding = dict[int, int]()
    while len(padding) <= _PADDED_SCANS_MAX:
        try:
            return _decode_once(source, found, padding)
        except _Padded as found_there:
            padding[found_there.marker_at] = found_there.zeros
    raise UnreadableImage(f"The JPEG has padding behind more than {_PADDED_SCANS_MAX} scans; save it anew.")


def _decode_once(source: Source, found: str, padding: Mapping[int, int]) -> Decoded:
    """Raises `_Padded` where a JPEG holds padding that is to be left out of what its decoder is given."""
    header = read_header(source.reader(), found)
    _check_sides(header.width, header.height)
    _check_cost(header)
    check_sums(source.reader(), header)
    vips = load_decoder()
    stream = None if header.jpeg is None else JpegStream(source.reader(), header.jpeg, padding)
    corrected = Corrected(source.reader(), header.instead) if header.instead else None
    try:
        vips.vips_lib.vips_error_clear()
        where: dict[str, Any] = {"page": header.page} if found == "tiff" else {}
        if header.sub_ifd is not None:
            where["subifd"] = header.sub_ifd
        handed_out = stream or corrected
        given = source.for_vips() if handed_out is None else handed_out.source(vips)
        loaded = getattr(vips.Image, _LOADERS[found])(given, fail_on=header.fail_on, **where, **_STREAMED)
        if (loaded.width, loaded.height) != (header.width, header.height):
            raise UnreadableImage("The file's headers contradict each other.")
        if header.late_exif:
            loaded = loaded.copy()
            loaded.set_type(vips.GValue.blob_type, _EXIF, header.late_exif)
            loaded.set_type(vips.GValue.gint_type, _ORIENTATION, orientation_of(header.late_exif))
        decoded = _upright(found, loaded, _scaled(vips, stream, loaded, header))
    except vips.Error as error:
        if "out of memory" in str(error):
            raise MemoryError from error
        if stream is not None and stream.left_over is not None:
            raise _Padded(*stream.left_over) from error
        if header.tile and _TILE_SIZE_REFUSED in str(error):
            why = (
                "have sides that 16 does not divide, as TIFF demands"
                if any(side % _TILE_STEP for side in header.tile)
                else f"are too large for a picture of {header.width} by {header.height}"
            )
            raise UnsupportedFormat(
                f"The TIFF's tiles of {header.tile[0]} by {header.tile[1]} pixels {why}; save it in tiles of 256"
                " pixels, or in strips."
            ) from error
        raise UnreadableImage("The file is damaged or cut short: it could not be decoded to its end.") from error
    finally:
        for handed_out in filter(None, (stream, corrected)):
            handed_out.release()
    if stream is not None:
        if b"VipsJpeg" in vips.ffi.string(vips.vips_lib.vips_error_buffer()):
            if stream.finds_padding() and stream.left_over is not None:
                raise _Padded(*stream.left_over)
            raise UnreadableImage("The JPEG is damaged or cut short: it cannot be decoded without gaps.")
        stream.check_used()
    return decoded


def _upright(found: str, loaded: pyvips.Image, scaled: pyvips.Image) -> Decoded:
    width, height = loaded.width, loaded.height
    orientation = cast("int", loaded.get(_ORIENTATION)) if loaded.get_typeof(_ORIENTATION) else 1
    if orientation >= _SIDEWAYS:
        width, height = height, width
    exif = cast("bytes", loaded.get(_EXIF)) if loaded.get_typeof(_EXIF) else b""
    return Decoded(found, width, height, _to_pillow(scaled), exif=exif, turned=orientation > 1)


def _scaled(vips: Any, stream: JpegStream | None, loaded: pyvips.Image, header: Header) -> pyvips.Image:
    """Within the master's bounds, upright, in sRGB."""
    picture = loaded
    if stream is not None:  # the only one of the three that is cheaper to decode at a fraction of its size
        # by hand, for `thumbnail_source` passes over `fail_on`
        shrink = _shrink(header)
        picture = vips.Image.jpegload_source(stream.source(vips), shrink=shrink, fail_on="truncated", **_STREAMED)
    inks = loaded.interpretation == "cmyk"
    if header.channels:
        picture = picture[: header.channels]
    if header.space is not None or not _fits(picture, inks=inks):
        picture = picture.copy()
        picture.remove(_PROFILE)
        if header.space == "p3":
            picture.set_type(vips.GValue.blob_type, _PROFILE, vips.Image.profile_load(header.space))
    return _thumbnail(vips, _from_floats(picture) if picture.format == "float" else picture, inks=inks)


def _thumbnail(vips: Any, picture: pyvips.Image, *, inks: bool) -> pyvips.Image:
    """Within the master's bounds, by the profile that it carries where LittleCMS can go by it."""
    size: dict[str, Any] = {"height": MASTER_LONG_EDGE, "size": "down"}
    if not (picture.get_typeof(_PROFILE) or inks):  # asked for in vain it costs as much as decoding
        return picture.thumbnail_image(MASTER_LONG_EDGE, **size)
    size |= {"output_profile": "srgb"}
    if inks:
        size["input_profile"] = "cmyk"  # for a file that names none: the common inks of print
    if picture.get_typeof(_PROFILE):
        for intent in _INTENTS:
            try:
                return picture.thumbnail_image(MASTER_LONG_EDGE, intent=intent, **size)
            except vips.Error as error:
                if "VipsIcc" not in str(error):
                    raise
        picture = picture.copy()
        picture.remove(_PROFILE)
        return _thumbnail(vips, picture, inks=inks)
    return picture.thumbnail_image(MASTER_LONG_EDGE, intent=_INTENTS[0], **size)


def _shrink(header: Header) -> int:
    """By how much a JPEG is to be made smaller while it is decoded: half of the way is left to the better filter, and
    of its last rows one has to remain, or they would not be decoded."""
    assert header.jpeg is not None
    last = (header.height - 1) % header.jpeg.rows_at_once + 1
    longer = max(header.width, header.height)
    return next((each for each in (8, 4, 2) if longer >= 2 * each * MASTER_LONG_EDGE and each <= last), 1)


def _fits(picture: pyvips.Image, *, inks: bool) -> bool:
    """Whether the profile, if there is any, is of colours like the picture's (ICC.1, 7.2). libvips counts channels
    only: it would take RGB for XYZ or Lab."""
    if not picture.get_typeof(_PROFILE):
        return True
    kind, space, between = struct.unpack("12x4s4s4s", cast("bytes", picture.get(_PROFILE))[:24].ljust(24))
    of_the_picture = b"CMYK" if inks else b"GRAY" if picture.bands <= 2 else b"RGB "
    return kind in _PROFILE_CLASSES and space == of_the_picture and between in _PROFILE_BETWEEN


def _from_floats(picture: pyvips.Image) -> pyvips.Image:
    """0 to 1 as 16 bits, within the master's bounds. Floats mean linear light, unless a profile says what they mean.

    Raises `UnsupportedFormat` where one is no number, as is then each pixel of the small picture that it goes into:
    nobody can say what it should look like.
    """
    grey, seen_through = picture.bands <= 2, picture.hasalpha()
    alpha = _clamped(picture[picture.bands - 1 :]) if seen_through else None
    colours = _clamped(picture[: picture.bands - 1] if seen_through else picture)
    if not picture.get_typeof(_PROFILE):
        # the sRGB transfer function, IEC 61966-2-1
        colours = (colours <= 0.0031308).ifthenelse(colours * 12.92, colours ** (1 / 2.4) * 1.055 - 0.055)
    small = colours if alpha is None else colours.bandjoin(alpha).premultiply(max_alpha=1)
    longer = max(small.width, small.height)
    if longer > MASTER_LONG_EDGE:
        small = small.resize(MASTER_LONG_EDGE / longer)
    small = small.copy_memory()
    if small.relational(small, "noteq").max():  # what is no number is not itself
        raise UnsupportedFormat(
            "The TIFF's floats are not all numbers (NaN stands among them); save it as RGB with 8 or 16 bits a channel."
        )
    if alpha is not None:
        small = small.unpremultiply(max_alpha=1)
    return (small * 65535 + 0.5).cast("ushort").copy(interpretation="grey16" if grey else "rgb16")


def _clamped(floats: pyvips.Image) -> pyvips.Image:
    """Between 0 and 1, and what is no number as it is."""
    return floats.relational(floats, "equal").ifthenelse(floats.clamp(), floats)


def _to_pillow(scaled: pyvips.Image) -> Image:
    from PIL import Image

    plain = scaled.colourspace("srgb").cast("uchar")
    if plain.bands <= 2:
        plain = plain[0].bandjoin([plain[0], *[plain[band] for band in range(plain.bands)]])
    mode = "RGBA" if plain.bands >= 4 else "RGB"
    picture = Image.frombytes(mode, (plain.width, plain.height), plain[: len(mode)].write_to_memory())
    if mode == "RGBA" and picture.getchannel("A").getextrema() == (_OPAQUE, _OPAQUE):
        return picture.convert("RGB")
    return picture


def _decode_raw(source: Source, found: str) -> Decoded:
    import rawpy

    check_raw(source.reader(), found)
    size = source.reader().seek(0, os.SEEK_END)
    with rawpy.RawPy() as raw:
        _open_raw(raw, source)
        sizes = raw.sizes
        width, height = (sizes.height, sizes.width) if sizes.flip in {5, 6} else (sizes.width, sizes.height)
        _check_sides(width, height)
        half = max(width, height) >= 2 * MASTER_LONG_EDGE
        needed = int(sizes.raw_width * sizes.raw_height * (_RAW_HALF if half else _RAW_WHOLE))
        if needed > MAX_HELD_BYTES or needed + size > MAX_RAW_HELD_BYTES:
            raise ImageTooLarge(
                f"Developing the RAW file would take {needed / 1e6:,.0f} MB of memory beside its own {size / 1e6:,.0f};"
                f" {MAX_HELD_BYTES // 1_000_000} MB, and {MAX_RAW_HELD_BYTES // 1_000_000} with the file, are the most."
                " Upload a JPEG or TIFF made from it."
            )
        try:
            return Decoded(found, width, height, _develop(raw, half=half))
        except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError, MemoryError) as error:
            unread = error
    picture = _preview(source, sizes.flip)  # with a fresh handle: a failed one gives nothing more
    if picture is None:
        raise UnreadableImage(
            "The RAW file holds no picture data that could be developed, and no preview to show in its place."
        ) from unread
    if max(picture.size) < min(MASTER_LONG_EDGE, max(width, height) / _PREVIEW_PART):
        raise UnreadableImage(
            f"The RAW file's {width} by {height} pixels could not be developed, and its preview of {picture.width} by"
            f" {picture.height} is too small to show in their place. Upload a JPEG or TIFF made from it."
        ) from unread
    return Decoded(found, width, height, picture, from_preview=True)


def _open_raw(raw: rawpy.RawPy, source: Source) -> None:
    import rawpy

    try:
        raw.open_buffer(source.reader())
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise UnreadableImage("The RAW file is damaged, or of a camera that is not known.") from error


def _develop(raw: rawpy.RawPy, *, half: bool) -> Image:
    from PIL import Image
    from PIL.Image import Resampling

    pixels = raw.postprocess(use_camera_wb=True, half_size=half, output_bps=8)
    picture = Image.fromarray(pixels.squeeze()).convert("RGB")
    picture.thumbnail((MASTER_LONG_EDGE, MASTER_LONG_EDGE), Resampling.LANCZOS, reducing_gap=2.0)
    return picture


def _preview(source: Source, flip: int) -> Image | None:
    """The picture that the camera put into a RAW file, upright; None where there is none that can be used."""
    import rawpy
    from PIL import Image

    try:
        with rawpy.RawPy() as raw:
            _open_raw(raw, source)
            thumbnail = raw.extract_thumb()
        if not isinstance(thumbnail.data, bytes):
            picture, turned = Image.fromarray(thumbnail.data).convert("RGB"), False
            _check_sides(*picture.size)
            picture.thumbnail((MASTER_LONG_EDGE, MASTER_LONG_EDGE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        else:
            decoded = _decode(Source(thumbnail.data), "jpeg")
            picture, turned = decoded.picture, decoded.turned
    except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError, MemoryError, ImageRejected):
        return None
    return picture if turned or flip not in _QUARTER_TURNS else picture.rotate(_QUARTER_TURNS[flip], expand=True)
