"""A role for each kind of function: who may read and write which table. Every table is granted in the revision that
makes it, from here on in its own (`tests/integration/test_database_roles.py` holds that)."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"

_ROLES = (
    *("decoder", "maker", "ingestion", "uploader", "reader", "identity"),
    *("notifier", "indexer", "upkeep", "operator"),
)

_READ, _WRITE, _ALL = "SELECT", "SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE, DELETE"
_ACCOUNT = "SELECT (id, email, role, display_name, created_at, email_confirmed_at)"
_NAME = "SELECT (id, display_name)"
# PostgreSQL asks whoever locks a row for leave to update some column of it: one that says nothing.
_LOCK_IMAGE, _LOCK_ACCOUNT = "UPDATE (updated_at)", "UPDATE (created_at)"
_JOURNAL = {"ingestion": _WRITE, "notifier": _WRITE, "indexer": _WRITE, "upkeep": _ALL}

_GRANTS: dict[str, dict[str, str]] = {
    # --- accounts: password hashes and tokens are the identity's alone
    "users": {
        "identity": _WRITE,
        "maker": _NAME,
        "indexer": _NAME,
        "uploader": _ACCOUNT,
        "reader": _ACCOUNT,
        "upkeep": _ACCOUNT,
        "notifier": f"{_ACCOUNT}, {_LOCK_ACCOUNT}",
    },
    "refresh_tokens": {"identity": _WRITE, "upkeep": "SELECT (expires_at), DELETE"},
    "account_tokens": {"identity": _WRITE, "notifier": "INSERT", "upkeep": "SELECT (expires_at), DELETE"},
    "known_networks": {"identity": _WRITE, "upkeep": "SELECT (last_at), DELETE"},
    "account_mails": {"identity": "SELECT, INSERT", "notifier": "SELECT, UPDATE", "upkeep": "SELECT, DELETE"},
    "mails_sent": {"notifier": "SELECT, INSERT", "upkeep": "SELECT, DELETE"},
    "idempotency_keys": {"uploader": _ALL, "notifier": _ALL, "upkeep": "SELECT (expires_at), DELETE"},
    "upload_allowances": {"uploader": _WRITE},
    # --- images, and what is made of them
    "images": {
        "decoder": f"{_READ}, {_LOCK_IMAGE}",
        "maker": f"{_READ}, {_LOCK_IMAGE}",
        "ingestion": "SELECT, UPDATE, DELETE",
        "uploader": _ALL,
        "reader": _READ,
        "indexer": _READ,
        "notifier": "SELECT (id, request_id, trace_header)",
        "upkeep": _READ,
    },
    "processing_steps": {"decoder": _WRITE, "maker": _WRITE, "ingestion": _ALL, "uploader": "SELECT, DELETE"},
    "image_fingerprints": {"maker": _ALL, "ingestion": _ALL},
    "duplicate_evidence": {"maker": _WRITE, "ingestion": _ALL, "uploader": _READ},
    "image_renditions": {"ingestion": _ALL, "reader": _READ, "indexer": _READ},
    "image_tags": {"ingestion": _ALL, "uploader": "SELECT, INSERT", "reader": _READ, "indexer": _READ},
    "image_categories": {"ingestion": _ALL, "uploader": "SELECT, INSERT", "reader": _READ, "indexer": _READ},
    "image_embeddings": {"ingestion": _ALL, "reader": _READ, "indexer": _READ},
    "image_audit": {},  # staff alone
    "outbox": {
        "ingestion": _WRITE,
        "indexer": "SELECT, INSERT",
        "notifier": "INSERT",
        "upkeep": "SELECT, UPDATE, DELETE",
    },
    # --- search
    "model_in_use": {"ingestion": "SELECT, INSERT", "reader": _READ, "indexer": _READ},
    "search_documents": {"ingestion": _READ, "reader": _READ, "indexer": _ALL},
    "suggestions": {"reader": _READ, "indexer": _ALL},
    "catalogue_words": {"reader": _READ, "indexer": _ALL},
    "suggestion_sources": {"indexer": _ALL},
    "phrase_searches": {"indexer": _ALL},
    "search_events": {"indexer": "SELECT, INSERT", "upkeep": "SELECT (at), DELETE"},
    "image_looks": {"indexer": _ALL},
    "image_popularity": {"indexer": _ALL},
    # --- telling; what signs a webhook is nobody else's
    "notifications": {"notifier": _WRITE, "upkeep": "SELECT, DELETE"},
    "webhook_endpoints": {
        "notifier": _ALL,
        "upkeep": "SELECT (id, account_id, enabled, verified_at, challenge_requested_at, challenge_sent_at,"
        " failing_since, unanswered, rests_until)",
    },
    "webhook_deliveries": {"notifier": _WRITE, "upkeep": "SELECT, DELETE"},
    "webhook_attempts": {"notifier": _WRITE},
    "webhook_challenges": {"notifier": "SELECT, INSERT", "upkeep": "SELECT (at), DELETE"},
    # --- dead letters
    "message_failures": _JOURNAL,
    "message_replays": _JOURNAL,
}

# They write where whoever sets them off may not.
_DEFINERS = ("notify_contributor()", "ensure_image_partitions(date, int)")


def upgrade() -> None:
    for role in _ROLES:
        # Roles belong to the server, which may hold another database of ours.
        op.execute(
            f"DO $$ BEGIN CREATE ROLE imagemarket_{role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    for table, rights in _GRANTS.items():
        for role, privileges in rights.items():
            op.execute(f"GRANT {privileges} ON {table} TO imagemarket_{role}")
        op.execute(f"GRANT {_ALL} ON {table} TO imagemarket_operator")
    op.execute("REVOKE UPDATE, DELETE ON image_audit FROM imagemarket_operator")
    for function in _DEFINERS:
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = public, pg_temp")
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_DEFINERS[1]} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {_DEFINERS[1]} TO imagemarket_upkeep")


def downgrade() -> None:
    op.execute(f"GRANT EXECUTE ON FUNCTION {_DEFINERS[1]} TO PUBLIC")
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_DEFINERS[1]} FROM imagemarket_upkeep")
    for function in _DEFINERS:
        op.execute(f"ALTER FUNCTION {function} SECURITY INVOKER RESET search_path")
    for role in _ROLES:
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM imagemarket_{role}")
