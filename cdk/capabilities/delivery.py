"""Handing images out: previews for anyone, clean renditions for those with a right."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.catalog.keys import Folder
from imagemarket.platform.roles import DatabaseRole


class Delivery(Capability):
    group = "edge"

    def make(self) -> None:
        market = self.market
        self.function(
            "delivery_api",
            "previews for anyone, clean renditions for those with a right",
            seconds=HTTP_SECONDS,
            load=Load.INTERACTIVE,
            uses=[
                layer("api"),
                setting(media_base_url=self.stage.edge.media_base_url),
                market.database.connect(DatabaseRole.READER),
                market.valkey.counters(),
                market.originals.read(Folder.CLEAN),
            ],
        )
