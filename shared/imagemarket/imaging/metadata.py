"""What a file says of itself: how it was taken, and what its maker wrote about it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemarket.imaging.models import EmbeddedDescription, TechnicalMetadata

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

EXIF_DIRECTORY = 0x8769
_MAKE, _MODEL, _DATE = 0x010F, 0x0110, 0x0132
_EXPOSURE, _F_NUMBER, _ISO, _TAKEN, _FOCAL, _LENS = 0x829A, 0x829D, 0x8827, 0x9003, 0x920A, 0xA434
_TEXT_MAX = 100
_DESCRIPTION_MAX = 2000
_KEYWORDS_MAX = 50


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Metadata of hostile files: what cannot be read is not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def technical_metadata(exif: Exif) -> TechnicalMetadata:
    """The fields that photographers ask for; nothing personal is read."""
    with quiet():
        try:
            detail: dict[int, Any] = dict(exif.get_ifd(EXIF_DIRECTORY))
            main: dict[int, Any] = {tag: exif.get(tag) for tag in (_MAKE, _MODEL, _DATE)}
        except Exception:  # noqa: BLE001 - a hostile directory can fail in any way
            return TechnicalMetadata()
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
        taken_at=_moment(detail.get(_TAKEN)) or _moment(main.get(_DATE)),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
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


def _moment(value: Any) -> datetime | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def read_description(path: Path) -> EmbeddedDescription:
    """Title, description, keywords and credit from XMP, else from IPTC. Empty where the file carries none."""
    from PIL import Image, UnidentifiedImageError

    with quiet():
        try:
            with Image.open(path) as picture:
                xmp, iptc = _from_xmp(picture), _from_iptc(picture)
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
            return EmbeddedDescription()
    return EmbeddedDescription(
        title=xmp.title or iptc.title,
        description=xmp.description or iptc.description,
        keywords=xmp.keywords or iptc.keywords,
        creator=xmp.creator or iptc.creator,
        copyright=xmp.copyright or iptc.copyright,
    )


def _from_xmp(picture: Image) -> EmbeddedDescription:
    try:
        packet = picture.getxmp()
    except Exception:  # noqa: BLE001 - a hostile packet can fail in any way
        return EmbeddedDescription()
    descriptions = (packet.get("xmpmeta") or packet.get("xapmeta") or {}).get("RDF", {}).get("Description", {})
    merged: dict[str, Any] = {}
    for each in descriptions if isinstance(descriptions, list) else [descriptions]:
        if isinstance(each, dict):
            merged |= each
    return EmbeddedDescription(
        title=_first(merged.get("title"), _TEXT_MAX * 2),
        description=_first(merged.get("description"), _DESCRIPTION_MAX),
        keywords=tuple(_words(merged.get("subject")))[:_KEYWORDS_MAX],
        creator=_first(merged.get("creator"), _TEXT_MAX),
        copyright=_first(merged.get("rights"), _TEXT_MAX * 2),
    )


def _words(value: Any) -> list[str]:
    """The texts of an RDF container, whichever of its shapes the file has."""
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, list):
        return [word for each in value for word in _words(each)]
    if isinstance(value, dict):
        inner = [value[name] for name in ("Bag", "Seq", "Alt", "li", "text") if name in value]
        return [word for each in inner for word in _words(each)]
    return []


def _first(value: Any, most: int) -> str | None:
    words = _words(value)
    return words[0][:most] if words else None


def _from_iptc(picture: Image) -> EmbeddedDescription:
    from PIL import IptcImagePlugin

    try:
        fields: dict[Any, Any] = IptcImagePlugin.getiptcinfo(picture) or {}  # pyright: ignore[reportArgumentType]
    except Exception:  # noqa: BLE001 - a hostile block can fail in any way
        return EmbeddedDescription()

    def texts(number: int) -> list[str]:
        value = fields.get((2, number), [])
        raw = value if isinstance(value, list) else [value]
        return [text for each in raw if isinstance(each, bytes) and (text := each.decode("utf-8", "replace").strip())]

    def first(number: int, most: int) -> str | None:
        found = texts(number)
        return found[0][:most] if found else None

    return EmbeddedDescription(
        title=first(5, _TEXT_MAX * 2) or first(105, _TEXT_MAX * 2),
        description=first(120, _DESCRIPTION_MAX),
        keywords=tuple(texts(25))[:_KEYWORDS_MAX],
        creator=first(80, _TEXT_MAX),
        copyright=first(116, _TEXT_MAX * 2),
    )
