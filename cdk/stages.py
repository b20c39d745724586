"""The stage model: one frozen record says everything in which the stages of the app differ.

Stacks and constructs ask the record and never the stage's name or the environment, so another stage
is another record and no branch. Only this module reads the environment, and only for `local`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn

from imagemarket.platform import cors


class MissingVariable(RuntimeError):
    """The local stage was asked for without something that the launcher says."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set: the local stage is deployed by ./market up, which sets it")


@dataclass(frozen=True)
class Throttle:
    """What the gateway lets through, in requests."""

    rate_per_second: int
    burst: int


@dataclass(frozen=True)
class Waiting:
    """How a task of the saga waits for a function that is busy, where it is not as the definition says."""

    error: str
    """What a call beyond a function's concurrency fails with."""
    seconds: int
    attempts: int


@dataclass(frozen=True)
class Concurrency:
    """How much of the work that nobody waits for, or that only waits, may run side by side."""

    reserved: Mapping[str, int]
    """Executions at most, by function; a function that is not named here takes from the account's pool."""
    per_queue: int
    """Batches of one queue in work at a time (2 at least, a limit of SQS event sources)."""
    webhooks: int
    """Webhooks called at a time: twice as many as challenges and slow accounts may occupy (`SHARED_IN_FLIGHT`), so that
    half of them are left to everybody else, and more than one account may (`ACCOUNT_IN_FLIGHT`)."""


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL that stands already. No stage knows a password: it names the secrets that hold them."""

    address: str
    """`host:port/name` of the database."""
    owner_secret_arn: str
    """Secret with `{username, password}` of whoever owns the schema: migrations make tables and roles as that one."""
    authorities: str
    """What its certificate is verified against, see `imagemarket.platform.database.dsn_of`."""


@dataclass(frozen=True)
class SearchEngines:
    """What pictures are found with. PostgreSQL needs nothing more than the database."""

    keyword: str = "postgres"
    """postgres or opensearch."""
    vector: str = "postgres"
    """postgres, opensearch or qdrant."""
    opensearch_endpoint: str = ""
    """Address of the OpenSearch collection, where one is used."""
    opensearch_arn: str = ""
    """The collection, where functions have to be let in by IAM."""
    opensearch_language: str = "english"
    """Language that a new index reads text in; changing it takes `imagemarket search reindex`."""
    qdrant_secret_arn: str = ""
    """Secret with `{url, api_key}` of the Qdrant cluster, where one is used."""
    qdrant_shards: int = 1
    qdrant_replicas: int = 1

    @property
    def layers(self) -> list[str]:
        """What functions carry for it."""
        return sorted({self.keyword, self.vector} - {"postgres"})


@dataclass(frozen=True)
class Stage:
    """One deployment of the app."""

    name: str
    """Part of every physical name, so stages share an account."""
    account: str
    region: str
    interpreter: str | None
    """How functions run: the path of this machine's Python with every package in its environment, or None for
    AWS's own Python with layers."""
    database: PostgresServer
    cache_url: str
    counters_url: str
    """A Valkey of its own that never evicts: one instance has one `maxmemory-policy`, and what strangers search would
    push the counters that limit them out of the cache."""
    search: SearchEngines
    model_endpoint_name: str
    model_bundle: str
    """Where the bundles lie whose text towers encode queries: folders or `s3://bucket/prefix`, commas between."""
    search_fusion: str
    """How hybrid search brings words and meaning together; see `imagemarket.search.ranking.fusion.Fusion.named`."""
    public_base_url: str
    """Without a trailing slash."""
    media_base_url: str
    """Where the CDN serves the bucket of renditions, without a trailing slash."""
    token_issuer: str
    bcrypt_cost: int
    database_statement_timeout_ms: int
    mail: str
    """How e-mail goes out: `ses:SENDER` (an identity that SES has verified), or `file:FOLDER` on one machine."""
    webhook_loopback: bool
    """Whether webhooks may lead to this machine, and there without TLS."""
    workflow: sfn.StateMachineType
    """STANDARD keeps history and redrive, EXPRESS is a hundredth of the price; the definition suits both."""
    waiting: Waiting | None
    """None: as the definition says, which is how AWS wants it."""
    throttle: Throttle
    concurrency: Concurrency
    stalled_after_seconds: int
    """How long nothing may be heard of an execution that runs before it counts as dead: longer than the state machine
    waits for a busy function."""
    sweep_minutes: int
    """How often the sweeper looks."""
    index_batch_seconds: int
    """How long changes gather before they are written to the search engines together."""
    removal: RemovalPolicy
    """What becomes of the truth (buckets, secrets) when a stack is destroyed."""
    log_retention: logs.RetentionDays
    requests_held: int
    """How many requests for an upload's progress are held at once: fewer than `status_api` may run."""
    open_uploads: int = 1000
    """How many uploads of one account may be announced and not have arrived."""
    announced_gib_a_day: int = 200
    """How many GiB one account may announce in a day of UTC."""
    origins: tuple[str, ...] = cors.EVERY_ORIGIN
    """Whose pages may call the API and send pictures, such as `https://www.example.com`; `*` alone for everybody's.
    Neither takes cookies: a page needs a token, or the address that an upload's ticket gave it."""

    @property
    def prefix(self) -> str:
        """What physical names begin with."""
        return f"imagemarket-{self.name}"

    @property
    def bucket_origins(self) -> tuple[str, ...]:
        """Whose pages may reach the buckets by a signed address: to these, the API's own origin is another one."""
        if self.origins == cors.EVERY_ORIGIN:
            return self.origins
        api = urlsplit(self.public_base_url)
        return tuple(dict.fromkeys((f"{api.scheme}://{api.netloc}", *self.origins)))

    @property
    def saga_name(self) -> str:
        """Name of the state machine."""
        return f"{self.prefix}-ingest_image"

    @property
    def jwks_parameter(self) -> str:
        """Name of the SSM parameter with the public keys."""
        return f"/imagemarket/{self.name}/jwks"


