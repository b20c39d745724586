"""The rows of accounts, their tokens and networks, and of the mail that they asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from imagemarket.identity.models import Account, Credentials, MailPurpose, RefreshToken, Role
from imagemarket.platform.database import Connection, Database, Row

MAILBOX = "regexp_replace(u.email, '\\+[^@]*@', '@')"
"""The address of a user `u` without what stands behind a plus, as the index `users_mailbox` has it."""

_ADD = (
    "INSERT INTO refresh_tokens (token_sha256, family_id, user_id, issued_at, expires_at, parent_sha256)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)
_REMEMBER = (
    "INSERT INTO known_networks (user_id, network_sha256, last_at) VALUES (%s, %s, %s)"
    " ON CONFLICT (user_id, network_sha256) DO UPDATE SET last_at = excluded.last_at"
)


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        email=row["email"],
        role=row["role"],
        display_name=row["display_name"],
        created_at=row["created_at"],
        email_confirmed_at=row["email_confirmed_at"],
    )


_ACCOUNT = "id, email, role, display_name, created_at, email_confirmed_at"
_CREDENTIALS = f"{_ACCOUNT}, password_hash, password_changed_at"
_REVOKE_ALL = "UPDATE refresh_tokens SET revoked_at = %s WHERE user_id = %s AND revoked_at IS NULL"


def _credentials(row: Row) -> Credentials:
    return Credentials(_account(row), row["password_hash"], row["password_changed_at"])


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
    def __init__(self, connection: Connection, account: Account, presented: RefreshToken) -> None:
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
            "INSERT INTO users (id, email, password_hash, role, display_name, created_at, email_confirmed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (email) DO NOTHING RETURNING id",
            (
                account.id,
                account.email,
                password_hash,
                account.role,
                account.display_name,
                account.created_at,
                account.email_confirmed_at,
            ),
        )
        return added is not None

    def account(self, account_id: UUID) -> Account | None:
        row = self._database.fetch_one(f"SELECT {_ACCOUNT} FROM users WHERE id = %s", (account_id,))
        return _account(row) if row else None

    def credentials(self, email: str) -> Credentials | None:
        row = self._database.fetch_one(f"SELECT {_CREDENTIALS} FROM users WHERE email = %s", (email,))
        return _credentials(row) if row else None

    def credentials_of(self, account_id: UUID) -> Credentials | None:
        row = self._database.fetch_one(f"SELECT {_CREDENTIALS} FROM users WHERE id = %s", (account_id,))
        return _credentials(row) if row else None

    def set_password_hash(self, account_id: UUID, password_hash: str, *, instead_of: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE users SET password_hash = %s WHERE id = %s AND password_hash = %s",
                (password_hash, account_id, instead_of),
            )

    def knows_network(self, account_id: UUID, network: str) -> bool:
        row = self._database.fetch_one(
            "SELECT 1 AS known FROM known_networks WHERE user_id = %s AND network_sha256 = %s AND isfinite(last_at)",
            (account_id, _digest(network)),
        )
        return row is not None

    def remember_network(self, account_id: UUID, network: str, at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(_REMEMBER, (account_id, _digest(network), at))

    def set_role(self, account_id: UUID, role: Role) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE users SET role = %s WHERE id = %s", (role, account_id))

    def start_family(self, token: RefreshToken, *, network: str, password_changed_at: datetime | None) -> bool:
        with self._database.transaction() as connection:
            unchanged = connection.execute(
                "SELECT 1 FROM users WHERE id = %s AND password_changed_at IS NOT DISTINCT FROM %s FOR NO KEY UPDATE",
                (token.account_id, password_changed_at),
            ).fetchone()
            if unchanged is None:
                return False
            connection.execute(_ADD, _fields(token))
            connection.execute(_REMEMBER, (token.account_id, _digest(network), token.issued_at))
            return True

    def change_password(self, account_id: UUID, password_hash: str, at: datetime, *, by_mail: bool) -> None:
        with self._database.transaction() as connection:
            # The account's row first: it is the lock of its families (see `locked_family`).
            connection.execute(
                "UPDATE users SET password_hash = %s, password_changed_at = %s WHERE id = %s",
                (password_hash, at, account_id),
            )
            connection.execute(_REVOKE_ALL, (at, account_id))
            if by_mail:
                connection.execute(
                    "UPDATE account_tokens SET used_at = %s"
                    " WHERE user_id = %s AND purpose = 'reset_password' AND used_at IS NULL",
                    (at, account_id),
                )
                # Forgotten: identity's role may not delete, and retention deletes what is so old.
                connection.execute("UPDATE known_networks SET last_at = '-infinity' WHERE user_id = %s", (account_id,))

    def end_sessions(self, account_id: UUID, at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute("SELECT 1 FROM users WHERE id = %s FOR NO KEY UPDATE", (account_id,))
            connection.execute(_REVOKE_ALL, (at, account_id))

    def confirm_email(self, account_id: UUID, at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE users SET email_confirmed_at = coalesce(email_confirmed_at, %s) WHERE id = %s",
                (at, account_id),
            )

    def add_mail_token(self, *, sha256: bytes, account_id: UUID, purpose: MailPurpose, expires_at: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO account_tokens (token_sha256, user_id, purpose, expires_at) VALUES (%s, %s, %s, %s)",
                (sha256, account_id, purpose, expires_at),
            )

    def mail_token_owner(self, sha256: bytes, purpose: MailPurpose, at: datetime) -> Account | None:
        row = self._database.fetch_one(
            f"SELECT {_ACCOUNT} FROM users WHERE id = (SELECT user_id FROM account_tokens"
            "  WHERE token_sha256 = %s AND purpose = %s AND used_at IS NULL AND expires_at > %s)",
            (sha256, purpose, at),
        )
        return _account(row) if row else None

    def use_mail_token(self, sha256: bytes, purpose: MailPurpose, at: datetime) -> bool:
        with self._database.transaction() as connection:
            used = connection.execute(
                "UPDATE account_tokens SET used_at = %s"
                " WHERE token_sha256 = %s AND purpose = %s AND used_at IS NULL AND expires_at > %s RETURNING 1",
                (at, sha256, purpose, at),
            ).fetchone()
        return used is not None

    @contextmanager
    def locked_family(self, token_sha256: bytes) -> Iterator[PostgresFamily | None]:
        with self._database.transaction() as connection:
            # The account's row is the lock. A lock on the token's own row would let one transaction
            # revoke a family while another adds a token to it that the first cannot see yet.
            owner = connection.execute(
                "SELECT u.id, u.email, u.role, u.display_name, u.created_at, u.email_confirmed_at"
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


def add_mail_request(connection: Connection, request_id: UUID, purpose: MailPurpose, email: str, at: datetime) -> None:
    """Writes a request for mail to the account of an address, or to nobody where no account has it."""
    connection.execute(
        "INSERT INTO account_mails (id, user_id, purpose, requested_at)"
        " VALUES (%s, (SELECT id FROM users WHERE email = %s), %s, %s)",
        (request_id, email, purpose, at),
    )


def waiting_mail_requests(database: Database, *, since: datetime, until: datetime, limit: int) -> list[UUID]:
    """Requests of a span of time that were not handled, the oldest first."""
    rows = database.fetch_all(
        "SELECT id FROM account_mails WHERE handled_at IS NULL AND requested_at BETWEEN %s AND %s"
        " ORDER BY requested_at LIMIT %s",
        (since, until, limit),
    )
    return [row["id"] for row in rows]


def take_mail_request(connection: Connection, request_id: UUID, now: datetime) -> Row | None:
    """The purpose of a request for mail, and the id, email, email_confirmed_at and mailbox of its account, null where
    nobody has the address. It counts as handled once the transaction has ended; None where it was already."""
    row = connection.execute(
        f"SELECT m.purpose, m.requested_at, u.id, u.email, u.email_confirmed_at, {MAILBOX} AS mailbox"
        " FROM account_mails m LEFT JOIN users u ON u.id = m.user_id"
        " WHERE m.id = %s AND m.handled_at IS NULL FOR UPDATE OF m",
        (request_id,),
    ).fetchone()
    if row is not None:
        connection.execute("UPDATE account_mails SET handled_at = %s WHERE id = %s", (now, request_id))
    return row
