"""How long identity keeps what nobody needs any more."""

from __future__ import annotations

from typing import LiteralString

EXPIRED: dict[str, LiteralString] = {
    "account_tokens": "DELETE FROM account_tokens WHERE expires_at < now()",
    "account_mails": "DELETE FROM account_mails WHERE requested_at < now() - interval '7 days'",
    "known_networks": "DELETE FROM known_networks WHERE last_at < now() - interval '180 days'",
    "refresh_tokens": "DELETE FROM refresh_tokens WHERE expires_at < now()",
}
"""By table: what the daily retention run deletes."""
