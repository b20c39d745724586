"""The images that an account keeps a note of."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.favourites.listener import LISTENS_TO
from imagemarket.platform.roles import DatabaseRole


class Favourites(Capability):
    group = "engagement"

    def make(self) -> None:
        market = self.market
        self.function(
            "favourites_api",
            "an account's favourites",
            seconds=HTTP_SECONDS,
            load=Load.INTERACTIVE,
            uses=[
                layer("api"),
                setting(media_base_url=self.stage.edge.media_base_url),
                market.database.connect(DatabaseRole.BUYER),
                market.valkey.counters(),
            ],
        )
        favourites = self.queue("favourites", consumer_seconds=30)
        self.listen(favourites, *LISTENS_TO)
        self.consumer(
            favourites,
            "feed_popularity",
            "counts favourites into the popularity of images",
            uses=[market.database.connect(DatabaseRole.INDEXER)],
        )
