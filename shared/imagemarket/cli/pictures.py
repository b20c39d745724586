"""Which files to upload, and what to say of each: from a metadata file, the picture itself, its name."""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.cli.client import CliError
from imagemarket.imaging.formats import sniff
from imagemarket.imaging.nobodys_words import is_nobodys
from imagemarket.imaging.other_kinds import HEIC_WAY_OUT, kind_of
from imagemarket.ingestion.models import CONTENT_TYPES, MAX_CATEGORIES, MAX_TAGS, MAX_UPLOAD_BYTES, Tag, distinct_tags
from imagemarket.platform.text import LOST, LOST_LETTERS, what_shows
from imagemarket.platform.validation import sentence_of, shown

METADATA_NAME = "metadata.json"
_HIDDEN = "hidden"
_MOST_NOTES = 64 * 1024**2
_TITLE_MAX, _DESCRIPTION_MAX, _TAG_MAX = 255, 2000, 100
_ACCEPTED = "JPEG, PNG, TIFF and RAW files are"
_OTHER_KINDS: Mapping[frozenset[str], str] = {
    frozenset({"heic", "heif", "hif"}): f"HEIC is not accepted: {HEIC_WAY_OUT}",
    frozenset(
        {"webp", "avif", "gif", "bmp", "jp2", "jxl", "psd", "psb", "svg", "eps", "ai", "ico", "tga", "exr", "hdr"}
    ): (f"a picture of a kind that is not accepted; {_ACCEPTED}"),
    frozenset({"pef", "srw", "x3f", "rwl", "3fr", "iiq", "nrw", "erf", "kdc", "mrw", "crw", "srf", "sr2"}): (
        "RAW of a camera that is not accepted: convert it to DNG"
    ),
    frozenset({"mov", "mp4", "m4v", "avi", "mkv", "webm", "mts"}): "a film, not a picture",
}
"""Why files of other kinds are not sent, by extension."""
_ENDINGS = {"jpeg": "jpg", "tiff": "tif"}
"""How the name of a file of a format ends, where it is not the format itself."""
_CAMERA_NAME = re.compile(r"^(img|dsc|dscn|dscf|dji|pxl|mvimg|gopr|p|_mg|_dsc)?[\W_]*\d[\d\W_]*$", re.IGNORECASE)


def _whole(text: str) -> str:
    if LOST in text:
        raise ValueError(LOST_LETTERS)
    return text


_WHOLE = AfterValidator(_whole)


