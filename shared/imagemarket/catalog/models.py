"""What an image may be."""

from __future__ import annotations

from enum import StrEnum


class ImageStatus(StrEnum):
    """Where an image stands. Only `approved` images are ever shown to the public."""

    PROCESSING = "processing"
    APPROVED = "approved"
    REJECTED = "rejected"
    PENDING_REVIEW = "pending_review"
    PROCESSING_FAILED = "processing_failed"
    TAKEN_DOWN = "taken_down"
    """Withdrawn by the staff, with a reason; can be restored."""
    DELETED = "deleted"
    """A tombstone: what licences need is kept, nothing is shown or found again."""


class ImageType(StrEnum):
    """How a picture was made."""

    PHOTO = "photo"
    ILLUSTRATION = "illustration"
    VECTOR = "vector"


class LicenseType(StrEnum):
    """What a buyer may do with it: standard (web and social), enhanced (print and merchandise) or
    editorial (news and comment only)."""

    STANDARD = "standard"
    ENHANCED = "enhanced"
    EDITORIAL = "editorial"
