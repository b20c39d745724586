"""Who may do what in the database: every table is somebody's, the decoder may do least, secrets are for few."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, OperationalError

from imagemarket.operations.retention import Retention
from imagemarket.operations.wiring import expired_rows
from imagemarket.platform.database import Database, dsn_of
from imagemarket.platform.roles import DatabaseRole, give_logins
from tests.databases import PostgresServer
from tests.roles import as_role

pytestmark = pytest.mark.engines

OF_THE_SCHEMA = {"alembic_version"}
Rights = dict[str, dict[str, set[str]]]

_RIGHTS = """
    SELECT c.relname AS relation, substr(r.rolname, 13) AS role, p.privilege
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
     CROSS JOIN pg_roles r
     CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (privilege)
     WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND r.rolname LIKE 'imagemarket\\_%%'
       AND (has_table_privilege(r.oid, c.oid, p.privilege)
            OR p.privilege <> 'DELETE' AND has_any_column_privilege(r.oid, c.oid, p.privilege))
"""

_AUDITED = """
    INSERT INTO image_audit (image_id, action, actor, reason, status_before, status_after)
    VALUES (gen_random_uuid(), 'a', 'b', 'c', 'd', 'e')
"""


@pytest.fixture
def rights(database: Database) -> Rights:
    """By role and table, what the role may do with it or with some of its columns."""
    found: Rights = {}
    for row in database.fetch_all(_RIGHTS):
        found.setdefault(row["role"], {}).setdefault(row["relation"], set()).add(row["privilege"])
    return found


def test_there_is_a_role_for_each_kind_of_function(rights: Rights) -> None:
    assert set(rights) == {role.value for role in DatabaseRole}


def test_every_table_is_somebodys(database: Database, rights: Rights) -> None:
    """A new table is granted in the revision that makes it, to the operator too; 0026 shows how."""
    tables = {
        row["relname"]
        for row in database.fetch_all(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition"
        )
    } - OF_THE_SCHEMA
    assert tables - set(rights["operator"]) == set(), "nobody can look at these by hand"
    granted = {table for role, of in rights.items() if role != "operator" for table in of}
    assert tables - granted == set(), "no function can use these"


def test_the_decoder_may_do_least(rights: Rights, database: Database) -> None:
    assert rights["decoder"] == {
        "images": {"SELECT", "UPDATE"},
        "processing_steps": {"SELECT", "INSERT", "UPDATE"},
        "uploads": {"SELECT"},
    }
    updatable = database.fetch_all(
        "SELECT column_name FROM information_schema.column_privileges WHERE table_name = 'images'"
        " AND grantee = 'imagemarket_decoder' AND privilege_type = 'UPDATE'"
    )
    assert [row["column_name"] for row in updatable] == ["updated_at"]
    amounts = {role: sum(map(len, of.values())) for role, of in rights.items()}
    assert min(amounts, key=lambda role: amounts[role]) == "decoder"


def test_readers_write_nothing(rights: Rights) -> None:
    assert {each for of in rights["reader"].values() for each in of} == {"SELECT"}


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        ("SELECT password_hash FROM users", {"identity"}),
        ("SELECT token_sha256 FROM refresh_tokens", {"identity"}),
        ("SELECT token_sha256 FROM account_tokens", {"identity"}),
        ("SELECT secret FROM webhook_endpoints", {"notifier"}),
        ("SELECT actor FROM image_audit", set[str]()),
        ("UPDATE image_audit SET actor = 'nobody'", None),
        (_AUDITED, {"ingestion", "uploader"}),
        ("UPDATE users SET role = 'admin'", {"identity"}),
        ("UPDATE images SET status = 'approved' WHERE false", {"ingestion", "uploader"}),
    ],
)
def test_what_is_secret_or_decides_is_for_few(question: str, allowed: set[str] | None, database_url: str) -> None:
    """None: for nobody at all."""
    may: set[str] = set()
    for role in DatabaseRole:
        with as_role(database_url, role) as database:
            try:
                with database.transaction() as connection:
                    connection.execute(question)  # pyright: ignore[reportArgumentType, reportCallIssue]
            except InsufficientPrivilege:
                continue
        may.add(role.value)
    assert may == (set() if allowed is None else allowed | {"operator"})


@pytest.mark.parametrize("role", DatabaseRole)
def test_no_role_changes_the_schema(role: DatabaseRole, database_url: str) -> None:
    with as_role(database_url, role) as database:
        for change in ("CREATE TABLE mine (id int)", "ALTER TABLE images ADD COLUMN mine int", "DROP TABLE outbox"):
            with pytest.raises(InsufficientPrivilege), database.transaction() as connection:
                connection.execute(change)


def test_upkeep_opens_partitions_and_deletes_what_has_expired(database_url: str) -> None:
    with as_role(database_url, DatabaseRole.UPKEEP) as database:
        assert set(Retention(database, expired_rows()).run()) == set(expired_rows())


def _address(dsn: str, server: PostgresServer) -> str:
    return server.address(str(conninfo_to_dict(dsn)["dbname"]))


def test_roles_come_in_by_their_own_passwords_alone(database_url: str, postgres_server: PostgresServer) -> None:
    secrets = {role: json.dumps({"username": role.login, "password": f"it's {role} \\ 1"}) for role in DatabaseRole}
    give_logins(database_url, secrets.values())
    address = _address(database_url, postgres_server)
    for role, secret in secrets.items():
        with psycopg.connect(dsn_of(secret, address=address, authorities="none")) as connection:
            assert connection.execute("SELECT session_user").fetchone() == (role.login,)
        another = json.dumps(json.loads(secret) | {"password": "another"})
        with pytest.raises(OperationalError, match="password authentication failed"):
            psycopg.connect(dsn_of(another, address=address, authorities="none"))


def test_a_server_that_cannot_prove_its_name_is_told_no_password(
    database_url: str, postgres_server: PostgresServer
) -> None:
    """The server of the tests speaks no TLS."""
    login = json.dumps({"username": "postgres", "password": postgres_server.password})
    dsn = dsn_of(login, address=_address(database_url, postgres_server), authorities="public")
    with pytest.raises(OperationalError, match="server does not support SSL"):
        psycopg.connect(dsn)
