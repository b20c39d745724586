"""What one account may announce: so many uploads open at a time, so many bytes a day."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from imagemarket.ingestion.errors import TooManyOpenUploads, UploadAllowanceUsed
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.platform.database import Connection

GIB = 1024**3


@dataclass(frozen=True)
class UploadAllowance:
    """`open_uploads` are announced and have not arrived; `gib_a_day` are announced in one day of UTC, whatever became
    of them."""

    open_uploads: int = 1000
    gib_a_day: int = 200

    def take(self, connection: Connection, account_id: UUID, size_bytes: int) -> None:
        """Counts one more upload of `size_bytes` in the caller's transaction, which opens it. The account's other
        announcements wait until that has ended, so that no two find the same place free.

        Raises `TooManyOpenUploads` and `UploadAllowanceUsed`.
        """
        announced_bytes, seconds_left = repository.count_announced(connection, account_id, size_bytes)
        if announced_bytes > self.gib_a_day * GIB:
            left = max(0, self.gib_a_day * GIB - (announced_bytes - size_bytes))
            seconds = max(1, seconds_left)
            raise UploadAllowanceUsed(
                f"An account may announce {self.gib_a_day:,} GiB a day (UTC), and {left:,} bytes of that are left; try"
                f" again in {seconds} seconds.",
                retry_after=seconds,
            )
        if repository.open_uploads(connection, account_id) >= self.open_uploads:
            raise TooManyOpenUploads(
                f"An account may have {self.open_uploads:,} uploads open; send the bytes of some, or give some up with"
                " DELETE /v1/images/{id}/upload."
            )