def local_stage(environment: Mapping[str, str] = os.environ) -> Stage:
    """One machine: an AWS emulator, with the engines that it lacks running beside it.

    Raises `MissingVariable` for what `./market up` would have said.
    """

    def said(name: str) -> str:
        if not environment.get(name):
            raise MissingVariable(name)
        return environment[name]

    base = f"http://127.0.0.1:{said('MARKET_PORT')}"
    return Stage(
        name="local",
        account="000000000000",
        region="us-east-1",
        interpreter=said("MARKET_PYTHON"),
        database=PostgresServer(
            address=said("MARKET_DATABASE_ADDRESS"),
            owner_secret_arn=said("MARKET_DATABASE_OWNER_SECRET_ARN"),
            authorities="none",
        ),
        cache_url=said("MARKET_VALKEY_URL"),
        counters_url=said("MARKET_COUNTERS_URL"),
        search=SearchEngines(
            keyword="opensearch" if environment.get("MARKET_OPENSEARCH_URL") else "postgres",
            opensearch_endpoint=environment.get("MARKET_OPENSEARCH_URL", ""),
        ),
        model_endpoint_name="imagemarket-local-analyse",
        model_bundle=said("MARKET_MODEL_BUNDLE"),
        search_fusion="convex:0.5",
        public_base_url=base,
        media_base_url=f"{base}/media",
        token_issuer="imagemarket",  # noqa: S106 - a name, no secret
        bcrypt_cost=10,  # a sign-in is 50 ms of a shared core instead of 200
        database_statement_timeout_ms=2000,
        mail=said("MARKET_MAIL"),
        webhook_loopback=True,
        workflow=sfn.StateMachineType.STANDARD,
        # The emulator has a name of its own for it, and waits without jitter and twice as long each time, up to a
        # minute: executions that came together would ask together, and most of them in vain.
        waiting=Waiting(error="Lambda.Unknown", seconds=2, attempts=450),
        throttle=Throttle(rate_per_second=200, burst=400),
        requests_held=4,
        # The emulator starts a process for each concurrent execution, and refuses every call beyond 48 of them. These
        # leave room for the calls that the front door lets through, and keep two cores busy with pictures rather
        # than with taking turns. They are set by the launcher: the emulator's CloudFormation passes over them.
        concurrency=Concurrency(
            reserved={
                "status_api": 6,  # `requests_held` and two for those who do not wait
                "start_ingestion": 2,
                "inspect_image": 3,
                "detect_duplicate": 2,
                "make_thumbnails": 3,
                "make_watermark": 3,
                "embed_and_tag": 3,
                "encode_text": 2,
                "publish_image": 2,
                "compensate_image": 2,
                "end_executions": 1,
                "index_images": 2,
                "relay_outbox": 1,
                "sweep_uploads": 1,
                "gather_search_events": 1,
                "run_maintenance": 1,
                "remediate_dead_letters": 1,
                "tell_contributors": 2,
                "call_webhooks": 4,
            },
            per_queue=2,
            webhooks=4,
        ),
        stalled_after_seconds=1300,
        sweep_minutes=1,
        index_batch_seconds=1,
        removal=RemovalPolicy.DESTROY,
        log_retention=logs.RetentionDays.ONE_WEEK,
    )
