"""Images that nothing carries on: of executions that ended badly, and of uploads that are stuck."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events

from cdk.capabilities.ingestion import compensate
from cdk.foundation.alarms import metric_of
from cdk.foundation.capability import Capability
from cdk.foundation.use import setting
from cdk.stages.model import Load
from imagemarket.catalog.keys import Folder


class Recovery(Capability):
    group = "ingestion"

    def make(self) -> None:
        self._failed_executions()
        self._sweeper()

    def _failed_executions(self) -> None:
        market = self.market
        endings = self.queue("endings", consumer_seconds=60)
        # A machine that timed out or was aborted cannot catch it itself.
        ended = events.EventPattern(
            source=["aws.states"],
            detail_type=["Step Functions Execution Status Change"],
            detail={
                "stateMachineArn": [market.executions.machine_arn],
                "status": ["FAILED", "TIMED_OUT", "ABORTED"],
            },
        )
        self.listen_to_aws(endings, "EndedBadly", "an execution ended badly", ended)
        self.consumer(
            endings,
            "end_executions",
            "ends the images of executions that ended badly",
            load=Load.SINGLETON,
            uses=[compensate(market)],
        )

    def _sweeper(self) -> None:
        market, uploads = self.market, self.stage.uploads
        self.job(
            "sweep_uploads",
            "looks after uploads and images that nothing carries on",
            schedule=events.Schedule.rate(Duration.minutes(uploads.sweep_minutes)),
            seconds=300,
            uses=[
                setting(stalled_after_seconds=str(uploads.stalled_after_seconds)),
                market.originals.allow(Folder.ORIGINALS, "GetObject", "AbortMultipartUpload", "DeleteObjectVersion"),
                market.originals.list(Folder.ORIGINALS),
                compensate(market),
                market.executions.start(),
                market.executions.watch(),
            ],
        )
        for outcome, says in (
            ("failed", "the sweeper gave an image up"),
            ("failed_to", "the sweeper could not settle an image"),
        ):
            metric = metric_of("sweep_uploads", f"Swept.{outcome}")
            self.alarms.add("stuck-images", metric, says=says, about=outcome.replace("_", "-"), above=0)
