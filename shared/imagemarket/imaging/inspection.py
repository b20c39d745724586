"""One safe decode of an original, and everything that is learnt from it."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemarket.imaging import hashes
from imagemarket.imaging.formats import RAW_FORMATS, is_animated_png, sniff
from imagemarket.imaging.metadata import EXIF_DIRECTORY, quiet, technical_metadata
from imagemarket.imaging.models import Inspection, TechnicalMetadata
from imagemarket.platform.errors import ImageTooLarge, ImageTooSmall, UnreadableImage, UnsupportedFormat

if TYPE_CHECKING:
    import pyvips
    from PIL.Image import Exif, Image

MASTER_LONG_EDGE = 1000
MODEL_INPUT_SHORT_EDGE = 300
"""The models read squares of 224 to 260 px; the rest is room for their crop."""
MAX_MEGAPIXELS = 250
"""Above what today's medium-format cameras take (150), below what a decoder's memory can be made to burst with."""
MIN_LONG_EDGE = 64
"""Smaller is no picture that anyone can license, and gives no meaningful perceptual hash."""

_MAX_SIDE = 65_500
_MAX_DECODED_BYTES = 1_600_000_000
"""A progressive JPEG, an interlaced PNG or a TIFF of one strip has to be held whole while it is decoded."""
_ORIENTATION = "orientation"
_SIDEWAYS = 5
_WHITE = 255


def inspect(path: Path) -> Inspection:
    """Decode the file once, with scaling on load, and describe it.

    Raises:
        UnsupportedFormat: The bytes are of no accepted type, whatever the name says.
        ImageTooLarge, ImageTooSmall: Its sides are out of bounds; nothing was decoded.
        UnreadableImage: It is broken, or cut short.
    """
    found = sniff(path)
    if found is None:
        raise UnsupportedFormat(
            "The file's content is not JPEG, PNG, TIFF or camera RAW (DNG, CR2, CR3, NEF, ARW, ORF, RW2, RAF)."
        )
    if found == "png" and is_animated_png(path):
        raise UnsupportedFormat("The file is an animation; only still pictures are accepted.")
    width, height, picture = _decode_raw(path) if found in RAW_FORMATS else _decode(path)
    colours = hashes.palette(picture)
    return Inspection(
        format=found,
        width=width,
        height=height,
        sha256=_sha256(path),
        phash=hashes.perceptual_hash(picture),
        thumbhash=hashes.thumbhash(picture),
        palette=colours,
        colours=hashes.colour_names(colours),
        technical=_technical(path, found),
        master=_encode(picture, "PNG", compress_level=1),
        model_input=_encode(_for_models(picture), "JPEG", quality=90),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


@lru_cache(maxsize=1)
def _vips() -> Any:
    """libvips, with the decoders that its makers would not give hostile files switched off, and no cache."""
    import pyvips

    pyvips.block_untrusted_set(state=True)
    pyvips.cache_set_max(0)
    return pyvips


def _decode(path: Path) -> tuple[int, int, Image]:
    """Upright sides of the original, and its picture within the master's bounds."""
    vips = _vips()
    try:
        header = vips.Image.new_from_file(str(path), access="sequential")
        width, height = header.width, header.height
        if header.get_typeof(_ORIENTATION) and header.get(_ORIENTATION) >= _SIDEWAYS:
            width, height = height, width
        _check_sides(width, height)
        decoded_bytes = vips.Image.black(1, 1, bands=header.bands).cast(header.format).write_to_memory()
        if len(decoded_bytes) * width * height > _MAX_DECODED_BYTES:
            raise ImageTooLarge(
                f"The picture's {width} by {height} pixels of {len(decoded_bytes)} bytes each are too much to"
                " decode; save it with 8 bits a channel and without extra channels."
            )
        scaled = vips.Image.thumbnail(
            str(path),
            MASTER_LONG_EDGE,
            height=MASTER_LONG_EDGE,
            size="down",
            fail_on="truncated",
            output_profile="srgb",
            intent="perceptual",
        )
        return width, height, _to_pillow(scaled)
    except vips.Error as error:
        raise UnreadableImage("The file is damaged or cut short: it could not be decoded to its end.") from error


def _to_pillow(scaled: pyvips.Image) -> Image:
    from PIL import Image

    if scaled.interpretation not in {"srgb", "b-w", "rgb16", "grey16", "scrgb"} and scaled.format in {
        "float",
        "double",
    }:
        scaled = scaled.copy(interpretation="scrgb")
    plain = scaled.colourspace("srgb")
    if plain.hasalpha():
        plain = plain.flatten(background=[_WHITE] * 3)
    plain = plain.cast("uchar")
    if plain.bands == 1:
        plain = plain.bandjoin([plain, plain])
    plain = plain[:3]
    return Image.frombytes("RGB", (plain.width, plain.height), plain.write_to_memory())


def _decode_raw(path: Path) -> tuple[int, int, Image]:
    import rawpy
    from PIL import Image
    from PIL.Image import Resampling

    try:
        with rawpy.imread(str(path)) as raw:
            sizes = raw.sizes
            width, height = sizes.width, sizes.height
            if sizes.flip in {5, 6}:
                width, height = height, width
            _check_sides(width, height)
            half = max(width, height) >= 2 * MASTER_LONG_EDGE
            pixels = raw.postprocess(use_camera_wb=True, half_size=half, output_bps=8)
    except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError, MemoryError) as error:
        raise UnreadableImage("The RAW file holds no picture data that could be developed.") from error
    picture = Image.fromarray(pixels.squeeze()).convert("RGB")
    picture.thumbnail((MASTER_LONG_EDGE, MASTER_LONG_EDGE), Resampling.LANCZOS, reducing_gap=2.0)
    return width, height, picture


def _technical(path: Path, found: str) -> TechnicalMetadata:
    with quiet():
        try:
            return technical_metadata(_raw_exif(path) if found in RAW_FORMATS else _exif(path))
        except Exception:  # noqa: BLE001 - decoded already; what cannot be read here is merely not told
            return TechnicalMetadata()


def _exif(source: Path | io.BytesIO) -> Exif:
    from PIL import Image

    with Image.open(source, formats=("JPEG", "PNG", "TIFF")) as header:
        # a PNG's own getexif() decodes all of its pixels in search of a chunk behind them
        exif = Image.Image.getexif(header)
        exif.get_ifd(EXIF_DIRECTORY)  # reads on in the file, which is closed after this
        return exif


def _raw_exif(path: Path) -> Exif:
    """From the RAW file's own directory where it is a TIFF at heart, else from its embedded preview."""
    import rawpy
    from PIL import Image

    with path.open("rb") as file:
        if file.read(4) in {b"II*\0", b"MM\0*"}:
            file.seek(0)
            exif = Image.Exif()
            exif.load_from_fp(file)
            if dict(exif.get_ifd(EXIF_DIRECTORY)):
                return exif
    with rawpy.imread(str(path)) as raw:
        preview = raw.extract_thumb().data
        return _exif(io.BytesIO(preview)) if isinstance(preview, bytes) else Image.Exif()


def _for_models(picture: Image) -> Image:
    from PIL.Image import Resampling

    scale = min(1.0, MODEL_INPUT_SHORT_EDGE / min(picture.size))
    sides = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(sides, Resampling.LANCZOS, reducing_gap=2.0)


def _encode(picture: Image, encoder: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, encoder, **options)
    return out.getvalue()
