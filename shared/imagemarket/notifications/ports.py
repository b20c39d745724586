"""What notifications need of the world besides a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from imagemarket.platform.telemetry import count, logger


@dataclass(frozen=True)
class Mail:
    """An e-mail in plain text."""

    to: str
    subject: str
    text: str
    message_id: str
    """Unique and the same at each try, so that a mailbox can tell a double by it."""


class UndeliverableMail(Exception):
    """A mail that no try will deliver: its address cannot stand in a header, or the service calls it malformed."""


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
