"""Reads back everything that is kept of images, and mends what differs from the truth."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import UUID

from imagemarket.catalog.images import REPROCESS, change_status
from imagemarket.catalog.keys import Folder, content_hash_of, image_of, quarantine_key, quarantined
from imagemarket.catalog.models import ImageStatus
from imagemarket.catalog.takedowns import Takedowns
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.fingerprints import Fingerprint
from imagemarket.ingestion.models import ENDED_TAG, IngestionJob
from imagemarket.ingestion.originals import keep_original, real_version
from imagemarket.ingestion.repository import duplicates, steps
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.platform.database import Database, Row
from imagemarket.platform.errors import NotFound
from imagemarket.platform.objects import ObjectStore, ObjectVersion

_AT_ONCE = 200
_LIVE = {"approved", "pending_review"}
_ENDED = {"rejected", "processing_failed"}
_KINDS = {"thumbnail", "preview", "clean"}
_UNIT_TOLERANCE = 0.02
"""How far from 1 a vector's length may be: half precision, 768 components."""


class Documents(Protocol):
    """The search documents, as far as they are compared and mended."""

    def differences(self, image_ids: Sequence[UUID]) -> dict[UUID, str]: ...
    def orphans(self) -> set[UUID]: ...
    def repair(self, image_ids: Sequence[UUID]) -> None: ...


@dataclass(frozen=True)
class Difference:
    """Something that is not as it should be. `mended` is None where nothing was tried, False where nothing here can
    mend it."""

    image_id: UUID | None
    kind: str
    detail: str
    mended: bool | None = None


@dataclass(frozen=True)
class _Found:
    kind: str
    detail: str
    remedy: str


