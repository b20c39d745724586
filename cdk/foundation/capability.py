"""The base of every capability: what it makes, it makes in the stack of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.alarms import Alarms
from cdk.foundation.bus import pattern_of
from cdk.foundation.function import MarketFunction
from cdk.foundation.market import Market
from cdk.foundation.queues import WorkQueue
from cdk.foundation.rules import acknowledge
from cdk.foundation.use import Use, total
from cdk.stages.model import Load
from imagemarket.platform.events import Event

HTTP_SECONDS = 29
"""How long the gateway waits for a function."""


class Capability(Construct):
    """Functions, queues, schedules and alarms of one capability. A subclass names its group and makes them."""

    group: ClassVar[str]
    """Its stack is `imagemarket-STAGE-GROUP`."""

    def __init__(self, market: Market) -> None:
        super().__init__(market.stack(self.group), type(self).__name__)
        self.market = market
        self.stage = market.stage
        self.alarms = Alarms(self, "Alarms", stage=market.stage, topic=market.state.alarms.topic)
        self.make()

    def make(self) -> None:
        """Make what the capability is made of."""
        raise NotImplementedError

    def function(
        self,
        name: str,
        description: str,
        *,
        seconds: int,
        load: Load,
        memory_mb: int = 512,
        uses: Sequence[Use] = (),
        dead_letters: sqs.IQueue | None = None,
    ) -> MarketFunction:
        """`functions/NAME`, with what it uses and nothing else."""
        made = MarketFunction(
            self,
            "".join(word.capitalize() for word in name.split("_")),
            stage=self.stage,
            name=name,
            description=description,
            seconds=seconds,
            memory_mb=memory_mb,
            load=load,
            layers=self.market.layers(self.market.stack(self.group)),
            use=total(uses),
            dead_letters=dead_letters,
        )
        self.market.functions[name] = made
        return made

    def queue(self, name: str, *, consumer_seconds: int) -> WorkQueue:
        """A queue with its dead letters, and the alarms on both."""
        queue = self.market.state.queues.add(name, consumer_seconds=consumer_seconds)
        self.dead_letter_alarm(name, queue.dead)
        self.alarms.add(
            "queue-age",
            queue.queue.metric_approximate_age_of_oldest_message(period=Duration.minutes(1), statistic="Maximum"),
            says="a message waits for more than 15 minutes",
            about=name,
            above=900,
            periods=5,
        )
        return queue

    def dead_letter_alarm(self, name: str, dead: sqs.Queue) -> None:
        visible = dead.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum")
        self.alarms.add("dead-letters", visible, says="there are dead letters", about=name, above=0)

    def listen(self, queue: WorkQueue, *kinds: type[Event]) -> None:
        """Have the bus send events of some types to a queue of the capability's own."""
        bus = self.market.bus.bus
        description = f"the events that {queue.name} listens to"
        rule = self.market.state.queues.listen(
            queue, f"{queue.construct_id}Events", description, pattern_of(*kinds), bus=bus
        )
        self._rule_alarm(queue, {"RuleName": rule.rule_name, "EventBusName": bus.event_bus_name})

    def listen_to_aws(
        self, queue: WorkQueue, construct_id: str, description: str, pattern: events.EventPattern
    ) -> None:
        """Have events of AWS's own services that a pattern matches sent to a queue of the capability's own."""
        rule = self.market.state.queues.listen(queue, construct_id, description, pattern)
        self._rule_alarm(queue, {"RuleName": rule.rule_name})

    def _rule_alarm(self, queue: WorkQueue, dimensions: Mapping[str, str]) -> None:
        failed = cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="FailedInvocations",
            dimensions_map=dimensions,
            statistic="Sum",
            period=Duration.minutes(5),
        )
        self.alarms.add("rule-failures", failed, says="events do not get into a queue", about=queue.name, above=0)

    def consumer(
        self,
        queue: WorkQueue,
        name: str,
        description: str,
        *,
        uses: Sequence[Use],
        load: Load = Load.BACKGROUND,
        batch: int = 10,
        gather_seconds: int = 0,
        batches: int | None = None,
    ) -> None:
        """A function that works through a queue, as long as the queue gives it. `batches` are in work at a time, the
        stage's number of them where none is given."""
        made = self.function(name, description, seconds=queue.consumer_seconds, load=load, uses=uses).function
        made.add_event_source(
            sources.SqsEventSource(
                queue.queue,
                batch_size=batch,
                max_batching_window=Duration.seconds(gather_seconds) if gather_seconds else None,
                report_batch_item_failures=True,
                max_concurrency=batches or self.stage.compute.batches_per_queue,
            )
        )
        acknowledge(
            made,
            "Serverless-LambdaEventSourceMappingDestination",
            "A queue takes back what failed and has its own dead letters; a destination is for streams.",
        )

    def job(self, name: str, description: str, *, schedule: events.Schedule, seconds: int, uses: Sequence[Use]) -> None:
        """A function that runs by the clock. A run that failed each time is a dead letter; the next one does its
        work."""
        dead_runs = self.market.state.dead_runs
        made = self.function(
            name, description, seconds=seconds, load=Load.SINGLETON, uses=uses, dead_letters=dead_runs.queue
        )
        rule_name = self.market.rule_name(name)
        dead_runs.accept_runs_of(rule_name)
        rule = events.Rule(
            made,
            "Schedule",
            rule_name=rule_name,
            description=f"imagemarket: {name}",
            schedule=schedule,
            targets=[  # pyright: ignore[reportArgumentType]
                targets.LambdaFunction(
                    made.function,  # pyright: ignore[reportArgumentType]
                    dead_letter_queue=dead_runs.beside(made),
                    retry_attempts=2,
                    max_event_age=Duration.hours(1),
                )
            ],
        )
        self.market.schedules.append((rule, made))
