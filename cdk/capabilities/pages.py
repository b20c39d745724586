"""Pages for people and search engines."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.platform.roles import DatabaseRole


class Pages(Capability):
    group = "edge"

    def make(self) -> None:
        market, edge = self.market, self.stage.edge
        self.function(
            "image_pages",
            "the pages of pictures and of terms, for people and search engines",
            seconds=HTTP_SECONDS,
            load=Load.INTERACTIVE,
            uses=[
                layer("api", "pages"),
                setting(public_base_url=edge.public_base_url, media_base_url=edge.media_base_url),
                market.database.connect(DatabaseRole.READER),
                market.valkey.counters(),
            ],
        )
