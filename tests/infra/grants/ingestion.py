"""What the functions of `cdk/capabilities/ingestion.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import COMPENSATING, Grants, connecting, consuming

EXPECTED: dict[str, Grants] = {
    "start_ingestion": connecting(DatabaseRole.INGESTION)
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:DeleteObjectVersion": {"Originals/originals"},
        "s3:ListBucket": {"Originals"},
        "states:StartExecution": {"Machine"},
    }
    | consuming("Uploads"),
    "inspect_image": connecting(DatabaseRole.DECODER)
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:GetObjectVersion": {"Originals/originals"},
        "s3:PutObject": {"Work/work"},
    },
    "detect_duplicate": connecting(DatabaseRole.MAKER),
    "make_thumbnails": connecting(DatabaseRole.MAKER)
    | {
        "s3:GetObject": {"Work/work"},
        "s3:PutObject": {"Renditions/thumbnails", "Originals/clean"},
        "s3:DeleteObject": {"Renditions/thumbnails", "Originals/clean"},
        "s3:ListBucket": {"Renditions", "Originals"},
    },
    "make_watermark": connecting(DatabaseRole.MAKER)
    | {
        "s3:GetObject": {"Work/work"},
        "s3:PutObject": {"Renditions/watermarked"},
        "s3:DeleteObject": {"Renditions/watermarked"},
        "s3:ListBucket": {"Renditions"},
    },
    "embed_and_tag": connecting(DatabaseRole.MAKER)
    | {"s3:GetObject": {"Work/work"}, "s3:PutObject": {"Work/work"}, "sagemaker:InvokeEndpoint": {"analyse"}},
    "publish_image": connecting(DatabaseRole.INGESTION)
    | {
        "s3:GetObject": {"Work/work", "Renditions/thumbnails"},
        "s3:ListBucket": {"Renditions"},
        "events:PutEvents": {"Bus"},
    },
    "compensate_image": connecting(DatabaseRole.INGESTION) | COMPENSATING,
}
