"""A file of another kind under a picture's name is refused by what it is."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from imagemarket.imaging.errors import UnsupportedFormat
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.other_kinds import HEIC_WAY_OUT
from imagemarket.imaging.sandbox import Inspector

_SVG = '<?xml version="1.0"?>\n<!-- a remark -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


def _boxes(*brands: bytes) -> bytes:
    return struct.pack(">I4s4sI", 16 + 4 * len(brands[1:]), b"ftyp", brands[0], 0) + b"".join(brands[1:]) + bytes(400)


def _saved(encoder: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "teal").save(out, encoder)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_boxes(b"heic", b"mif1", b"heic"), f"is HEIC, which is not accepted: {HEIC_WAY_OUT}."),
        (_boxes(b"mif1", b"heic"), "is HEIC,"),
        (_boxes(b"msf1", b"hevc"), "is HEIC,"),
        (_boxes(b"mif1", b"miaf", b"avif"), "is AVIF, not JPEG, PNG, TIFF or camera RAW"),
        (_boxes(b"avif", b"mif1"), "is AVIF, not JPEG, PNG, TIFF or camera RAW"),
        (_boxes(b"qt  "), "is a film,"),
        (_boxes(b"isom", b"mp42"), "is a film,"),
        *[(_saved(each), f"is {said},") for each, said in [("WEBP", "WebP"), ("GIF", "a GIF"), ("BMP", "a BMP")]],
        *[(_saved(each), f"is {said},") for each, said in [("PDF", "a PDF"), ("JPEG2000", "JPEG 2000")]],
        (_saved("EPS"), "is PostScript (EPS),"),
        (b"8BPS\0\1" + bytes(100), "is a Photoshop file (PSD),"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "is JPEG XL,"),
        (_SVG.encode(), "is an SVG,"),
        (_SVG.encode("utf-16"), "is an SVG,"),
        (b"\xef\xbb\xbf  <svg/>", "is an SVG,"),
        (b"<!DOCTYPE html><p>Not found", "is a web page,"),
        (b"<?xml version='1.0'?><note/>", "is not JPEG"),
        (b"BM is how this text begins", "is not JPEG"),
        (b"RIFF\0\0\0\0WAVEfmt ", "is not JPEG"),
        (b"x", "is not JPEG"),
        (b"", "is not JPEG"),
    ],
)
def test_the_refusal_says_what_the_file_is(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnsupportedFormat) as refused:
        inspect(tmp_path / "a.jpg")
    assert f"The file's content {said}" in str(refused.value)


def test_it_says_so_in_the_sandbox_too(tmp_path: Path, decoder: Inspector) -> None:
    (tmp_path / "a.jpg").write_bytes(_boxes(b"heic", b"mif1"))
    with pytest.raises(UnsupportedFormat) as refused:
        decoder.inspect(tmp_path / "a.jpg")
    assert HEIC_WAY_OUT in str(refused.value)
