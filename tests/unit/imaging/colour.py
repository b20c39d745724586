"""Profiles, pictures and a distance for tests of colour, all made here and not by the code under test."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SPACES = {
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65, 2.2),
    "Adobe RGB": (((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)), D65, 563 / 256),
    "ProPhoto": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, 1.8),
    "linear sRGB": (((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)), D65, 1.0),
}
"""Chromaticities of red, green and blue; the white; the gamma."""


def rgb_profile(name: str) -> bytes:
    """A matrix profile (ICC.1:2001-04) of one of `SPACES`, adapted to D50 after Bradford."""
    primaries, white, gamma = SPACES[name]
    columns = np.array([_xyz(*each) for each in primaries]).T
    matrix = _bradford(white) @ (columns * np.linalg.solve(columns, _xyz(*white)))
    tags = {f"{letter}XYZ".encode(): _xyz_tag(matrix[:, place]) for place, letter in enumerate("rgb")}
    tags |= {f"{letter}TRC".encode(): _curve_tag(gamma) for letter in "rgb"}
    return _profile(b"RGB ", name, tags)


def grey_profile(gamma: float) -> bytes:
    """A grey profile of a plain gamma."""
    return _profile(b"GRAY", f"Grey {gamma}", {b"kTRC": _curve_tag(gamma)})


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _bradford(white: tuple[float, float]) -> np.ndarray:
    cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gains = (cones @ _xyz(*D50)) / (cones @ _xyz(*white))
    return np.linalg.inv(cones) @ np.diag(gains) @ cones


def _xyz_tag(value: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(each * 65536) for each in value))


def _curve_tag(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    text = name.encode() + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz_tag(_xyz(*D50)),
        **tags,
    }
    table, data = b"", b""
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, 132 + 12 * len(tags) + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"\0\0\0\0", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(each * 65536) for each in _xyz(*D50)))
    return header.ljust(128, b"\0") + body


def swatches(*, channels: int = 3, seed: int = 1, size: tuple[int, int] = (240, 160)) -> np.ndarray:
    """Soft fields of colours from all over the device's range, 8 bits: (height, width, channels)."""
    random = np.random.default_rng(seed)
    fields = random.integers(0, 256, (5, 8, channels), dtype=np.uint8)
    planes = [
        Image.fromarray(fields[..., channel]).resize(size, Image.Resampling.BICUBIC) for channel in range(channels)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def as_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """What LittleCMS makes of it, by Pillow."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(
        picture, source, SRGB, renderingIntent=ImageCms.Intent.PERCEPTUAL, outputMode="RGB"
    )
    assert converted is not None
    return converted


def difference(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """Mean and 99th percentile of the colour difference CIEDE2000 between two sRGB pictures."""
    assert one.size == other.size
    delta = ciede2000(lab(np.asarray(one.convert("RGB"))), lab(np.asarray(other.convert("RGB"))))
    return float(delta.mean()), float(np.percentile(delta, 99))


def lab(pixels: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of 8-bit sRGB, in single precision, which is quicker."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype(np.float32)[pixels]
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], dtype=np.float32)
    ratio = linear @ to_xyz.T / to_xyz.sum(axis=1)
    cube = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(cube, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """CIEDE2000 of L*a*b* arrays, after Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    g = 0.5 * (1 - _chroma_weight((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = np.where(grey, h1 + h2, (h1 + h2 + np.where(np.abs(h1 - h2) > 180, 360, 0)) / 2)
    t = (
        *(1 - 0.17 * np.cos(np.radians(hm - 30)), 0.24 * np.cos(np.radians(2 * hm))),
        *(0.32 * np.cos(np.radians(3 * hm + 6)), -0.20 * np.cos(np.radians(4 * hm - 63))),
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * sum(t)
    rotation = 2 * _chroma_weight(cm) * np.sin(np.radians(60 * np.exp(-(((hm - 275) / 25) ** 2))))
    return np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 - rotation * (dc / sc) * (dh / sh))


def _chroma_weight(chroma: np.ndarray) -> np.ndarray:
    """sqrt(C^7 / (C^7 + 25^7))"""
    seventh = (chroma / 25) * (chroma / 25) ** 2 * ((chroma / 25) ** 2) ** 2
    return np.sqrt(seventh / (seventh + 1))
