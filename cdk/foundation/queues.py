"""The queues between the parts, each with its dead letters."""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.rules import acknowledge
from cdk.stages.model import Stage
from imagemarket.catalog.keys import Folder

MAX_RECEIVES = 3

START_INGESTION_SECONDS = 20
INDEX_IMAGES_SECONDS = 60
TELL_CONTRIBUTORS_SECONDS = 30
CALL_WEBHOOKS_SECONDS = 40
END_EXECUTIONS_SECONDS = 60
"""Limits of the consumers; a message stays hidden six times as long, as AWS advises for event sources."""


class DeadLetters(Construct):
    """A queue of what failed each time, kept for people."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=name,
            retention_period=Duration.days(14),  # the longest that SQS keeps a message
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        acknowledge(
            self.queue,
            "Serverless-SQSRedrivePolicy",
            "It is where dead letters end; people look at them and send them again.",
        )


class Queues(Construct):
    """`uploads`: originals that arrived. `index`: images whose search documents changed. `notifications`: images whose
    contributors have something to be told. `webhooks`: deliveries that are due. `endings`: executions that ended
    badly."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, originals: s3.IBucket) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self.pairs: list[tuple[sqs.Queue, sqs.Queue]] = []
        """Every queue with its dead letters."""
        self.uploads, self.uploads_dead = self._queue("Uploads", consumer_seconds=START_INGESTION_SECONDS)
        self.index, self.index_dead = self._queue("Index", consumer_seconds=INDEX_IMAGES_SECONDS)
        self.notifications, _ = self._queue("Notifications", consumer_seconds=TELL_CONTRIBUTORS_SECONDS)
        self.webhooks, _ = self._queue("Webhooks", consumer_seconds=CALL_WEBHOOKS_SECONDS)
        self.endings, self.endings_dead = self._queue("Endings", consumer_seconds=END_EXECUTIONS_SECONDS)
        self._tell(
            "OriginalArrived",
            "an original arrived",
            self.uploads,
            self.uploads_dead,
            events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [originals.bucket_name]},
                    "object": {"key": [{"prefix": f"{Folder.ORIGINALS}/"}]},
                },
            ),
        )
        # A machine that timed out or was aborted cannot catch it itself. It is named, since it is deployed later.
        machine = Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=stage.saga_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        self._tell(
            "EndedBadly",
            "an execution ended badly",
            self.endings,
            self.endings_dead,
            events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"stateMachineArn": [machine], "status": ["FAILED", "TIMED_OUT", "ABORTED"]},
            ),
        )

    def _tell(
        self, construct_id: str, what: str, queue: sqs.Queue, dead: sqs.Queue, pattern: events.EventPattern
    ) -> None:
        """Sends events to a queue; what EventBridge itself cannot deliver within a day joins its dead letters."""
        target: Any = targets.SqsQueue(
            queue, dead_letter_queue=dead, retry_attempts=185, max_event_age=Duration.hours(24)
        )
        events.Rule(self, construct_id, description=f"imagemarket: {what}", event_pattern=pattern, targets=[target])

    def _queue(self, name: str, *, consumer_seconds: int) -> tuple[sqs.Queue, sqs.Queue]:
        physical = f"{self._stage.prefix}-{name.lower()}"
        dead = DeadLetters(self, f"{name}Dead", name=f"{physical}-dead").queue
        queue = sqs.Queue(
            self,
            name,
            queue_name=physical,
            visibility_timeout=Duration.seconds(6 * consumer_seconds),
            retention_period=Duration.days(4),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=MAX_RECEIVES),
        )
        self.pairs.append((queue, dead))
        return queue, dead
