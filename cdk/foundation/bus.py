"""The bus that events are published on."""

from __future__ import annotations

from aws_cdk import aws_events as events
from constructs import Construct

from cdk.foundation.use import Use, allow, setting
from cdk.stages.model import Stage
from imagemarket.platform.bus import SOURCE
from imagemarket.platform.events import Event


class EventBus(Construct):
    """Carries the events of all rooms; it keeps none."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(
            self, "Bus", event_bus_name=stage.prefix, description=f"imagemarket {stage.name}: events of all rooms"
        )

    def publish(self) -> Use:
        """Publish events."""
        return setting(event_bus=self.bus.event_bus_name) + allow("events:PutEvents", on=self.bus.event_bus_arn)


def pattern_of(*kinds: type[Event]) -> events.EventPattern:
    """Matches events of some types on the bus."""
    return events.EventPattern(source=[SOURCE], detail_type=[kind.type_name() for kind in kinds])
