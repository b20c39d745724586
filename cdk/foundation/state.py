"""What must outlive every deployment: the buckets, the secrets, the event bus, the queues with what waits in them, and
who is told of alarms."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from cdk.foundation.alarms import AlarmTopic
from cdk.foundation.bus import EventBus
from cdk.foundation.queues import DeadRuns, Queues
from cdk.foundation.secrets import Secrets
from cdk.foundation.storage import Storage
from cdk.stages.model import Stage
from imagemarket.platform.roles import DatabaseRole


class StateStack(Stack):
    """Changes rarely, and nothing in it is ever replaced lightly."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, **kwargs: Any) -> None:
        super().__init__(
            scope,
            construct_id,
            description="imagemarket: buckets, secrets, the event bus, queues, the topic of alarms",
            stack_name=construct_id,
            **kwargs,
        )
        self.storage = Storage(self, "Storage", stage=stage)
        self.secrets = Secrets(self, "Secrets", stage=stage)
        self.bus = EventBus(self, "Events", stage=stage)
        self.queues = Queues(self, "Queues", stage=stage)
        """Filled by the capabilities."""
        self.dead_runs = DeadRuns(self, "DeadRuns", stage=stage)
        self.alarms = AlarmTopic(self, "Alarms", stage=stage)

        outputs = {
            "OriginalsBucket": self.storage.originals.bucket.bucket_name,
            "WorkBucket": self.storage.work.bucket.bucket_name,
            "RenditionsBucket": self.storage.renditions.bucket.bucket_name,
            "DatabaseSecretArn": self.secrets.roles[DatabaseRole.OPERATOR].arn,
            "SigningKeySecretArn": self.secrets.signing_key.arn,
            "AlarmTopicArn": self.alarms.topic.topic_arn,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
