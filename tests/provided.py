"""What a test gives the process's app in place of what the app would build."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app


def provide(path: str, service: Any) -> None:
    """From now on the app of this test hands out `service` as `path`, such as `search.service`.

    Raises `TypeError` for a path that names nothing of a room.
    """
    room_name, _, name = path.partition(".")
    room = getattr(app(), room_name)
    if not hasattr(type(room), name):
        raise TypeError(f"{path} is nothing that the app hands out")
    setattr(room, name, service)
