"""The second stage against real rows and real pixels: what is refused, what is held, and what is let through."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from PIL import Image, ImageDraw, ImageOps

from imagemarket.imaging.feature_matching import Comparison
from imagemarket.ingestion import fingerprints
from imagemarket.ingestion.errors import DuplicateImage
from imagemarket.ingestion.fingerprints import Lookalike, Verdict
from imagemarket.ingestion.models import FailedStep, IngestionJob, Step
from imagemarket.ingestion.near_duplicates import Findings, NearDuplicateDetector, Subject, judge
from imagemarket.ingestion.repository import duplicates
from imagemarket.ingestion.saga import CompensateImage, DetectDuplicate, PublishImage, analysis_key
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.platform.database import Database
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from imagemarket.vision.models import Analysis
from local.pictures import paint_landscape
from tests.fakes import MemoryBus, MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.roles import InRole
from tests.textures import textured

pytestmark = pytest.mark.engines

MODEL = "m1"
TAKEN, LATER = "2024-05-06T07:08:09Z", "2024-05-06T07:08:10Z"


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Image.Image:
    path = paint_landscape(tmp_path_factory.mktemp("picture") / "a.jpg", seed=5, size=(1200, 800))
    with Image.open(path) as painted:
        return textured(painted.convert("RGB"), 5)


class _Interrupted(NearDuplicateDetector):
    """Something happens between the first comparisons and the publication."""

    then: Callable[[], None] | None = None

    def find(self, subject: Subject) -> Findings:
        findings = super().find(subject)
        then, self.then = self.then, None
        if then:
            then()
        return findings


class Market:
    """The saga's steps around one database; `publish` runs those that have to do with copies."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.renditions = MemoryObjectStore()
        self.contributor = a_contributor(database)
        self.listed: list[tuple[UUID, float]] = []

    def publish(
        self,
        picture: Image.Image,
        *,
        sha256: str,
        phash: int = 0,
        direction: int = 0,
        taken_at: str | None = None,
        image: UUID | None = None,
        compared: Callable[[], None] | None = None,
    ) -> tuple[UUID, str]:
        """The image and its status at the end. `compared` is called once, after the first comparisons."""
        database = self.database
        image = image or an_image(database, self.contributor, object_version="v1")
        job = IngestionJob(image_id=image, contributor_id=self.contributor, key="k", version_id="v1")
        step_runs = StepRuns(database)
        facts: dict[str, Any] = {
            "format": "jpeg",
            "width": picture.width,
            "height": picture.height,
            "file_size_bytes": 1000,
            "sha256": sha256 * 32,
            "phash": f"{phash:016x}",
            "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
            "palette": [],
            "colours": [],
            "technical": {"taken_at": taken_at} if taken_at else {},
        }
        step_runs.run_once(job, Step.INSPECT, lambda: facts)
        small = picture.copy()
        small.thumbnail((450, 450), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        small.save(out, "JPEG", quality=82)
        key = f"thumbnails/{image}/450.jpg"
        self.renditions.put(key, out.getvalue(), content_type="image/jpeg")
        made = {
            "kind": "thumbnail",
            "long_edge": 450,
            "format": "jpeg",
            "width": 1,
            "height": 1,
            "bytes": 1,
            "key": key,
        }
        step_runs.run_once(job, Step.MAKE_THUMBNAILS, lambda: {"renditions": [made]})
        step_runs.run_once(job, Step.MAKE_WATERMARK, lambda: {"renditions": []})
        step_runs.run_once(job, Step.EMBED_AND_TAG, lambda: {"model_version": MODEL, "nsfw_score": 0.0})
        vector = [0.0] * 768
        vector[direction] = 1.0
        work = MemoryObjectStore()
        analysis = Analysis(embedding=vector, tags=[], categories=[], nsfw_score=0.0, description="", people=None)
        work.put(analysis_key(job), analysis.model_dump_json().encode(), content_type="application/json")
        ingestion, maker = InRole(database, DatabaseRole.INGESTION), InRole(database, DatabaseRole.MAKER)
        relay = OutboxRelay(ingestion, MemoryBus())
        copies = _Interrupted(database=ingestion, renditions=self.renditions, nearest=self._nearest)
        copies.then = compared
        publishing = PublishImage(
            step_runs=StepRuns(ingestion), database=ingestion, work=work, relay=relay, copies=copies
        )
        try:
            DetectDuplicate(step_runs=StepRuns(maker), database=maker).run(job)
            return image, publishing.run(job)["status"]
        except DuplicateImage as error:
            ending = CompensateImage(
                database=ingestion, originals=MemoryObjectStore(), work=work, renditions=self.renditions, relay=relay
            )
            return image, ending.run(job, FailedStep(Error=type(error).__name__))["status"]

    def _nearest(self, vector: Sequence[float], model_version: str, limit: int) -> list[tuple[UUID, float]]:
        assert (len(vector), model_version) == (768, MODEL)
        return self.listed[:limit]

    def evidence(self, image: UUID) -> list[dict[str, Any]]:
        return self.database.fetch_all("SELECT * FROM duplicate_evidence WHERE image_id = %s", (image,))


@pytest.fixture
def market(database: Database) -> Market:
    return Market(database)


def _part(picture: Image.Image, share: float = 0.85) -> Image.Image:
    return picture.crop((0, 0, round(picture.width * share), round(picture.height * share)))


def _overlaid(picture: Image.Image) -> Image.Image:
    drawn = picture.copy()
    pencil = ImageDraw.Draw(drawn)
    for row in range(0, picture.height, 120):
        pencil.text((20, row), "another agency " * 9, fill="white", font_size=50)
    return drawn


COPIES: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "crop": (_part, "rejected"),
    "mirrored": (ImageOps.mirror, "rejected"),
    "framed": (lambda picture: ImageOps.expand(picture, 90, "black"), "rejected"),
    "overlaid": (_overlaid, "pending_review"),
}


