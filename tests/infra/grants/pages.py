"""What the functions of `cdk/capabilities/pages.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting

EXPECTED: dict[str, Grants] = {
    "image_pages": connecting(DatabaseRole.READER),
}
