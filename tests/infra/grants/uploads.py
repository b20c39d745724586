"""What the functions of `cdk/capabilities/uploads.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting

EXPECTED: dict[str, Grants] = {
    "upload_api": connecting(DatabaseRole.UPLOADER)
    | {
        "s3:PutObject": {"Originals/originals"},
        "s3:GetObject": {"Originals/originals"},
        "s3:AbortMultipartUpload": {"Originals/originals"},
        "s3:ListMultipartUploadParts": {"Originals/originals"},
        "s3:GetObjectVersion": {"Originals/originals"},
        "s3:PutObjectTagging": {"Originals/originals"},
        "s3:PutObjectVersionTagging": {"Originals/originals"},
        "states:StartExecution": {"Machine"},
        "s3:ListBucket": {"Originals"},
    },
    "status_api": connecting(DatabaseRole.UPLOADER),
}
