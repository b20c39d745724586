"""How a mail goes out, and is given up where no try would deliver it."""

from __future__ import annotations

from uuid import UUID

from imagemarket.notifications.ports import Mail, Mailer, UndeliverableMail
from imagemarket.platform.telemetry import count, logger


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
