"""Accounts and refresh tokens in this process's memory: what the use cases are tested with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from imagemarket.identity.models import Account, Credentials, MailPurpose, RefreshToken, Role


class MemoryFamily:
    def __init__(self, tokens: dict[bytes, RefreshToken], account: Account, presented: RefreshToken) -> None:
        self._tokens = tokens
        self._account = account
        self._presented = presented

    @property
    def account(self) -> Account:
        return self._account

    @property
    def presented(self) -> RefreshToken:
        return self._presented

    def _members(self) -> list[RefreshToken]:
        return [token for token in self._tokens.values() if token.family_id == self._presented.family_id]

    def live(self) -> int:
        return sum(token.is_live() for token in self._members())

    def successor_used(self) -> bool:
        return any(
            token.used_at is not None and token.parent_sha256 == self._presented.sha256 for token in self._members()
        )

    def use(self, at: datetime) -> None:
        self._tokens[self._presented.sha256] = replace(self._tokens[self._presented.sha256], used_at=at)
        for token in self._members():
            if token.is_live():
                self._tokens[token.sha256] = replace(token, replaced_at=at)

    def add(self, token: RefreshToken) -> None:
        self._tokens[token.sha256] = token

    def revoke(self, at: datetime) -> None:
        for token in self._members():
            if token.revoked_at is None:
                self._tokens[token.sha256] = replace(token, revoked_at=at)


class MemoryIdentityStore:
    """See `IdentityStore`. One lock stands for the database's row locks."""

    def __init__(self) -> None:
        self._credentials: dict[UUID, Credentials] = {}
        self._tokens: dict[bytes, RefreshToken] = {}
        self._networks: dict[tuple[UUID, str], datetime] = {}
        self._mail_tokens: dict[bytes, tuple[UUID, MailPurpose, datetime]] = {}
        self._lock = threading.Lock()

    def add_account(self, account: Account, password_hash: str) -> bool:
        with self._lock:
            if any(kept.account.email == account.email for kept in self._credentials.values()):
                return False
            self._credentials[account.id] = Credentials(account, password_hash)
            return True

    def account(self, account_id: UUID) -> Account | None:
        kept = self._credentials.get(account_id)
        return kept.account if kept else None

    def credentials_of(self, account_id: UUID) -> Credentials | None:
        return self._credentials.get(account_id)

    def credentials(self, email: str) -> Credentials | None:
        return next((kept for kept in self._credentials.values() if kept.account.email == email), None)

    def set_password_hash(self, account_id: UUID, password_hash: str, *, instead_of: str) -> None:
        kept = self._credentials[account_id]
        if kept.password_hash == instead_of:
            self._credentials[account_id] = replace(kept, password_hash=password_hash)

    def knows_network(self, account_id: UUID, network: str) -> bool:
        return (account_id, network) in self._networks

    def remember_network(self, account_id: UUID, network: str, at: datetime) -> None:
        self._networks[account_id, network] = at

    def set_role(self, account_id: UUID, role: Role) -> None:
        kept = self._credentials[account_id]
        self._credentials[account_id] = replace(kept, account=replace(kept.account, role=role))

    def start_family(self, token: RefreshToken, *, network: str, password_changed_at: datetime | None) -> bool:
        with self._lock:
            if self._credentials[token.account_id].password_changed_at != password_changed_at:
                return False
            self._tokens[token.sha256] = token
            self._networks[token.account_id, network] = token.issued_at
            return True

    def change_password(self, account_id: UUID, password_hash: str, at: datetime, *, by_mail: bool) -> None:
        kept = self._credentials[account_id]
        self._credentials[account_id] = replace(kept, password_hash=password_hash, password_changed_at=at)
        self.end_sessions(account_id, at)
        if not by_mail:
            return
        for sha in [sha for sha, kept in self._mail_tokens.items() if kept[:2] == (account_id, "reset_password")]:
            del self._mail_tokens[sha]
        for known in [known for known in self._networks if known[0] == account_id]:
            del self._networks[known]

    def end_sessions(self, account_id: UUID, at: datetime) -> None:
        with self._lock:
            for token in self._tokens.values():
                if token.account_id == account_id and token.revoked_at is None:
                    self._tokens[token.sha256] = replace(token, revoked_at=at)

    def confirm_email(self, account_id: UUID, at: datetime) -> None:
        kept = self._credentials[account_id]
        at = kept.account.email_confirmed_at or at
        self._credentials[account_id] = replace(kept, account=replace(kept.account, email_confirmed_at=at))

    def add_mail_token(self, *, sha256: bytes, account_id: UUID, purpose: MailPurpose, expires_at: datetime) -> None:
        self._mail_tokens[sha256] = (account_id, purpose, expires_at)

    def mail_token_owner(self, sha256: bytes, purpose: MailPurpose, at: datetime) -> Account | None:
        account_id, kept_for, expires_at = self._mail_tokens.get(sha256, (None, None, at))
        return self.account(account_id) if account_id and kept_for == purpose and at < expires_at else None

    def use_mail_token(self, sha256: bytes, purpose: MailPurpose, at: datetime) -> bool:
        with self._lock:
            usable = self.mail_token_owner(sha256, purpose, at) is not None
            if usable:
                del self._mail_tokens[sha256]
            return usable

    @contextmanager
    def locked_family(self, token_sha256: bytes) -> Iterator[MemoryFamily | None]:
        with self._lock:
            presented = self._tokens.get(token_sha256)
            if presented is None:
                yield None
                return
            scratch = dict(self._tokens)
            yield MemoryFamily(scratch, self._credentials[presented.account_id].account, presented)
            self._tokens = scratch
