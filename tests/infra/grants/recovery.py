"""What the functions of `cdk/capabilities/recovery.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import COMPENSATING, Grants, connecting, consuming

EXPECTED: dict[str, Grants] = {
    "end_executions": connecting(DatabaseRole.INGESTION) | COMPENSATING | consuming("Endings"),
    "sweep_uploads": connecting(DatabaseRole.INGESTION)
    | COMPENSATING
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:DeleteObjectVersion": {"Originals/originals"},
        "s3:AbortMultipartUpload": {"Originals/originals"},
        "states:StartExecution": {"Machine"},
        "states:DescribeExecution": {"executions"},
        "states:GetExecutionHistory": {"executions"},
        "states:StopExecution": {"executions"},
        "sqs:SendMessage": {"DeadRuns"},
    },
}
