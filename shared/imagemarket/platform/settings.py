"""Everything a deployment decides, in one frozen model read from `MARKET_*` variables.

A function is given only the variables that its services read; a field without a default that is
missing from the environment fails at first use, by name. Secrets never stand in the environment:
a field that ends in `_secret_arn` names where one is kept.
"""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict

_UNSET = ""


class MissingSetting(RuntimeError):
    """A setting was read that this process was not given."""

    def __init__(self, field: str) -> None:
        super().__init__(f"MARKET_{field.upper()} is not set, and something here needs it")


class Settings(BaseSettings):
    """The deployment as one process sees it. An empty string means: not given to this process."""

    model_config = SettingsConfigDict(env_prefix="MARKET_", frozen=True, extra="ignore", use_attribute_docstrings=True)

    stage: str = "local"
    """Name of the stage; `local` is the only one that the CDK app has yet."""
    public_base_url: str = _UNSET
    """Where people reach the API, without a trailing slash, e.g. `https://api.example.com`."""
    media_base_url: str = _UNSET
    """Where the CDN serves public renditions, without a trailing slash."""
    database_secret_arn: str = _UNSET
    """Secret with `{username, password}` of the PostgreSQL role that this process connects as."""
    database_address: str = _UNSET
    """Where the PostgreSQL writer is: `host:port/name`."""
    database_authorities: str = "public"
    """What its certificate is verified against: `public` authorities, or a PEM file; `none` on one machine."""
    database_role_secret_arns: str = _UNSET
    """Secrets of all roles, with commas between; for whoever lets them in."""
    database_statement_timeout_ms: int = 2000
    """How long one statement may run (specification 8.1)."""
    cache_url: str = _UNSET
    """Valkey that may evict: pages, vectors and events, e.g. `valkey://127.0.0.1:6379/0`."""
    counters_url: str = _UNSET
    """Valkey with `maxmemory-policy noeviction`, for limits on rates and guessing and for marks of what was taken
    down; none of the cache's."""
    originals_bucket: str = _UNSET
    """Private, versioned bucket of originals and clean 1000 px renditions."""
    work_bucket: str = _UNSET
    """Private bucket of what passes between the steps of the saga; expires."""
    renditions_bucket: str = _UNSET
    """Bucket of public renditions, read by the CDN alone."""
    cdn_distribution_id: str = _UNSET
    """CloudFront distribution in front of the public renditions; `none` where they are read from their bucket."""
    index_queue_url: str = _UNSET
    """SQS queue that the outbox feeds and `index_images` drains."""
    notifications_queue_url: str = _UNSET
    """SQS queue that the outbox feeds and `tell_contributors` drains."""
    webhooks_queue_url: str = _UNSET
    """SQS queue that wakes `call_webhooks` for a delivery."""
    webhook_loopback: bool = False
    """Whether webhooks may lead to this machine, and there without TLS; for one machine's cloud alone."""
    mail: str = _UNSET
    """How e-mail goes out: `ses:SENDER`, or `file:FOLDER` for one machine."""
    requests_held: int = 4
    """How many requests for an upload's progress are held at once, of all accounts together."""
    open_uploads: int = 1000
    """How many uploads of one account may be announced and not have arrived."""
    announced_gib_a_day: int = 200
    """How many GiB one account may announce in a day of UTC."""
    state_machine_arn: str = _UNSET
    """The `ingest_image` state machine."""
    stalled_after_seconds: int = 1500
    """How long nothing may be heard of an execution that runs before it counts as dead."""
    model_endpoint_name: str = _UNSET
    """SageMaker endpoint that analyses pictures."""
    model_bundle: str = _UNSET
    """Where the bundles lie whose text towers encode queries: folders or `s3://bucket/prefix`, with commas between."""
    encode_text_function: str = _UNSET
    """Name of the function that encodes queries."""
    search_fusion: str = "convex:0.5"
    """How hybrid search brings words and meaning together: `rrf`, or `convex:` and the share of the meaning."""
    keyword_engine: str = "postgres"
    """Which engine finds by words: postgres or opensearch."""
    vector_engine: str = "postgres"
    """Which engine finds by meaning: postgres, opensearch or qdrant."""
    opensearch_endpoint: str = _UNSET
    """Address of the OpenSearch collection; requests are signed where it is https."""
    opensearch_language: str = "english"
    """Language whose stemmer and stop words a new OpenSearch index reads text by, as Lucene calls it."""
    qdrant_secret_arn: str = _UNSET
    """Secret with `{url, api_key}` of the Qdrant cluster."""
    qdrant_shards: int = 1
    """Parts that a new Qdrant collection is made of."""
    qdrant_replicas: int = 1
    """Copies of each part of a new Qdrant collection."""
    cursor_secret_arn: str = _UNSET
    """Secret string that signs cursors."""
    signing_key_secret_arn: str = _UNSET
    """Secret with the private RS256 keys that sign access tokens."""
    jwks_parameter: str = _UNSET
    """SSM parameter with the public JWKS that access tokens are verified against."""
    token_issuer: str = "imagemarket"  # noqa: S105 - an issuer's name, no secret
    """`iss` of access tokens."""
    bcrypt_cost: int = 12
    """Work factor of password hashes."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if value == _UNSET and name in type(self).model_fields:
            raise MissingSetting(name)
        return value