class PictureNotes(BaseModel):
    """What a metadata file says of one picture; everything it leaves out comes from the picture."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=_TITLE_MAX), _WHOLE] | None = None
    description: Annotated[str, Field(max_length=_DESCRIPTION_MAX), _WHOLE] | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=_TAG_MAX), _WHOLE]], Field(max_length=MAX_TAGS)] | None = None
    categories: Annotated[list[str], Field(max_length=MAX_CATEGORIES)] | None = None
    credit: Annotated[str, _WHOLE] | None = None
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


@dataclass(frozen=True)
class PassedOver:
    """A file that is not sent, and why in words."""

    name: str
    reason: str


@dataclass(frozen=True)
class _Found:
    """A file to send: where it stands, and its path in the folder that was named, or its bare name."""

    path: Path
    place: Path
    name: str


def find_pictures(paths: Sequence[Path], metadata: Path | None = None) -> tuple[list[Picture], list[PassedOver]]:
    """The pictures named by `paths`, folders searched to the bottom, and what was passed over.

    Each folder's own `metadata.json` is read, or the file `metadata` for all of them. A file named outright that cannot
    be uploaded comes back with its `problem`; in a folder, files of other kinds and hidden ones are passed over, and so
    are notes that no file took and, further down, a `metadata.json` of another program. Raises `CliError` for a missing
    path or a bad metadata file.
    """
    given = _Notes.read(metadata, of_all=True) if metadata else None
    named = {Path(os.path.realpath(path if os.path.isdir(path) else path.parent)) for path in paths}  # noqa: PTH112 - raises nothing
    files: dict[Path, _Found] = {}
    noted: dict[Path, _Notes] = {}
    searched: set[Path] = set()
    passed_over: list[PassedOver] = []

    def send(found: _Found) -> None:
        files.setdefault(found.place, found)
        look_for_notes(found.path.parent)

    def look_for_notes(folder: Path) -> None:
        if given is None and (where := folder.resolve()) not in noted:
            noted[where] = _Notes.beside(folder, perhaps_of_others=where not in named)

    for path in paths:
        try:
            path.stat()
        except FileNotFoundError:
            raise CliError(f"{readable(str(path))}: there is no such file or folder") from None
        except OSError as error:
            raise CliError(f"{readable(str(path))}: cannot be read ({error.strerror})") from None
        if not path.is_dir():
            send(_Found(path, _place(path), readable(path.name)))
            continue
        look_for_notes(path)
        searched.add(path.resolve())
        for file in files_below(path, passed_over):
            found = _Found(file, _place(file), readable(file.relative_to(path).as_posix()))
            reason = _not_sent(file.relative_to(path), file)
            if metadata and found.place == _place(metadata):
                continue
            if reason != _HIDDEN and file.name == METADATA_NAME:
                look_for_notes(file.parent)
                reason = "not read, as --metadata tells of all" if given else noted[file.parent.resolve()].not_ours
            elif reason is None:
                send(found)
            if reason:
                passed_over.append(PassedOver(found.name, reason))
    said: dict[Path, PictureNotes] = {}
    # The nearest to a file comes first.
    for notes in [given] if given else sorted(noted.values(), key=lambda notes: -len(notes.folder.parts)):
        untaken = notes.share_out(list(files.values()), said)
        if notes is given or any(notes.folder.is_relative_to(folder) for folder in searched):
            passed_over += untaken
    return [_picture(each.path, each.name, said.get(each.place)) for each in files.values()], passed_over


def _place(path: Path) -> Path:
    """A file named in two ways has one; a link and what it leads to have two, as two files of the same bytes."""
    return path.parent.resolve() / path.name


def readable(name: str) -> str:
    """A file's name as text: accents composed (NFC), and bytes that are no UTF-8 read as Windows-1252, which names on
    old disks mostly are."""
    try:
        text = os.fsencode(name).decode()
    except UnicodeDecodeError:
        text = os.fsencode(name).decode("cp1252", "replace").replace(LOST, "_")
    return unicodedata.normalize("NFC", text)


def files_below(folder: Path, passed_over: list[PassedOver]) -> Iterator[Path]:
    """Every file under a folder, in order; folders that cannot be entered are passed over aloud."""

    def unreadable(error: OSError) -> None:
        name = readable(str(error.filename or folder))
        passed_over.append(PassedOver(name, f"the folder cannot be read ({error.strerror})"))

    for inside, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        passed_over += [
            PassedOver(
                readable((Path(inside) / name).relative_to(folder).as_posix()), "a link to a folder; name it to send it"
            )
            for name in folders
            if (Path(inside) / name).is_symlink()
        ]
        yield from (Path(inside) / name for name in sorted(files))


def _not_sent(relative: Path, path: Path) -> str | None:
    if any(part.startswith(".") for part in relative.parts):
        return _HIDDEN
    if _extension(path) not in CONTENT_TYPES:
        return _of_another_kind(path) or "not a picture"
    return not_a_file(path)


def _of_another_kind(path: Path) -> str | None:
    """Why a file is not sent whose extension is none of those accepted, in words; None where it is of no kind that is
    known. A name that says nothing, or another kind than a JPEG's or a PNG's bytes, is asked less than they are."""
    extension = _extension(path)
    listed = next((why for extensions, why in _OTHER_KINDS.items() if extension in extensions), None)
    if not_a_file(path):
        return listed
    try:
        with path.open("rb") as file:
            found = sniff(file)
            file.seek(0)
            other = kind_of(file) if found is None and not extension else None
    except OSError:
        return listed
    if found is not None and (listed is None or found in {"jpeg", "png"}):
        return f"{found.upper()} by its contents; rename it to end in .{_ENDINGS.get(found, found)}"
    if other is not None:
        return f"{other} by its contents, which is not accepted" + (f": {HEIC_WAY_OUT}" if other == "HEIC" else "")
    return listed


def not_a_file(path: Path) -> str | None:
    """Why there are no bytes to read at the path, in words; None where there are."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "not a file"
    except FileNotFoundError:
        return "a link that leads nowhere" if path.is_symlink() else "not there any more"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _extension(path: Path) -> str:
    return readable(path.suffix).strip().lower().removeprefix(".")


