"""What the functions of `cdk/capabilities/operations.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import EVERY_DEAD_LETTER_QUEUE, EVERY_QUEUE, Grants, connecting

EXPECTED: dict[str, Grants] = {
    "relay_outbox": connecting(DatabaseRole.UPKEEP)
    | {"events:PutEvents": {"Bus"}, "sqs:SendMessage": {"Notifications", "Webhooks", "DeadRuns"}},
    "run_maintenance": connecting(DatabaseRole.UPKEEP) | {"sqs:SendMessage": {"DeadRuns"}},
    "remediate_dead_letters": connecting(DatabaseRole.UPKEEP)
    | {
        "sqs:ListQueues": {"*"},
        "sqs:GetQueueAttributes": {EVERY_QUEUE, EVERY_DEAD_LETTER_QUEUE},
        **{
            f"sqs:{action}": {EVERY_DEAD_LETTER_QUEUE}
            for action in ("ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")
        },
        "sqs:SendMessage": {EVERY_QUEUE, "DeadRuns"},
    },
}
