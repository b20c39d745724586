"""A database as a function sees it: on the connections of a test's own, in the role of that function's kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from imagemarket.platform.database import Database, Row
from imagemarket.platform.roles import DatabaseRole

if TYPE_CHECKING:
    from psycopg import Connection


class InRole(Database):
    """May do what the role may, and not what the owner may whose connections it borrows."""

    def __init__(self, owner: Database, role: DatabaseRole) -> None:
        self._owner = owner
        self._role = sql.Identifier(role.login)

    @contextmanager
    def _connected(self, *, autocommit: bool) -> Iterator[Connection[Row]]:
        with self._owner._connected(autocommit=autocommit) as connection:
            if not autocommit:
                connection.execute(sql.SQL("SET LOCAL ROLE {}").format(self._role))
                yield connection
                return
            connection.execute(sql.SQL("SET ROLE {}").format(self._role))
            try:
                yield connection
            finally:
                with suppress(psycopg.Error):  # of a connection that broke
                    connection.execute("RESET ROLE")

    def close(self) -> None:
        """Nothing: the connections are the owner's."""


@contextmanager
def as_role(dsn: str, role: DatabaseRole) -> Iterator[Database]:
    """A database in a role, until it is left."""
    owner = Database(lambda: dsn)
    try:
        yield InRole(owner, role)
    finally:
        owner.close()
