"""What the functions of `cdk/capabilities/identity.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting

EXPECTED: dict[str, Grants] = {
    "provision_keys": {
        "secretsmanager:GetSecretValue": {"SigningKey"},
        "secretsmanager:PutSecretValue": {"SigningKey"},
        "ssm:GetParameter": {"jwks"},
        "ssm:PutParameter": {"jwks"},
    },
    "authorizer": {"ssm:GetParameter": {"jwks"}},
    "auth_api": {
        **connecting(DatabaseRole.IDENTITY, "SigningKey"),
        "ssm:GetParameter": {"jwks"},
        "events:PutEvents": {"Bus"},
    },
}
