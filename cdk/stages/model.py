"""The stage model: one frozen record says everything in which the stages of the app differ.

Stacks and constructs ask the record and never the stage's name or the environment, so another stage is another record
in a module of its own and no branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn

from imagemarket.platform import cors


class Load(Enum):
    """How a function is called, which decides how many executions of it a stage allows."""

    INTERACTIVE = "interactive"
    """A caller waits for the answer."""
    LONG_POLL = "long-poll"
    """A caller waits, for as long as the answer takes to come about."""
    INFERENCE = "inference"
    """Holds a model in memory, and keeps one core busy with it."""
    PIPELINE = "pipeline"
    """A step of the saga that works on an image beside others of its kind."""
    BACKGROUND = "background"
    """Nobody waits, or a queue does."""
    OUTBOUND = "outbound"
    """Waits for servers of strangers."""
    SINGLETON = "singleton"
    """One execution at a time."""


@dataclass(frozen=True)
class Throttle:
    """What the gateway lets through, in requests."""

    rate_per_second: int
    burst: int


@dataclass(frozen=True)
class ThrottleRetry:
    """How a task of the saga waits for a function that is busy, where it is not as the definition says."""

    error: str
    """What a call beyond a function's concurrency fails with."""
    seconds: int
    attempts: int


@dataclass(frozen=True)
class Edge:
    """What callers see of the stage."""

    public_base_url: str
    """Without a trailing slash."""
    media_base_url: str
    """Where the CDN serves the bucket of renditions, without a trailing slash."""
    throttle: Throttle
    origins: tuple[str, ...] = cors.EVERY_ORIGIN
    """Whose pages may call the API and send pictures, such as `https://www.example.com`; `*` alone for everybody's.
    Neither takes cookies: a page needs a token, or the address that an upload's ticket gave it."""

    @property
    def bucket_origins(self) -> tuple[str, ...]:
        """Whose pages may reach the buckets by a signed address: to these, the API's own origin is another one."""
        if self.origins == cors.EVERY_ORIGIN:
            return self.origins
        api = urlsplit(self.public_base_url)
        return tuple(dict.fromkeys((f"{api.scheme}://{api.netloc}", *self.origins)))


@dataclass(frozen=True)
class Compute:
    """How functions run."""

    interpreter: str | None
    """The path of this machine's Python with every package in its environment, or None for AWS's own Python with
    layers."""
    reserved: Mapping[Load, int]
    """Executions at most, of each function of the class; those of a class that is not named here take from the
    account's pool."""
    batches_per_queue: int
    """Batches of one queue in work at a time (2 at least, a limit of SQS event sources)."""


@dataclass(frozen=True)
class Workflow:
    """How the saga runs."""

    type: sfn.StateMachineType
    """STANDARD keeps history and redrive, EXPRESS is a hundredth of the price; the definition suits both."""
    throttle_retry: ThrottleRetry | None
    """None: as the definition says, which is how AWS wants it."""


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL that stands already. No stage knows a password: it names the secrets that hold them."""

    address: str
    """`host:port/name` of the database."""
    owner_secret_arn: str
    """Secret with `{username, password}` of whoever owns the schema: migrations make tables and roles as that one."""
    authorities: str
    """What its certificate is verified against, see `imagemarket.platform.database.dsn_of`."""
    statement_timeout_ms: int


@dataclass(frozen=True)
class ValkeyServers:
    """What is kept in memory alone."""

    cache_url: str
    counters_url: str
    """A Valkey of its own that never evicts: one instance has one `maxmemory-policy`, and what strangers search would
    push the counters that limit them out of the cache."""


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
    fusion: str = "convex:0.5"
    """How hybrid search brings words and meaning together; see `imagemarket.search.ranking.fusion.Fusion.named`."""
    index_batch_seconds: int = 1
    """How long changes gather before they are written to the search engines together."""

    @property
    def layers(self) -> tuple[str, ...]:
        """What functions carry for it."""
        return tuple(sorted({self.keyword, self.vector} - {"postgres"}))


@dataclass(frozen=True)
class Vision:
    """The models that look at pictures and read queries."""

    endpoint_name: str
    """The SageMaker endpoint that analyses a picture."""
    model_bundle: str
    """Where the bundles lie whose text towers encode queries: folders or `s3://bucket/prefix`, commas between."""


@dataclass(frozen=True)
class Identity:
    """How accounts sign in."""

    token_issuer: str
    bcrypt_cost: int


@dataclass(frozen=True)
class Uploads:
    """What is taken in, and when an upload counts as stuck."""

    requests_held: int
    """How many requests for an upload's progress are held at once: fewer than `status_api` may run."""
    stalled_after_seconds: int
    """How long nothing may be heard of an execution that runs before it counts as dead: longer than the state machine
    waits for a busy function."""
    sweep_minutes: int
    """How often the sweeper looks."""
    open_uploads: int = 1000
    """How many uploads of one account may be announced and not have arrived."""
    announced_gib_a_day: int = 200
    """How many GiB one account may announce in a day of UTC."""


@dataclass(frozen=True)
class Notifications:
    """How contributors are told."""

    mail: str
    """How e-mail goes out: `ses:SENDER` (an identity that SES has verified), or `file:FOLDER` on one machine."""
    webhook_loopback: bool
    """Whether webhooks may lead to this machine, and there without TLS."""
    webhooks_in_flight: int
    """Webhooks called at a time: twice as many as challenges and slow accounts may occupy (`SHARED_IN_FLIGHT`), so that
    half of them are left to everybody else, and more than one account may (`ACCOUNT_IN_FLIGHT`)."""


@dataclass(frozen=True)
class Stage:
    """One deployment of the app."""

    name: str
    """Part of every physical name, so stages share an account."""
    account: str
    region: str
    removal: RemovalPolicy
    """What becomes of the truth (buckets, secrets) when a stack is destroyed."""
    log_retention: logs.RetentionDays
    edge: Edge
    compute: Compute
    workflow: Workflow
    database: PostgresServer
    valkey: ValkeyServers
    search: SearchEngines
    vision: Vision
    identity: Identity
    uploads: Uploads
    notifications: Notifications

    @property
    def prefix(self) -> str:
        """What physical names begin with."""
        return f"imagemarket-{self.name}"

    @property
    def saga_name(self) -> str:
        """Name of the state machine."""
        return f"{self.prefix}-ingest_image"

    @property
    def jwks_parameter(self) -> str:
        """Name of the SSM parameter with the public keys."""
        return f"/imagemarket/{self.name}/jwks"
