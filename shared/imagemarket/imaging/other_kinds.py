"""Files that are not accepted, by what they are: their makers know them by another name than their bytes have."""

from __future__ import annotations

from typing import BinaryIO

HEIC_WAY_OUT = (
    "export it as JPEG (an iPhone makes JPEG by Settings, Camera, Formats, Most Compatible; a Mac by Photos, File, "
    "Export; elsewhere heif-convert)"
)
_ACCEPTED = "JPEG, PNG, TIFF or camera RAW (DNG, CR2, CR3, NEF, ARW, ORF, RW2, RAF)"
_HEAD_BYTES = 4096
"""An SVG may begin with remarks."""

_SIGNATURES = (
    (b"GIF87a", "a GIF"),
    (b"GIF89a", "a GIF"),
    (b"8BPS", "a Photoshop file (PSD)"),
    (b"%PDF-", "a PDF"),
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"v/1\1", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"gimp xcf", "a GIMP file (XCF)"),
    (b"FOVb", "RAW of a Sigma camera (X3F)"),
    (b"\0MRM", "RAW of a Minolta camera (MRW)"),
    (b"PK\3\4", "an archive (ZIP)"),
    (b"\x1aE\xdf\xa3", "a film"),
)
_RIFF = {b"WEBP": "WebP", b"AVI ": "a film"}
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_AVIF, _HEIC = frozenset({b"avif", b"avis"}), frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split())


def what_is_wrong(file: BinaryIO, accepted: str = _ACCEPTED) -> str:
    """The sentence for a file of no accepted format: what its bytes are, and the way out."""
    found = kind_of(file)
    if found is None:
        return f"The file's content is not {accepted}."
    if found == "HEIC":
        return f"The file's content is HEIC, which is not accepted: {HEIC_WAY_OUT}."
    return f"The file's content is {found}, not {accepted}."


def kind_of(file: BinaryIO) -> str | None:
    """What its bytes are, as one says it of a file; None where they are of no kind that is known here."""
    return _kind(file.read(_HEAD_BYTES))


def _kind(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return _of_boxes(head)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return "a BMP"
    found = next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)
    return found or _of_marks(head.replace(b"\0", b"").lower())  # UTF-16 has a zero in each of its letters here


def _of_boxes(head: bytes) -> str:
    """ISO's base format: HEIC and AVIF are told apart by the brands, of which the first may be their common one."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    if _AVIF.intersection(brands):
        return "AVIF"
    return "HEIC" if _HEIC.intersection(brands) else "a film"


def _of_marks(text: bytes) -> str | None:
    start = text.lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t")
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "an SVG" if start.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in start else None