@pytest.mark.parametrize("made", COPIES)
def test_a_copy_that_means_alike_is_refused_or_held(market: Market, picture: Image.Image, made: str) -> None:
    copy, status = COPIES[made]
    first, _ = market.publish(picture, sha256="01")
    market.listed = [(first, 0.93)]
    second, ended = market.publish(copy(picture), sha256="02", phash=2**64 - 1)
    assert ended == status
    (evidence,) = market.evidence(second)
    assert (evidence["other_id"], evidence["found_by"]) == (first, "embedding")
    assert evidence["verdict"] == ("certain" if status == "rejected" else "probable")
    assert evidence["inliers"] >= 10
    assert evidence["cosine"] == pytest.approx(0.93)
    if status == "rejected":
        row = market.database.fetch_one("SELECT rejection FROM images WHERE id = %s", (second,))
        assert row is not None
        assert row["rejection"]["code"] == "duplicate-image"
        assert row["rejection"]["duplicate_of"] == str(first)


def test_a_lookalike_is_compared_without_a_neighbour(market: Market, picture: Image.Image) -> None:
    first, _ = market.publish(picture, sha256="03", phash=0x123456789ABCDEF0)
    second, status = market.publish(picture.reduce(2), sha256="04", phash=0x123456789ABCDEF3, direction=9)
    assert status == "rejected"
    (evidence,) = market.evidence(second)
    assert (evidence["other_id"], evidence["found_by"], evidence["distance"]) == (first, "perceptual_hash", 2)


def test_the_same_file_is_refused_with_its_evidence(market: Market, picture: Image.Image) -> None:
    first, _ = market.publish(picture, sha256="05")
    second, status = market.publish(picture, sha256="05")
    assert status == "rejected"
    assert [(row["other_id"], row["found_by"]) for row in market.evidence(second)] == [(first, "sha256")]


def test_another_exposure_of_the_scene_is_held_however_alike(market: Market, picture: Image.Image) -> None:
    first, _ = market.publish(picture, sha256="06", phash=0xF0F1, taken_at=TAKEN)
    second, status = market.publish(picture, sha256="07", phash=0xF0F1, taken_at=LATER)
    assert status == "pending_review"
    assert [(row["other_id"], row["verdict"]) for row in market.evidence(second)] == [(first, "probable")]


@pytest.mark.parametrize("again", ["2024-05-06T07:08:09", "2024-05-06T07:08:09+09:00"])
def test_a_copy_that_lost_its_time_zone_is_no_other_exposure(market: Market, picture: Image.Image, again: str) -> None:
    market.publish(picture, sha256="06", phash=0xF0F1, taken_at="2024-05-06T07:08:09+09:00")
    _, status = market.publish(picture, sha256="07", phash=0xF0F1, taken_at=again)
    assert status == "rejected"


