"""The roles that connect to PostgreSQL: one for each kind of function, and one for whoever works by hand.

What a role may do stands in the migrations, each table's in the revision that makes it. Only the migrations themselves
connect as the schema's owner.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import LiteralString


class DatabaseRole(StrEnum):
    """Kinds of functions, by what they do with the database."""

    DECODER = "decoder"
    """Opens strangers' files, and may do least: read images, write the records of steps."""
    MAKER = "maker"
    """The other steps of the saga that make something of the decoded picture."""
    INGESTION = "ingestion"
    """Starts, publishes, ends."""
    UPLOADER = "uploader"
    """Announces uploads and tells how they fare."""
    READER = "reader"
    """Finds and shows; writes nothing."""
    BUYER = "buyer"
    """What buyers keep, each account its own."""
    IDENTITY = "identity"
    """Accounts; the only one that sees password hashes and tokens."""
    NOTIFIER = "notifier"
    """Notifications, webhooks, e-mail."""
    INDEXER = "indexer"
    """Search documents, suggestions, popularity."""
    UPKEEP = "upkeep"
    """What runs by the clock: relaying, deleting what has expired, replaying."""
    OPERATOR = "operator"
    """The command line: rows of every table, no schema."""

    @property
    def login(self) -> str:
        """Its name in PostgreSQL."""
        return f"imagemarket_{self.value}"


def give_logins(dsn: str, secrets: Iterable[str]) -> None:
    """Lets the roles of these secrets (`{username, password}`) in by their passwords.

    `dsn` is that of somebody who may alter roles. The server is sent no password, only what it keeps of one.
    """
    import psycopg
    from psycopg import sql

    with psycopg.connect(dsn) as connection:
        for secret in secrets:
            login = json.loads(secret)
            role: str = login["username"]
            kept = connection.pgconn.encrypt_password(login["password"].encode(), role.encode(), b"scram-sha-256")
            statement: LiteralString = "ALTER ROLE {role} LOGIN PASSWORD {kept}"
            connection.execute(sql.SQL(statement).format(role=sql.Identifier(role), kept=sql.Literal(kept.decode())))
