"""Finding pictures by a picture."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.catalog.keys import Folder
from imagemarket.platform.roles import DatabaseRole


class ImageSearch(Capability):
    group = "search"

    def make(self) -> None:
        market, edge = self.market, self.stage.edge
        self.function(
            "image_search_api",
            "search by image",
            seconds=HTTP_SECONDS,
            memory_mb=1769,
            load=Load.INTERACTIVE,
            uses=[
                layer("api", "imaging", "search"),
                setting(public_base_url=edge.public_base_url, media_base_url=edge.media_base_url),
                market.database.connect(DatabaseRole.READER),
                market.search.by_words_and_meaning(),
                market.valkey.cache(),
                market.valkey.counters(),
                market.models.analyse(),
                # a presigned form may do what its signer may
                market.work.allow(Folder.QUERIES, "PutObject", "GetObject", "DeleteObject"),
                market.work.list(Folder.QUERIES),
            ],
        )
