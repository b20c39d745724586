"""What notifications need of the world besides a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """An e-mail in plain text."""

    to: str
    subject: str
    text: str
    message_id: str
    """Unique and the same at each try, so that a mailbox can tell a double by it."""


class UndeliverableMail(Exception):
    """A mail that no try will deliver: its address cannot stand in a header, or the mail service refused it for good.
    The message names no address."""


class Mailer(Protocol):
    """Sends e-mail."""

    def send(self, mail: Mail) -> None:
        """Raises `DependencyUnavailable` when it was not taken, `UndeliverableMail` when it never will be."""
        ...
