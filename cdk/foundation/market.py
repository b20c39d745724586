"""What the capabilities of a stage share: its stacks, what outlives a deployment, and what each of them made."""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import App, ArnFormat, Environment, Stack
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.foundation.engines import Database, Mail, Models, Search, Valkey
from cdk.foundation.function import MarketFunction
from cdk.foundation.layers import Layers
from cdk.foundation.queues import WorkQueue
from cdk.foundation.saga import Executions
from cdk.foundation.state import StateStack
from cdk.stages.model import Stage

FIRST = "schema"
"""The group that is deployed before the others: a new revision of the schema serves the functions of before, too."""


class Market:
    """One stage in the making."""

    def __init__(self, app: App, stage: Stage) -> None:
        self.stage = stage
        self._app = app
        self._environment = Environment(account=stage.account, region=stage.region)
        name = f"{stage.prefix}-state"
        self.state = StateStack(app, name, stage=stage, env=self._environment)
        self.stacks: dict[str, Stack] = {"state": self.state}
        """By group."""
        self._layers: dict[Stack, Layers] = {}
        self.functions: dict[str, MarketFunction] = {}
        """By name; those of capabilities made so far."""
        self.schedules: list[tuple[events.Rule, MarketFunction]] = []
        """Each with what it runs."""
        self.before_requests: list[Construct] = []
        """What the gateway must not be there before."""
        self.originals = self.state.storage.originals
        self.work = self.state.storage.work
        self.renditions = self.state.storage.renditions
        self.secrets = self.state.secrets
        self.bus = self.state.bus
        self.database = Database(stage.database, self.secrets.roles)
        self.valkey = Valkey(stage)
        self.search = Search(stage.search)
        self.models = Models(self.state, stage)
        self.mail = Mail(self.state, stage)
        self.executions = Executions(self.state, stage)

    def stack(self, group: str) -> Stack:
        """The stack of a group, which is made when the first capability asks for it."""
        if group not in self.stacks:
            name = f"{self.stage.prefix}-{group}"
            description = f"imagemarket: {group}"
            stack = Stack(self._app, name, stack_name=name, description=description, env=self._environment)
            stack.add_stack_dependency(self.state)
            if group != FIRST:
                stack.add_stack_dependency(self.stack(FIRST))
            self.stacks[group] = stack
        return self.stacks[group]

    def layers(self, stack: Stack) -> Layers:
        """The layers of a stack's functions; each stack has its own, which then change with their functions."""
        if stack not in self._layers:
            self._layers[stack] = Layers(stack, "Layers", stage=self.stage)
        return self._layers[stack]

    def queue(self, name: str) -> WorkQueue:
        """A queue of a capability that was made before."""
        return self.state.queues.all[name]

    def function_arn(self, name: str) -> str:
        """The ARN of a function in any stack, made of its name: by a reference the other stack could not let the
        function go before this one did."""
        return self.state.format_arn(
            service="lambda",
            resource="function",
            resource_name=f"{self.stage.prefix}-{name}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def rule_name(self, job: str) -> str:
        """What the schedule of a job is called."""
        return f"{self.stage.prefix}-{job}"

    def rule_arns(self) -> Iterator[str]:
        """The schedules, in whichever stack they are."""
        for _, job in self.schedules:
            yield self.state.format_arn(service="events", resource="rule", resource_name=self.rule_name(job.name))
