"""Duplicate search in PostgreSQL against a brute-force one, and claims that arrive together."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString, cast
from uuid import UUID

import pytest

from imagemarket.imaging.hashes import orientations
from imagemarket.ingestion import fingerprints
from imagemarket.ingestion.fingerprints import Fingerprint, signed
from imagemarket.ingestion.repository import duplicates
from imagemarket.platform.database import Database
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines


def fingerprint(random_: random.Random, phash: int) -> Fingerprint:
    return Fingerprint(random_.randbytes(32), phash)


def flip(random_: random.Random, phash: int, bits: int) -> int:
    for bit in random_.sample(range(64), bits):
        phash ^= 1 << bit
    return phash


def enter(database: Database, image_id: UUID, entered: Fingerprint) -> fingerprints.Claim:
    with database.transaction() as connection:
        return duplicates.claim(connection, image_id, entered)


def distance(one: int, other: int) -> int:
    """In the likest of the eight ways to lay a picture."""
    return min((one ^ each).bit_count() for each in orientations(other))


def test_agrees_with_a_brute_force_search(database: Database) -> None:
    random_ = random.Random(7)
    contributor = a_contributor(database)
    live: dict[UUID, int] = {}
    with database.transaction() as connection:
        for _ in range(300):
            # Clustered hashes, so that many pairs lie around the limit.
            base = random_.choice([0x123456789ABCDEF0, 2**64 - 1, 0x0F1E2D3C4B5A6978, *live.values()])
            phash = flip(random_, random_.choice(orientations(base)), random_.randint(4, 14))
            image_id = an_image(database, contributor)
            live[image_id] = phash
            connection.execute(
                "INSERT INTO image_fingerprints (image_id, sha256, phash) VALUES (%s, %s, %s)",
                (image_id, random_.randbytes(32), signed(phash)),
            )
    asker = an_image(database, contributor)
    found_some = 0
    for _ in range(150):
        asked = flip(random_, random_.choice(list(live.values())), random_.randint(0, 12))
        near = sorted((distance(phash, asked), image_id) for image_id, phash in live.items())
        expected = [pair for pair in near if pair[0] <= fingerprints.PHASH_MAX_DISTANCE][: fingerprints.MOST_LOOKALIKES]
        with database.transaction() as connection:
            found = duplicates.lookalikes(connection, asker, asked)
        assert [(each.distance, each.image_id) for each in found] == expected
        found_some += bool(expected)
    assert 20 < found_some < 150


def test_the_columns_hold_the_hash_as_each_band_lays_it(database: Database) -> None:
    random_ = random.Random(11)
    contributor = a_contributor(database)
    for phash in [0, 2**64 - 1, *(random_.getrandbits(64) for _ in range(30))]:
        enter(database, an_image(database, contributor), fingerprint(random_, phash))
    rows = database.fetch_all("SELECT * FROM image_fingerprints")
    assert len(rows) == 32
    for row in rows:
        expected = [signed(as_it_is) for as_it_is, _ in fingerprints.canonical_orientations(row["phash"] & 2**64 - 1)]
        assert [row[f"laid_{number}"] for number in range(3)] == expected


def test_the_search_reads_nothing_but_its_indexes(database: Database) -> None:
    random_ = random.Random(13)
    enter(database, an_image(database, a_contributor(database)), fingerprint(random_, 5))
    with database.transaction() as connection:
        for kind in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):  # so few rows are cheaper to read all
            connection.execute(cast("LiteralString", f"SET LOCAL enable_{kind} = off"))
        statement = cast("LiteralString", f"EXPLAIN {duplicates._LOOKALIKES}")
        parameters = {"image": UUID(int=1)} | {f"laid_{number}": [0, 1] for number in range(3)}
        rows = connection.execute(statement, parameters).fetchall()
    plan = " ".join(row["QUERY PLAN"] for row in rows)
    assert all(f"Index Only Scan using idx_fingerprints_laid_{number}" in plan for number in range(3))


def test_the_same_file_is_refused_even_with_another_hash(database: Database) -> None:
    contributor = a_contributor(database)
    first, second = an_image(database, contributor), an_image(database, contributor)
    assert enter(database, first, Fingerprint(b"f" * 32, 0)).same_file is None
    assert enter(database, second, Fingerprint(b"f" * 32, 2**64 - 1)) == fingerprints.Claim(first, ())
    third = an_image(database, contributor)
    assert enter(database, third, Fingerprint(b"e" * 32, 2**64 - 1)).lookalikes == (), "a refused claim leaves nothing"


def test_asking_again_for_the_same_image_finds_nothing(database: Database) -> None:
    image = an_image(database, a_contributor(database))
    for _ in range(3):
        assert enter(database, image, Fingerprint(b"g" * 32, 99)) == fingerprints.Claim(None, ())


def test_of_copies_that_arrive_together_each_sees_those_before_it(database: Database) -> None:
    contributor = a_contributor(database)
    images = [an_image(database, contributor) for _ in range(8)]
    random_ = random.Random(3)
    copies = [fingerprint(random_, flip(random_, 0x123456789ABCDEF0, bits)) for bits in (0, 1, 2, 3, 4, 0, 1, 2)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: enter(database, *pair), zip(images, copies, strict=True)))
    assert sorted(len(claim.lookalikes) for claim in found) == list(range(8))


def test_of_one_file_that_arrives_many_times_exactly_one_lives(database: Database) -> None:
    contributor = a_contributor(database)
    images = [an_image(database, contributor) for _ in range(6)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: enter(database, image, Fingerprint(b"i" * 32, 77)), images))
    winner = images[next(place for place, claim in enumerate(found) if claim.same_file is None)]
    assert [claim.same_file for claim in found].count(None) == 1
    assert {claim.same_file for claim in found} == {None, winner}


def test_a_forgotten_image_is_no_obstacle(database: Database) -> None:
    contributor = a_contributor(database)
    first, second = an_image(database, contributor), an_image(database, contributor)
    enter(database, first, Fingerprint(b"h" * 32, 5))
    with database.transaction() as connection:
        duplicates.forget(connection, first)
    assert enter(database, second, Fingerprint(b"h" * 32, 5)) == fingerprints.Claim(None, ())


def test_evidence_is_kept_once(database: Database) -> None:
    contributor = a_contributor(database)
    first, second = an_image(database, contributor), an_image(database, contributor)
    found = fingerprints.Evidence(
        first,
        fingerprints.FoundBy.EMBEDDING,
        fingerprints.Verdict.PROBABLE,
        cosine=0.9,
        inliers=40,
        agreement=0.7,
        cells=99,
    )
    for _ in range(2):
        with database.transaction() as connection:
            duplicates.keep_evidence(connection, second, [found])
    rows = database.fetch_all("SELECT * FROM duplicate_evidence WHERE image_id = %s", (second,))
    assert [(row["other_id"], row["found_by"], row["inliers"], row["verdict"]) for row in rows] == [
        (first, "embedding", 40, "probable")
    ]
