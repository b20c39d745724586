"""What the functions of `cdk/capabilities/docs.py` may do."""

from __future__ import annotations

from tests.infra.grants.common import Grants

EXPECTED: dict[str, Grants] = {
    "docs_api": {},
}
