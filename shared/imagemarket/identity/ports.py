"""Where accounts and refresh tokens are kept; every implementation passes the same contract tests."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from imagemarket.identity.models import Account, Credentials, MailPurpose, RefreshToken, Role


class LockedFamily(Protocol):
    """The family of one refresh token, with nobody else at any family of its account meanwhile."""

    @property
    def account(self) -> Account:
        """Whose family it is, as the account is now."""
        ...

    @property
    def presented(self) -> RefreshToken:
        """The token that the family was found by, read after the lock was had."""
        ...

    def live(self) -> int:
        """How many tokens of the family are neither replaced nor revoked."""
        ...

    def successor_used(self) -> bool:
        """Whether a token that was given for the presented one has been used itself."""
        ...

    def use(self, at: datetime) -> None:
        """Marks the presented token as used, and every live token, its siblings, as replaced."""
        ...

    def add(self, token: RefreshToken) -> None:
        """Adds a token to the family."""
        ...

    def revoke(self, at: datetime) -> None:
        """Revokes every token of the family that is not revoked yet."""
        ...


class IdentityStore(Protocol):
    """Accounts by id and e-mail, refresh tokens by digest."""

    def add_account(self, account: Account, password_hash: str) -> bool:
        """Keeps a new account; False, and nothing kept, when its e-mail is taken."""
        ...

    def account(self, account_id: UUID) -> Account | None: ...

    def credentials_of(self, account_id: UUID) -> Credentials | None: ...

    def credentials(self, email: str) -> Credentials | None:
        """The account with this normal form of e-mail, and its password hash."""
        ...

    def set_password_hash(self, account_id: UUID, password_hash: str, *, instead_of: str) -> None:
        """Keeps another hash of the same password, where the kept one is still `instead_of`."""
        ...

    def knows_network(self, account_id: UUID, network: str) -> bool:
        """Whether the account has signed in from this network, since its password was last set by mail."""
        ...

    def remember_network(self, account_id: UUID, network: str, at: datetime) -> None:
        """Keeps that this network is one of the account's."""
        ...

    def set_role(self, account_id: UUID, role: Role) -> None: ...

    def start_family(self, token: RefreshToken, *, network: str, password_changed_at: datetime | None) -> bool:
        """Keeps the first token of a new family, and `network` as one of the account's; False, and nothing kept, when
        the account's password was changed at another time by now: while somebody signed in with the old one."""
        ...

    def change_password(self, account_id: UUID, password_hash: str, at: datetime, *, by_mail: bool) -> None:
        """Keeps a new hash and ends every session of the account; with `by_mail`, uses up its other tokens to set a
        password with and forgets its networks, which may be those of who had the old one."""
        ...

    def end_sessions(self, account_id: UUID, at: datetime) -> None:
        """Revokes every refresh token of the account."""
        ...

    def confirm_email(self, account_id: UUID, at: datetime) -> None:
        """Keeps that the account's address was proven; an earlier proof stays."""
        ...

    def add_mail_token(self, *, sha256: bytes, account_id: UUID, purpose: MailPurpose, expires_at: datetime) -> None:
        """Keeps a token that goes out by mail."""
        ...

    def mail_token_owner(self, sha256: bytes, purpose: MailPurpose, at: datetime) -> Account | None:
        """Whose unused token this is, where it is of this purpose and not over."""
        ...

    def use_mail_token(self, sha256: bytes, purpose: MailPurpose, at: datetime) -> bool:
        """Uses a token up; False when it could not be used (any more)."""
        ...

    def locked_family(self, token_sha256: bytes) -> AbstractContextManager[LockedFamily | None]:
        """The family of a token, or None when there is no such token.

        What is done to it is kept when the context ends, and undone when it ends in an exception.
        """
        ...


class MailRequests(Protocol):
    """Asks for mail about an account."""

    def request(self, purpose: MailPurpose, email: str) -> None:
        """The same work for an address that nobody has, where nothing is sent."""
        ...
