"""`Idempotency-Key`: once is once, whatever happens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from imagemarket.platform.clock import ManualClock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import IdempotencyInFlight, IdempotencyKeyReused, InvalidRequest
from imagemarket.platform.idempotency import IdempotencyKeys
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def account(database: Database) -> UUID:
    return a_contributor(database)


def run(keys: IdempotencyKeys, account: UUID, work: Any, *, key: str | None = "k", body: int = 1) -> dict[str, Any]:
    return keys.run(account_id=account, operation="upload", key=key, request={"body": body}, work=work)


def test_the_same_key_and_body_get_the_same_answer(database: Database, clock: ManualClock, account: UUID) -> None:
    keys = IdempotencyKeys(database, clock)
    answers = iter(range(10))
    assert [run(keys, account, lambda _: {"n": next(answers)}) for _ in range(3)] == [{"n": 0}] * 3
    assert run(keys, account, lambda _: {"n": next(answers)}, key="other") == {"n": 1}
    assert run(keys, account, lambda _: {"n": next(answers)}, key=None) == {"n": 2}


def test_another_body_is_refused_and_another_account_is_apart(
    database: Database, clock: ManualClock, account: UUID
) -> None:
    keys = IdempotencyKeys(database, clock)
    run(keys, account, lambda _: {"n": 1})
    with pytest.raises(IdempotencyKeyReused):
        run(keys, account, lambda _: {"n": 2}, body=2)
    assert run(keys, a_contributor(database), lambda _: {"n": 3}, body=2) == {"n": 3}


def test_work_and_answer_exist_together_or_not_at_all(database: Database, clock: ManualClock, account: UUID) -> None:
    keys = IdempotencyKeys(database, clock)

    def half(connection: Any) -> dict[str, Any]:
        connection.execute("UPDATE users SET display_name = 'changed' WHERE id = %s", (account,))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        run(keys, account, half)
    row = database.fetch_one("SELECT display_name FROM users WHERE id = %s", (account,))
    assert row == {"display_name": "Ada"}
    assert run(keys, account, lambda _: {"n": 1}) == {"n": 1}


def test_of_requests_side_by_side_one_works_and_the_others_are_told(
    database: Database, clock: ManualClock, account: UUID
) -> None:
    keys = IdempotencyKeys(database, clock)
    entered, leave = Event(), Event()

    def slow(_: Any) -> dict[str, Any]:
        entered.set()
        assert leave.wait(10)
        return {"n": 1}

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run, keys, account, slow)
        assert entered.wait(10)
        with pytest.raises(IdempotencyInFlight):
            run(keys, account, lambda _: {"n": 2})
        leave.set()
        assert first.result() == {"n": 1}
    assert run(keys, account, lambda _: {"n": 3}) == {"n": 1}


def test_a_claim_of_a_dead_process_is_taken_over(database: Database, clock: ManualClock, account: UUID) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO idempotency_keys VALUES (%s, 'upload', 'k', sha256('{\"body\": 1}'::bytea), NULL, %s, %s)",
            (account, clock.now(), clock.now() + timedelta(hours=24)),
        )
    keys = IdempotencyKeys(database, clock)
    with pytest.raises(IdempotencyInFlight):
        run(keys, account, lambda _: {"n": 1})
    clock.advance(timedelta(seconds=31))
    assert run(keys, account, lambda _: {"n": 1}) == {"n": 1}


def test_a_key_is_forgotten_after_a_day(database: Database, clock: ManualClock, account: UUID) -> None:
    keys = IdempotencyKeys(database, clock)
    run(keys, account, lambda _: {"n": 1})
    clock.advance(timedelta(hours=25))
    assert run(keys, account, lambda _: {"n": 2}, body=2) == {"n": 2}


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\n"])
def test_a_key_of_another_form_is_refused(database: Database, clock: ManualClock, account: UUID, key: str) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        run(IdempotencyKeys(database, clock), account, lambda _: {}, key=key)


def test_images_land_in_the_partition_of_their_month(database: Database, account: UUID) -> None:
    with database.transaction() as connection:
        connection.execute("SELECT ensure_image_partitions((now() AT TIME ZONE 'UTC')::date, 2)")
    image = an_image(database, account)
    row = database.fetch_one(
        "SELECT tableoid::regclass::text AS name, to_char(now(), '\"images_\"YYYY_MM') AS expected FROM images"
        " WHERE id = %s",
        (image,),
    )
    assert row is not None
    assert row["name"] == row["expected"]
