"""Events, their types, and who hears of them."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import imagemarket
from imagemarket.catalog.events import ImageListingChanged, ImageStatusChanged
from imagemarket.platform.errors import InvalidRequest
from imagemarket.platform.events import Event, received
from imagemarket.platform.ids import new_id
from imagemarket.platform.settings import PlatformSettings
from tests.fakes import message_with

LIBRARY = Path(imagemarket.__file__).parent


def _kinds(kind: type[Event]) -> set[type[Event]]:
    """Those that are published: a class with subclasses only says what these have alike."""
    found = set(kind.__subclasses__())
    return {each for each in found if not each.__subclasses__()} | {each for sub in found for each in _kinds(sub)}


def _published() -> list[type[Event]]:
    for module in LIBRARY.glob("*/events.py"):
        import_module(f"imagemarket.{module.parent.name}.events")
    return [kind for kind in _kinds(Event) if kind.__module__.startswith("imagemarket.")]


def _listened_to() -> set[type[Event]]:
    modules = [".".join(path.relative_to(LIBRARY).with_suffix("").parts) for path in LIBRARY.rglob("listener.py")]
    return {kind for name in modules for kind in import_module(f"imagemarket.{name}").LISTENS_TO}


def test_an_events_type_is_one_name_among_all_rooms() -> None:
    names = [kind.type_name() for kind in _published()]
    assert len(names) == len(set(names)) >= 4
    assert all(len(name) <= 60 for name in names), "as the outbox takes it"


def test_an_event_is_in_its_rooms_events() -> None:
    assert {kind.__module__.split(".")[-1] for kind in _published()} == {"events"}


def test_every_event_is_listened_to_and_none_that_is_not_published() -> None:
    assert _listened_to() == set(_published())


def test_the_platform_knows_no_event_and_no_listener() -> None:
    names = "|".join(kind.type_name() for kind in _published())
    for source in (LIBRARY / "platform").rglob("*.py"):
        assert not re.search(rf"\b({names})\b", source.read_text(encoding="utf-8")), source
    assert not [name for name in PlatformSettings.model_fields if "queue" in name]


def test_no_event_but_those_listened_to_is_received() -> None:
    changed = ImageListingChanged(image_id=new_id(), version=3)
    message = message_with(changed)
    assert received(message, ImageStatusChanged, ImageListingChanged)[1] == changed
    for wrong in (
        message,
        message | {"detail": message["detail"] | {"type": "ImageStatusChanged"}},
        message | {"detail": None},
        {"detail-type": "ImageStatusChanged"},
        {},
    ):
        with pytest.raises(InvalidRequest):
            received(wrong, ImageStatusChanged)
