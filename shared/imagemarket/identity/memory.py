"""Accounts and refresh tokens in this process's memory: what the use cases are tested with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from imagemarket.identity.models import Account, Credentials, RefreshToken, Role


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

    def credentials(self, email: str) -> Credentials | None:
        return next((kept for kept in self._credentials.values() if kept.account.email == email), None)

    def set_password_hash(self, account_id: UUID, password_hash: str) -> None:
        self._credentials[account_id] = replace(self._credentials[account_id], password_hash=password_hash)

    def knows_network(self, account_id: UUID, network: str) -> bool:
        return (account_id, network) in self._networks

    def remember_network(self, account_id: UUID, network: str, at: datetime) -> None:
        self._networks[account_id, network] = at

    def set_role(self, account_id: UUID, role: Role) -> None:
        kept = self._credentials[account_id]
        self._credentials[account_id] = replace(kept, account=replace(kept.account, role=role))

    def start_family(self, token: RefreshToken) -> None:
        with self._lock:
            self._tokens[token.sha256] = token

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
