"""What is asked and answered about favourites."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

MAX_FAVOURITES = 10_000
"""Of one account; more would be a catalogue of its own."""


class FavouritesQuery(BaseModel):
    """Which part of the list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: UUID | None = Field(default=None, description="`next_cursor` of the page before.")
    limit: int = Field(default=50, ge=1, le=100, description="How many at most.")


class FavouriteView(BaseModel):
    """An image of the list."""

    image_id: UUID
    title: str
    preview_url: str = Field(description="The watermarked 1000 px preview, a JPEG.")
    favourited_at: datetime


class FavouritePage(BaseModel):
    """A part of the list."""

    items: list[FavouriteView]
    next_cursor: UUID | None = Field(description="Where the next page begins; null on the last.")
