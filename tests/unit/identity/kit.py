"""Identity put together from fakes: a clock that is moved by hand, counters and rows in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from imagemarket.identity.attempts import AttemptLimiter
from imagemarket.identity.mails import MailTokens
from imagemarket.identity.memory import MemoryIdentityStore
from imagemarket.identity.models import MailPurpose, TokenPair
from imagemarket.identity.passwords import PasswordHasher
from imagemarket.identity.ports import IdentityStore
from imagemarket.identity.service import Identity
from imagemarket.identity.signing_keys import SigningKeys
from imagemarket.identity.tokens import PublicKeys, TokenIssuer, TokenVerifier
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.errors import DependencyUnavailable

START = datetime(2026, 1, 1, tzinfo=UTC)
ISSUER = "imagemarket-tests"
EMAIL = "ann@example.com"
PASSWORD = "quiet lantern orbit seventeen"
ADDRESS = "203.0.113.7"
CHEAP = 4
"""bcrypt's least cost."""


@cache
def signing_keys() -> SigningKeys:
    """One key pair for a whole test run: making one takes a while."""
    return SigningKeys.generate()


@cache
def other_signing_keys() -> SigningKeys:
    return SigningKeys.generate()


class FakeCounters:
    """Counters as the cache keeps them, forgotten by the clock that is given."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, datetime]] = {}
        self.down = False

    @property
    def keys(self) -> list[str]:
        return list(self._counts)

    def count(self, key: str, *, window_seconds: int) -> tuple[int, int]:
        self._answer()
        now = self._clock.now()
        attempts, until = self._counts.get(key, (0, now))
        if until <= now:
            attempts, until = 0, now + timedelta(seconds=window_seconds)
        self._counts[key] = (attempts + 1, until)
        return attempts + 1, max(1, int((until - now).total_seconds()))

    def forget(self, *keys: str) -> None:
        self._answer()
        for key in keys:
            self._counts.pop(key, None)

    def _answer(self) -> None:
        if self.down:
            raise DependencyUnavailable("The cache is not answering.")


class CountingHasher(PasswordHasher):
    """Remembers how often bcrypt was made to work, and on what."""

    def __init__(self, cost: int = CHEAP) -> None:
        super().__init__(cost)
        self.verified: list[str | None] = []
        self.hashed = 0

    def hash(self, password: str) -> str:
        self.hashed += 1
        return super().hash(password)

    def verify(self, password: str, kept: str | None) -> bool:
        self.verified.append(kept)
        return super().verify(password, kept)


class FakeMails:
    """Takes requests for mail, and knows what a mail to an account would carry."""

    def __init__(self, store: IdentityStore, clock: ManualClock) -> None:
        self.requested: list[tuple[MailPurpose, str]] = []
        self._store = store
        self._tokens = MailTokens(store, clock)

    def request(self, purpose: MailPurpose, email: str) -> None:
        self.requested.append((purpose, email))

    def token(self, purpose: MailPurpose, email: str) -> str:
        """The token that a mail of this purpose would bring."""
        kept = self._store.credentials(email)
        assert kept is not None
        return self._tokens.issue(kept.account.id, purpose)


@dataclass
class Kit:
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: IdentityStore = field(default_factory=MemoryIdentityStore)
    hasher: CountingHasher = field(default_factory=CountingHasher)

    def __post_init__(self) -> None:
        self.counters = FakeCounters(self.clock)
        self.public_keys = PublicKeys(lambda: public_jwks(signing_keys()), self.clock)
        self.verifier = TokenVerifier(self.public_keys, issuer=ISSUER, clock=self.clock)
        self.issuer = TokenIssuer(signing_keys().to_json, issuer=ISSUER, clock=self.clock)
        self.mails = FakeMails(self.store, self.clock)
        self.identity = self.with_hasher(self.hasher)

    def with_hasher(self, hasher: PasswordHasher) -> Identity:
        return Identity(
            store=self.store,
            hasher=hasher,
            issuer=self.issuer,
            attempts=AttemptLimiter(self.counters),
            mails=self.mails,
            clock=self.clock,
        )

    def registered(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        self.identity.register(
            email=email, password=password, role="contributor", display_name="Ann Adams", address=ADDRESS
        )

    def login(self, email: str = EMAIL, password: str = PASSWORD, address: str = ADDRESS) -> TokenPair:
        return self.identity.login(email=email, password=password, address=address)


def public_jwks(keys: SigningKeys) -> str:
    import json

    return json.dumps(keys.public_jwks())
