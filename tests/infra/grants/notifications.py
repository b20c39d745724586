"""What the functions of `cdk/capabilities/notifications.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting, consuming

EXPECTED: dict[str, Grants] = {
    "notifications_api": connecting(DatabaseRole.NOTIFIER) | {"sqs:SendMessage": {"Webhooks"}},
    "tell_contributors": connecting(DatabaseRole.NOTIFIER)
    | {"sqs:SendMessage": {"Webhooks"}}
    | consuming("Notifications"),
    "call_webhooks": connecting(DatabaseRole.NOTIFIER) | {"sqs:SendMessage": {"Webhooks"}} | consuming("Webhooks"),
}
