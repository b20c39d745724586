"""The bundle and the pictures that the tests of vision share."""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from local.layout import REPOSITORY
from sagemaker.builders.lite import build


@cache
def lite_bundle() -> Path:
    """The bundle that the local cloud uses; built when it is missing or of an older recipe, which takes
    some ten seconds. Test processes side by side take turns."""
    folder = REPOSITORY / ".market" / "models" / "lite"
    build(folder, lambda _line: None)
    return folder


def photo(name: str) -> Image.Image:
    """One of the photos that scikit-image carries."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Image.open(Path(spec.origin).parent / "data" / name).convert("RGB")


def jpeg(picture: Image.Image, quality: int = 90, exif: Image.Exif | None = None) -> bytes:
    out = io.BytesIO()
    if exif is None:
        picture.save(out, "JPEG", quality=quality)
    else:
        picture.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()
