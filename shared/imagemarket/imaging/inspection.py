"""One safe decode of an original, and everything that is learnt from it."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from imagemarket.imaging import hashes
from imagemarket.imaging.decoding import Decoded, Source, decode_source
from imagemarket.imaging.errors import ImageTooLarge, UnreadableImage
from imagemarket.imaging.formats import RAW_FORMATS
from imagemarket.imaging.headers import TiffDirectory
from imagemarket.imaging.metadata import description_of, exif_fields, quiet, technical_metadata
from imagemarket.imaging.models import Inspection, TechnicalMetadata
from imagemarket.imaging.raw_layout import EXIF_BOX, MAIN_BOX, metadata_boxes
from imagemarket.imaging.renditions import flattened

if TYPE_CHECKING:
    from PIL.Image import Image

MODEL_INPUT_SHORT_EDGE = 300
"""The models read squares of 224 to 260 px; the rest is room for their crop."""
_DATE = 0x0132
_LIBRAWS = b"dcraw v"
_Exif = tuple[dict[int, Any], dict[int, Any]]
_HASHED_BYTES = 1 << 20
_EXIF_BYTES_MAX = 1_000_000
"""A JPEG has room for 65,533."""


def inspect(path: Path) -> Inspection:
    """`inspect_source` of the file at the path."""
    with path.open("rb") as file:
        return inspect_source(Source(file.fileno()))


def inspect_source(source: Source) -> Inspection:
    """Decode the file once, with scaling on load, and describe it.

    Raises:
        UnsupportedFormat: The bytes are of no accepted type, whatever the name says.
        ImageTooLarge, ImageTooSmall, ImageTooNarrow: Its sides are out of bounds; nothing was decoded.
        UnreadableImage: It is broken, or cut short.
    """
    decoded = decode_source(source)
    seen = flattened(decoded.picture)
    colours = hashes.palette(seen)
    return Inspection(
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
        sha256=_sha256(source),
        phash=hashes.perceptual_hash(seen),
        thumbhash=hashes.thumbhash(seen),
        palette=colours,
        colours=hashes.colour_names(colours),
        technical=_technical(source, decoded),
        described=description_of(source.reader()),
        master=_encode(decoded.picture, "TIFF"),  # uncompressed: 2 MB cost less to send than to pack and unpack
        model_input=_encode(_for_models(seen), "JPEG", quality=90),
    )


def load_libraries() -> None:
    """Import what `inspect` needs, so that the first picture does not wait for it, and so that it needs no file
    afterwards: one small picture of each encoder goes through, since libraries import more when they first work."""
    import numpy  # noqa: F401, ICN001
    import PIL.TiffImagePlugin  # noqa: F401
    import rawpy  # noqa: F401
    from PIL import Image, ImageCms

    exif = Image.Exif()
    exif[_DATE] = "2000:01:01 00:00:00"
    packet = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for encoder in ("JPEG", "PNG", "TIFF"):
        out = io.BytesIO()
        Image.new("RGB", (64, 64), "navy").save(out, encoder, exif=exif, icc_profile=profile, xmp=packet)
        inspect_source(Source(out.getvalue()))


def _sha256(source: Source) -> str:
    digest = hashlib.sha256()
    with source.reader() as file:
        while piece := file.read(_HASHED_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _technical(source: Source, decoded: Decoded) -> TechnicalMetadata:
    technical = TechnicalMetadata()
    with quiet(), contextlib.suppress(Exception):  # decoded already; what cannot be read here is merely not told
        technical = technical_metadata(*_exif(source, decoded))
    return technical.model_copy(update={"decoded_from": "embedded preview"}) if decoded.from_preview else technical


def _exif(source: Source, decoded: Decoded) -> _Exif:
    """The main directory and EXIF's own: from the decoder where it found any, else from the directories of TIFF and of
    RAW, else from a RAW file's embedded preview."""
    from PIL import Image

    if len(decoded.exif) > _EXIF_BYTES_MAX:
        return {}, {}
    if decoded.exif:
        exif = Image.Exif()
        exif.load(decoded.exif)
        return exif_fields(exif)
    if decoded.format != "tiff" and decoded.format not in RAW_FORMATS:
        return {}, {}
    main, detail = dict[int, Any](), dict[int, Any]()
    with source.reader() as file, contextlib.suppress(UnreadableImage, ImageTooLarge):
        main, detail = _of_boxes(file) if decoded.format == "cr3" else _of_directories(file)
    if not detail and decoded.format in RAW_FORMATS:
        with contextlib.suppress(Exception):  # of LibRaw and of Pillow: there may be none, or of no known kind
            shown, detail = _of_preview(source)
            main = shown | {tag: value for tag, value in main.items() if value is not None}
    return main, detail


def _of_directories(file: BinaryIO) -> _Exif:
    """Whatever stands in place of TIFF's magic number, as in ORF and RW2."""
    from PIL import Image

    head = file.read(4)
    if head[:2] not in {b"II", b"MM"}:
        return {}, {}
    directory = TiffDirectory(file)
    directory.check_metadata()
    exif = Image.Exif()
    exif.endian = "<" if head[:2] == b"II" else ">"
    exif.bigtiff = head[2:] in {b"+\0", b"\0+"}
    exif.load_from_fp(file, directory.at)
    return exif_fields(exif)


def _of_boxes(file: BinaryIO) -> _Exif:
    from PIL import Image

    boxes = metadata_boxes(file)
    main, detail = Image.Exif(), Image.Exif()
    main.load(boxes.get(MAIN_BOX, b""))
    detail.load(boxes.get(EXIF_BOX, b""))
    return exif_fields(main)[0], dict(detail)


def _of_preview(source: Source) -> _Exif:
    """Of the camera's own, before which LibRaw sets what it believes, and 0 for what it does not know, unless EXIF is
    the first that the preview holds."""
    import rawpy
    from PIL import Image

    with rawpy.RawPy() as raw:
        raw.open_buffer(source.reader())
        preview = raw.extract_thumb().data
    if not isinstance(preview, bytes):
        return {}, {}
    behind = 4 + int.from_bytes(preview[4:6], "big")
    if _LIBRAWS in preview[:behind]:
        preview = preview[:2] + preview[behind:]
    with Image.open(io.BytesIO(preview), formats=("JPEG",)) as shown:
        return exif_fields(shown.getexif())


def _for_models(picture: Image) -> Image:
    from PIL.Image import Resampling

    scale = min(1.0, MODEL_INPUT_SHORT_EDGE / min(picture.size))
    sides = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(sides, Resampling.LANCZOS, reducing_gap=2.0)


def _encode(picture: Image, encoder: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, encoder, **options)
    return out.getvalue()
