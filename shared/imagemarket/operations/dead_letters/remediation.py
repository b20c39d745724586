"""Sends again by itself what died of something that passes, slowly, and gives up after two times."""

from __future__ import annotations

from datetime import timedelta

from imagemarket.operations.dead_letters.models import UNRECORDED, Choice
from imagemarket.operations.dead_letters.service import DeadLetters
from imagemarket.platform.errors import error_classes
from imagemarket.platform.telemetry import count, logger

REMEDIATION = "remediation"
"""Who replayed a message, in the journal and in `imagemarket dlq list`."""
MOST_REPLAYS = 2
WAIT = timedelta(minutes=15)
"""A message is left alone for this long after it was sent, so that what broke has time to recover."""
AT_ONCE = 50
"""Messages of one run; with one run each ten minutes, 300 an hour."""
PER_SECOND = 2.0

TRANSIENT = frozenset(
    {
        # our own errors that say a retry can help
        *(error.__name__ for error in error_classes() if error.retryable),
        # the consumer ended by its limit of time or memory, or had no database to write a reason into
        UNRECORDED,
        # a client's or the driver's words for a connection that broke or a service that was busy
        *("ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError", "ConnectionClosedError"),
        *("OperationalError", "PoolTimeout", "DeadlockDetected", "SerializationFailure"),
        # EventBridge could not reach the queue
        *("THROTTLING", "TIMEOUT", "SDK_CLIENT_ERROR"),
    }
)


class Remediation:
    """One run of the schedule."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    def run(self) -> dict[str, int]:
        """How many messages were `replayed`, `finished` after an interruption, `refused` because two replays did
        not help, and `failed` to be sent. Scheduled jobs are left alone: the next run does their work."""
        counts: dict[str, int] = dict.fromkeys(("replayed", "finished", "refused", "failed"), 0)
        dead = 0
        for queue in self._dead_letters.queues():
            dead += queue.waiting
            if queue.source_url is None:
                continue
            report = self._dead_letters.replay(
                Choice(queue=queue.name, errors=TRANSIENT, older_than=WAIT),
                replayed_by=REMEDIATION,
                limit=AT_ONCE - counts["replayed"],
                rate=PER_SECOND,
                most_replays=MOST_REPLAYS,
            )
            for line in report.lines:
                counts[line.outcome] += 1
                if line.outcome == "refused":
                    logger.info("left for people", message_id=line.message_id, cause=line.error, reason=line.reason)
        for outcome, number in counts.items():
            if number:
                count(f"DeadLetters.{outcome}", number)
        return counts | {"dead": dead}
