"""What the functions of `cdk/capabilities/image_search.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting

EXPECTED: dict[str, Grants] = {
    "image_search_api": connecting(DatabaseRole.READER)
    | {
        "s3:PutObject": {"Work/queries"},
        "s3:GetObject": {"Work/queries"},
        "s3:DeleteObject": {"Work/queries"},
        "s3:ListBucket": {"Work"},
        "sagemaker:InvokeEndpoint": {"analyse"},
    },
}
