"""What is known of a message beyond what its queue carries: why it failed, and whether a replay of it has been done.

SQS moves a message that failed too often to its dead letters without a word about the reason, so consumers write
it down. And SQS delivers at least once, so a replay carries a token that its consumer ticks off.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from imagemarket.platform.database import Database
from imagemarket.platform.errors import MarketError

REPLAY_TOKEN = "ReplayToken"  # noqa: S105 - an attribute's name
"""Message attribute of a replay: one token for one dead message, however often it had to be sent."""
ORIGINAL_MESSAGE_ID = "OriginalMessageId"
"""Message attribute of a replay and of an imported message: the id under which it was first known."""

_DETAIL_CHARACTERS = 1000


@dataclass(frozen=True)
class Failure:
    """One failed delivery. `message_id` is SQS's id of the message, or the request id of an asynchronous call."""

    message_id: str
    function: str
    error: str
    detail: str
    receives: int
    request_id: str | None

    @classmethod
    def of(cls, error: Exception, *, message_id: str, function: str, receives: int, request_id: str | None) -> Failure:
        """The failure that an exception stands for."""
        detail = error.detail if isinstance(error, MarketError) else str(error)
        return cls(
            message_id=message_id,
            function=function,
            error=type(error).__name__,
            detail=detail.replace("\0", "")[:_DETAIL_CHARACTERS],
            receives=receives,
            request_id=request_id,
        )


class FailureLog:
    """Failures by message, and replays that their consumer has dealt with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def failed(self, failure: Failure) -> None:
        """Writes down the newest failure of a message."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO message_failures AS f (message_id, function, error, detail, receives, request_id)"
                " VALUES (%(message_id)s, %(function)s, %(error)s, %(detail)s, %(receives)s, %(request_id)s)"
                " ON CONFLICT (message_id) DO UPDATE SET function = excluded.function, error = excluded.error,"
                " detail = excluded.detail, receives = excluded.receives, request_id = excluded.request_id,"
                " last_at = now()",
                vars(failure),
            )

    def is_done(self, token: str) -> bool:
        """Whether the replay with this token was dealt with before: what comes now is its double."""
        row = self._database.fetch_one(
            "SELECT completed_at IS NOT NULL AS done FROM message_replays WHERE token = %s", (UUID(token),)
        )
        return row is not None and row["done"]

    def done(self, token: str) -> None:
        """Ticks off a replay."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE message_replays SET completed_at = coalesce(completed_at, now()) WHERE token = %s",
                (UUID(token),),
            )
