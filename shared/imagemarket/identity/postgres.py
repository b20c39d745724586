"""Accounts and refresh tokens in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.identity.models import Account, Credentials, RefreshToken, Role
from imagemarket.platform.database import Database, Row

if TYPE_CHECKING:
    from psycopg import Connection

_ADD = (
    "INSERT INTO refresh_tokens (token_sha256, family_id, user_id, issued_at, expires_at, parent_sha256)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        email=row["email"],
        role=row["role"],
        display_name=row["display_name"],
        created_at=row["created_at"],
    )


def _fields(token: RefreshToken) -> tuple[Any, ...]:
    return (
        token.sha256,
        token.family_id,
        token.account_id,
        token.issued_at,
        token.expires_at,
        token.parent_sha256,
    )


def _digest(network: str) -> bytes:
    return hashlib.sha256(network.encode()).digest()


class PostgresFamily:
    def __init__(self, connection: Connection[Row], account: Account, presented: RefreshToken) -> None:
        self._connection = connection
        self._account = account
        self._presented = presented

    @property
    def account(self) -> Account:
        return self._account

    @property
    def presented(self) -> RefreshToken:
        return self._presented

    def live(self) -> int:
        row = self._connection.execute(
            "SELECT count(*) AS live FROM refresh_tokens"
            " WHERE family_id = %s AND replaced_at IS NULL AND revoked_at IS NULL",
            (self._presented.family_id,),
        ).fetchone()
        return row["live"] if row else 0

    def successor_used(self) -> bool:
        row = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE parent_sha256 = %s AND used_at IS NOT NULL) AS used",
            (self._presented.sha256,),
        ).fetchone()
        return row is not None and row["used"]

    def use(self, at: datetime) -> None:
        self._connection.execute(
            "UPDATE refresh_tokens SET replaced_at = %s"
            " WHERE family_id = %s AND replaced_at IS NULL AND revoked_at IS NULL",
            (at, self._presented.family_id),
        )
        self._connection.execute(
            "UPDATE refresh_tokens SET used_at = %s WHERE token_sha256 = %s", (at, self._presented.sha256)
        )

    def add(self, token: RefreshToken) -> None:
        self._connection.execute(_ADD, _fields(token))

    def revoke(self, at: datetime) -> None:
        self._connection.execute(
            "UPDATE refresh_tokens SET revoked_at = %s WHERE family_id = %s AND revoked_at IS NULL",
            (at, self._presented.family_id),
        )


class PostgresIdentityStore:
    """See `IdentityStore`; the tables are `users` and `refresh_tokens`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_account(self, account: Account, password_hash: str) -> bool:
        added = self._database.fetch_one(
            "INSERT INTO users (id, email, password_hash, role, display_name, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (email) DO NOTHING RETURNING id",
            (account.id, account.email, password_hash, account.role, account.display_name, account.created_at),
        )
        return added is not None

    def account(self, account_id: UUID) -> Account | None:
        row = self._database.fetch_one(
            "SELECT id, email, role, display_name, created_at FROM users WHERE id = %s", (account_id,)
        )
        return _account(row) if row else None

    def credentials(self, email: str) -> Credentials | None:
        row = self._database.fetch_one(
            "SELECT id, email, role, display_name, created_at, password_hash FROM users WHERE email = %s", (email,)
        )
        return Credentials(_account(row), row["password_hash"]) if row else None

    def set_password_hash(self, account_id: UUID, password_hash: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE users SET password_hash = %s WHERE id = %s", (password_hash, account_id))

    def knows_network(self, account_id: UUID, network: str) -> bool:
        row = self._database.fetch_one(
            "SELECT 1 AS known FROM known_networks WHERE user_id = %s AND network_sha256 = %s",
            (account_id, _digest(network)),
        )
        return row is not None

    def remember_network(self, account_id: UUID, network: str, at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO known_networks (user_id, network_sha256, last_at) VALUES (%s, %s, %s)"
                " ON CONFLICT (user_id, network_sha256) DO UPDATE SET last_at = excluded.last_at",
                (account_id, _digest(network), at),
            )

    def set_role(self, account_id: UUID, role: Role) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE users SET role = %s WHERE id = %s", (role, account_id))

    def start_family(self, token: RefreshToken) -> None:
        with self._database.transaction() as connection:
            connection.execute(_ADD, _fields(token))

    @contextmanager
    def locked_family(self, token_sha256: bytes) -> Iterator[PostgresFamily | None]:
        with self._database.transaction() as connection:
            # The account's row is the lock. A lock on the token's own row would let one transaction
            # revoke a family while another adds a token to it that the first cannot see yet.
            owner = connection.execute(
                "SELECT u.id, u.email, u.role, u.display_name, u.created_at"
                " FROM refresh_tokens t JOIN users u ON u.id = t.user_id"
                " WHERE t.token_sha256 = %s FOR NO KEY UPDATE OF u",
                (token_sha256,),
            ).fetchone()
            # Read in a statement of its own: the first one's snapshot is older than its lock.
            row = connection.execute(
                "SELECT family_id, user_id, issued_at, expires_at, parent_sha256, used_at, replaced_at, revoked_at"
                " FROM refresh_tokens WHERE token_sha256 = %s",
                (token_sha256,),
            ).fetchone()
            if owner is None or row is None:
                yield None
                return
            yield PostgresFamily(
                connection,
                _account(owner),
                RefreshToken(
                    sha256=token_sha256,
                    family_id=row["family_id"],
                    account_id=row["user_id"],
                    issued_at=row["issued_at"],
                    expires_at=row["expires_at"],
                    parent_sha256=bytes(row["parent_sha256"]) if row["parent_sha256"] is not None else None,
                    used_at=row["used_at"],
                    replaced_at=row["replaced_at"],
                    revoked_at=row["revoked_at"],
                ),
            )