class ConsistencyCheck:
    """Compares rows, originals, renditions, vectors, fingerprints and documents with one another.

    Images in processing are the sweeper's. Repairing is safe to repeat; a rendition or vector that is lost is made
    again by another run of the saga from the original, during which the image is not shown.
    """

    def __init__(
        self,
        *,
        database: Database,
        originals: ObjectStore,
        work: ObjectStore,
        renditions: ObjectStore,
        documents: Documents,
        compensation: CompensateImage,
        takedowns: Takedowns,
        executions: Executions,
    ) -> None:
        self._database = database
        self._originals = originals
        self._work = work
        self._renditions = renditions
        self._documents = documents
        self._compensation = compensation
        self._takedowns = takedowns
        self._executions = executions

    def run(self, *, repair: bool, checksums: bool = True) -> Iterator[Difference]:
        """Each difference as it is found. Without `checksums` objects are only looked for, not read."""
        for batch in self._images():
            for image, found in self._compare(batch, checksums=checksums):
                mended = self._mend(image, found) if repair else None
                yield Difference(image["id"], found.kind, found.detail, mended)
        for image_id in self._documents.orphans():
            if repair:
                self._documents.repair([image_id])
            yield Difference(image_id, "document", "the search engine shows an image that is gone", repair or None)
        yield from self._versions(repair=repair)
        for store, key, image_id in self._orphans():
            if repair:
                store.delete([key])
            folder = key.split("/", 1)[0]
            yield Difference(image_id, "orphan", f"an object in {folder}/ that no image has", repair or None)

    # --- images ----------------------------------------------------------------------------------

    def _images(self) -> Iterator[list[Row]]:
        after = UUID(int=0)
        while True:
            rows = repository.processed(self._database, after=after, limit=_AT_ONCE)
            if not rows:
                return
            after = rows[-1]["id"]
            yield rows

    def _compare(self, batch: list[Row], *, checksums: bool) -> Iterator[tuple[Row, _Found]]:
        documents = self._documents.differences([image["id"] for image in batch])
        for image in batch:
            found = list(self._differences(image, checksums=checksums))
            yield from ((image, each) for each in found)
            if image["id"] in documents and not any(each.remedy == "reprocess" for each in found):
                yield image, _Found("document", documents[image["id"]], "document")

    def _differences(self, image: Row, *, checksums: bool) -> Iterator[_Found]:
        status, renditions = image["status"], image["renditions"] or []
        if status in _ENDED:
            if renditions or image["has_fingerprint"] or image["vector_length"] is not None:
                yield _Found("leftover", f"rows of an image that is {status}", "compensate")
            return
        if status == "deleted":
            if image["has_fingerprint"] or any(each["kind"] != "clean" for each in renditions):
                yield _Found("leftover", "rows of an image that is deleted", "strip")
            return
        original = self._original(image, checksums=checksums)
        if original is not None:
            yield original
        if (marked := self._mark(image)) is not None:
            yield marked
        remedy = "reprocess" if original is None and status in _LIVE else "none"
        if missing := _KINDS - {each["kind"] for each in renditions}:
            yield _Found("rendition", f"no {', no '.join(sorted(missing))}", remedy)
        for each in renditions:
            if (wrong := self._rendition(image, each, checksums=checksums)) is not None:
                yield _Found("rendition", f"{each['kind']} {each['long_edge']} {each['format']} {wrong}", remedy)
                break  # one is enough: all are made again
        length = image["vector_length"]
        if length is None:
            yield _Found("vector", "no vector of the image's model version", remedy)
        elif abs(length - 1) > _UNIT_TOLERANCE:
            yield _Found("vector", f"the vector's length is {length:.3f}, not 1", remedy)
        if not image["has_fingerprint"]:
            yield _Found("fingerprint", "none: copies of the picture would not be found", "fingerprint")
        if status == "taken_down" and self._takedowns.public_keys(image["id"]):
            yield _Found("public", "public renditions of an image that is taken down", "take down")

    def _original(self, image: Row, *, checksums: bool) -> _Found | None:
        version = real_version(image["object_version"])
        try:
            if not checksums:
                self._originals.head(image["s3_original_key"], version_id=version)
                return None
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "original"
                self._originals.download(image["s3_original_key"], path, version_id=version)
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").digest()
        except NotFound:
            return _Found("original", "the original is not there", "none")
        if digest != bytes(image["sha256"]):
            return _Found("original", "the original's sha256 is not the one that was recorded", "none")
        return None

    def _mark(self, image: Row) -> _Found | None:
        """Only originals of images that ended are marked: a lifecycle rule deletes what is."""
        try:
            tags = self._originals.tags(image["s3_original_key"], version_id=real_version(image["object_version"]))
        except NotFound:
            return None  # told already
        if ENDED_TAG.items() <= tags.items():
            return _Found("mark", "the original is marked as that of an image that ended, and would be deleted", "keep")
        return None

    def _rendition(self, image: Row, rendition: Row, *, checksums: bool) -> str | None:
        public = rendition["kind"] != "clean"
        store = self._renditions if public else self._originals
        key = rendition["key"]
        if public and image["status"] == "taken_down":
            store, key = self._originals, quarantine_key(image["id"], key)
        try:
            if not checksums:
                size = store.head(key).size_bytes
                return None if size == rendition["bytes"] else f"has {size} bytes, not {rendition['bytes']}"
            data = store.get(key)
        except NotFound:
            return "is not there"
        if len(data) != rendition["bytes"] or hashlib.sha256(data).hexdigest()[:16] != content_hash_of(
            rendition["key"]
        ):
            return "is not what its key's hash says"
        return None

    # --- objects ---------------------------------------------------------------------------------

    def _orphans(self) -> Iterator[tuple[ObjectStore, str, UUID | None]]:
        for store, folder in (
            (self._renditions, Folder.THUMBNAILS),
            (self._renditions, Folder.WATERMARKED),
            (self._originals, Folder.CLEAN),
            (self._originals, Folder.QUARANTINE),
            (self._work, Folder.WORK),
        ):
            for keys in _batches(store.list_keys(f"{folder}/")):
                owners = {key: image_of(key) for key in keys}
                known = self._known({owner for owner in owners.values() if owner is not None})
                for key, owner in owners.items():
                    if owner is None or not self._belongs(folder, key, known.get(owner)):
                        yield store, key, owner

    def _versions(self, *, repair: bool) -> Iterator[Difference]:
        """Of the originals, where no version may lie above the one that an image is made of, and none beside it."""
        grouped = groupby(self._originals.list_versions(f"{Folder.ORIGINALS}/"), key=lambda version: version.key)
        for group in _batches((key, list(versions)) for key, versions in grouped):
            owners = {key: image_of(key) for key, _ in group}
            known = self._known({owner for owner in owners.values() if owner is not None})
            for key, versions in group:
                owner = owners[key]
                superfluous, found = _superfluous(key, versions, known.get(owner) if owner else None)
                if found is None:
                    continue
                if repair:
                    for version in superfluous:
                        self._originals.delete_version(key, version.version_id)
                yield Difference(owner, *found, repair or None)

    def _known(self, ids: set[UUID]) -> dict[UUID, Row]:
        return {row["id"]: row for row in repository.objects(self._database, ids)}

    @staticmethod
    def _belongs(folder: Folder, key: str, image: Row | None) -> bool:
        if image is None:
            return False
        if image["status"] == "processing":
            return True  # its steps are making it
        if folder is Folder.WORK:
            return image["status"] in _LIVE  # a lifecycle rule takes it
        if folder is Folder.QUARANTINE:
            return image["status"] == "taken_down" and quarantined(key) in image["keys"]
        return key in image["keys"]

    # --- remedies --------------------------------------------------------------------------------

    def _mend(self, image: Row, found: _Found) -> bool:
        image_id = image["id"]
        match found.remedy:
            case "document":
                self._documents.repair([image_id])
            case "compensate":
                self._compensation.again(IngestionJob.of(image))
            case "strip":
                self._takedowns.delete(image_id, reason="verify", actor="verify")
            case "take down":
                self._takedowns.take_down(image_id, reason="verify", actor="verify")
            case "fingerprint":
                return self._enter_fingerprint(image)
            case "keep":
                keep_original(self._originals, IngestionJob.of(image))
            case "reprocess":
                self._process_again(image)
            case _:
                return False
        return True

    def _enter_fingerprint(self, image: Row) -> bool:
        fingerprint = Fingerprint(bytes(image["sha256"]), image["phash"] & (2**64 - 1))
        with self._database.transaction() as connection:
            return duplicates.claim(connection, image["id"], fingerprint).same_file is None

    def _process_again(self, image: Row) -> None:
        with self._database.transaction() as connection:
            run = image["run"] + 1
            now_is = repository.lock(connection, image["id"])
            if now_is is None or now_is["run"] != image["run"]:
                return
            change = change_status(
                connection,
                image["id"],
                REPROCESS,
                ImageStatus.PROCESSING,
                actor="verify",
                reason="Something that was made of it is lost.",
            )
            if change is None:
                return  # another of its differences has set it going already
            repository.next_requested_run(connection, image["id"])
            steps.delete(connection, image["id"])
        self._executions.start(IngestionJob.of(image).model_copy(update={"run": run}))


def _superfluous(
    key: str, versions: list[ObjectVersion], image: Row | None
) -> tuple[list[ObjectVersion], tuple[str, str] | None]:
    """The versions of an original's key that should not be there, and what to say of them."""
    if image is None or (key != image["s3_original_key"] and image["status"] != "processing"):
        return versions, ("orphan", "an object in originals/ that no image has")
    if image["status"] == "processing":
        return [], None  # which version it is made of may be decided any moment
    pinned = image["object_version"] or "null"
    wanted = next((version for version in versions if version.version_id == pinned), None)
    others = [
        version
        for version in versions
        # An image that ended may be tried again: what was refused is left to its lifecycle rule, as is its marker.
        if version is not wanted
        and version.version_id != image["refused_version"]
        and not (version.is_marker and image["status"] in _ENDED)
    ]
    if wanted is None or not others:
        return [], None  # a lost original is told with its image; nothing beside it is thrown away
    if any(version.is_current for version in others):
        return others, ("version", "the version that the image is made of is not the current one")
    return others, ("version", "a version of the original that the image is not made of")


_Item = TypeVar("_Item")


def _batches(keys: Iterable[_Item]) -> Iterator[list[_Item]]:
    remaining = iter(keys)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield batch
