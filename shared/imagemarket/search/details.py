"""What the public may know of one image."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from imagemarket.catalog.absence import absence
from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.imaging.hashes import colour_names
from imagemarket.imaging.models import PaletteColour
from imagemarket.platform.database import Database
from imagemarket.platform.errors import NotFound
from imagemarket.search.repository import images as repository
from imagemarket.search.result import ContributorView, RenditionView


class TagView(BaseModel):
    """What is in a picture, and how sure that is (1 when a person said it)."""

    tag: str
    confidence: float
    source: Literal["ai", "contributor", "moderator"]


class PaletteView(BaseModel):
    """A dominant colour and the share of the picture it covers, in percent."""

    hex: str
    percentage: float


class TechnicalView(BaseModel):
    """How a picture was taken; nothing that tells who took it or where."""

    camera: str | None = None
    lens: str | None = None
    iso: int | None = None
    exposure: str | None = Field(default=None, description="Seconds, such as `1/250`.")
    aperture: float | None = Field(default=None, description="f-number.")
    focal_length_mm: float | None = None
    taken_at: datetime | None = Field(
        default=None,
        description="As the camera's clock had it; without a time zone where the file does not say it.",
    )
    decoded_from: Literal["embedded preview"] | None = Field(
        default=None,
        description="Set where a RAW file could not be developed: the renditions show the camera's own small JPEG.",
    )


class ImageDetail(BaseModel):
    """Everything the public may know of an approved image."""

    id: UUID
    title: str
    description: str
    contributor: ContributorView
    image_type: ImageType
    license_types: list[LicenseType]
    categories: list[str]
    tags: list[TagView]
    orientation: str
    width: int
    height: int
    format: str = Field(description="Format of the original.")
    file_size_bytes: int
    people: bool | None
    palette: list[PaletteView]
    colors: list[str]
    technical: TechnicalView
    thumbhash: str | None
    renditions: list[RenditionView]
    preview_url: str
    published_at: datetime


class ImageDetails:
    """Reads the public face of an image from the truth."""

    def __init__(self, *, database: Database, media_base_url: str, public_base_url: str) -> None:
        self._database = database
        self._media_base_url = media_base_url
        self._public_base_url = public_base_url

    def detail(self, image_id: UUID) -> ImageDetail:
        """Raises `ImageNotFound` unless the image is approved, `ImageGone` when it was taken down or deleted."""
        row = repository.public_face(self._database, image_id)
        if row is None:
            raise absence(self._database, image_id)
        contributor = ContributorView(id=row.pop("contributor_id"), name=row.pop("contributor_name"))
        technical = TechnicalView.model_validate(row.pop("technical"))
        renditions = [
            RenditionView(url=f"{self._media_base_url}/{each.pop('key')}", **each) for each in row.pop("renditions")
        ]
        return ImageDetail.model_validate(
            {
                **row,
                "colors": colour_names(tuple(PaletteColour(**colour) for colour in row["palette"])),
                "contributor": contributor,
                "technical": technical,
                "renditions": renditions,
                "preview_url": f"{self._public_base_url}/v1/images/{image_id}/preview",
            }
        )

    def absence(self, image_id: UUID) -> NotFound:
        """Why an image that nothing was found of is not shown."""
        return absence(self._database, image_id)
