"""What keeps the other capabilities going, and what people look at and do by hand."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events

from cdk.foundation.administration import DeadLetterOperatorPolicy, dead_letter_permissions
from cdk.foundation.alarms import metric_of
from cdk.foundation.capability import Capability
from cdk.foundation.dashboard import Dashboard
from cdk.foundation.use import Use, setting
from imagemarket.platform.roles import DatabaseRole


class Operations(Capability):
    group = "operations"

    def make(self) -> None:
        market = self.market
        upkeep = market.database.connect(DatabaseRole.UPKEEP)
        queues, dead_runs = market.state.queues, market.state.dead_runs.queue
        sources, dead = [each.queue for each in queues.all.values()], [*queues.dead.values(), dead_runs]
        self.job(
            "relay_outbox",
            "publishes what a crash left in the outbox, wakes webhooks and mails that are due",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            seconds=50,
            uses=[
                *(upkeep, market.bus.publish()),
                *(market.queue("webhooks").send(), market.queue("notifications").send()),
            ],
        )
        self.job(
            "run_maintenance",
            "partitions ahead of time, expired rows away",
            schedule=events.Schedule.cron(minute="20", hour="3"),
            seconds=300,
            uses=[upkeep],
        )
        self.job(
            "remediate_dead_letters",
            "sends again what died of something that passes",
            schedule=events.Schedule.rate(Duration.minutes(10)),
            seconds=300,
            uses=[upkeep, Use({"stage": self.stage.name}, tuple(dead_letter_permissions(dead, sources)))],
        )
        self.dead_letter_alarm("schedules", dead_runs)
        self.alarms.add(
            "events-refused",
            metric_of("relay_outbox", "EventsRefused"),
            says="the event bus refuses what waits in the outbox",
            above=0,
            periods=2,
        )
        Dashboard(
            self,
            "Dashboard",
            stage=self.stage,
            queues={name: each.queue for name, each in queues.all.items()},
            dead=queues.dead | {"schedules": dead_runs},
        )
        operators = DeadLetterOperatorPolicy(self, "DeadLetterOperators", market=market)
        CfnOutput(Stack.of(self), "DeadLetterPolicyArn", value=operators.policy.managed_policy_arn)
        settings = Stack.of(self).to_json_string(dict(self._command().settings))
        CfnOutput(Stack.of(self), "CommandSettings", value=settings)

    def _command(self) -> Use:
        """What the command line reads of a stage; no secret, only where one is kept. Its permissions are those of
        whoever runs it."""
        market, stage = self.market, self.stage
        buckets = (market.originals, market.work, market.renditions)
        return (
            market.database.connect(DatabaseRole.OPERATOR)
            + sum((Use(bucket.settings) for bucket in buckets), market.bus.publish())
            + market.queue("webhooks").send()
            + market.search.by_words_and_meaning()
            + market.secrets.signing_key.read()
            + market.valkey.cache()
            + market.valkey.counters()
            + market.models.analyse()
            + market.executions.start()
            + setting(
                bcrypt_cost=str(stage.identity.bcrypt_cost),
                cdn_distribution_id="none",  # no stage puts one before its renditions yet
                public_base_url=stage.edge.public_base_url,
                media_base_url=stage.edge.media_base_url,
                stalled_after_seconds=str(stage.uploads.stalled_after_seconds),
                token_issuer=stage.identity.token_issuer,
            )
        )
