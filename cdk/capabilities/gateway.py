"""The HTTP API before the functions of all capabilities."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack

from cdk.foundation.api import Api
from cdk.foundation.capability import Capability


class Gateway(Capability):
    group = "edge"

    def make(self) -> None:
        stack = Stack.of(self)
        gateway = Api(self, "Api", market=self.market)
        gateway.stage.node.add_dependency(*self.market.before_requests)  # nobody is served before there is a key
        for other in self.market.stacks.values():
            if other not in (stack, self.market.state):
                stack.add_stack_dependency(other)  # nor before a route leads to a function
        self.alarms.add(
            "api-errors",
            gateway.api.metric_server_error(period=Duration.minutes(5), statistic="Sum"),
            says="more than five answers in five minutes were 5xx",
            above=5,
        )
        CfnOutput(stack, "ApiUrl", value=gateway.api.api_endpoint)
        CfnOutput(stack, "ApiId", value=gateway.api.api_id)
