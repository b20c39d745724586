"""What a deployment decides, read from `MARKET_*` variables: a small frozen class in each room's `settings.py`.

A function is given only the variables that its services read; a field without a default that is
missing from the environment fails at first use, by name. Secrets never stand in the environment:
a field that ends in `_secret_arn` names where one is kept.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict

import imagemarket

UNSET = ""


class MissingSetting(RuntimeError):
    """A setting was read that this process was not given."""

    def __init__(self, field: str) -> None:
        super().__init__(f"MARKET_{field.upper()} is not set, and something here needs it")


class RoomSettings(BaseSettings):
    """The deployment as one room sees it. An empty string means: not given to this process."""

    model_config = SettingsConfigDict(env_prefix="MARKET_", frozen=True, extra="ignore", use_attribute_docstrings=True)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if value == UNSET and name in type(self).model_fields:
            raise MissingSetting(name)
        return value


class PlatformSettings(RoomSettings):
    """What more than one room reads."""

    stage: str = "local"
    """Name of the stage; `local` is the only one that the CDK app has yet."""
    public_base_url: str = UNSET
    """Where people reach the API, without a trailing slash, e.g. `https://api.example.com`."""
    database_secret_arn: str = UNSET
    """Secret with `{username, password}` of the PostgreSQL role that this process connects as."""
    database_address: str = UNSET
    """Where the PostgreSQL writer is: `host:port/name`."""
    database_authorities: str = "public"
    """What its certificate is verified against: `public` authorities, or a PEM file; `none` on one machine."""
    database_statement_timeout_ms: int = 2000
    """How long one statement may run (specification 8.1)."""
    cache_url: str = UNSET
    """Valkey that may evict: pages, vectors and events, e.g. `valkey://127.0.0.1:6379/0`."""
    counters_url: str = UNSET
    """Valkey with `maxmemory-policy noeviction`, for limits on rates and guessing and for marks of what was taken
    down; none of the cache's."""
    event_bus: str = UNSET
    """EventBridge bus that events are published on."""


def settings_classes() -> list[type[RoomSettings]]:
    """The settings of every room, the platform's first."""
    for room in pkgutil.iter_modules(imagemarket.__path__):
        if room.ispkg and find_spec(f"imagemarket.{room.name}.settings"):
            import_module(f"imagemarket.{room.name}.settings")
    return sorted(RoomSettings.__subclasses__(), key=lambda each: (each is not PlatformSettings, each.__module__))
