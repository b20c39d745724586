"""Which room may write which table, and where its SQL is. Others read, and have the owner's functions write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagemarket.platform.database import Database
from local.layout import REPOSITORY

LIBRARY = REPOSITORY / "shared" / "imagemarket"

OWNERS: dict[str, set[str]] = {
    "users": {"identity"},
    "refresh_tokens": {"identity"},
    "account_tokens": {"identity"},
    "known_networks": {"identity"},
    "account_mails": {"identity"},
    "images": {"catalog"},
    "image_audit": {"catalog"},
    "image_renditions": {"catalog"},
    "image_tags": {"catalog"},
    "image_categories": {"catalog"},
    "image_embeddings": {"catalog"},
    "model_in_use": {"catalog"},
    "uploads": {"ingestion"},
    "upload_allowances": {"ingestion"},
    "processing_steps": {"ingestion"},
    "image_fingerprints": {"ingestion"},
    "duplicate_evidence": {"ingestion"},
    "search_documents": {"search"},
    "suggestions": {"search"},
    "suggestion_sources": {"search"},
    "catalogue_words": {"search"},
    "phrase_searches": {"search"},
    "search_events": {"search"},
    "image_looks": {"search"},
    "image_popularity": {"search"},
    "notifications": {"notifications"},
    "mails_sent": {"notifications"},
    "webhook_endpoints": {"notifications"},
    "webhook_deliveries": {"notifications"},
    "webhook_attempts": {"notifications"},
    "webhook_challenges": {"notifications"},
    "webhook_calls": {"notifications"},
    "webhook_slow_accounts": {"notifications"},
    "outbox": {"platform"},
    "idempotency_keys": {"platform"},
    # Every consumer writes its failures down and ticks replays off; operators claim replays and have both expire.
    "message_failures": {"platform", "operations"},
    "message_replays": {"platform", "operations"},
}

VERSIONS = LIBRARY / "schema" / "versions"
OWNERS |= {
    table: {path.stem.split("_")[1]}
    for path in VERSIONS.glob("*.py")
    if int(path.stem[:4]) > 33  # from then on a migration is named after its room
    for table in re.findall(r"CREATE TABLE (\w+)", path.read_text(encoding="utf-8"))
}

_WRITES = re.compile(
    r"(?:INSERT INTO|(?<!FOR )(?<!DO )(?<!KEY )UPDATE(?! OF)|DELETE FROM|MERGE INTO|TRUNCATE) (?:ONLY )?(\{?\w*\}?)"
)


def _statements(source: str) -> Iterator[str]:
    """Every string in a program, with `{}` where something is put into it."""
    tree = ast.parse(source)
    of_formatted = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in of_formatted:
            yield node.value


def written(source: str) -> set[str]:
    """The tables that a program writes; `{}` for one that is not spelt out."""
    return {
        found[1]
        for statement in _statements(source)
        for found in _WRITES.finditer(" ".join(statement.split()))
        if found[1]
    }


def _programs() -> Iterator[Path]:
    for folder in (LIBRARY, REPOSITORY / "functions", REPOSITORY / "local"):
        yield from (path for path in folder.rglob("*.py") if LIBRARY / "schema" not in path.parents)


def _room(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0] if LIBRARY in path.parents else path.relative_to(REPOSITORY).parts[0]


def test_no_room_writes_anothers_table() -> None:
    wrong = {
        f"{path.relative_to(REPOSITORY)} writes {table}"
        for path in _programs()
        for table in written(path.read_text(encoding="utf-8"))
        if _room(path) not in OWNERS.get(table, set())
    }
    assert wrong == set()


def test_the_status_and_the_version_of_an_image_are_written_through_one_module() -> None:
    """Its audit and its events cannot be forgotten by anybody else."""
    callers = {
        path.relative_to(LIBRARY).as_posix()
        for path in _programs()
        if re.search(r"\b(write_status|raise_version|raise_versions_of_approved)\(", path.read_text(encoding="utf-8"))
    }
    assert callers == {"catalog/images.py", "catalog/repository.py"}


_STATEMENT = re.compile(r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|WITH|TRUNCATE|SET LOCAL)\s")


def _may_hold_sql(path: Path) -> bool:
    """Repositories, search's engine in PostgreSQL, what each room lets expire, and the platform's own mechanisms."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return (
        parts[0] == "platform"
        or "repository" in parts[1:3]
        or parts[-1] == "retention"
        or (parts[:2] == ("search", "engines") and parts[2].startswith("postgres"))
    )


def test_the_sql_of_a_room_is_in_its_repository() -> None:
    elsewhere = {
        f"{path.relative_to(REPOSITORY)}: {statement.strip()[:60]}"
        for path in _programs()
        if (LIBRARY in path.parents and not _may_hold_sql(path)) or REPOSITORY / "functions" in path.parents
        for statement in _statements(path.read_text(encoding="utf-8"))
        if _STATEMENT.match(statement)
    }
    assert elsewhere == set()


def test_every_owner_is_a_room() -> None:
    rooms = {path.name for path in LIBRARY.iterdir() if path.is_dir()}
    assert set().union(*OWNERS.values()) <= rooms


@pytest.mark.engines
def test_every_table_has_an_owner(database: Database) -> None:
    tables = database.fetch_all(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND relname <> 'alembic_version'"
    )
    assert {row["relname"] for row in tables} == set(OWNERS)


@pytest.mark.parametrize(
    ("source", "tables"),
    [
        ('"INSERT INTO images (id) VALUES (1) ON CONFLICT DO UPDATE SET id = 2"', {"images"}),
        ('f"UPDATE images i SET {a}"', {"images"}),
        ('"DELETE FROM"\n" images"', set()),
        ('("DELETE FROM"\n" images")', {"images"}),
        ('f"DELETE FROM {table} WHERE true"', {"{}"}),
        ('"SELECT 1 FROM images FOR UPDATE OF i SKIP LOCKED"', set()),
        ('"SELECT 1 FOR NO KEY UPDATE SKIP LOCKED"', set()),
    ],
)
def test_a_write_is_seen(source: str, tables: set[str]) -> None:
    assert written(source) == tables
