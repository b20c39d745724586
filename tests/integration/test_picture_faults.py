"""What is a picture's fault ends as a refusal, also where a library says it by an exception of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from imagemarket.imaging.confinement import Inspector
from imagemarket.imaging.inspection import inspect
from imagemarket.ingestion.copies import CopyFinder, Subject
from imagemarket.ingestion.duplicates import Lookalike
from imagemarket.ingestion.models import FailedStep, IngestionJob
from imagemarket.ingestion.records import StepRecords
from imagemarket.ingestion.retries import BYTES_AT_FAULT
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
from imagemarket.platform.errors import DependencyUnavailable, ImageNotProcessable, ImageTooNarrow
from imagemarket.platform.outbox import INDEX_TOPIC, OutboxRelay
from imagemarket.platform.queue import Queue
from imagemarket.vision.models import AnalyseResponse, Refusal
from tests.fakes import MemoryObjectStore, MemoryQueue
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines


class _Broken:
    """An inspector whose decoder fails in a way that is no refusal."""

    def inspect(self, path: Path) -> None:
        raise RuntimeError(f"a library failed on {path.name}")


class _Endpoint:
    def __init__(self, kind: str) -> None:
        self._kind = kind

    def analyse(self, jpegs: list[bytes]) -> AnalyseResponse:
        return AnalyseResponse(model_version="m", analyses=[Refusal(type=self._kind, message="cannot") for _ in jpegs])


class _Saga:
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
        endpoint = cast("VisionEndpoint", _Endpoint(kind))
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


@pytest.fixture
def saga(database: Database) -> _Saga:
    return _Saga(database)


@pytest.mark.parametrize(
    ("step", "run"),
    [
        ("inspect", lambda saga, job: saga.inspect(_Broken()).run(job)),
        ("make_thumbnails", lambda saga, job: saga.thumbnails().run(job)),
        ("make_watermark", lambda saga, job: saga.watermark().run(job)),
        ("embed_and_tag", lambda saga, job: saga.embed("ValidationError").run(job)),
    ],
)
def test_an_exception_of_a_library_refuses_the_picture_and_is_no_outage(
    saga: _Saga, step: str, run: Callable[[_Saga, IngestionJob], object]
) -> None:
    job = saga.a_job()
    with pytest.raises(ImageNotProcessable, match=f"the step {step} fails on it") as refused:
        run(saga, job)
    ended = saga.end(job, refused.value)
    assert ended["status"] == "rejected"
    assert ended["rejection"]["code"] == "image-not-processable"
    assert "bug of ours" in ended["rejection"]["detail"]
    assert "image-not-processable" in BYTES_AT_FAULT  # the same picture saved anew may be sent


def test_the_models_own_failure_is_an_outage(saga: _Saga) -> None:
    with pytest.raises(DependencyUnavailable):
        saga.embed("InternalFailure").run(saga.a_job())


def test_a_thumbnail_that_cannot_be_compared_refuses_the_picture(saga: _Saga) -> None:
    owner = a_contributor(saga.database)
    subject, other = (an_image(saga.database, owner, object_version="v1") for _ in range(2))
    saga.renditions.put("thumbnail", b"no picture", content_type="image/jpeg")
    copies = CopyFinder(database=saga.database, renditions=saga.renditions, nearest=lambda *_: [])
    asked = Subject(
        image_id=subject,
        thumbnail="thumbnail",
        lookalikes=(Lookalike(other, 0),),
        embedding=[1.0] + [0.0] * 767,
        model_version="m",
        taken_at=None,
    )
    with pytest.raises(ImageNotProcessable, match="publish"):
        copies.find(asked)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Inspector]:
    with Inspector() as confined:
        yield confined


def test_a_picture_of_extreme_shape_is_refused_at_once_with_the_limit_named(
    saga: _Saga, decoder: Inspector, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (1, 30_000), "teal").save(path)
    job = saga.a_job(path.read_bytes())
    with pytest.raises(ImageTooNarrow, match="1 by 30000 pixels; its longer side may be 100 times") as refused:
        saga.inspect(decoder).run(job)
    ended = saga.end(job, refused.value)
    assert (ended["status"], ended["rejection"]["code"]) == ("rejected", "image-too-narrow")
    with pytest.raises(ImageTooNarrow):
        inspect(path)
