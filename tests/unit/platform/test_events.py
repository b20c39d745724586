"""Events and who hears of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import imagemarket
from imagemarket.platform.events import Event
from imagemarket.platform.resources import LISTENERS


def _kinds(kind: type[Event]) -> set[type[Event]]:
    found = set(kind.__subclasses__())
    return found | {each for sub in found for each in _kinds(sub)}


def test_every_event_is_heard_by_somebody_and_none_that_is_not_there() -> None:
    for module in Path(imagemarket.__file__).parent.glob("*/events.py"):
        import_module(f"imagemarket.{module.parent.name}.events")
    kinds = {kind.__name__ for kind in _kinds(Event) if not _kinds(kind)}
    assert kinds == set(LISTENERS)
