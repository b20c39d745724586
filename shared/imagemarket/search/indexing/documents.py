"""Makes search documents from the truth, and carries them into the engines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from imagemarket.imaging.hashes import colour_names
from imagemarket.imaging.models import PaletteColour
from imagemarket.platform.database import Database, Row
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.engines.ports import DocumentSink
from imagemarket.search.errors import IndexingIncomplete
from imagemarket.search.repository import images as repository

SAFE_BELOW = 0.2
"""NSFW scores from here on are left out of a safe search: below it, say the authors of OpenNSFW, a picture is
very likely safe. A picture without a score has none to be afraid of: it was not made by the saga."""


class DocumentBuilder:
    """Reads search documents out of the truth."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def build(self, image_ids: Iterable[UUID]) -> tuple[list[SearchDocument], list[Removal]]:
        """The documents of those images that are approved and removals of the others known, in one
        query. An image without a row is in neither list."""
        documents: list[SearchDocument] = []
        removals: list[Removal] = []
        for row in repository.truth(self._database, image_ids):
            if row["status"] == "approved":
                documents.append(_document(row))
            else:
                removals.append(Removal(row["image_id"], row["version"]))
        return documents, removals


def _document(row: Row) -> SearchDocument:
    embedding, score = row.pop("embedding"), row.pop("nsfw_score")
    palette = tuple(PaletteColour(**colour) for colour in row.pop("palette"))
    lists: dict[str, Any] = {name: row.pop(name) or [] for name in ("tags", "categories", "renditions")}
    return SearchDocument(
        **{name: value for name, value in row.items() if name != "status"},
        **lists,
        # Named anew, so that a change of the names needs no change of the truth.
        colours=colour_names(palette),
        palette=palette,
        safe=score is None or score < SAFE_BELOW,
        embedding=None if embedding is None else json.loads(embedding),
    )


class Indexer:
    """Brings the engines up to the truth for the images it is told of."""

    def __init__(self, builder: DocumentBuilder, engines: Sequence[DocumentSink]) -> None:
        self._builder = builder
        self._engines = engines

    def index(self, told: Iterable[Removal]) -> int:
        """Writes what the truth says now of each image told, whatever the message said; returns how
        many changed. An image that has no row any more is removed as of the version told.

        Every engine is written to, also when one before it fails. Raises `IndexingIncomplete` with the images
        that some engine did not take.
        """
        versions: dict[UUID, int] = {}
        for each in told:
            versions[each.image_id] = max(each.version, versions.get(each.image_id, 0))
        documents, removals = self._builder.build(versions)
        known = {document.image_id for document in documents} | {gone.image_id for gone in removals}
        removals += [Removal(image_id, version) for image_id, version in versions.items() if image_id not in known]
        changed = 0
        failed: set[UUID] = set()
        for engine in self._engines:
            try:
                changed = max(changed, engine.write(documents, removals))
            except IndexingIncomplete as error:
                failed |= error.image_ids
            except DependencyUnavailable:
                logger.exception("a search engine is away", engine=type(engine).__name__)
                failed |= versions.keys()
        if failed:
            raise IndexingIncomplete(failed)
        count("DocumentsIndexed", len(documents))
        count("DocumentsRemoved", len(removals))
        logger.info("indexed", documents=len(documents), removals=len(removals), changed=changed)
        return changed
