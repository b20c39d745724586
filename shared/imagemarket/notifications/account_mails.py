"""E-mail about an account itself: confirm the address, set a new password, the password was changed.

None of it holds words that the account's owner chose, since until an address is confirmed it may be a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from imagemarket.identity.repository import take_mail_request
from imagemarket.notifications.mailing import sent_or_written_off
from imagemarket.notifications.messages import request_and_page
from imagemarket.notifications.ports import Mail, Mailer
from imagemarket.notifications.repository import mails
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Connection, Database
from imagemarket.platform.telemetry import count, logger

TokenPurpose = Literal["confirm_email", "reset_password"]
UNCONFIRMED_PER_DAY = {"confirm_email": 3, "reset_password": 1, "password_changed": 1}
"""Mails to an address that is not confirmed, by what they are for: it may be a stranger's, and anybody may ask."""
PER_HOUR, PER_DAY = 3, 10
"""Mails of one purpose to a confirmed address."""
MAILBOX_PER_DAY = 10
"""Mails to all addresses of one mailbox that are not confirmed, whatever for: ann+1@ and ann+2@ are one person's."""
RESET_HOLDS, UNCONFIRMED_RESET_HOLDS = timedelta(hours=1), timedelta(hours=8)
"""How long the token of a mail to set a new password with can be used. Beyond those limits another one is sent once
the last one's is over, so that whoever asks for them in the owner's name leaves a good one in the owner's mail at any
time. The token of an address that is not confirmed holds longer, so that these are three mails a day."""


class AccountMails:
    """Sends what accounts asked for."""

    def __init__(
        self,
        *,
        database: Database,
        mailer: Mailer,
        issue_token: Callable[[UUID, TokenPurpose, timedelta | None], str],
        clock: Clock,
        public_base_url: str,
    ) -> None:
        """`issue_token` makes a token for an account and a purpose, which holds for the time given, if one is."""
        self._database = database
        self._mailer = mailer
        self._issue_token = issue_token
        self._clock = clock
        self._base_url = public_base_url

    def send(self, request_id: UUID) -> None:
        """Handles one request of `account_mails`, once: sends it, or lets it go where nobody has the address, too many
        were sent, or no mail can reach it. A crash between sending and writing it down sends another, with a token of
        its own.

        Raises `DependencyUnavailable`.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = take_mail_request(connection, request_id, now)
            if row is None:
                return
            if row["id"] is None or (row["purpose"] == "confirm_email" and row["email_confirmed_at"] is not None):
                return
            mails.one_mail_at_a_time(connection, row["id"])
            sent = mails.sent_since(connection, row["id"], row["purpose"], now - timedelta(days=1))
            purpose, confirmed = row["purpose"], row["email_confirmed_at"] is not None
            held_back = _held_back(purpose, sent, confirmed=confirmed, now=now)
            if held_back or (not confirmed and _mailbox_is_full(connection, row["mailbox"], now)):
                count("AccountMailsHeldBack")
                logger.info("an account's mail was held back", account_id=str(row["id"]), purpose=row["purpose"])
                return
            holds = _reset_holds(confirmed=confirmed) if purpose == "reset_password" else None
            token = None if purpose == "password_changed" else self._issue_token(row["id"], purpose, holds)
            mail = account_mail_of(request_id, purpose, token, to=row["email"], base_url=self._base_url, holds=holds)
            if not sent_or_written_off(self._mailer, mail, row["id"]):
                return
            mails.add(connection, row["id"], row["purpose"], now)
        count("AccountMailsSent")
        logger.info("an account's mail was sent", account_id=str(row["id"]), purpose=row["purpose"])


def _mailbox_is_full(connection: Connection, mailbox: str, now: datetime) -> bool:
    mails.one_mail_at_a_time(connection, mailbox)
    return mails.sent_to_unconfirmed(connection, mailbox, now - timedelta(days=1)) >= MAILBOX_PER_DAY


def _held_back(purpose: str, sent: Sequence[datetime], *, confirmed: bool, now: datetime) -> bool:
    """Whether no further mail of this purpose is sent now; `sent` are those of the last day."""
    if confirmed:
        hour = [at for at in sent if at > now - timedelta(hours=1)]
        spent = len(hour) >= PER_HOUR or len(sent) >= PER_DAY
    else:
        spent = len(sent) >= UNCONFIRMED_PER_DAY[purpose]
    if purpose != "reset_password":
        return spent
    return spent and max(sent) > now - _reset_holds(confirmed=confirmed)


def _reset_holds(*, confirmed: bool) -> timedelta:
    return RESET_HOLDS if confirmed else UNCONFIRMED_RESET_HOLDS


def account_mail_of(
    request_id: UUID, purpose: str, token: str | None, *, to: str, base_url: str, holds: timedelta | None = None
) -> Mail:
    """The e-mail of a request; nothing in it but the token was chosen by anybody. `holds` is how long that of a new
    password can be used."""
    if purpose == "confirm_email":
        subject = "Confirm your e-mail address"
        lines = [
            "Somebody opened an account at imagemarket with this address. If it was you, confirm it within a day:",
            request_and_page(f'POST /v1/auth/confirm {{"token": "{token}"}}', "confirmEmail", base_url=base_url),
            "If it was not you, do nothing: no news will be sent to this address.",
        ]
    elif purpose == "reset_password":
        subject = "Set a new password"
        lines = [
            "Somebody asked to set a new password for your account at imagemarket.",
            "If it was you, do it within " + ("eight hours:" if holds == UNCONFIRMED_RESET_HOLDS else "an hour:"),
            request_and_page(
                f'POST /v1/auth/password/reset {{"token": "{token}", "password": "…"}}',
                "resetPassword",
                base_url=base_url,
            ),
            "If it was not you, do nothing: your password stays as it is.",
        ]
    else:
        subject = "Your password was changed"
        lines = [
            "The password of your account at imagemarket was changed, and all its sessions were ended.",
            "If it was not you, set a new one: "
            + request_and_page("POST /v1/auth/password/forgot", "forgotPassword", base_url=base_url),
        ]
    return Mail(to=to, subject=subject, text="\n\n".join(lines) + "\n", message_id=f"{request_id}@imagemarket")
