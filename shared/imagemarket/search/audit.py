"""Whether an engine holds what the truth says, and bringing it there."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from uuid import UUID

from imagemarket.platform.database import Database
from imagemarket.search.documents import DocumentBuilder, Indexer
from imagemarket.search.models import Removal, SearchDocument
from imagemarket.search.postgres import PostgresSearch

_HALF_PRECISION = 1e-2
"""A half-precision float keeps three digits of a vector's components."""


class DocumentAudit:
    """Compares the search documents with the truth."""

    def __init__(
        self, *, database: Database, builder: DocumentBuilder, engine: PostgresSearch, indexer: Indexer
    ) -> None:
        self._database = database
        self._builder = builder
        self._engine = engine
        self._indexer = indexer

    def differences(self, image_ids: Sequence[UUID]) -> dict[UUID, str]:
        """What is wrong with the documents of these images, in words; an image that is not named is right."""
        wanted = {document.image_id: document for document in self._builder.build(image_ids)[0]}
        held = {document.image_id: document for document in self._engine.documents(list(image_ids))}
        found: dict[UUID, str] = {}
        for image_id in image_ids:
            if image_id not in wanted:
                if image_id in held:
                    found[image_id] = "the search engine shows an image that is not approved"
            elif image_id not in held:
                found[image_id] = "the search engine has no document"
            elif held[image_id].version != wanted[image_id].version:
                found[image_id] = (
                    f"the document is of version {held[image_id].version}, the image of {wanted[image_id].version}"
                )
            elif not self._same_vector(wanted[image_id]):
                found[image_id] = "the document's vector is not the image's"
        return found

    def strays(self) -> list[UUID]:
        """Images that an engine shows and that have no row any more."""
        rows = self._database.fetch_all(
            "SELECT d.image_id FROM search_documents d WHERE d.listed"
            " AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = d.image_id)"
        )
        return [row["image_id"] for row in rows]

    def mend(self, image_ids: Sequence[UUID]) -> None:
        """Writes what the truth says now."""
        rows = self._database.fetch_all(
            "SELECT id, coalesce(i.version, d.version + 1) AS version FROM unnest(%s::uuid[]) AS told (id)"
            " LEFT JOIN images i USING (id) LEFT JOIN search_documents d ON d.image_id = told.id",
            (list(image_ids),),
        )
        self._forget_versions(image_ids)
        self._indexer.index([Removal(row["id"], row["version"] or 1) for row in rows])

    def _forget_versions(self, image_ids: Sequence[UUID]) -> None:
        """An engine keeps a document of the same version; these are to be replaced whatever theirs."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM search_documents WHERE image_id = ANY(%s)", (list(image_ids),))

    def _same_vector(self, wanted: SearchDocument) -> bool:
        found = self._engine.vector_of(wanted.image_id)
        if wanted.embedding is None or found is None:
            return (wanted.embedding is None) == (found is None)
        return found[0] == wanted.model_version and all(
            isclose(a, b, abs_tol=_HALF_PRECISION) for a, b in zip(found[1], wanted.embedding, strict=True)
        )