def test_a_picture_that_only_means_alike_is_let_through(
    market: Market, picture: Image.Image, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = paint_landscape(tmp_path_factory.mktemp("other") / "b.jpg", seed=6, size=(1200, 800))
    first, _ = market.publish(picture, sha256="08")
    market.listed = [(first, 0.95)]
    with Image.open(path) as painted:
        other = textured(painted.convert("RGB"), 6)
    image, status = market.publish(other, sha256="09", phash=2**64 - 1)
    assert status == "approved"
    assert market.evidence(image) == []


def test_a_picture_that_is_held_itself_is_seen(market: Market, picture: Image.Image) -> None:
    """Nothing that waits for a person is in the vector engine."""
    first, _ = market.publish(picture, sha256="10", direction=3)
    with market.database.transaction() as connection:
        connection.execute("UPDATE images SET status = 'pending_review' WHERE id = %s", (first,))
    _, status = market.publish(_part(picture), sha256="11", phash=2**64 - 1, direction=3)
    assert status == "rejected"


def test_what_was_refused_is_no_obstacle(market: Market, picture: Image.Image) -> None:
    first, _ = market.publish(picture, sha256="12")
    with market.database.transaction() as connection:
        connection.execute("UPDATE images SET status = 'rejected' WHERE id = %s", (first,))
        duplicates.forget(connection, first)
    market.listed = [(first, 0.99)]
    assert market.publish(picture, sha256="13")[1] == "approved"


def test_of_two_lookalikes_on_their_way_the_first_to_be_published_is_the_earlier(
    market: Market, picture: Image.Image
) -> None:
    """Were the other held because of the one that it then refuses, neither would be for sale."""
    slow = an_image(market.database, market.contributor, object_version="v1")
    with market.database.transaction() as connection:
        duplicates.claim(connection, slow, fingerprints.Fingerprint(b"t" * 32, 0xABCD))
    quick, status = market.publish(picture, sha256="14", phash=0xABCD, direction=4)
    assert (status, market.evidence(quick)) == ("approved", [])
    assert market.publish(picture, sha256="15", phash=0xABCE, direction=5, image=slow) == (slow, "rejected")
    assert [(row["other_id"], row["verdict"]) for row in market.evidence(slow)] == [(quick, "certain")]


def test_of_two_lookalikes_published_in_the_same_moment_the_second_sees_the_first(
    market: Market, picture: Image.Image
) -> None:
    twins: list[tuple[UUID, str]] = []

    def while_the_other_is_compared() -> None:
        twins.append(market.publish(picture, sha256="16", phash=0xABCD, direction=6))

    second, status = market.publish(
        picture, sha256="17", phash=0xABCD, direction=7, compared=while_the_other_is_compared
    )
    ((first, first_status),) = twins
    assert (first_status, status) == ("approved", "rejected")
    assert [(row["other_id"], row["verdict"]) for row in market.evidence(second)] == [(first, "certain")]


@pytest.mark.parametrize(
    ("comparison", "distance", "differ", "verdict"),
    [
        (Comparison(120, 1.0, 90), None, False, Verdict.CERTAIN),
        (Comparison(120, 1.0, 90), 0, True, Verdict.PROBABLE),
        (Comparison(120, 0.9, 90), 0, False, Verdict.PROBABLE),
        (Comparison(24, 1.0, 90), None, False, Verdict.PROBABLE),
        (Comparison(120, 1.0, 19), None, False, Verdict.PROBABLE),
        (Comparison(9, 1.0, 90), None, False, None),
        (Comparison(9, 1.0, 90), 5, False, None),
        (Comparison(9, 1.0, 90), 4, False, Verdict.PROBABLE),
        (None, 4, False, Verdict.PROBABLE),
        (None, 5, False, None),
        (None, None, False, None),
    ],
)
def test_what_likeness_amounts_to(
    comparison: Comparison | None, distance: int | None, differ: bool, verdict: Verdict | None
) -> None:
    assert judge(comparison, distance, exposures_differ=differ) is verdict


def test_nothing_is_fetched_for_a_picture_that_is_like_no_live_one(market: Market, database: Database) -> None:
    gone = an_image(database, market.contributor, status="rejected")
    for lookalikes in ((), (Lookalike(gone, 0),)):
        finder = NearDuplicateDetector(
            database=database, renditions=MemoryObjectStore(), nearest=lambda *_: [(gone, 0.6)]
        )
        subject = Subject(
            image_id=an_image(database, market.contributor),
            thumbnail="not there",
            lookalikes=lookalikes,
            embedding=[0.0] * 767 + [1.0],
            model_version="nobody's",
            taken_at=None,
        )
        assert finder.find(subject) == Findings([], frozenset())
