"""What the functions of `cdk/capabilities/delivery.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting

EXPECTED: dict[str, Grants] = {
    "delivery_api": connecting(DatabaseRole.READER) | {"s3:GetObject": {"Originals/clean"}},
}
