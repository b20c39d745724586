"""Why messages failed and which were replayed; what contributors are told, and how it reaches them."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0002"

_STATEMENTS = (
    # --- dead letters ------------------------------------------------------------------------
    # SQS carries no reason; consumers write it here, by the message's id or the call's request id.
    """
    CREATE TABLE message_failures (
        message_id   varchar(100) PRIMARY KEY,
        function     varchar(60) NOT NULL,
        error        varchar(100) NOT NULL,
        detail       text NOT NULL,
        receives     int NOT NULL,
        request_id   varchar(60),
        first_at     timestamptz NOT NULL DEFAULT now(),
        last_at      timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX message_failures_age ON message_failures (last_at)",
    # A dead message is claimed before it is sent again. A claim without `sent_at` may or may not have been
    # sent: it is sent (again) with the same token, and the consumer drops what it has ticked off.
    """
    CREATE TABLE message_replays (
        message_id       varchar(100) PRIMARY KEY,
        queue            varchar(80) NOT NULL,
        token            uuid NOT NULL UNIQUE,
        origin_id        varchar(100) NOT NULL,
        replayed_by      varchar(60) NOT NULL,
        claimed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        sent_at          timestamptz,
        sent_message_id  varchar(100),
        completed_at     timestamptz
    )
    """,
    "CREATE INDEX message_replays_origin ON message_replays (origin_id)",
    "CREATE INDEX message_replays_sent ON message_replays (sent_message_id)",
    "CREATE INDEX message_replays_age ON message_replays (claimed_at)",
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE message_replays")
    op.execute("DROP TABLE message_failures")
