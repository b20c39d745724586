"""PostgreSQL databases for tests: new ones, and one that is emptied between tests, in a tenth of the time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql

from local.layout import LOOPBACK
from local.postgres import dsn_of

_numbers = itertools.count()


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL of this test process alone."""

    port: int
    password: str

    def dsn(self, database: str) -> str:
        return dsn_of(self.port, self.password, database)

    def address(self, database: str) -> str:
        return f"{LOOPBACK}:{self.port}/{database}"

    def execute(self, statement: LiteralString, **names: str) -> None:
        """Runs a statement about databases, their names in it as `{name}`."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()}))


def _copy(server: PostgresServer, template: str) -> str:
    name = f"test_{next(_numbers)}"
    server.execute("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy", name=name, template=template)
    return name


def _drop(server: PostgresServer, name: str) -> None:
    server.execute("DROP DATABASE {name} WITH (FORCE)", name=name)


@contextmanager
def new_database(server: PostgresServer, template: str) -> Iterator[str]:
    """DSN of a database with the schema and no rows, until it is left."""
    name = _copy(server, template)
    yield server.dsn(name)
    _drop(server, name)


class EmptiedDatabase:
    """One database for one test after another, under a new name each time, so that no connection of an earlier test
    finds it. It is emptied after each; one in which a test changed more than rows is replaced by a new one."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._name: str | None = None
        self._schema: object = None

    @contextmanager
    def lent(self) -> Iterator[str]:
        """DSN of the database with the schema and no rows."""
        if self._name is None:
            name = _copy(self._server, self._template)
            with psycopg.connect(self._server.dsn(name)) as connection:
                self._schema = _schema_of(connection)
        else:
            name = f"test_{next(_numbers)}"
            self._server.execute("ALTER DATABASE {old} RENAME TO {name}", old=self._name, name=name)
        self._name = name
        yield self._server.dsn(name)
        with psycopg.connect(self._server.dsn(name), autocommit=True) as connection:
            _empty(connection)
            as_before = _schema_of(connection) == self._schema
        if not as_before:
            self.drop()

    def drop(self) -> None:
        """Removes the database; the next test gets a new one."""
        if self._name is not None:
            _drop(self._server, self._name)
            self._name = None


def _empty(connection: Connection[Any]) -> None:
    """Ends all other sessions, removes all rows but the schema's version, and starts all sequences again."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    connection.execute("SET session_replication_role = replica")  # the audit's trigger refuses to empty it
    written = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0"
    ).fetchall()
    if written:
        tables = sql.SQL(", ").join(sql.Identifier(name) for (name,) in written)
        connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))
    connection.execute("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence")


_CATALOGS = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace AND NOT relisshared AND relname <> 'pg_class'
"""
_TABLES = """
    SELECT md5(string_agg(row(oid, relname, relnamespace, relowner, relam, relkind, relpersistence, relnatts, relchecks,
        relhasindex, relhasrules, relhastriggers, relrowsecurity, relreplident, relispopulated, relacl, reloptions,
        relpartbound)::text, '' ORDER BY oid)) FROM pg_class
"""
"""`pg_class` without what emptying a table changes."""
_OF_THE_DATABASE = """
    SELECT (SELECT version_num FROM alembic_version), datdba, datallowconn, datconnlimit, datacl::text,
        (SELECT string_agg(setting::text, '' ORDER BY setting) FROM pg_db_role_setting setting
         WHERE setdatabase IN (0, pg_database.oid))
    FROM pg_database WHERE datname = current_database()
"""


def _schema_of(connection: Connection[Any]) -> object:
    """What equals another such value if nothing but rows changed in between: of each catalog, how many rows it has and
    the last transaction that wrote one, as a change of anything but rows writes some catalog."""
    catalogs = [name for (name,) in connection.execute(_CATALOGS)]
    last_writes = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, count(*), max(xmin::text::bigint) FROM {}").format(name, sql.Identifier(name))
        for name in catalogs
    )
    return [
        connection.execute(last_writes).fetchall(),
        connection.execute(_TABLES).fetchall(),
        connection.execute(_OF_THE_DATABASE).fetchall(),
    ]
