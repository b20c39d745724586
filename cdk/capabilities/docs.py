"""The API on itself: its health, its OpenAPI document, the page made from it."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load


class Docs(Capability):
    group = "edge"

    def make(self) -> None:
        self.function(
            "docs_api",
            "health, the OpenAPI document, the docs page",
            seconds=HTTP_SECONDS,
            load=Load.INTERACTIVE,
            uses=[layer("api", "pages"), setting(public_base_url=self.stage.edge.public_base_url)],
        )
