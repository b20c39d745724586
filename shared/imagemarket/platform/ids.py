"""Identifiers: UUIDv7, so that a key carries its time and rows land in time order (RFC 9562, 5.7)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID


def new_id() -> UUID:
    """A new UUIDv7."""
    import uuid_utils

    return UUID(int=uuid_utils.uuid7().int)


def created_at(identifier: UUID) -> datetime:
    """The time (UTC, millisecond resolution) that a UUIDv7 carries in its first 48 bits."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)
