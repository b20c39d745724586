"""What the functions of `cdk/capabilities/favourites.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting, consuming

EXPECTED: dict[str, Grants] = {
    "favourites_api": connecting(DatabaseRole.BUYER),
    "feed_popularity": connecting(DatabaseRole.INDEXER) | consuming("Favourites"),
}
