"""The steps of the saga that look at one picture, on a real database and with stores in memory."""

from __future__ import annotations

from typing import Any, cast

from imagemarket.imaging.confinement import Inspector
from imagemarket.ingestion.models import FailedStep, IngestionJob
from imagemarket.ingestion.records import StepRecords
from imagemarket.ingestion.saga import (
    CompensateImage,
    EmbedAndTag,
    InspectImage,
    MakeThumbnails,
    MakeWatermark,
    RightsOfImages,
    master_key,
    model_input_key,
)
from imagemarket.ingestion.sagemaker import VisionEndpoint
from imagemarket.platform.database import Database
from imagemarket.platform.outbox import INDEX_TOPIC, OutboxRelay
from imagemarket.platform.queue import Queue
from imagemarket.vision.models import AnalyseResponse, Refusal
from tests.fakes import MemoryObjectStore, MemoryQueue
from tests.integration.rows import a_contributor, an_image


class Endpoint:
    """A model that refuses every picture, in one of its ways."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def analyse(self, jpegs: list[bytes]) -> AnalyseResponse:
        return AnalyseResponse(model_version="m", analyses=[Refusal(type=self._kind, message="cannot") for _ in jpegs])


class Saga:
    """Jobs, and the steps that do them."""

    def __init__(self, database: Database) -> None:
        self.database, self.records = database, StepRecords(database)
        self.originals, self.work, self.renditions = (MemoryObjectStore() for _ in range(3))
        self.rights = RightsOfImages(database=database, public_base_url="https://example.com")

    def a_job(self, original: bytes = b"original") -> IngestionJob:
        owner = a_contributor(self.database)
        image = an_image(self.database, owner, object_version="v1", announced_bytes=len(original))
        job = IngestionJob(image_id=image, contributor_id=owner, key=f"originals/{owner}/{image}.jpg", version_id="v1")
        self.originals.versions[job.key] = [("v1", original, "image/jpeg")]
        self.work.put(master_key(job), b"no master", content_type="image/tiff")
        self.work.put(model_input_key(job), b"no picture", content_type="image/jpeg")
        return job

    def inspect(self, inspector: object) -> InspectImage:
        return InspectImage(
            records=self.records,
            database=self.database,
            originals=self.originals,
            work=self.work,
            inspector=cast("Inspector", inspector),
        )

    def embed(self, kind: str) -> EmbedAndTag:
        endpoint = cast("VisionEndpoint", Endpoint(kind))
        return EmbedAndTag(records=self.records, work=self.work, endpoint=endpoint)

    def thumbnails(self) -> MakeThumbnails:
        return MakeThumbnails(
            records=self.records,
            rights=self.rights,
            work=self.work,
            renditions=self.renditions,
            originals=self.originals,
        )

    def watermark(self) -> MakeWatermark:
        return MakeWatermark(records=self.records, rights=self.rights, work=self.work, renditions=self.renditions)

    def end(self, job: IngestionJob, error: Exception) -> dict[str, Any]:
        CompensateImage(
            database=self.database,
            originals=self.originals,
            work=self.work,
            renditions=self.renditions,
            relay=OutboxRelay(self.database, {INDEX_TOPIC: cast("Queue", MemoryQueue())}),
        ).run(job, FailedStep(Error=type(error).__name__))
        row = self.database.fetch_one("SELECT status, rejection FROM images WHERE id = %s", (job.image_id,))
        assert row is not None
        return row
