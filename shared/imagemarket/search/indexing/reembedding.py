"""Another model's vectors for every picture, beside live traffic, and then the switch to them.

Vectors are added picture by picture while searches go on with the model in use; what is there already is not made
again, so a run that broke off goes on. The switch is one transaction: until it commits every search sees the old
vectors, after it the new ones. A search under way at that moment compares with the model that it began with and
finds by its words alone; none compares across models.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from imagemarket.catalog import images
from imagemarket.catalog import repository as catalog
from imagemarket.platform.database import Database, allow_seconds
from imagemarket.platform.errors import Conflict, MarketError, NotFound
from imagemarket.platform.telemetry import logger
from imagemarket.search.errors import PicturesMissing
from imagemarket.search.repository import models
from imagemarket.search.repository.models import Standing
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import AnalyseResponse, Analysis

BATCH = 16
"""Pictures in one request; renditions of this size stay far below its limit."""

_PATIENCE_SECONDS = 900
_PAUSE_SECONDS = 5.0
_SHORT_EDGE, _QUALITY = 300, 90
"""As ingestion hands pictures to the model."""


class Reembedding:
    """`analyse` asks the endpoint that serves the new model, `read` gets a clean rendition by its key."""

    def __init__(
        self,
        *,
        database: Database,
        analyse: Callable[[Sequence[bytes]], AnalyseResponse],
        read: Callable[[str], bytes],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._analyse = analyse
        self._read = read
        self._pause = pause

    def run(self, version: str, say: Callable[[int, int], None] = lambda _done, _refused: None) -> int:
        """Gives every picture a vector of `version`, switches to it, and sees to those that came meanwhile; how many
        were made. `say` hears how many were made and refused so far.

        Raises `Conflict` when the endpoint serves another model, `PicturesMissing` when a picture cannot be looked
        at, `ModelNotReady` when the endpoint is not ready for a quarter of an hour.
        """
        made = self.fill(version, say)
        self.switch(version)
        return made + self.fill(version, say)

    def fill(self, version: str, say: Callable[[int, int], None] = lambda _done, _refused: None) -> int:
        """Adds the vectors that are missing; how many."""
        made = refused = 0
        after = UUID(int=0)
        while True:
            rows = models.pictures_without_vector(self._database, version, after=after, limit=BATCH)
            if not rows:
                return made
            pictures = {row["id"]: jpeg for row in rows if (jpeg := self._picture(row["id"], row["key"])) is not None}
            found: list[tuple[UUID, Sequence[float]]] = []
            if pictures:
                answer = self._patiently(list(pictures.values()))
                if answer.model_version != version:
                    raise Conflict(f"The endpoint serves {answer.model_version}, not {version}.")
                found = [
                    (image_id, analysis.embedding)
                    for image_id, analysis in zip(pictures, answer.analyses, strict=True)
                    if isinstance(analysis, Analysis)
                ]
            self._keep(version, found)
            made += len(found)
            refused += len(rows) - len(found)
            after = rows[-1]["id"]
            say(made, refused)

    def switch(self, version: str) -> None:
        """Searches compare `version`'s vectors from now on. Raises `PicturesMissing`."""
        with self._database.transaction() as connection:
            allow_seconds(connection, 0)
            models.lock_in_use(connection)
            missing = models.approved_without_vector(connection, version)
            if missing:
                raise PicturesMissing(f"{missing} approved pictures have no vector of {version}; run it again.")
            catalog.compare_vectors_of(connection, version)
            # A document that was made before and is written after carries an older version and changes nothing.
            images.renew_all_approved(connection)
            brought = models.bring_documents_over(connection, version)
        logger.info("another model is in use", model_version=version, documents=brought)

    def standings(self) -> list[Standing]:
        """Every model that there are vectors of, the one in use first."""
        return models.standings(self._database)

    def _picture(self, image_id: UUID, key: str) -> bytes | None:
        """What the model is shown of an image; None where its rendition is lost or broken, for which the others are
        not made to wait."""
        try:
            return _model_input(self._read(key))
        except NotFound:
            logger.error("a rendition is missing", image_id=str(image_id))
        except MarketError:
            raise
        except Exception as error:  # noqa: BLE001 - of a library, in any way
            logger.error("a rendition is broken", image_id=str(image_id), raised=type(error).__name__)
        return None

    def _keep(self, version: str, found: Sequence[tuple[UUID, Sequence[float]]]) -> None:
        with self._database.transaction() as connection:
            catalog.write_embeddings(connection, version, found, replace=False)
            # Where the model is in use already, a search is to find the picture by meaning at once.
            if models.is_in_use(connection, version):
                for image, _ in found:
                    images.renew(connection, image)

    def _patiently(self, jpegs: Sequence[bytes]) -> AnalyseResponse:
        waited = 0.0
        while True:
            try:
                return self._analyse(jpegs)
            except ModelNotReady:
                if waited >= _PATIENCE_SECONDS:
                    raise
                self._pause(_PAUSE_SECONDS)
                waited += _PAUSE_SECONDS


def _model_input(jpeg: bytes) -> bytes:
    from imagemarket.vision.pictures import decode, shrunk

    out = io.BytesIO()
    shrunk(decode(jpeg), _SHORT_EDGE).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
