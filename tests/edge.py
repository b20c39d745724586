"""Odd and hostile pictures, made here: a small one of every kind that lies beside the clone in `samples/edge`.

A file's name begins with its kind, as there (`kind__anything.ext`), so that both are tried by the same tests.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from imagemarket.imaging.errors import (
    ImageRejected,
    ImageTooLarge,
    ImageTooNarrow,
    ImageTooSmall,
    UnreadableImage,
    UnsupportedFormat,
)
from local.layout import REPOSITORY
from local.pictures import paint_landscape
from local.raw_fixtures import write_dng
from tests.textures import textured
from tests.unit.imaging.colour import rgb_profile, swatches
from tests.unit.imaging.tiffs import write_tiff

SAMPLES = REPOSITORY.parent / "shared" / "samples" / "edge"
SIZE = (480, 320)


def sample_files() -> list[Path]:
    """Those beside the clone; none in a clone alone."""
    return sorted(path for path in SAMPLES.iterdir() if path.is_file()) if SAMPLES.is_dir() else []


def _picture(seed: int = 1, mode: str = "RGB") -> Image.Image:
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    return Image.fromarray(swatches(channels=channels, seed=seed, size=SIZE).squeeze(), mode)


def _turned(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    _picture(orientation).save(path, exif=exif, quality=95)


def _see_through(seed: int) -> Image.Image:
    picture = _picture(seed)
    picture.putalpha(Image.linear_gradient("L").resize(SIZE))
    return picture


def _animation(path: Path) -> None:
    frames = [_picture(seed).quantize(64) for seed in (1, 2, 3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def _avif_with_a_place(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    _picture().save(path, exif=exif)


def _bmp_of_a_million_a_side(path: Path) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 2_500_000, 2_500_000, 1, 24, 0, 0, 2835, 2835, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 24_630, 0, 0, 54) + header + bytes(24_576))


def _png_of_65536_a_side(path: Path) -> None:
    """A whole PNG of one bit a pixel: some half a megabyte that would fill 4 GB as colours."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeezed = zlib.compressobj(9)
    rows = b"".join(squeezed.compress(bytes(64 * (1 + 65_536 // 8))) for _ in range(1024)) + squeezed.flush()
    header = struct.pack(">IIBBBBB", 65_536, 65_536, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def _boxes(path: Path, brand: bytes, size: int) -> None:
    """The begin of a file of ISO's boxes, as HEIC is, and bytes that mean nothing."""
    path.write_bytes(struct.pack(">I4s4sI4s4s", 24, b"ftyp", brand, 0, b"mif1", brand) + bytes(size))


def _broken_jpeg(path: Path, at: int, written: bytes) -> None:
    _picture().resize((80, 60)).save(path)
    data = bytearray(path.read_bytes())
    data[at : at + len(written)] = written
    path.write_bytes(data)


def _cut(path: Path) -> None:
    textured(_picture(), 1).save(path)
    path.write_bytes(path.read_bytes()[:10_000])


def _spoilt(path: Path, spoil: Callable[[bytes], bytes], **how: object) -> None:
    """Whole to look at from outside."""
    textured(_picture(11), 11).save(path, **how)  # pyright: ignore[reportArgumentType]
    path.write_bytes(spoil(path.read_bytes()))


def _closed_half_way(data: bytes) -> bytes:
    return data[: len(data) // 2] + b"\xff\xd9"


def _with_zeros(data: bytes) -> bytes:
    half = len(data) // 2
    return data[:half] + bytes(2000) + data[half + 2000 :]


def _deflated_with_another_sum(path: Path) -> None:
    pixels = zlib.compress(swatches(size=SIZE).tobytes())
    spoilt = np.frombuffer(pixels[:-1] + bytes([pixels[-1] ^ 1]), np.uint8)[None]
    fields = {256: (4, [SIZE[0]]), 257: (4, [SIZE[1]]), 258: (3, [8] * 3), 259: (3, [8]), 262: (3, [2]), 277: (3, [3])}
    write_tiff(path, spoilt, rows_per_strip=SIZE[1], fields=fields)


def _psd(path: Path) -> None:
    """Photoshop's header of 10x12 pixels, CMYK of 16 bits, and its pixels uncompressed."""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 4, 12, 10, 16, 4)
    path.write_bytes(header + bytes(12) + b"\0\0" + bytes(4 * 12 * 10 * 2))


def _sixteen_bits(path: Path, channels: int) -> None:
    write_tiff(path, swatches(channels=channels, size=SIZE).squeeze().astype(np.uint16) * 257, bits=16)


def _small_floats(path: Path) -> None:
    pixels = swatches(size=(24, 16)).astype(np.float32) / 255
    pyvips.Image.new_from_array(pixels).copy(interpretation="scrgb").write_to_file(str(path))


def _negative_cut_before_its_pixels(path: Path) -> None:
    write_dng(path, swatches(size=(320, 240)).astype(np.float64) / 255)
    path.write_bytes(path.read_bytes()[:2000])


def _tiff_of_values(path: Path, photometric: int, channels: int, *, floats: bool = False) -> None:
    pixels = swatches(channels=channels, size=SIZE)
    if floats:
        write_tiff(
            path,
            pixels.astype(np.float32) / 255,
            bits=32,
            photometric=photometric,
            fields={339: (3, [3] * channels)},
        )
    else:
        write_tiff(path, pixels, photometric=photometric)


def _png_with(path: Path, kind: bytes, data: bytes, *, at: int) -> None:
    """A chunk at a place: 8 is before the header, 33 behind it."""
    _picture(9).save(path)
    whole, chunk = path.read_bytes(), kind + data
    framed = struct.pack(">I", len(data)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(whole[:at] + framed + whole[at:])


def _thumbnail_first(path: Path) -> None:
    picture = textured(_picture(10), 10)
    picture.resize((48, 32)).save(path, save_all=True, append_images=[picture], tiffinfo={254: 1})


_CMYK: bytes = pyvips.Image.profile_load("cmyk")

MAKERS: dict[str, Callable[[Path], object]] = {
    "alpha-png__fading.png": lambda path: _see_through(1).save(path),
    "alpha-webp__fading.webp": lambda path: _see_through(2).save(path, quality=80),
    "animated-gif__three-frames.gif": _animation,
    "avif-orientation6-gps__turned.avif": _avif_with_a_place,
    "bomb-header-6e12px__header-alone.bmp": _bmp_of_a_million_a_side,
    "bomb-png-4.3e9px__whole.png": _png_of_65536_a_side,
    "cmyk-noprofile__inks.jpg": lambda path: _picture(3, "CMYK").save(path, quality=95),
    "cmyk-tiff__inks.tif": lambda path: _picture(4, "CMYK").save(path),
    "cmyk__inks.jpg": lambda path: _picture(5, "CMYK").save(path, quality=95, icc_profile=_CMYK),
    "corrupt-jpeg__first-segment-ends-elsewhere.jpg": lambda path: _broken_jpeg(path, 4, b"\0\x22"),
    "corrupt-jpeg__no-segment-follows.jpg": lambda path: _broken_jpeg(path, 3, b"\xd5" + bytes(400)),
    "damaged-jpeg__closed-half-way.jpg": lambda path: _spoilt(path, _closed_half_way),
    "damaged-jpeg__progressive-closed-half-way.jpg": lambda path: _spoilt(path, _closed_half_way, progressive=True),
    "damaged-jpeg__zeros.jpg": lambda path: _spoilt(path, _with_zeros),
    "damaged-png__zeros.png": lambda path: _spoilt(path, _with_zeros),
    "damaged-tiff__another-sum.tif": _deflated_with_another_sum,
    "heic-12MP-gps__boxes.heic": lambda path: _boxes(path, b"heic", 4000),
    "huge-heic-200MP__boxes.heic": lambda path: _boxes(path, b"heix", 200_000),
    "icc__wide.jpg": lambda path: _picture(6).save(path, quality=95, icc_profile=rgb_profile("Display P3")),
    "jp2__wavelets.jp2": lambda path: _picture(7).save(path),
    **{f"orientation__{number}.jpg": lambda path, n=number: _turned(path, n) for number in range(1, 9)},
    "psd-cmyk16__10x12.psd": _psd,
    "raw-cut__header-alone.dng": _negative_cut_before_its_pixels,
    "tiff-16bit-gray__ramp.tif": lambda path: _sixteen_bits(path, 1),
    "tiff-16bit-rgb__fields.tif": lambda path: _sixteen_bits(path, 3),
    "tiff-float__too-small.tif": _small_floats,
    "truncated-jpeg__half.jpg": _cut,
    "truncated-png__half.png": _cut,
    "narrow__thread.png": lambda path: _picture(8).resize((24_000, 200)).save(path),
    "photo__hills.jpg": lambda path: paint_landscape(path, seed=1, size=SIZE),
    "png-hdr__pq.png": lambda path: _png_with(path, b"cICP", bytes((9, 16, 0, 1)), at=33),
    "png-of-xcode__cgbi.png": lambda path: _png_with(path, b"CgBI", b"\x50\0\x20\2", at=8),
    "tiff-cmyk-float__inks.tif": lambda path: _tiff_of_values(path, 5, 4, floats=True),
    "tiff-lab__fields.tif": lambda path: _tiff_of_values(path, 8, 3),
    "tiff-thumbnail-first__fields.tif": _thumbnail_first,
}
"""By name; each writes its file."""

REFUSED: dict[str, tuple[type[ImageRejected], ...]] = {
    "alpha-webp": (UnsupportedFormat,),
    "animated-gif": (UnsupportedFormat,),
    "avif-orientation6-gps": (UnsupportedFormat,),
    "bomb-header-6e12px": (UnsupportedFormat,),
    "bomb-png-4.3e9px": (ImageTooLarge,),
    "corrupt-jpeg": (UnreadableImage, ImageTooNarrow),
    "damaged-jpeg": (UnreadableImage,),
    "damaged-png": (UnreadableImage,),
    "damaged-tiff": (UnreadableImage,),
    "heic-12MP-gps": (UnsupportedFormat,),
    "huge-heic-200MP": (UnsupportedFormat,),
    "jp2": (UnsupportedFormat,),
    "narrow": (ImageTooNarrow,),
    "png-hdr": (UnsupportedFormat,),
    "png-of-xcode": (UnsupportedFormat,),
    "psd-cmyk16": (UnsupportedFormat,),
    "raw-cut": (UnreadableImage,),
    "tiff-cmyk-float": (UnsupportedFormat,),
    "tiff-float": (ImageTooSmall,),
    "tiff-lab": (UnsupportedFormat,),
    "truncated-jpeg": (UnreadableImage,),
    "truncated-png": (UnreadableImage,),
}
"""Why files of a kind are refused, where they are."""


def refusals_of(path: Path) -> tuple[type[ImageRejected], ...]:
    """Why a file may be refused; nothing where it is to be taken."""
    return REFUSED.get(path.name.partition("__")[0], ())


def make_edge_file(name: str, folder: Path) -> Path:
    """The file of `MAKERS` of that name, in `folder`."""
    path = folder / name
    MAKERS[name](path)
    return path
