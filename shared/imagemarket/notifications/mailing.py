"""How a mail goes out: one at a time for an account, and given up where no try would deliver it."""

from __future__ import annotations

from uuid import UUID

from imagemarket.notifications.ports import Mail, Mailer, UndeliverableMail
from imagemarket.platform.database import Connection
from imagemarket.platform.telemetry import count, logger

_TURN = "20s"
"""Longer than one mail takes by the time limits of the client that `NotificationsRoom` makes."""


def sent_or_written_off(mailer: Mailer, mail: Mail, account_id: UUID) -> bool:
    """Sends a mail; False, with a line in the log and a count, where no try would deliver it.

    Raises `DependencyUnavailable`.
    """
    try:
        mailer.send(mail)
    except UndeliverableMail as error:
        count("MailsUndeliverable")
        logger.error("a mail cannot be delivered", account_id=str(account_id), reason=str(error))
        return False
    return True


def one_mail_at_a_time(connection: Connection, to: UUID | str) -> None:
    """Waits until no other worker sends a mail to the account or mailbox, and keeps others waiting until the
    transaction ends, so that the limits hold and none is sent twice. Not by a lock on the account's row, which a
    sign-in needs: the mail service may be slow.

    Raises `DependencyUnavailable` after `_TURN` has gone by, by way of the database's time limit.
    """
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (_TURN,))
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"mails to {to}",))
