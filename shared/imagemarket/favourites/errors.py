"""The errors of favourites."""

from __future__ import annotations

from imagemarket.platform.errors import Conflict


class TooManyFavourites(Conflict):
    """An account has as many favourites as one may have."""

    slug, title, status = "too-many-favourites", "The account has as many favourites as one may have", 409
