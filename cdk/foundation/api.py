"""The HTTP API: which function serves a route, and which routes the authorizer stands before.

The gateway adds what pages of other origins need to every answer, its own refusals included. It would answer a
browser's preflight by itself, too, but for the `$default` route, which takes every method that no line names, OPTIONS
among them. So a function answers it, with 204, and no authorizer is asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.foundation.assets import FUNCTIONS
from cdk.foundation.function import MarketFunction
from cdk.foundation.market import Market
from cdk.foundation.rules import acknowledge
from imagemarket.platform import cors

AUTHORIZER_RESULT = Duration.seconds(60)
"""How long a token's verdict is kept; a token counts that much longer than it says, at most."""


UNROUTED = "docs_api"
"""Who answers for a path or method that is in no line: that it is not there, as a problem, and a preflight with 204."""


@dataclass(frozen=True)
class Route:
    """One line of the API's table, which `local.openapi` makes from the functions' apps."""

    method: str
    path: str
    function: str
    roles: tuple[str, ...]
    """Whom it takes; none are everybody, whom no authorizer need know."""

    @property
    def methods(self) -> tuple[str, ...]:
        """What the gateway routes: whoever takes GET takes HEAD."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


def routes() -> tuple[Route, ...]:
    """The table, by function."""
    lines = json.loads((FUNCTIONS / UNROUTED / "routes.json").read_text(encoding="utf-8"))
    return tuple(Route(**line | {"roles": tuple(line["roles"])}) for line in lines)


# Never the Authorization header, never a query: people search for what is theirs to know.
_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "address": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "integration_error": "$context.integrationErrorMessage",
    "authorizer_error": "$context.authorizer.error",
    "account_id": "$context.authorizer.account_id",
}


class Api(Construct):
    """The gateway's own limits come first, then the authorizer, then the function."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        market: Market,
    ) -> None:
        """Raises KeyError for a route whose function no capability made."""
        super().__init__(scope, construct_id)
        stage, authorizer = market.stage, market.functions["authorizer"]
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=stage.prefix,
            description="imagemarket: the HTTP API",
            create_default_stage=False,
            cors_preflight=apigateway.CorsPreflightOptions(
                allow_origins=list(stage.edge.origins),
                allow_methods=[apigateway.CorsHttpMethod[method] for method in cors.ALLOWED_METHODS],
                allow_headers=list(cors.ALLOWED_HEADERS),
                expose_headers=list(cors.EXPOSED_HEADERS),
                max_age=Duration.seconds(cors.PREFLIGHT_SECONDS),
            ),
        )
        access_logs = logs.LogGroup(
            self,
            "AccessLogs",
            log_group_name=f"/aws/vendedlogs/apigateway/{stage.prefix}",
            retention=stage.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._authorizer = authorizers.HttpLambdaAuthorizer(
            "Authorizer",
            authorizer.function,  # pyright: ignore[reportArgumentType]
            authorizer_name=f"{stage.prefix}-token",
            response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
            identity_source=["$request.header.Authorization"],
            results_cache_ttl=AUTHORIZER_RESULT,
        )
        self._integrations = {
            name: integrations.HttpLambdaIntegration(
                name,
                self._reach(market, function),  # pyright: ignore[reportArgumentType]
                payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0,
                timeout=Duration.seconds(min(29, function.seconds)),
            )
            for name in sorted({route.function for route in routes()})
            for function in [market.functions[name]]
        }
        for route in routes():
            self._add(route)
        unrouted = apigateway.HttpRoute(
            self,
            "Unrouted",
            http_api=self.api,
            integration=self._integrations[UNROUTED],
            route_key=apigateway.HttpRouteKey.DEFAULT,
        )
        acknowledge(unrouted, "AwsSolutions-APIG4", "That a path is not there is for everybody to know.")
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=stage.edge.throttle.rate_per_second, burst_limit=stage.edge.throttle.burst
            ),
        )
        resource = self.stage.node.default_child
        assert isinstance(resource, apigateway.CfnStage)
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_logs.log_group_arn, format=json.dumps(_ACCESS_LOG)
        )

    def _reach(self, market: Market, function: MarketFunction) -> lambda_.IFunction:
        """The function itself; where it is in another stack, by its name (see `Market.function_arn`)."""
        if Stack.of(function) is Stack.of(self):
            return function.function  # pyright: ignore[reportReturnType]
        return lambda_.Function.from_function_attributes(
            self,
            f"{function.node.id}Function",
            function_arn=market.function_arn(function.name),
            same_environment=True,
        )

    def _add(self, route: Route) -> None:
        made = self.api.add_routes(
            path=route.path,
            methods=[apigateway.HttpMethod[method] for method in route.methods],
            integration=self._integrations[route.function],
            authorizer=self._authorizer if route.roles else None,
        )
        if not route.roles:
            for each in made:
                acknowledge(each, "AwsSolutions-APIG4", f"{route.method} {route.path} is for everybody.")
