"""Duplicate search in PostgreSQL against a brute-force one, and claims that arrive together."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from imagemarket.ingestion import duplicates
from imagemarket.ingestion.duplicates import Fingerprint, signed
from imagemarket.platform.database import Database
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines


def fingerprint(random_: random.Random, phash: int | None = None) -> Fingerprint:
    return Fingerprint(random_.randbytes(32), random_.getrandbits(64) if phash is None else phash)


def flip(random_: random.Random, phash: int, bits: int) -> int:
    for bit in random_.sample(range(64), bits):
        phash ^= 1 << bit
    return phash


def enter(database: Database, image_id: UUID, entered: Fingerprint) -> duplicates.Match | None:
    with database.transaction() as connection:
        return duplicates.claim(connection, image_id, entered)


def test_agrees_with_a_brute_force_search(database: Database) -> None:
    random_ = random.Random(7)
    contributor = a_contributor(database)
    live: dict[UUID, int] = {}
    with database.transaction() as connection:
        for _ in range(300):
            # Clustered hashes, so that many pairs lie around the limit.
            base = random_.choice([0, 2**64 - 1, 0x0F0F0F0F0F0F0F0F, *live.values()])
            phash = flip(random_, base, random_.randint(4, 14))
            image_id = an_image(database, contributor)
            live[image_id] = phash
            connection.execute(
                "INSERT INTO image_fingerprints (image_id, sha256, phash) VALUES (%s, %s, %s)",
                (image_id, random_.randbytes(32), signed(phash)),
            )
    asker = an_image(database, contributor)
    found_some = 0
    for _ in range(150):
        asked = fingerprint(random_, flip(random_, random_.choice(list(live.values())), random_.randint(0, 12)))
        near = sorted(((p ^ asked.phash).bit_count(), i) for i, p in live.items())
        expected = near[0] if near[0][0] <= duplicates.PHASH_MAX_DISTANCE else None
        with database.transaction() as connection:
            found = duplicates.nearest(connection, asker, asked)
        assert (None if found is None else (found.distance, found.image_id)) == expected
        found_some += expected is not None
    assert 20 < found_some < 150


def test_the_same_file_is_found_even_with_another_hash(database: Database) -> None:
    contributor = a_contributor(database)
    first, second = an_image(database, contributor), an_image(database, contributor)
    assert enter(database, first, Fingerprint(b"f" * 32, 0)) is None
    found = enter(database, second, Fingerprint(b"f" * 32, 2**64 - 1))
    assert found == duplicates.Match(first, 0, same_file=True)


def test_asking_again_for_the_same_image_finds_nothing(database: Database) -> None:
    image = an_image(database, a_contributor(database))
    for _ in range(3):
        assert enter(database, image, Fingerprint(b"g" * 32, 99)) is None


def test_of_copies_that_arrive_together_exactly_one_lives(database: Database) -> None:
    contributor = a_contributor(database)
    images = [an_image(database, contributor) for _ in range(8)]
    random_ = random.Random(3)
    copies = [fingerprint(random_, flip(random_, 0x123456789ABCDEF0, bits)) for bits in (0, 1, 2, 3, 4, 0, 1, 2)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: enter(database, *pair), zip(images, copies, strict=True)))
    assert found.count(None) == 1
    winner = images[found.index(None)]
    assert {match.image_id for match in found if match} == {winner}


def test_a_forgotten_image_is_no_obstacle(database: Database) -> None:
    contributor = a_contributor(database)
    first, second = an_image(database, contributor), an_image(database, contributor)
    enter(database, first, Fingerprint(b"h" * 32, 5))
    with database.transaction() as connection:
        duplicates.forget(connection, first)
    assert enter(database, second, Fingerprint(b"h" * 32, 5)) is None
