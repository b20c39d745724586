"""Uploads and the saga."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class IngestionSettings(RoomSettings):
    """Uploads and the saga."""

    requests_held: int = 4
    """How many requests for an upload's progress are held at once, of all accounts together."""
    open_uploads: int = 1000
    """How many uploads of one account may be announced and not have arrived."""
    announced_gib_a_day: int = 200
    """How many GiB one account may announce in a day of UTC."""
    state_machine_arn: str = UNSET
    """The `ingest_image` state machine."""
    stalled_after_seconds: int = 1500
    """How long nothing may be heard of an execution that runs before it counts as dead."""
