"""The secrets that functions read by name: logins to the database, the keys that sign tokens and cursors.

Every value is made where it is kept, so that no template holds one.
"""

from __future__ import annotations

import json

from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.foundation.rules import acknowledge
from cdk.foundation.use import Use, allow
from cdk.stages.model import Stage
from imagemarket.platform.roles import DatabaseRole


class Secret(Construct):
    """One secret. Its ARN is always taken from the attribute, so that emulators and AWS agree on it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        description: str,
        setting: str | None = None,
        username: str | None = None,
        not_rotated_because: str,
    ) -> None:
        """A string of 64 letters and digits, or `{username, password}` with one. `setting` is told its ARN."""
        super().__init__(scope, construct_id)
        self._setting = setting
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64,
                exclude_punctuation=True,
                secret_string_template=json.dumps({"username": username}) if username else None,
                generate_string_key="password" if username else None,
            ),
            removal_policy=stage.removal,
        )
        resource = secret.node.default_child
        assert isinstance(resource, secretsmanager.CfnSecret)
        self.arn = resource.attr_id
        acknowledge(secret, "AwsSolutions-SMG4", not_rotated_because)

    def read(self) -> Use:
        """Read its current value."""
        return Use({self._setting: self.arn} if self._setting else {}, (self.read_permission(),))

    def write(self) -> Use:
        """Give it a new value."""
        return self.read() + allow("secretsmanager:PutSecretValue", on=self.arn)

    def read_permission(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self.arn])


class Secrets(Construct):
    """All of a stage's secrets."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.roles = {
            role: Secret(
                self,
                f"{role.value.capitalize()}Login",
                stage=stage,
                description=f"imagemarket: {{username, password}} of the database's role {role.login}",
                username=role.login,
                not_rotated_because="Its role learns of it by migrate_database, which runs when a secret is made anew.",
            )
            for role in DatabaseRole
        }
        """Who connects to the database, by role."""
        self.signing_key = Secret(
            self,
            "SigningKey",
            stage=stage,
            description="imagemarket: the private RS256 keys that sign access tokens; made by provision_keys",
            setting="signing_key_secret_arn",
            not_rotated_because="A new key must be published before it signs; provision_keys keeps that order, a "
            "rotation by the clock does not.",
        )
        self.cursor_key = Secret(
            self,
            "CursorKey",
            stage=stage,
            description="imagemarket: signs search cursors",
            setting="cursor_secret_arn",
            not_rotated_because="It guards pages of public results for a day; a change breaks every page being read.",
        )