def _picture(path: Path, name: str, notes: PictureNotes | None) -> Picture:
    size = path.stat().st_size
    problem = not_a_file(path) or _unfit(path, size)
    return Picture(path=path, name=name, size_bytes=size, notes=notes or PictureNotes(), problem=problem)


def _unfit(path: Path, size: int) -> str | None:
    """Why a file cannot be uploaded, in words."""
    if _extension(path) not in CONTENT_TYPES:
        return _of_another_kind(path) or f"not a kind of file that is accepted; accepted are {', '.join(CONTENT_TYPES)}"
    if size == 0:
        return "the file is empty"
    if size > MAX_UPLOAD_BYTES:
        most = f"{MAX_UPLOAD_BYTES // 1024**2} MiB ({MAX_UPLOAD_BYTES:,})"
        return f"the file has {size:,} bytes; at most {most} are accepted"
    return None


def _key(name: str) -> str:
    """As files are called here: in composed form, without what leads nowhere (`./`); what leads out (`..`) stays."""
    return str(PurePosixPath(unicodedata.normalize("NFC", name))) if name else name


def _told_once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object none of whose keys says something that another one says otherwise. Raises `CliError`."""
    seen: set[str] = set()
    for key, _ in pairs:
        if (composed := _key(key)) in seen:
            raise CliError(f"{path}: {key} stands twice; say all of it in one place")
        seen.add(composed)
    return dict(pairs)


class _Notes:
    """What a metadata file says, by file name in composed form."""

    not_ours: str | None = None
    """Why nothing is read of the file, where another program wrote it."""

    def __init__(self, path: Path, notes: Mapping[str, PictureNotes], *, of_all: bool = False) -> None:
        self.folder = path.parent.resolve()
        self._path = path
        self._notes = {_key(name): said for name, said in notes.items()}
        self._of_all = of_all

    @classmethod
    def beside(cls, folder: Path, *, perhaps_of_others: bool) -> _Notes:
        """A folder's own notes; none where it has nothing of this name, nor, where others may have left theirs
        (Google Takeout has one of this name in each album), where nothing in it looks like ours. Raises `CliError`."""
        own = folder / METADATA_NAME
        if not os.path.lexists(own):
            return cls(own, {})
        if why := not_a_file(own):
            raise CliError(f"{own}: {why}, and what it should say of the pictures is missing")
        return cls.read(own, perhaps_of_others=perhaps_of_others)

    @classmethod
    def read(cls, path: Path, *, of_all: bool = False, perhaps_of_others: bool = False) -> _Notes:
        """What a file says of those below its folder, or `of_all`, wherever they stand. Raises `CliError` naming the
        file, the picture and the field."""
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_NOTES + 1)
            if len(content) > _MOST_NOTES:
                raise CliError(f"{path}: has more than {_MOST_NOTES // 1024**2} MiB")
            # it knows UTF-8, 16 and 32, each with or without a mark
            document = json.loads(content, object_pairs_hook=partial(_told_once, path))
        except OSError as error:
            raise CliError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:
            raise CliError(f"{path}: is not JSON ({error})") from None
        foreign = perhaps_of_others and not _looks_like_ours(document)
        if not isinstance(document, dict) and not foreign:
            raise CliError(f"{path}: must be an object of file names and what is said of each")
        try:
            return cls(path, TypeAdapter(dict[str, PictureNotes]).validate_python(document), of_all=of_all)
        except ValidationError as error:
            if foreign:
                notes = cls(path, {})
                notes.not_ours = "not notes of ours: no name of a picture stands in it, nor what could be said of one"
                return notes
            first = error.errors()[0]
            where = " / ".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                raise CliError(
                    f"{path}: {where}: no such field; there are {', '.join(PictureNotes.model_fields)}"
                ) from None
            raise CliError(f"{path}: {where}: {sentence_of(first)}") from None

    def share_out(self, files: Sequence[_Found], said: dict[Path, PictureNotes]) -> list[PassedOver]:
        """Puts what it says of each file into `said`, by the file's place, where nothing stands yet; the names that no
        file took, and why.

        A name is a path from the metadata file's folder, or, of all files, from the folder that was named. A bare name
        that leads to nothing so is the one file's that has it anywhere: cameras count from 1 in every folder.
        """
        if not self._notes:
            return []
        below = [each for each in files if each.place.is_relative_to(self.folder)]
        reached = files if self._of_all else below
        beside = _names_in(self.folder)  # what is not sent of these has its notes all the same
        others = [each for each in reached if PurePosixPath(each.name).name not in beside]
        ways = (
            _by_name((readable(each.place.relative_to(self.folder).as_posix()), each) for each in below),
            _by_name((each.name, each) for each in reached if self._of_all and each.name not in beside),
            _by_name((PurePosixPath(each.name).name, each) for each in others),
        )
        untaken = []
        for name, notes in self._notes.items():
            places = next((way[name] for way in ways if name in way), [])
            if len(places) == 1 and places[0] not in said:
                said[places[0]] = notes
                continue
            why = "there is no such picture"
            if places:
                why = "another one does, nearer to it" if len(places) == 1 else "several have this name: say its folder"
            untaken.append(PassedOver(name, f"{self._path.name} tells of it, and {why}"))
        return untaken


def _looks_like_ours(document: Any) -> bool:
    """Whether anything in it has the shape of notes, so that what is wrong with the rest is a slip."""
    if not isinstance(document, dict):
        return False
    return any(
        _extension(Path(name)) in CONTENT_TYPES
        or (isinstance(said, dict) and not PictureNotes.model_fields.keys().isdisjoint(said))
        for name, said in document.items()
    )


def _by_name(named: Iterable[tuple[str, _Found]]) -> dict[str, list[Path]]:
    places: dict[str, list[Path]] = {}
    for name, found in named:
        places.setdefault(name, []).append(found.place)
    return places


def _names_in(folder: Path) -> set[str]:
    try:
        return {readable(each.name) for each in folder.iterdir()}
    except OSError:  # of a metadata file, which may be read where its folder may not
        return set()


def announcement_of(picture: Picture, *, sha256: str, defaults: Defaults) -> dict[str, Any]:
    """The body of `POST /v1/images/upload` for a picture.

    Each of title, description and keywords comes from the metadata file, else from the picture's
    XMP, IPTC or EXIF, else (the title) from the file's name. The creator embedded in a file stays there: it
    is personal, and no one asked to publish it.
    """
    from imagemarket.imaging.metadata import read_description

    notes, embedded = picture.notes, read_description(picture.path)
    credit = what_shows(notes.credit or "", _DESCRIPTION_MAX, lines=True)
    room = max(0, _DESCRIPTION_MAX - (len(credit) + 2 if credit else 0))
    description = _first(room, notes.description, embedded.description, lines=True)
    tags = notes.tags if notes.tags is not None else embedded.keywords
    categories = notes.categories if notes.categories is not None else list(defaults.categories)
    return {
        "title": _first(_TITLE_MAX, notes.title, embedded.title, title_from(picture.name), "Untitled"),
        "description": f"{description}\n\n{credit}".strip() if credit else description,
        "tags": _tags(tags, defaults),
        "categories": categories,
        "filename": _filename(picture.name),
        "content_type": CONTENT_TYPES[_extension(picture.path)][0],
        "size_bytes": picture.size_bytes,
        "sha256": sha256,
        "image_type": notes.image_type or defaults.image_type,
        "license_types": list(dict.fromkeys(notes.license_types or defaults.license_types)),
    }


def _filename(name: str) -> str:
    """The bare name as the API takes it; of one that is too long, or shows nothing, the end."""
    extension = _extension(Path(name))
    stem = what_shows(PurePosixPath(name.strip()).stem.replace("\\", "_").replace(LOST, "_"), 255 - len(extension) - 1)
    return f"{stem or 'picture'}.{extension}"


def _first(most: int, *texts: str | None, lines: bool = False) -> str:
    """The first that says something, as the API takes it."""
    shown = (what_shows(text or "", most, lines=lines) for text in texts)
    return next((text for text in shown if text), "")


def tags_of_all(words: Sequence[str]) -> tuple[str, ...]:
    """Tags for every picture, as the API takes them. Raises `CliError` for one that would be sent otherwise, and for
    too many."""
    try:
        tags = distinct_tags(TypeAdapter(list[Tag]).validate_python(list(words)))
    except ValidationError as error:
        first = error.errors()[0]
        raise CliError(f"--tag {shown(words[int(first['loc'][0])])!r} {sentence_of(first)}") from None
    if len(tags) > MAX_TAGS:
        raise CliError(f"--tag: {len(tags)} tags are too many; a picture has at most {MAX_TAGS}")
    return tuple(tags)


def categories_of_all(slugs: Sequence[str]) -> tuple[str, ...]:
    """Categories for pictures that name none, each once. Raises `CliError` for too many."""
    categories = tuple(dict.fromkeys(slugs))
    if len(categories) > MAX_CATEGORIES:
        raise CliError(f"--category: {len(categories)} categories are too many; a picture has at most {MAX_CATEGORIES}")
    return categories


def check_tags(pictures: Sequence[Picture], defaults: Defaults) -> None:
    """Raises `CliError` for a picture whose notes leave no room for the tags of all."""
    for picture in pictures:
        number = len(_distinct([*(picture.notes.tags or ()), *defaults.tags]))
        if number > MAX_TAGS:
            raise CliError(f"{picture.name}: has {number} tags with those of --tag; at most {MAX_TAGS} are accepted")


def _tags(own: Sequence[str], defaults: Defaults) -> list[str]:
    """Its own and those of all; where the keywords in a picture are too many, the last ones of them are left out."""
    of_all = _distinct(defaults.tags)
    further = distinct_tags([*of_all, *_distinct(own)])[len(of_all) :]
    return further[: MAX_TAGS - len(of_all)] + of_all


def _distinct(words: Sequence[str]) -> list[str]:
    shown = (what_shows(what_shows(word, _TAG_MAX).lower(), _TAG_MAX) for word in words)
    return distinct_tags(word for word in shown if word)


def title_from(name: str) -> str:
    """A title out of a file's name: `golden_gate-bridge(2).JPG` -> "Golden gate bridge"; a camera's own
    numbering says nothing, nor do a program's name for it or two letters: `IMG_0042.jpg` is "Untitled (IMG_0042)"."""
    stem = PurePosixPath(name).stem
    # One word alone is a name that somebody gave, be it "photo": it says no less than "Untitled" does.
    if _CAMERA_NAME.match(stem) or (any(map(str.isalpha, stem)) and not stem.isalpha() and is_nobodys(stem)):
        return f"Untitled ({stem})"
    words = re.sub(r"\s*\(\d+\)$", "", stem)
    words = re.sub(r"[_\-.+\s]+", " ", words).strip()
    if re.fullmatch(r"[A-Za-z]{1,2}", words):
        return f"Untitled ({stem})"
    return (words[:1].upper() + words[1:]) or "Untitled"
