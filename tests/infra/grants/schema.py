"""What the functions of `cdk/capabilities/schema.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants

EXPECTED: dict[str, Grants] = {
    "migrate_database": {"secretsmanager:GetSecretValue": {"Owner", *(role.value for role in DatabaseRole)}},
}
