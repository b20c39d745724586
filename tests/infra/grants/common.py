"""Words in which the expected permissions are written, one module for each capability."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole

Grants = dict[str, set[str]]
"""Where each action is allowed."""

EVERY_QUEUE = "every queue"
EVERY_DEAD_LETTER_QUEUE = "every queue of dead letters"


def connecting(role: DatabaseRole, *secrets: str) -> Grants:
    """Connect to the database in a role, and read other secrets."""
    return {"secretsmanager:GetSecretValue": {role.value, *secrets}}


def consuming(queue: str) -> Grants:
    """Work through a queue."""
    actions = {"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"}
    return {f"sqs:{action}": {queue} for action in actions}


COMPENSATING: Grants = {
    "s3:DeleteObject": {"Renditions/thumbnails", "Renditions/watermarked", "Originals/clean", "Work/work"},
    "s3:PutObjectTagging": {"Originals/originals"},
    "s3:PutObjectVersionTagging": {"Originals/originals"},
    "s3:ListBucket": {"Renditions", "Originals", "Work"},
    "events:PutEvents": {"Bus"},
}
