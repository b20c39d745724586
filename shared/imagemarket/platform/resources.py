"""What one process works with: the clock, AWS, the database, the cache. Each is made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagemarket.platform.settings import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3
    from mypy_boto3_s3 import S3Client

    from imagemarket.platform.bus import EventBus
    from imagemarket.platform.cache import Cache
    from imagemarket.platform.clock import Clock
    from imagemarket.platform.database import Database
    from imagemarket.platform.idempotency import IdempotencyKeys
    from imagemarket.platform.messages import FailureLog
    from imagemarket.platform.objects import ObjectStore
    from imagemarket.platform.outbox import OutboxRelay
    from imagemarket.platform.queue import Queue
    from imagemarket.platform.ratelimits import RateLimiter


class Resources:
    """Those that the settings name, but for what is handed in, such as `Resources(clock=clock, database=database)`."""

    def __init__(self, **given: Any) -> None:
        """Raises `TypeError` for a name that is no resource."""
        for name, resource in given.items():
            if not isinstance(getattr(type(self), name, None), cached_property):
                raise TypeError(f"{name} is no resource")
            setattr(self, name, resource)

    @cached_property
    def settings(self) -> PlatformSettings:
        return PlatformSettings()

    @cached_property
    def public_base_url(self) -> str:
        """Where people reach the API, without a trailing slash."""
        return self.settings.public_base_url

    @cached_property
    def clock(self) -> Clock:
        from imagemarket.platform.clock import SystemClock

        return SystemClock()

    @cached_property
    def aws(self) -> boto3.Session:
        import boto3

        return boto3.Session()

    def client(self, service: str, *, connect_seconds: float, read_seconds: float, attempts: int) -> Any:
        """A client of an AWS service that waits no longer than said for a connection and for each answer, and calls
        `attempts` times at most."""
        from botocore.config import Config

        return self.aws.client(
            service,  # pyright: ignore[reportCallIssue, reportArgumentType]
            config=Config(
                connect_timeout=connect_seconds,
                read_timeout=read_seconds,
                retries={"mode": "standard", "total_max_attempts": attempts},
            ),
        )

    def secret(self, arn: str) -> str:
        """The current string of a secret; read once by the service that keeps it."""
        return self.aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]

    @cached_property
    def database(self) -> Database:
        from imagemarket.platform.database import Database

        return Database(self.dsn, statement_timeout_ms=self.settings.database_statement_timeout_ms)

    @property
    def dsn(self) -> Callable[[], str]:
        """Asks for the secret when the first connection is opened."""
        from imagemarket.platform.database import dsn_of

        arn, address = self.settings.database_secret_arn, self.settings.database_address
        authorities = self.settings.database_authorities
        return lambda: dsn_of(self.secret(arn), address=address, authorities=authorities)

    @cached_property
    def cache(self) -> Cache:
        """For what may be lost."""
        from imagemarket.platform.cache import Cache

        return Cache(self.settings.cache_url)

    @cached_property
    def counters(self) -> Cache:
        """Where requests and attempts are counted: apart from the cache, which strangers can fill until it evicts."""
        from imagemarket.platform.cache import Cache

        return Cache(self.settings.counters_url)

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """Counts the requests of one caller."""
        from imagemarket.platform.ratelimits import RateLimiter

        counters = self.counters
        return RateLimiter(lambda: counters)

    @cached_property
    def s3(self) -> S3Client:
        from botocore.config import Config

        return self.aws.client(
            "s3",
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"} if self.settings.stage == "local" else None,
                retries={"mode": "standard", "max_attempts": 3},
            ),
        )

    def bucket(self, name: str) -> ObjectStore:
        """The objects of a bucket."""
        from imagemarket.platform.objects import ObjectStore

        return ObjectStore(self.s3, name)

    def queue(self, url: str) -> Queue:
        """An SQS queue to send to."""
        from imagemarket.platform.queue import Queue

        return Queue(self.aws.client("sqs"), url)

    @cached_property
    def event_bus(self) -> EventBus:
        """Where events are published."""
        from imagemarket.platform.bus import EventBus

        return EventBus(self.aws.client("events"), self.settings.event_bus)

    @cached_property
    def outbox_relay(self) -> OutboxRelay:
        from imagemarket.platform.outbox import OutboxRelay

        return OutboxRelay(self.database, self.event_bus)

    @cached_property
    def failure_log(self) -> FailureLog:
        """Why messages failed."""
        from imagemarket.platform.messages import FailureLog

        return FailureLog(self.database)

    @cached_property
    def idempotency(self) -> IdempotencyKeys:
        from imagemarket.platform.idempotency import IdempotencyKeys

        return IdempotencyKeys(self.database, self.clock)
