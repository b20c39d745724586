"""Settings are complete, frozen, documented, and missed by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from imagemarket.catalog.settings import CatalogSettings
from imagemarket.platform.settings import MissingSetting, settings_classes
from local import settings_page


def test_the_page_is_made_of_the_settings() -> None:
    now = settings_page.PAGE.read_text(encoding="utf-8")
    assert settings_page.page(now) == now, "python -m local.settings_page writes it anew"


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for each in settings_classes() for field in each.model_fields.values())


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKET_WORK_BUCKET", raising=False)
    with pytest.raises(MissingSetting, match="MARKET_WORK_BUCKET"):
        _ = CatalogSettings().work_bucket


def test_settings_are_read_once_and_never_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_WORK_BUCKET", "work")
    settings = CatalogSettings()
    assert settings.work_bucket == "work"
    with pytest.raises(ValidationError):
        settings.work_bucket = "other"


def test_a_setting_is_one_rooms() -> None:
    names = [name for each in settings_classes() for name in each.model_fields]
    assert len(names) == len(set(names))
