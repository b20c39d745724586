"""The secrets that functions read by name: the database's login, the keys that sign tokens and cursors."""

from __future__ import annotations

import json

from aws_cdk import SecretValue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.constructs.rules import acknowledge
from cdk.stages import Stage


class Secret(Construct):
    """One secret. Its ARN is always taken from the attribute, so that emulators and AWS agree on it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        description: str,
        value: SecretValue | None = None,
        not_rotated_because: str,
    ) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description=description,
            secret_string_value=value,
            generate_secret_string=None
            if value
            else secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=stage.removal,
        )
        resource = secret.node.default_child
        assert isinstance(resource, secretsmanager.CfnSecret)
        self.arn = resource.attr_id
        acknowledge(secret, "AwsSolutions-SMG4", not_rotated_because)

    def reading(self) -> iam.PolicyStatement:
        """Leave to read its current value."""
        return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self.arn])

    def writing(self) -> iam.PolicyStatement:
        """Leave to give it a new value."""
        return iam.PolicyStatement(actions=["secretsmanager:PutSecretValue"], resources=[self.arn])


class Secrets(Construct):
    """All of a stage's secrets."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        if stage.database is None:
            raise ValueError(f"stage {stage.name} names no database; its login is what functions connect with")
        self.database = Secret(
            self,
            "Database",
            stage=stage,
            description="imagemarket: {host, port, username, password, dbname} of the PostgreSQL writer",
            # Known to whoever starts the database, so nothing is given away by standing in the template.
            value=SecretValue.unsafe_plain_text(json.dumps(dict(stage.database))),
            not_rotated_because="The login of a database that stands outside the stack; who runs it changes it.",
        )
        self.signing_key = Secret(
            self,
            "SigningKey",
            stage=stage,
            description="imagemarket: the private RS256 keys that sign access tokens; made by provision_keys",
            not_rotated_because="A new key must be published before it signs; provision_keys keeps that order, a "
            "rotation by the clock does not.",
        )
        self.cursor_key = Secret(
            self,
            "CursorKey",
            stage=stage,
            description="imagemarket: signs search cursors",
            not_rotated_because="It guards pages of public results for a day; a change breaks every page being read.",
        )
