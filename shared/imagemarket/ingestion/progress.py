"""How an image fares on its way into the catalogue, told at once or when it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.models import ImageStatus
from imagemarket.ingestion import review
from imagemarket.ingestion.models import ImageProgress, Rejection, Step, StepProgress, Suggestions
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.platform.database import Database, Row
from imagemarket.platform.leases import Leases

LONGEST_WAIT_SECONDS = 20
"""How long a request for progress is held, from when the gateway took it: the gateway gives up after 29 seconds, and a
held request occupies a function and its memory."""
WAITS_OF_AN_ACCOUNT = 2
"""How many requests are held at once for one account; the function runs for a few at a time."""
ASK_AGAIN_SECONDS = 2
_LOOK_EVERY_SECONDS = 0.5
_LEASE_SECONDS = LONGEST_WAIT_SECONDS + 10


@dataclass(frozen=True)
class Answer:
    """How an image fares, and how long its asker shall leave before asking again."""

    progress: ImageProgress
    retry_after: int | None = None
    """Seconds, where the asker wanted to wait and could not; None where there is no need to."""


class ProgressOfImages:
    """What contributors are told of images that are on their way."""

    def __init__(self, *, database: Database, waits: Leases, waits_of_all: Leases) -> None:
        """`waits` are counted by account; `waits_of_all` together, fewer than the function may run at a time, so that
        those who do not wait are always answered."""
        self._database = database
        self._waits = waits
        self._waits_of_all = waits_of_all

    def of(self, image_id: UUID, *, contributor_id: UUID | None) -> ImageProgress:
        """How an image fares: for its contributor, or for anyone when `contributor_id` is None.

        Raises `ImageNotFound`, also for another contributor's image.
        """
        row = repository.progress(self._database, image_id, contributor_id=contributor_id)
        if row is None:
            raise ImageNotFound("None of your images has this id.")
        rejection = None
        if row["rejection"] and row["status"] != ImageStatus.PROCESSING:
            rejection = Rejection.model_validate(row["rejection"])
            if contributor_id is not None and row["earlier_contributor_id"] != contributor_id:
                rejection.duplicate_of = None
        status = ImageStatus(row["status"])
        held = status is ImageStatus.PENDING_REVIEW
        return ImageProgress(
            image_id=row["id"],
            status=status,
            title=row["title"],
            steps=_steps(row),
            rejection=rejection,
            suggestions=Suggestions.model_validate(row["suggestions"])
            if row["suggestions"] and contributor_id
            else None,
            review=review.reasons(self._database, image_id) if held else [],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    def wait(
        self,
        image_id: UUID,
        *,
        contributor_id: UUID | None,
        account_id: UUID,
        seconds: int,
        waited: float = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Answer:
        """The progress as soon as processing has ended, or after `seconds` (`LONGEST_WAIT_SECONDS` at most), of which
        the request has `waited` some before it came here.

        At once before the bytes have arrived, which may never happen, and when `account_id` waits
        `WAITS_OF_AN_ACCOUNT` times already, or all accounts together as often as may be. Raises `ImageNotFound`.
        """
        found = self.of(image_id, contributor_id=contributor_id)
        if seconds <= 0 or found.status is not ImageStatus.PROCESSING:
            return Answer(found)
        if not _has_arrived(found):
            return Answer(found, ASK_AGAIN_SECONDS)
        deadline = time.monotonic() + min(seconds, LONGEST_WAIT_SECONDS) - waited
        with (
            self._waits.taken(str(account_id), seconds=_LEASE_SECONDS) as of_the_account,
            self._waits_of_all.taken("all", seconds=_LEASE_SECONDS) as of_all,
        ):
            if not (of_the_account and of_all):
                return Answer(found, ASK_AGAIN_SECONDS)
            while found.status is ImageStatus.PROCESSING and _has_arrived(found):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                sleep(min(_LOOK_EVERY_SECONDS, left))
                found = self.of(image_id, contributor_id=contributor_id)
        return Answer(found)


def _has_arrived(progress: ImageProgress) -> bool:
    return progress.steps[0].status == "succeeded"


def _steps(row: Row) -> list[StepProgress]:
    recorded: dict[str, dict[str, Any]] = {record["step"]: record for record in row["steps"] or []}
    arrived: Literal["pending", "succeeded"] = "pending" if row["object_version"] is None else "succeeded"
    steps = [StepProgress(step="upload", status=arrived, started_at=row["created_at"])]
    for step in Step:
        record = recorded.get(step.value)
        steps.append(
            StepProgress(
                step=step.value,
                status=record["status"],
                started_at=record["started_at"],
                finished_at=record["finished_at"],
            )
            if record
            else StepProgress(step=step.value, status="pending")
        )
    return steps
