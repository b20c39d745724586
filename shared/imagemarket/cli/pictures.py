"""Which files to upload, and what to say of each: from a metadata file, the picture itself, its name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.cli.client import CliError
from imagemarket.ingestion.models import CONTENT_TYPES, MAX_CATEGORIES, MAX_TAGS, MAX_UPLOAD_BYTES

METADATA_NAME = "metadata.json"
_TITLE_MAX, _DESCRIPTION_MAX, _TAG_MAX = 255, 2000, 100
_CAMERA_NAME = re.compile(r"^(img|dsc|dscn|dscf|dji|pxl|mvimg|gopr|p|_mg|_dsc)?[\W_]*\d[\d\W_]*$", re.IGNORECASE)


class PictureNotes(BaseModel):
    """What a metadata file says of one picture; everything it leaves out comes from the picture."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=_TITLE_MAX)] | None = None
    description: Annotated[str, Field(max_length=_DESCRIPTION_MAX)] | None = None
    tags: Annotated[list[str], Field(max_length=MAX_TAGS)] | None = None
    categories: Annotated[list[str], Field(max_length=MAX_CATEGORIES)] | None = None
    credit: str | None = None
    """Who made it and under what terms; becomes the last line of the description."""
    image_type: ImageType | None = None
    license_types: Annotated[list[LicenseType], Field(min_length=1)] | None = None


@dataclass(frozen=True)
class Defaults:
    """What holds for every picture that says nothing else."""

    image_type: ImageType = ImageType.PHOTO
    license_types: tuple[LicenseType, ...] = (LicenseType.STANDARD,)
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A file to upload. `name` is how people are told of it; `problem` why it cannot be sent at all."""

    path: Path
    name: str
    size_bytes: int
    notes: PictureNotes = field(default_factory=PictureNotes)
    problem: str | None = None


def find_pictures(paths: Sequence[Path], metadata: Path | None = None) -> tuple[list[Picture], int]:
    """The pictures named by `paths`, folders searched to the bottom, and how many other files were passed over.

    A folder's own `metadata.json` is read, or the file `metadata` for all of them. A file named
    outright that cannot be uploaded comes back with its `problem`; in a folder, files of other kinds
    and hidden ones are passed over. Raises `CliError` for a missing path or a bad metadata file.
    """
    given = _read_notes(metadata) if metadata else None
    pictures: dict[Path, Picture] = {}
    passed_over = 0
    for path in paths:
        if path.is_dir():
            own = path / METADATA_NAME
            notes = given if given is not None else _read_notes(own) if own.is_file() else {}
            inside = sorted(found for found in path.rglob("*") if found.is_file())
            for found in inside:
                relative = found.relative_to(path)
                if any(part.startswith(".") for part in relative.parts) or _extension(found) not in CONTENT_TYPES:
                    passed_over += found != own
                    continue
                said = notes.get(relative.as_posix()) or notes.get(found.name)
                pictures.setdefault(found.resolve(), _picture(found, relative.as_posix(), said))
        elif path.exists():
            own = path.parent / METADATA_NAME
            notes = given if given is not None else _read_notes(own) if own.is_file() else {}
            pictures.setdefault(path.resolve(), _picture(path, path.name, notes.get(path.name)))
        else:
            raise CliError(f"{path}: there is no such file or folder")
    return list(pictures.values()), passed_over


def _extension(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _picture(path: Path, name: str, notes: PictureNotes | None) -> Picture:
    size = path.stat().st_size
    problem = None
    if _extension(path) not in CONTENT_TYPES:
        problem = f"not a kind of file that is accepted; accepted are {', '.join(CONTENT_TYPES)}"
    elif size == 0:
        problem = "the file is empty"
    elif size > MAX_UPLOAD_BYTES:
        problem = f"the file has {size / 1e6:.0f} MB; at most {MAX_UPLOAD_BYTES // 1024**2} MiB are accepted"
    return Picture(path=path, name=name, size_bytes=size, notes=notes or PictureNotes(), problem=problem)


def _read_notes(path: Path) -> Mapping[str, PictureNotes]:
    try:
        return TypeAdapter(dict[str, PictureNotes]).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CliError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise CliError(f"{path}: {' / '.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise CliError(f"{path}: is not JSON ({error})") from None


def announcement_of(picture: Picture, *, sha256: str, defaults: Defaults) -> dict[str, Any]:
    """The body of `POST /v1/images/upload` for a picture.

    Each of title, description and keywords comes from the metadata file, else from the picture's
    IPTC or XMP, else (the title) from the file's name. The creator embedded in a file stays there: it
    is personal, and no one asked to publish it.
    """
    from imagemarket.imaging.metadata import read_description

    notes, embedded = picture.notes, read_description(picture.path)
    description = _one(notes.description, embedded.description)
    if notes.credit:
        room = _DESCRIPTION_MAX - len(notes.credit) - 2
        description = f"{description[:room]}\n\n{notes.credit}".strip()[:_DESCRIPTION_MAX]
    tags = notes.tags if notes.tags is not None else list(embedded.keywords)
    categories = notes.categories if notes.categories is not None else list(defaults.categories)
    return {
        "title": _one(notes.title, embedded.title, title_from(picture.path))[:_TITLE_MAX],
        "description": description[:_DESCRIPTION_MAX],
        "tags": _distinct([*tags, *defaults.tags])[:MAX_TAGS],
        "categories": categories,
        "filename": picture.path.name[-255:],
        "content_type": CONTENT_TYPES[_extension(picture.path)][0],
        "size_bytes": picture.size_bytes,
        "sha256": sha256,
        "image_type": notes.image_type or defaults.image_type,
        "license_types": list(notes.license_types or defaults.license_types),
    }


def _one(*texts: str | None) -> str:
    """The first that says something, with the control characters that the API refuses taken out."""
    for text in texts:
        cleaned = "".join(c for c in text or "" if ord(c) >= 0x20 or c in "\n\t").strip()
        if cleaned:
            return cleaned
    return ""


def _distinct(words: Sequence[str]) -> list[str]:
    cleaned = (_one(word).lower()[:_TAG_MAX].strip() for word in words)
    return list(dict.fromkeys(word for word in cleaned if word))


def title_from(path: Path) -> str:
    """A title out of a file's name: `golden_gate-bridge(2).JPG` -> "Golden gate bridge"; a camera's own
    numbering says nothing, so `IMG_0042.jpg` is "Untitled (IMG_0042)"."""
    stem = path.stem
    if _CAMERA_NAME.match(stem):
        return f"Untitled ({stem})"
    words = re.sub(r"\s*\(\d+\)$", "", stem)
    words = re.sub(r"[_\-.+\s]+", " ", words).strip()
    return (words[:1].upper() + words[1:]) or "Untitled"
