"""The errors of pictures that are refused."""

from __future__ import annotations

from imagemarket.platform.errors import MarketError


class ImageRejected(MarketError):
    """The picture itself is the reason; trying again with the same bytes cannot help.

    `slug` doubles as the machine code that a contributor reads in the image's status.
    """

    slug, title, status = "image-rejected", "The picture was rejected", 422


class UnsupportedFormat(ImageRejected):
    """The bytes are not of a format on the allow-list."""

    slug, title, status = "unsupported-format", "The file format is not accepted", 422


class UnreadableImage(ImageRejected):
    """The bytes claim a format but do not decode: truncated, corrupt or lying."""

    slug, title, status = "unreadable-image", "The picture cannot be read", 422


class ImageTooLarge(ImageRejected):
    """More pixels, bytes or metadata than the limit; found by arithmetic before decoding."""

    slug, title, status = "image-too-large", "The picture is too large", 422


class ImageTooSmall(ImageRejected):
    """Fewer pixels than a buyer can use."""

    slug, title, status = "image-too-small", "The picture is too small", 422


class ImageTooNarrow(ImageRejected):
    """One side is so much longer than the other that a thumbnail of it shows nothing."""

    slug, title, status = "image-too-narrow", "The picture is too narrow", 422


class ImageNotProcessable(ImageRejected):
    """A library failed on this picture, though its file could be read: a bug of ours, which the log reports. The same
    bytes would fail the same way again."""

    slug, title, status = "image-not-processable", "The picture cannot be processed", 422


DECODE_REFUSALS = (
    UnsupportedFormat,
    UnreadableImage,
    ImageTooLarge,
    ImageTooSmall,
    ImageTooNarrow,
    ImageNotProcessable,
)
"""All that the decode of a picture may refuse it by, wherever one comes from."""
