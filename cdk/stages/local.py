"""The stage of one machine. Only this module reads the environment, which `./market up` sets."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn

from cdk.stages.model import (
    Compute,
    Edge,
    Identity,
    Load,
    Notifications,
    PostgresServer,
    SearchEngines,
    Stage,
    Throttle,
    ThrottleRetry,
    Uploads,
    ValkeyServers,
    Vision,
    Workflow,
)


class MissingVariable(RuntimeError):
    """The local stage was asked for without something that the launcher says."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set: the local stage is deployed by ./market up, which sets it")


def local_stage(environment: Mapping[str, str] = os.environ) -> Stage:
    """One machine: an AWS emulator, with the engines that it lacks running beside it.

    Raises `MissingVariable` for what `./market up` would have said.
    """

    def required(name: str) -> str:
        if not environment.get(name):
            raise MissingVariable(name)
        return environment[name]

    base = f"http://127.0.0.1:{required('MARKET_PORT')}"
    return Stage(
        name="local",
        account="000000000000",
        region="us-east-1",
        removal=RemovalPolicy.DESTROY,
        log_retention=logs.RetentionDays.ONE_WEEK,
        edge=Edge(
            public_base_url=base,
            media_base_url=f"{base}/media",
            throttle=Throttle(rate_per_second=200, burst=400),
        ),
        # The emulator starts a process for each concurrent execution, and refuses every call beyond some
        # (`local.emulator_memory`). These leave room for the calls that the front door lets through, and keep two cores
        # busy with pictures rather than with taking turns. They are set by the launcher: the emulator's CloudFormation
        # passes over them.
        compute=Compute(
            interpreter=required("MARKET_PYTHON"),
            reserved={
                Load.LONG_POLL: 6,  # `requests_held` and two for those who do not wait
                Load.INFERENCE: 2,
                Load.PIPELINE: 3,
                Load.BACKGROUND: 2,
                Load.OUTBOUND: 4,
                Load.SINGLETON: 1,
            },
            batches_per_queue=2,
        ),
        workflow=Workflow(
            type=sfn.StateMachineType.STANDARD,
            # The emulator has a name of its own for it, and waits without jitter and twice as long each time, up to a
            # minute: executions that came together would ask together, and most of them in vain.
            throttle_retry=ThrottleRetry(error="Lambda.Unknown", seconds=2, attempts=450),
        ),
        database=PostgresServer(
            address=required("MARKET_DATABASE_ADDRESS"),
            owner_secret_arn=required("MARKET_DATABASE_OWNER_SECRET_ARN"),
            authorities="none",
            statement_timeout_ms=2000,
        ),
        valkey=ValkeyServers(cache_url=required("MARKET_VALKEY_URL"), counters_url=required("MARKET_COUNTERS_URL")),
        search=SearchEngines(
            keyword="opensearch" if environment.get("MARKET_OPENSEARCH_URL") else "postgres",
            opensearch_endpoint=environment.get("MARKET_OPENSEARCH_URL", ""),
        ),
        vision=Vision(endpoint_name="imagemarket-local-analyse", model_bundle=required("MARKET_MODEL_BUNDLE")),
        identity=Identity(
            token_issuer="imagemarket",  # noqa: S106 - a name, no secret
            bcrypt_cost=10,  # a sign-in is 50 ms of a shared core instead of 200
        ),
        uploads=Uploads(requests_held=4, stalled_after_seconds=1300, sweep_minutes=1),
        notifications=Notifications(mail=required("MARKET_MAIL"), webhook_loopback=True, webhooks_in_flight=4),
    )
