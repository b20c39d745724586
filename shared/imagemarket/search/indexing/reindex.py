"""Making a search index anew from the truth, and holding the two against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from imagemarket.catalog import images
from imagemarket.catalog.events import ImageListingChanged
from imagemarket.platform import events
from imagemarket.platform.database import Database
from imagemarket.platform.errors import NotFound
from imagemarket.platform.telemetry import logger
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.engines.ports import SearchIndex
from imagemarket.search.errors import IndexingIncomplete
from imagemarket.search.indexing.documents import DocumentBuilder
from imagemarket.search.repository import images as repository

_BATCH = 500


@dataclass
class Differences:
    """How an index differs from the truth, in images."""

    seen: int = 0
    """Approved images that were looked at."""
    missing: int = 0
    """Approved, and not in the index."""
    outdated: int = 0
    """In the index as they were before."""
    differing: int = 0
    """In the index in the version of the truth, and not as it says."""
    newer_than_source: int = 0
    """In the index with a version that the truth has not reached, as after restoring a backup; only making the
    index anew helps."""
    orphans: int = 0
    """In the index, and not approved."""

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.missing or self.outdated or self.differing or self.newer_than_source or self.orphans)


class IndexMaintenance:
    """Looks after the indexes of a stage, by the names of their engines."""

    def __init__(self, database: Database, indexes: Mapping[str, SearchIndex]) -> None:
        self._database = database
        self._builder = DocumentBuilder(database)
        self._indexes = dict(indexes)

    @property
    def engines(self) -> list[str]:
        """The engines that this stage uses."""
        return list(self._indexes)

    def reindex(self, engine: str) -> Differences:
        """Fills a new index from the truth beside the one that serves, puts it in its place, and returns how it
        then differed, which is put right as well.

        Changes go on meanwhile: they reach the old index, and what changed since the beginning is written to the
        new one before it is put in its place and once more after. Raises `NotFound` for an engine that this
        stage does not use.
        """
        index = self._index(engine)
        began = repository.now(self._database)
        rebuild = index.rebuild()
        try:
            for batch in self._approved():
                self._write(rebuild.index, batch)
                logger.info("reindexing", engine=engine, up_to=str(max(batch)))
            self._catch_up(rebuild.index, began)
        except BaseException:
            rebuild.abandon()
            raise
        rebuild.switch()
        self._catch_up(index, began)
        return self.verify(engine, repair=True)

    def verify(self, engine: str, *, repair: bool = False) -> Differences:
        """Holds the index against the truth, both ways. What is in the queue at that moment counts as a difference;
        to repair it twice does no harm."""
        index = self._index(engine)
        found = Differences()
        for batch in self._approved():
            held = index.versions(list(batch))
            found.seen += len(batch)
            missing = batch.keys() - held.keys()
            outdated = {image_id for image_id, version in held.items() if version < batch[image_id]}
            found.missing += len(missing)
            found.outdated += len(outdated)
            current = [image_id for image_id, version in held.items() if version == batch[image_id]]
            differing = index.differing(self._builder.build(current)[0])
            found.differing += len(differing)
            found.newer_than_source += sum(version > batch[image_id] for image_id, version in held.items())
            if repair:
                self._write(index, missing | outdated | differing)
        for listed in _batches(index.listed()):
            documents, _ = self._builder.build(listed)
            # By id once more: a list may lag behind what was written a moment ago.
            orphans = index.versions(list(set(listed) - {document.image_id for document in documents}))
            found.orphans += len(orphans)
            if repair:
                self._write(index, orphans, versions=orphans)
        return found

    # --- image by image --------------------------------------------------------------------------

    def differences(self, image_ids: Sequence[UUID]) -> dict[UUID, str]:
        """What is wrong with the documents of these images, in words; an image that is not named is right in every
        index."""
        wanted = {document.image_id: document for document in self._builder.build(image_ids)[0]}
        found: dict[UUID, str] = {}
        for engine, index in self._indexes.items():
            held = index.versions(image_ids)
            differing = index.differing(list(wanted.values()))
            for image_id in image_ids:
                wrong = _difference(wanted.get(image_id), held.get(image_id))
                if wrong is None and image_id in differing:
                    wrong = "has other contents than the image's, in the same version"
                if wrong is not None:
                    found.setdefault(image_id, f"{engine} {wrong}")
        return found

    def orphans(self) -> set[UUID]:
        """Images that an index shows and that have no row any more."""
        found: set[UUID] = set()
        for index in self._indexes.values():
            for batch in _batches(index.listed()):
                found |= set(batch) - repository.known(self._database, batch)
        return found

    def repair(self, image_ids: Sequence[UUID]) -> None:
        """Has the documents of these images written again, by the way that every change takes: as of a version beyond
        what any index shows, since an index keeps what it has of the same version."""
        held: dict[UUID, int] = {}
        for index in self._indexes.values():
            for image_id, version in index.versions(image_ids).items():
                held[image_id] = max(version, held.get(image_id, 0))
        with self._database.transaction() as connection:
            for image_id in sorted(image_ids):
                images.renew(connection, image_id, beyond=held.get(image_id, 0))

    # --- parts -----------------------------------------------------------------------------------

    def _index(self, engine: str) -> SearchIndex:
        if engine not in self._indexes:
            raise NotFound(f"engine: {engine!r} is not used here; there is {', '.join(self._indexes)}.")
        return self._indexes[engine]

    def _approved(self) -> Iterator[dict[UUID, int]]:
        """The versions of all approved images by id, in batches."""
        after = UUID(int=0)
        while versions := repository.approved(self._database, after=after, limit=_BATCH):
            yield versions
            after = next(reversed(versions))

    def _catch_up(self, index: SearchIndex, since: datetime) -> None:
        changed = events.subjects_since(self._database, ImageListingChanged, since)
        for batch in _batches(changed):
            self._write(index, batch)

    def _write(
        self, index: SearchIndex, image_ids: Iterable[UUID], *, versions: Mapping[UUID, int] | None = None
    ) -> None:
        """What the truth says of the images; one that has no row any more is removed as of its version in
        `versions`."""
        wanted = list(image_ids)
        if not wanted:
            return
        documents, removals = self._builder.build(wanted)
        held = versions or {}
        known = {document.image_id for document in documents} | {gone.image_id for gone in removals}
        removals += [Removal(each, version) for each, version in held.items() if each not in known]
        # An index that has it from a truth since lost must let go of it all the same.
        removals = [Removal(gone.image_id, max(gone.version, held.get(gone.image_id, 0))) for gone in removals]
        try:
            index.write(documents, removals)
        except IndexingIncomplete as error:  # one bad document is no reason to give up on all; it stays a difference
            logger.error("documents were not taken", image_ids=sorted(map(str, error.image_ids)))


def _difference(wanted: SearchDocument | None, held: int | None) -> str | None:
    """How the version that an index shows differs from the one wanted."""
    if wanted is None:
        return None if held is None else "shows an image that is not approved"
    if held is None:
        return "has no document"
    return None if held == wanted.version else f"has version {held} of an image of version {wanted.version}"


def _batches(image_ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    waiting = iter(image_ids)
    while batch := list(islice(waiting, _BATCH)):
        yield batch
