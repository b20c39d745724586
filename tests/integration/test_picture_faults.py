"""What is a picture's fault ends as a refusal, also where a library says it by an exception of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imagemarket.imaging.errors import ImageNotProcessable, ImageTooNarrow
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.sandbox import Inspector
from imagemarket.ingestion.fingerprints import Lookalike, Verdict
from imagemarket.ingestion.models import IngestionJob
from imagemarket.ingestion.near_duplicates import NearDuplicateDetector, Subject
from imagemarket.ingestion.retries import BYTES_AT_FAULT
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from local.pictures import paint_landscape
from tests.integration.rows import a_contributor, an_image
from tests.integration.sagas import Saga

pytestmark = pytest.mark.engines


class _Broken:
    """An inspector whose decoder fails in a way that is no refusal."""

    def inspect(self, path: Path) -> None:
        raise RuntimeError(f"a library failed on {path.name}")


@pytest.fixture
def saga(database: Database) -> Saga:
    return Saga(database)


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
    saga: Saga, step: str, run: Callable[[Saga, IngestionJob], object]
) -> None:
    job = saga.a_job()
    with pytest.raises(ImageNotProcessable, match=f"the step {step} fails on it") as refused:
        run(saga, job)
    ended = saga.end(job, refused.value)
    assert ended["status"] == "rejected"
    assert ended["rejection"]["code"] == "image-not-processable"
    assert "bug of ours" in ended["rejection"]["detail"]
    assert "image-not-processable" in BYTES_AT_FAULT  # the same picture saved anew may be sent


def test_the_models_own_failure_is_an_outage(saga: Saga) -> None:
    with pytest.raises(DependencyUnavailable):
        saga.embed("InternalFailure").run(saga.a_job())


def test_a_thumbnail_that_cannot_be_compared_refuses_the_picture(saga: Saga) -> None:
    owner = a_contributor(saga.database)
    subject, other = (an_image(saga.database, owner, status=status) for status in ("processing", "approved"))
    saga.renditions.put("thumbnail", b"no picture", content_type="image/jpeg")
    copies = NearDuplicateDetector(database=saga.database, renditions=saga.renditions, nearest=lambda *_: [])
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


def test_anothers_broken_thumbnail_is_no_fault_of_the_picture(
    saga: Saga, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without it nothing is compared, and what the first stage found leads to a person."""
    owner = a_contributor(saga.database)
    images = [an_image(saga.database, owner, status="approved") for _ in range(4)]
    subject, broken, missing, far = images
    path = paint_landscape(tmp_path / "a.jpg", seed=1, size=(450, 300))
    saga.renditions.put("ours", path.read_bytes(), content_type="image/jpeg")
    for image, key in ((broken, "broken"), (missing, "missing"), (far, "broken")):
        with saga.database.transaction() as connection:
            connection.execute(
                "INSERT INTO image_renditions VALUES (%s, 'thumbnail', 450, 'jpeg', 450, 300, 1, %s)",
                (image, key),
            )
    saga.renditions.put("broken", path.read_bytes()[:60], content_type="image/jpeg")
    copies = NearDuplicateDetector(database=saga.database, renditions=saga.renditions, nearest=lambda *_: [])
    asked = Subject(
        image_id=subject,
        thumbnail="ours",
        lookalikes=(Lookalike(broken, 1), Lookalike(missing, 2), Lookalike(far, 8)),
        embedding=[1.0] + [0.0] * 767,
        model_version="m",
        taken_at=None,
    )
    found = copies.find(asked).evidence
    assert {(each.other_id, each.verdict) for each in found} == {
        (broken, Verdict.PROBABLE),
        (missing, Verdict.PROBABLE),
    }

    def away(key: str) -> bytes:
        if key != "ours":
            raise DependencyUnavailable("The store is away.")
        return path.read_bytes()

    monkeypatch.setattr(saga.renditions, "get", away)
    with pytest.raises(DependencyUnavailable):
        copies.find(asked)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Inspector]:
    with Inspector() as confined:
        yield confined


def test_a_picture_of_extreme_shape_is_refused_at_once_with_the_limit_named(
    saga: Saga, decoder: Inspector, tmp_path: Path
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
