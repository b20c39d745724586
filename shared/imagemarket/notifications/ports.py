"""What notifications need of the world besides a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from imagemarket.platform.telemetry import count, logger

if TYPE_CHECKING:
    from psycopg import Connection


_TURN = "20s"
"""Longer than one mail takes by the time limits of the client that `wiring.mailer` makes."""


@dataclass(frozen=True)
class Mail:
    """An e-mail in plain text."""

    to: str
    subject: str
    text: str
    message_id: str
    """Unique and the same at each try, so that a mailbox can tell a double by it."""


class UndeliverableMail(Exception):
    """A mail that no try will deliver: its address cannot stand in a header."""


class Mailer(Protocol):
    """Sends e-mail."""

    def send(self, mail: Mail) -> None:
        """Raises `DependencyUnavailable` when it was not taken, `UndeliverableMail` when it never will be."""
        ...


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


def one_mail_at_a_time(connection: Connection[Any], account_id: UUID) -> None:
    """Waits until no other worker sends a mail to the account, and keeps others waiting until the transaction ends, so
    that the limits hold and none is sent twice. Not by a lock on the account's row, which a sign-in needs: the mail
    service may be slow.

    Raises `DependencyUnavailable` after `_TURN` has gone by, by way of the database's time limit.
    """
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (_TURN,))
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"mails to {account_id}",))
