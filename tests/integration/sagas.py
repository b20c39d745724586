"""The steps of the saga that look at one picture, on a real database and with stores in memory."""

from __future__ import annotations

from typing import Any, cast

from imagemarket.imaging.sandbox import Inspector
from imagemarket.ingestion.models import FailedStep, IngestionJob
from imagemarket.ingestion.near_duplicates import NearDuplicateDetector
from imagemarket.ingestion.saga import (
    CompensateImage,
    DetectDuplicate,
    EmbedAndTag,
    InspectImage,
    MakeThumbnails,
    MakeWatermark,
    PublishImage,
    RightsOfImages,
    master_key,
    model_input_key,
)
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.platform.database import Database
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from imagemarket.vision.models import AnalyseResponse, Analysis, Refusal, Tag
from imagemarket.vision.sagemaker import VisionEndpoint
from tests.fakes import MemoryBus, MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.roles import InRole


class Endpoint:
    """A model that refuses every picture, in one of its ways."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def analyse(self, jpegs: list[bytes]) -> AnalyseResponse:
        return AnalyseResponse(model_version="m", analyses=[Refusal(type=self._kind, message="cannot") for _ in jpegs])


class Seeing:
    """A model that sees the same in every picture."""

    def analyse(self, jpegs: list[bytes]) -> AnalyseResponse:
        seen = Analysis(
            embedding=[1.0] + [0.0] * 767,
            tags=[Tag(tag="sea", confidence=0.9)],
            categories=["nature"],
            nsfw_score=0.0,
            description="A sea.",
            people=False,
        )
        return AnalyseResponse(model_version="m", analyses=[seen for _ in jpegs])


class Saga:
    """Jobs, and the steps that do them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._decoder, self._maker, self._ingestion = (
            InRole(database, role) for role in (DatabaseRole.DECODER, DatabaseRole.MAKER, DatabaseRole.INGESTION)
        )
        self.step_runs = StepRuns(self._maker)
        self.originals, self.work, self.renditions = (MemoryObjectStore() for _ in range(3))
        self.rights = RightsOfImages(database=self._maker, public_base_url="https://example.com")

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
            step_runs=StepRuns(self._decoder),
            database=self._decoder,
            originals=self.originals,
            work=self.work,
            inspector=cast("Inspector", inspector),
        )

    def embed(self, kind: str | None = None) -> EmbedAndTag:
        """With a model that refuses every picture in one of its ways; None: with one that sees."""
        endpoint = cast("VisionEndpoint", Seeing() if kind is None else Endpoint(kind))
        return EmbedAndTag(step_runs=self.step_runs, work=self.work, endpoint=endpoint)

    def thumbnails(self) -> MakeThumbnails:
        return MakeThumbnails(
            step_runs=self.step_runs,
            rights=self.rights,
            work=self.work,
            renditions=self.renditions,
            originals=self.originals,
        )

    def watermark(self) -> MakeWatermark:
        return MakeWatermark(step_runs=self.step_runs, rights=self.rights, work=self.work, renditions=self.renditions)

    def detect_duplicate(self) -> DetectDuplicate:
        return DetectDuplicate(step_runs=self.step_runs, database=self._maker)

    def publish(self) -> PublishImage:
        copies = NearDuplicateDetector(database=self._ingestion, renditions=self.renditions, nearest=lambda *_: [])
        return PublishImage(
            step_runs=StepRuns(self._ingestion),
            database=self._ingestion,
            work=self.work,
            relay=self._relay(),
            copies=copies,
        )

    def compensation(self) -> CompensateImage:
        return CompensateImage(
            database=self._ingestion,
            originals=self.originals,
            work=self.work,
            renditions=self.renditions,
            relay=self._relay(),
        )

    def _relay(self) -> OutboxRelay:
        return OutboxRelay(self._ingestion, MemoryBus())

    def end(self, job: IngestionJob, error: Exception) -> dict[str, Any]:
        self.compensation().run(job, FailedStep(Error=type(error).__name__))
        row = self.database.fetch_one("SELECT status, rejection FROM images WHERE id = %s", (job.image_id,))
        assert row is not None
        return row
