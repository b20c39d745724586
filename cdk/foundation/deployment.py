"""What a deployment itself has to do: bring the schema up to date, make and publish the signing keys."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CustomResource, Duration
from constructs import Construct

from cdk.foundation.function import MarketFunction


class DeploymentStep(Construct):
    """Runs a function at the first deployment, and again whenever one of `reasons` is another than before.

    The function answers CloudFormation itself (`imagemarket.platform.custom_resource`).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: MarketFunction,
        resource_type: str,
        reasons: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        resource = CustomResource(
            self,
            "Resource",
            service_token=function.arn,
            resource_type=f"Custom::{resource_type}",
            properties=dict(reasons),
            service_timeout=Duration.seconds(function.seconds + 30),  # a function that died says nothing
        )
        # Its role must be able to work before it runs, and until it is gone.
        resource.node.add_dependency(function.policy)
