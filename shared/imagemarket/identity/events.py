"""What becomes true of accounts, for whoever listens."""

from __future__ import annotations

from uuid import UUID

from imagemarket.platform.events import Event


class AccountMailRequested(Event):
    """A mail about an account was asked for."""

    account_mail_id: UUID
    """The row of `account_mails`, which says which mail and to whom."""

    @property
    def subject(self) -> UUID:
        return self.account_mail_id
