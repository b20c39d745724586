"""What identity is about: accounts, the two kinds of token, and what a token says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

Role = Literal["contributor", "buyer", "admin"]
PublicRole = Literal["contributor", "buyer"]
"""What people may register as; an admin is made by the operators' command line alone."""

MIN_PASSWORD_CHARACTERS = 10
MAX_PASSWORD_CHARACTERS = 256
"""A passphrase fits; a megabyte to hash does not."""
MAX_EMAIL_CHARACTERS = 254
"""RFC 5321, 4.5.3.1.3, less the angle brackets."""
MAX_DISPLAY_NAME_CHARACTERS = 100

NEW_PASSWORD_COST = 40
"""What a request that sets a password counts as among an address's: it is estimated and hashed, which takes some 0.3 s
of CPU, as long as a search by a picture, and most of it where the password is refused."""

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)

MailPurpose = Literal["confirm_email", "reset_password", "password_changed"]
"""What an account is written to for, other than news of its pictures."""
MAIL_TOKEN_LIFETIMES: dict[MailPurpose, timedelta] = {
    "confirm_email": timedelta(days=1),
    "reset_password": timedelta(hours=1),
}
"""How long the token of a mail can be used, once."""


@dataclass(frozen=True)
class Account:
    """A person's account. `email` is in its normal form (see `emails.normalise`); news are mailed to it once
    `email_confirmed_at` is set."""

    id: UUID
    email: str
    role: Role
    display_name: str
    created_at: datetime
    email_confirmed_at: datetime | None = None


@dataclass(frozen=True)
class Credentials:
    """An account and the hash that its password is checked against."""

    account: Account
    password_hash: str = field(repr=False)
    password_changed_at: datetime | None = None
    """None while the password is the first."""


@dataclass(frozen=True)
class AccessClaims:
    """What a verified access token says."""

    account_id: UUID
    role: Role
    token_id: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token as it is kept: by its SHA-256, never in the clear.

    A family is everything that grew out of one sign-in. `used_at` is when this token was exchanged;
    `replaced_at` is when it was, or when it was retired because a sibling was; `revoked_at` is when the
    family ended early. `parent_sha256` is the token that it was given for, None for a sign-in's first.
    """

    sha256: bytes = field(repr=False)
    family_id: UUID
    account_id: UUID
    issued_at: datetime
    expires_at: datetime
    parent_sha256: bytes | None = field(default=None, repr=False)
    used_at: datetime | None = None
    replaced_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self) -> bool:
        """Whether it is the latest of its family, which has not been revoked (it may be over)."""
        return self.replaced_at is None and self.revoked_at is None


@dataclass(frozen=True)
class TokenPair:
    """What a client gets at sign-in and at each refresh: secrets both."""

    account: Account
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    """Seconds that the access token holds."""
    refresh_expires_in: int
    """Seconds that the refresh token holds."""
