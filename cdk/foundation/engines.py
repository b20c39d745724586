"""What a stage only names: the database, Valkey, the search engines, the models, the mail service."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk.foundation.secrets import Secret
from cdk.foundation.use import Use, allow, setting
from cdk.stages.model import PostgresServer, SearchEngines, Stage
from imagemarket.platform.roles import DatabaseRole


class Database:
    """PostgreSQL, which functions connect to in a role."""

    def __init__(self, server: PostgresServer, logins: Mapping[DatabaseRole, Secret]) -> None:
        self._server = server
        self._logins = logins

    def connect(self, role: DatabaseRole) -> Use:
        """Connect in a role, with its login."""
        login = self._logins[role]
        return self._reach(login.arn) + login.read()

    def migrate(self) -> Use:
        """Connect as the schema's owner, and give every role its login."""
        owner = allow("secretsmanager:GetSecretValue", on=self._server.owner_secret_arn)
        logins = [login.arn for login in self._logins.values()]
        reads = sum((login.read() for login in self._logins.values()), owner)
        return self._reach(self._server.owner_secret_arn) + reads + setting(database_role_secret_arns=",".join(logins))

    def _reach(self, secret_arn: str) -> Use:
        return setting(
            database_address=self._server.address,
            database_authorities=self._server.authorities,
            database_secret_arn=secret_arn,
            database_statement_timeout_ms=str(self._server.statement_timeout_ms),
        )


class Valkey:
    """What is kept in memory alone."""

    def __init__(self, stage: Stage) -> None:
        self._servers = stage.valkey

    def cache(self) -> Use:
        return setting(cache_url=self._servers.cache_url)

    def counters(self) -> Use:
        """Count requests, so that their callers are limited."""
        return setting(counters_url=self._servers.counters_url)


class Search:
    """The engines that pictures are found with, where they are not the database."""

    def __init__(self, engines: SearchEngines) -> None:
        self._engines = engines

    def by_words_and_meaning(self) -> Use:
        engines = self._engines
        return setting(keyword_engine=engines.keyword) + self._vector() + self._reach(engines.keyword, engines.vector)

    def by_meaning(self) -> Use:
        return self._vector() + self._reach(self._engines.vector)

    def _vector(self) -> Use:
        engines = self._engines
        return Use(
            {
                "vector_engine": engines.vector,
                "opensearch_endpoint": engines.opensearch_endpoint,
                "opensearch_language": engines.opensearch_language,
                "qdrant_secret_arn": engines.qdrant_secret_arn,
                "qdrant_shards": str(engines.qdrant_shards),
                "qdrant_replicas": str(engines.qdrant_replicas),
            },
            layers=engines.layers,
        )

    def _reach(self, *names: str) -> Use:
        """Reach those engines that IAM guards; what may be done in a collection its own policy says."""
        use = Use()
        if "opensearch" in names and self._engines.opensearch_arn:
            use += allow("aoss:APIAccessAll", on=self._engines.opensearch_arn)
        if "qdrant" in names and self._engines.qdrant_secret_arn:
            use += allow("secretsmanager:GetSecretValue", on=self._engines.qdrant_secret_arn)
        return use


class Models:
    """The models that look at pictures and read queries."""

    def __init__(self, stack: Stack, stage: Stage) -> None:
        self._stack = stack
        self._stage = stage

    def analyse(self) -> Use:
        """Ask the endpoint what a picture shows."""
        name = self._stage.vision.endpoint_name
        endpoint = self._stack.format_arn(service="sagemaker", resource="endpoint", resource_name=name)
        return setting(model_endpoint_name=name) + allow("sagemaker:InvokeEndpoint", on=endpoint)

    def load_text_towers(self) -> Use:
        """Read what encodes a query's words: permission for bundles that lie in S3, none for those in folders."""
        places = self._stage.vision.model_bundle.split(",")
        objects = tuple(
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                resources=[f"arn:{self._stack.partition}:s3:::{place.removeprefix('s3://').rstrip('/')}/{name}"],
            )
            for place in places
            if place.startswith("s3://")
            for name in ("bundle.json", "text/model.onnx", "text/tokenizer.json")
        )
        return Use({"stage": self._stage.name, "model_bundle": self._stage.vision.model_bundle}, objects)


class Mail:
    """E-mail from the stage's address."""

    def __init__(self, stack: Stack, stage: Stage) -> None:
        self._stack = stack
        self._mail = stage.notifications.mail

    def send(self) -> Use:
        """Permission where SES sends it; none where it goes into a folder."""
        kind, _, sender = self._mail.partition(":")
        use = setting(mail=self._mail)
        if kind != "ses":
            return use
        address = sender.rpartition("<")[2].rstrip(">")
        identity = self._stack.format_arn(service="ses", resource="identity", resource_name=address)
        return use + allow("ses:SendEmail", "ses:SendRawEmail", on=identity)
