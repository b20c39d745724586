"""One safe decode of an original, and everything that is learnt from it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemarket.imaging import hashes
from imagemarket.imaging.decoding import decode
from imagemarket.imaging.formats import RAW_FORMATS
from imagemarket.imaging.headers import TiffDirectory
from imagemarket.imaging.metadata import EXIF_DIRECTORY, quiet, technical_metadata
from imagemarket.imaging.models import Inspection, TechnicalMetadata
from imagemarket.imaging.renditions import flattened

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

MODEL_INPUT_SHORT_EDGE = 300
"""The models read squares of 224 to 260 px; the rest is room for their crop."""


def inspect(path: Path) -> Inspection:
    """Decode the file once, with scaling on load, and describe it.

    Raises:
        UnsupportedFormat: The bytes are of no accepted type, whatever the name says.
        ImageTooLarge, ImageTooSmall: Its sides are out of bounds; nothing was decoded.
        UnreadableImage: It is broken, or cut short.
    """
    decoded = decode(path)
    seen = flattened(decoded.picture)
    colours = hashes.palette(seen)
    technical = _technical(path, decoded.format)
    if decoded.from_preview:
        technical = technical.model_copy(update={"decoded_from": "embedded preview"})
    return Inspection(
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
        sha256=_sha256(path),
        phash=hashes.perceptual_hash(seen),
        thumbhash=hashes.thumbhash(seen),
        palette=colours,
        colours=hashes.colour_names(colours),
        technical=technical,
        master=_encode(decoded.picture, "PNG", compress_level=1),
        model_input=_encode(_for_models(seen), "JPEG", quality=90),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
            TiffDirectory(file).check_metadata()
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
