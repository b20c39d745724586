"""`Idempotency-Key` for requests that create or charge.

The first request with a key claims it, and completes it in the very transaction that does the work,
so work and answer exist together or not at all. The same key and body afterwards gets the same
answer, another body is refused, and a second request while the first is under way is told so.

By hand, since Powertools keeps its records in DynamoDB or in a cache, outside that transaction: a process that died
between the two would have done the work and remember nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import IdempotencyInFlight, IdempotencyKeyReused, InvalidRequest

if TYPE_CHECKING:
    from psycopg import Connection

_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
"""No comma, by which gateways join a header that came twice."""
_IN_FLIGHT_FOR = timedelta(seconds=30)
"""A claim older than this belongs to a process that died; the next request takes it over."""
_KEPT_FOR = timedelta(hours=24)

Answer = dict[str, Any]


class IdempotencyKeys:
    """Runs work once per (account, operation, key)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def run(
        self,
        *,
        account_id: UUID,
        operation: str,
        key: str | None,
        request: Mapping[str, Any],
        work: Callable[[Connection[Any]], Answer],
    ) -> Answer:
        """The answer of `work`, done now or remembered.

        `work` gets the connection of the transaction that will hold its answer (JSON). Raises
        `IdempotencyKeyReused`, `IdempotencyInFlight`, or what `work` raises (the key is then free).
        """
        if key is None:
            with self._database.transaction() as connection:
                return work(connection)
        if not _KEY.fullmatch(key):
            detail = "takes 1 to 255 visible ASCII characters but no comma"
            if "," in key:
                detail = f"is given more than once, or holds a comma; {detail}"
            limit = {"min_characters": 1, "max_characters": 255, "pattern": "^[!-+.-~-]+$"}
            told = {"in": "header", "field": "Idempotency-Key", "detail": detail, "limit": limit}
            raise InvalidRequest(f"Idempotency-Key: {detail}.", errors=[told])
        digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).digest()
        where = (account_id, operation, key)
        remembered = self._claim(where, digest)
        if remembered is not None:
            return remembered
        try:
            with self._database.transaction() as connection:
                answer = work(connection)
                from psycopg.types.json import Jsonb

                connection.execute(
                    "UPDATE idempotency_keys SET answer = %s WHERE account_id = %s AND operation = %s AND key = %s",
                    (Jsonb(answer), *where),
                )
                return answer
        except BaseException:
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM idempotency_keys"
                    " WHERE account_id = %s AND operation = %s AND key = %s AND answer IS NULL",
                    where,
                )
            raise

    def _claim(self, where: tuple[UUID, str, str], digest: bytes) -> Answer | None:
        now = self._clock.now()
        with self._database.transaction() as connection:
            claimed = connection.execute(
                "INSERT INTO idempotency_keys AS k"
                " (account_id, operation, key, request_sha256, claimed_at, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (account_id, operation, key) DO UPDATE"
                "   SET request_sha256 = excluded.request_sha256, claimed_at = excluded.claimed_at,"
                "       expires_at = excluded.expires_at, answer = NULL"
                "   WHERE k.expires_at < excluded.claimed_at"
                "      OR (k.answer IS NULL AND k.claimed_at < %s AND k.request_sha256 = excluded.request_sha256)"
                " RETURNING key",
                (*where, digest, now, now + _KEPT_FOR, now - _IN_FLIGHT_FOR),
            ).fetchone()
            if claimed is not None:
                return None
            row = connection.execute(
                "SELECT request_sha256, answer FROM idempotency_keys"
                " WHERE account_id = %s AND operation = %s AND key = %s",
                where,
            ).fetchone()
        if row is None:
            raise IdempotencyInFlight("The first request with this Idempotency-Key has just ended; send it again.")
        if bytes(row["request_sha256"]) != digest:
            raise IdempotencyKeyReused(
                "This Idempotency-Key was used with another body; send a new key with a new request."
            )
        if row["answer"] is None:
            raise IdempotencyInFlight(
                "The first request with this Idempotency-Key has not ended; ask again in a few seconds."
            )
        return row["answer"]
