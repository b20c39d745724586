"""`imagemarket verify` on the images of a quiet history: whatever is broken is found, and mended where it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from imagemarket.catalog.takedowns import Takedowns
from imagemarket.ingestion.models import ENDED_TAG
from imagemarket.ingestion.saga import forget_deleted
from imagemarket.operations.consistency import ConsistencyCheck, Difference
from imagemarket.platform.cdn import NoCdn
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.indexing.reindex import IndexMaintenance
from tests.simulation.world import Picture, Process, Services, World, check, simulated_engines

pytestmark = pytest.mark.engines


class Quiet:
    """A settled world without faults: an approved image, one in review, one that was rejected."""

    def __init__(self, truth: Database) -> None:
        self.world = World(1, truth)
        self.world.quieten()
        contributor = self.world.open()
        for kind in ("good", "daring", "broken"):
            self.world.upload(contributor, kind, f"{kind} of {contributor}", after=0)
        self.settle()
        self.approved, self.in_review, self.rejected = self.world.pictures

    def settle(self) -> None:
        self.world.scheduler.spawn(lambda: None, after=60)
        self.world.run_until_settled()

    def verify(self, *, repair: bool = False, checksums: bool = True) -> list[Difference]:
        services = Services(Process(self.world, 1e9))
        services.database.role = DatabaseRole.OPERATOR
        search = PostgresSearch(services.database)
        verification = ConsistencyCheck(
            database=services.database,
            originals=services.originals,
            work=services.work,
            renditions=services.renditions,
            documents=IndexMaintenance(services.database, {"postgres": search}),
            compensation=services.compensation,
            takedowns=Takedowns(
                database=services.database,
                originals=services.originals,
                renditions=services.renditions,
                cdn=NoCdn(),
                relay=services.relay,
                forget=forget_deleted,
            ),
            executions=services.executions,
        )
        ours = {picture.image_id for picture in self.world.pictures}
        found = list(verification.run(repair=repair, checksums=checksums))
        known = {row["id"] for row in self.world.truth.fetch_all("SELECT id FROM images")}
        return [each for each in found if each.image_id in ours or each.image_id not in known]

    def sql(self, statement: str, picture: Picture) -> None:
        with self.world.truth.transaction() as connection:
            connection.execute(statement, (picture.image_id,))  # pyright: ignore[reportArgumentType, reportCallIssue]

    def key(self, picture: Picture, folder: str) -> str:
        stores = [*self.world.renditions.versions, *self.world.originals.versions, *self.world.work.versions]
        return next(key for key in stores if key.startswith(f"{folder}/") and str(picture.image_id) in key)


@pytest.fixture
def quiet(truth: Database) -> Iterator[Quiet]:
    with simulated_engines():
        found = Quiet(truth)
        yield found
        found.world.close()


def test_what_is_as_it_should_be_is_passed_over(quiet: Quiet) -> None:
    check(quiet.world)
    assert quiet.verify() == []
    assert quiet.verify(checksums=False) == []


def _lose_a_thumbnail(quiet: Quiet) -> None:
    quiet.world.renditions.delete([quiet.key(quiet.approved, "thumbnails")])


def _spoil_the_preview(quiet: Quiet) -> None:
    key = quiet.key(quiet.approved, "watermarked")
    (version, data, kind) = quiet.world.renditions.versions[key][-1]
    quiet.world.renditions.versions[key] = [(version, b"x" * len(data), kind)]


def _lose_the_vector(quiet: Quiet) -> None:
    quiet.sql("DELETE FROM image_embeddings WHERE image_id = %s", quiet.approved)


def _lose_the_fingerprint(quiet: Quiet) -> None:
    quiet.sql("DELETE FROM image_fingerprints WHERE image_id = %s", quiet.approved)


def _lose_the_document(quiet: Quiet) -> None:
    quiet.sql("DELETE FROM search_documents WHERE image_id = %s", quiet.approved)


def _restore_an_older_row(quiet: Quiet) -> None:
    quiet.sql("UPDATE search_documents SET version = version + 5 WHERE image_id = %s", quiet.approved)


def _spoil_the_words(quiet: Quiet) -> None:
    quiet.sql("UPDATE search_documents SET words = 'zzz' WHERE image_id = %s", quiet.approved)


def _leave_an_orphan(quiet: Quiet) -> None:
    key = f"thumbnails/{quiet.rejected.image_id}/150-0123456789abcdef.webp"
    quiet.world.renditions.put(key, b"", content_type="image/webp")


def _post_again(quiet: Quiet) -> None:
    quiet.world.originals.put(quiet.approved.key, b"posted again, its event lost", content_type="image/jpeg")


def _delete_by_mistake(quiet: Quiet) -> None:
    quiet.world.originals.mark_deleted(quiet.in_review.key)


def _leave_an_older_version(quiet: Quiet) -> None:
    versions = quiet.world.originals.versions[quiet.rejected.key]
    versions.insert(0, ("v0", b"never looked at", "image/jpeg"))


def _leave_bytes_that_nobody_waits_for(quiet: Quiet) -> None:
    contributor, image = quiet.approved.contributor_id, new_id()
    quiet.world.originals.put(f"originals/{contributor}/{image}.jpg", b"late", content_type="image/jpeg")
    quiet.world.originals.put(f"originals/{contributor}/{image}.jpg", b"later", content_type="image/jpeg")


def _leave_the_mark_of_the_dead(quiet: Quiet) -> None:
    version = quiet.world.originals.head(quiet.approved.key).version_id
    quiet.world.originals.tag(quiet.approved.key, ENDED_TAG, version_id=version)


BREAKAGES: dict[str, Callable[[Quiet], None]] = {
    "rendition: lost": _lose_a_thumbnail,
    "rendition: spoilt": _spoil_the_preview,
    "vector": _lose_the_vector,
    "fingerprint": _lose_the_fingerprint,
    "document: lost": _lose_the_document,
    "document: ahead": _restore_an_older_row,
    "document: spoilt": _spoil_the_words,
    "orphan": _leave_an_orphan,
    "orphan: original": _leave_bytes_that_nobody_waits_for,
    "version: posted again": _post_again,
    "version: marker": _delete_by_mistake,
    "version: older": _leave_an_older_version,
    "mark": _leave_the_mark_of_the_dead,
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_what_is_broken_is_found_and_mended(quiet: Quiet, what: str) -> None:
    BREAKAGES[what](quiet)
    found = quiet.verify()
    assert what.split(":")[0] in {each.kind for each in found}
    assert {each.mended for each in found} == {None}, "nothing is touched unless it is asked for"
    assert all(each.mended for each in quiet.verify(repair=True))
    quiet.settle()
    assert quiet.verify() == []
    check(quiet.world)


def test_an_original_that_is_lost_cannot_be_made_again(quiet: Quiet) -> None:
    quiet.world.originals.delete([quiet.approved.key])
    _lose_a_thumbnail(quiet)
    found = quiet.verify(repair=True)
    assert {(each.kind, each.mended) for each in found} == {("original", False), ("rendition", False)}


def test_an_original_that_is_not_what_was_sent_is_told(quiet: Quiet) -> None:
    (version, data, kind) = quiet.world.originals.versions[quiet.approved.key][-1]
    quiet.world.originals.versions[quiet.approved.key] = [(version, data[:-1] + b"?", kind)]
    assert [each.kind for each in quiet.verify()] == ["original"]
    assert quiet.verify(checksums=False) == [], "it is there, and was not read"
