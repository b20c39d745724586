"""Accounts, sign-in, and who sends a request."""

from __future__ import annotations

from aws_cdk import ArnFormat, CfnOutput, Stack

from cdk.foundation.assets import LIBRARY, digest
from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.deployment import DeploymentStep
from cdk.foundation.use import Use, allow, layer, setting
from cdk.stages.model import Load
from imagemarket.platform.roles import DatabaseRole


class Identity(Capability):
    group = "edge"

    def make(self) -> None:
        market, stage = self.market, self.stage
        signing_key = market.secrets.signing_key
        issuer = setting(token_issuer=stage.identity.token_issuer)
        provision = self.function(
            "provision_keys",
            "makes the signing keys, publishes their public halves",
            seconds=60,
            load=Load.INTERACTIVE,
            uses=[layer("api"), signing_key.write(), self._public_keys("ssm:GetParameter", "ssm:PutParameter")],
        )
        market.before_requests.append(
            DeploymentStep(
                self,
                "SigningKeys",
                function=provision,
                resource_type="SigningKeys",
                reasons={
                    "Parameter": stage.jwks_parameter,
                    "Code": digest(LIBRARY / "identity" / "signing_keys.py"),
                },
            )
        )
        self.function(
            "authorizer",
            "who sends this request?",
            seconds=10,
            load=Load.INTERACTIVE,
            uses=[layer("api"), issuer, self._public_keys("ssm:GetParameter")],
        )
        self.function(
            "auth_api",
            "accounts, sign-in, public keys",
            seconds=HTTP_SECONDS,
            memory_mb=1769,  # one whole core: bcrypt is all CPU
            load=Load.INTERACTIVE,
            uses=[
                layer("api"),
                issuer,
                setting(bcrypt_cost=str(stage.identity.bcrypt_cost)),
                market.database.connect(DatabaseRole.IDENTITY),
                market.valkey.counters(),
                signing_key.read(),
                self._public_keys("ssm:GetParameter"),
                market.bus.publish(),
            ],
        )
        CfnOutput(Stack.of(self), "JwksParameter", value=stage.jwks_parameter)

    def _public_keys(self, *actions: str) -> Use:
        """Some actions on the parameter that publishes them."""
        parameter = Stack.of(self).format_arn(
            service="ssm",
            resource="parameter",
            resource_name=self.stage.jwks_parameter.lstrip("/"),
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        return setting(jwks_parameter=self.stage.jwks_parameter) + allow(*actions, on=parameter)
