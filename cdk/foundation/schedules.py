"""What runs by the clock."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from cdk.foundation.function import MarketFunction
from cdk.foundation.queues import DeadLetters
from cdk.stages.model import Stage


class Schedules(Construct):
    """A rule for each job. A run that failed each time is a dead letter; the next one does its work."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        dead_runs: DeadLetters,
        relay_outbox: MarketFunction,
        sweep_uploads: MarketFunction,
        gather_search_events: MarketFunction,
        run_maintenance: MarketFunction,
        remediate_dead_letters: MarketFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._dead_runs = dead_runs
        self.jobs: list[tuple[events.Rule, MarketFunction]] = []
        """Each rule with what it runs."""
        self._rule("EveryMinute", events.Schedule.rate(Duration.minutes(1)), relay_outbox)
        self._rule("EveryTenMinutes", events.Schedule.rate(Duration.minutes(10)), remediate_dead_letters)
        self._rule("Sweeps", events.Schedule.rate(Duration.minutes(stage.uploads.sweep_minutes)), sweep_uploads)
        self._rule("SearchEvents", events.Schedule.rate(Duration.minutes(1)), gather_search_events)
        self._rule("EveryNight", events.Schedule.cron(minute="20", hour="3"), run_maintenance)

    def _rule(self, construct_id: str, schedule: events.Schedule, job: MarketFunction) -> None:
        rule = events.Rule(
            self,
            construct_id,
            description=f"imagemarket: {job.name}",
            schedule=schedule,
            targets=[  # pyright: ignore[reportArgumentType]
                targets.LambdaFunction(
                    job.function,  # pyright: ignore[reportArgumentType]
                    dead_letter_queue=self._dead_runs.queue,
                    retry_attempts=2,
                    max_event_age=Duration.hours(1),
                )
            ],
        )
        self.jobs.append((rule, job))
