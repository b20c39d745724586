"""Announcing uploads, and asking how they fare."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.catalog.keys import Folder
from imagemarket.platform.roles import DatabaseRole


class Uploads(Capability):
    group = "ingestion"

    def make(self) -> None:
        market, stage = self.market, self.stage
        originals = market.originals
        self.function(
            "upload_api",
            "announcing uploads",
            seconds=HTTP_SECONDS,
            memory_mb=1024,
            load=Load.INTERACTIVE,
            uses=[
                layer("api"),
                setting(
                    public_base_url=stage.edge.public_base_url,
                    open_uploads=str(stage.uploads.open_uploads),
                    announced_gib_a_day=str(stage.uploads.announced_gib_a_day),
                ),
                market.database.connect(DatabaseRole.UPLOADER),
                market.valkey.counters(),
                # a presigned form or URL may do what its signer may
                originals.allow(
                    Folder.ORIGINALS, "PutObject", "GetObject", "AbortMultipartUpload", "ListMultipartUploadParts"
                ),
                # a next try finds the version that was kept, and takes its mark off
                originals.allow(Folder.ORIGINALS, "GetObjectVersion"),
                originals.tag(Folder.ORIGINALS),
                originals.list(Folder.ORIGINALS),
                market.executions.start(),
            ],
        )
        self.function(
            "status_api",
            "how uploads fare, for those who ask and those who wait",
            seconds=HTTP_SECONDS,
            load=Load.LONG_POLL,
            uses=[
                layer("api"),
                setting(requests_held=str(stage.uploads.requests_held)),
                market.database.connect(DatabaseRole.UPLOADER),
                market.valkey.counters(),
            ],
        )
