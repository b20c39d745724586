"""From an original that arrived to an image that is published or refused."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events

from cdk.foundation.capability import Capability
from cdk.foundation.function import MarketFunction
from cdk.foundation.market import Market
from cdk.foundation.saga import Saga
from cdk.foundation.use import Use, layer, setting
from cdk.stages.model import Load
from imagemarket.catalog.keys import Folder
from imagemarket.platform.roles import DatabaseRole

_WHOLE_CORE_MB = 1769
_PIXELS_MB = 3008


class Ingestion(Capability):
    group = "ingestion"

    def make(self) -> None:
        self._arrivals()
        self._saga()

    def _saga(self) -> None:
        market = self.market
        originals, work, renditions = market.originals, market.work, market.renditions
        imaging, links = layer("imaging"), setting(public_base_url=self.stage.edge.public_base_url)
        makes = market.database.connect(DatabaseRole.MAKER)
        ingests = market.database.connect(DatabaseRole.INGESTION)
        saga = Saga(
            self,
            "Saga",
            stage=self.stage,
            steps={
                "InspectImage": self._step(
                    "inspect_image",
                    "decodes the original once, safely",
                    seconds=110,
                    memory_mb=_PIXELS_MB,
                    load=Load.PIPELINE,
                    uses=[
                        imaging,
                        market.database.connect(DatabaseRole.DECODER),
                        originals.allow(Folder.ORIGINALS, "GetObject", "GetObjectVersion"),
                        work.write(Folder.WORK),
                    ],
                ),
                "DetectDuplicate": self._step(
                    "detect_duplicate", "refuses what the catalogue has already", seconds=25, uses=[makes]
                ),
                "MakeThumbnails": self._step(
                    "make_thumbnails",
                    "the clean renditions",
                    seconds=110,
                    memory_mb=_PIXELS_MB,
                    load=Load.PIPELINE,
                    uses=[
                        *(imaging, links, makes, work.read(Folder.WORK)),
                        renditions.replace(Folder.THUMBNAILS),
                        originals.replace(Folder.CLEAN),
                    ],
                ),
                "MakeWatermark": self._step(
                    "make_watermark",
                    "the marked public preview",
                    seconds=110,
                    memory_mb=_PIXELS_MB,
                    load=Load.PIPELINE,
                    uses=[imaging, links, makes, work.read(Folder.WORK), renditions.replace(Folder.WATERMARKED)],
                ),
                "EmbedAndTag": self._step(
                    "embed_and_tag",
                    "asks the model what the picture shows",
                    seconds=55,
                    load=Load.PIPELINE,
                    uses=[makes, work.read(Folder.WORK), work.write(Folder.WORK), market.models.analyse()],
                ),
                "PublishImage": self._step(
                    "publish_image",
                    "refuses copies, decides the status, writes everything in one transaction",
                    seconds=55,
                    memory_mb=_WHOLE_CORE_MB,  # comparing pictures is all CPU
                    uses=[
                        *(layer("matching"), ingests, market.search.by_meaning(), market.bus.publish()),
                        work.read(Folder.WORK),
                        renditions.read(Folder.THUMBNAILS),
                        renditions.list(Folder.THUMBNAILS),
                    ],
                ),
                "CompensateImage": self._step(
                    "compensate_image", "ends an image that did not make it", seconds=55, uses=[compensate(market)]
                ),
            },
        )
        for ending, metric in (
            ("failed", saga.machine.metric_failed(period=Duration.minutes(15), statistic="Sum")),
            ("timed-out", saga.machine.metric_timed_out(period=Duration.minutes(15), statistic="Sum")),
            ("aborted", saga.machine.metric_aborted(period=Duration.minutes(15), statistic="Sum")),
        ):
            says = f"more than three executions {ending.replace('-', ' ')} in 15 minutes"
            self.alarms.add("saga-failures", metric, says=says, about=ending, above=3)
        CfnOutput(Stack.of(self), "StateMachineArn", value=saga.machine.state_machine_arn)

    def _arrivals(self) -> None:
        market = self.market
        uploads = self.queue("uploads", consumer_seconds=20)
        key = {"key": [{"prefix": f"{Folder.ORIGINALS}/"}]}
        arrived = events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [market.originals.bucket.bucket_name]}, "object": key},
        )
        self.listen_to_aws(uploads, "OriginalArrived", "an original arrived", arrived)
        self.consumer(
            uploads,
            "start_ingestion",
            "starts the saga of an original that arrived",
            uses=[
                market.database.connect(DatabaseRole.INGESTION),
                # of the versions that arrive, all but the one that the image is made of are deleted
                market.originals.allow(Folder.ORIGINALS, "GetObject", "DeleteObjectVersion"),
                market.originals.list(Folder.ORIGINALS),
                market.executions.start(),
            ],
        )

    def _step(
        self,
        name: str,
        description: str,
        *,
        seconds: int,
        uses: Sequence[Use],
        memory_mb: int = 512,
        load: Load = Load.BACKGROUND,
    ) -> MarketFunction:
        return self.function(name, description, seconds=seconds, load=load, memory_mb=memory_mb, uses=uses)


def compensate(market: Market) -> Use:
    """End an image: remove what the saga made, mark the original for its lifecycle rule, and tell of it."""
    return (
        market.database.connect(DatabaseRole.INGESTION)
        + market.renditions.clear(Folder.THUMBNAILS, Folder.WATERMARKED)
        + market.originals.clear(Folder.CLEAN)
        + market.work.clear(Folder.WORK)
        + market.originals.tag(Folder.ORIGINALS)
        + market.bus.publish()
    )
