"""The queues between the parts, each with its dead letters."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.rules import acknowledge
from cdk.foundation.use import Use, allow
from cdk.stages.model import Stage

MAX_RECEIVES = 3


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


class DeadRuns(DeadLetters):
    """Runs of scheduled jobs that failed each time, of every stack."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        self.name = f"{stage.prefix}-schedules-dead"
        super().__init__(scope, construct_id, name=self.name)
        acknowledge(
            self.queue, "AwsSolutions-SQS3", "It is where dead letters end, of functions and rules in other stacks."
        )

    def beside(self, scope: Construct) -> sqs.IQueue:
        """The queue as a schedule of another stack names it: by a reference, its policy would need the schedule's stack
        before this one, and the schedule this one before that."""
        arn = Stack.of(self).format_arn(service="sqs", resource=self.name)
        return sqs.Queue.from_queue_arn(scope, "DeadRuns", arn)

    def accept_runs_of(self, rule_name: str) -> None:
        """Let the schedule of this name send what it could not run."""
        rule = Stack.of(self).format_arn(service="events", resource="rule", resource_name=rule_name)
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],  # pyright: ignore[reportArgumentType]
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule}},
            )
        )


def _construct_id(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


class WorkQueue:
    """A queue whose messages a function works through, and where they end that failed each time."""

    def __init__(self, name: str, queue: sqs.Queue, dead: sqs.Queue, *, consumer_seconds: int) -> None:
        self.name = name
        self.queue = queue
        self.dead = dead
        self.consumer_seconds = consumer_seconds

    @property
    def construct_id(self) -> str:
        """What its construct is called."""
        return _construct_id(self.name)

    def send(self) -> Use:
        """Send messages."""
        setting = f"{self.name.replace('-', '_')}_queue_url"
        return Use({setting: self.queue.queue_url}) + allow("sqs:SendMessage", on=self.queue.queue_arn)


class Queues(Construct):
    """The queues of all capabilities. They outlive every deployment, with what waits in them."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self.all: dict[str, WorkQueue] = {}
        """By name."""

    def add(self, name: str, *, consumer_seconds: int) -> WorkQueue:
        """A queue whose messages stay hidden six times as long as their consumer may take, as AWS advises for event
        sources."""
        construct_id = _construct_id(name)
        dead = DeadLetters(self, f"{construct_id}Dead", name=f"{self._stage.prefix}-{name}-dead").queue
        queue = sqs.Queue(
            self,
            construct_id,
            queue_name=f"{self._stage.prefix}-{name}",
            visibility_timeout=Duration.seconds(6 * consumer_seconds),
            retention_period=Duration.days(4),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=MAX_RECEIVES),
        )
        CfnOutput(Stack.of(self), f"{construct_id}QueueUrl", value=queue.queue_url)
        self.all[name] = WorkQueue(name, queue, dead, consumer_seconds=consumer_seconds)
        return self.all[name]

    def listen(
        self,
        queue: WorkQueue,
        construct_id: str,
        description: str,
        pattern: events.EventPattern,
        *,
        bus: events.IEventBus | None = None,
    ) -> events.Rule:
        """The rule that sends events of a bus to a queue, of AWS's own where none is given; what EventBridge itself
        cannot deliver within a day joins its dead letters.

        The rule lies here and not with its capability, since the queue's policy names it.
        """
        target: Any = targets.SqsQueue(
            queue.queue, dead_letter_queue=queue.dead, retry_attempts=185, max_event_age=Duration.hours(24)
        )
        return events.Rule(
            self,
            construct_id,
            event_bus=bus,
            description=f"imagemarket: {description}",
            event_pattern=pattern,
            targets=[target],
        )

    @property
    def dead(self) -> dict[str, sqs.Queue]:
        """Dead letters, by the queue that they come from."""
        return {name: queue.dead for name, queue in self.all.items()}
