"""Mail that accounts ask for: written down and sent by another function, alike for addresses known and unknown."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from imagemarket.identity import repository
from imagemarket.identity.events import AccountMailRequested
from imagemarket.identity.models import MAIL_TOKEN_LIFETIMES, MailPurpose
from imagemarket.identity.ports import IdentityStore
from imagemarket.platform.bus import EventBus
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.events import Envelope
from imagemarket.platform.ids import created_at, new_id
from imagemarket.platform.telemetry import logger

_TOKEN_BYTES = 32
_AT_ONCE = 500
_MADE_UP_FOR_AFTER, _MADE_UP_FOR_UNTIL = timedelta(seconds=30), timedelta(days=1)


class AccountMailRequests:
    """Requests for mail, in the table `account_mails`. It serves as the outbox of their events: whoever asks would
    otherwise wait until those of other rooms are published, too."""

    def __init__(self, *, database: Database, bus: EventBus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

    def request(self, purpose: MailPurpose, email: str) -> None:
        """Asks for a mail to the account of this address. The same work is done where there is none, so that neither
        the answer nor its time tells."""
        request_id = new_id()
        with self._database.transaction() as connection:
            repository.add_mail_request(connection, request_id, purpose, email, self._clock.now())
        try:
            self._bus.publish([_requested(request_id)])
        except DependencyUnavailable:
            # It is written down; the minute's schedule makes up for the event.
            logger.warning("a mail waits for the schedule: the event bus is not answering")

    def wake(self) -> int:
        """Publishes anew what has waited for half a minute and up to a day, after which nobody waits for the mail any
        more; how many that was."""
        now = self._clock.now()
        waiting = repository.waiting_mail_requests(
            self._database, since=now - _MADE_UP_FOR_UNTIL, until=now - _MADE_UP_FOR_AFTER, limit=_AT_ONCE
        )
        self._bus.publish([_requested(request_id) for request_id in waiting])
        return len(waiting)


def _requested(request_id: UUID) -> Envelope:
    return Envelope.of(request_id, AccountMailRequested(account_mail_id=request_id), created_at(request_id))


class MailTokens:
    """Tokens that prove to be reading an account's mail."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def issue(self, account_id: UUID, purpose: MailPurpose, lifetime: timedelta | None = None) -> str:
        """A new token, which holds for as long as its purpose has it or for `lifetime`; only its digest is kept."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._store.add_mail_token(
            sha256=token_digest(token),
            account_id=account_id,
            purpose=purpose,
            expires_at=self._clock.now() + (lifetime or MAIL_TOKEN_LIFETIMES[purpose]),
        )
        return token


def token_digest(token: str) -> bytes:
    """What a token is kept as. No salt and no cost: 256 random bits cannot be guessed, whatever the hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
