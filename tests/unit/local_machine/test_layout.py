"""Where a clone keeps its things, and which port is its front door's."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from local.layout import DEFAULT_PORT, REPOSITORY, Layout, LocalError, make_private, write_private


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MARKET_PORT", "MARKET_CLONE", "MARKET_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MARKET_STATE", str(tmp_path))
    return tmp_path


def test_the_port_is_the_last_one_that_was_brought_up(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Layout.of_environment(choosing=True).port == DEFAULT_PORT
    monkeypatch.setenv("MARKET_PORT", "18123")
    Layout.of_environment(choosing=True).remember_port()
    monkeypatch.delenv("MARKET_PORT")
    assert Layout.of_environment(choosing=True).port == 18123
    assert Layout.of_environment().base_url == "http://127.0.0.1:18123"


def test_a_command_with_another_port_than_the_front_doors_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Layout(made=state, state=state, port=18123).remember_port()
    monkeypatch.setenv("MARKET_PORT", "18124")
    with pytest.raises(LocalError, match=r"18124.* on port 18123"):
        Layout.of_environment()
    assert Layout.of_environment(choosing=True).port == 18124, "./market up may move it"


@pytest.mark.parametrize("text", ["0", "65536", "eighty", "-1", "²"])
def test_a_port_that_is_none_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MARKET_PORT", text)
    with pytest.raises(LocalError, match="1 to 65535"):
        Layout.of_environment(choosing=True)


def test_variables_of_another_clone_are_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_CLONE", str(REPOSITORY))
    Layout.of_environment()
    monkeypatch.setenv("MARKET_CLONE", "/somewhere/else")
    with pytest.raises(LocalError, match="/somewhere/else"):
        Layout.of_environment()


@pytest.mark.parametrize("stage", ["launch", "x;y", "../..", "Local", " "])
@pytest.mark.parametrize("choosing", [True, False])
def test_another_stage_than_this_machines_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch, stage: str, choosing: bool
) -> None:
    """Its queues are none of this machine's, and an empty list of dead letters looks like health."""
    monkeypatch.setenv("MARKET_STAGE", stage)
    with pytest.raises(LocalError, match=r"MARKET_STAGE is .*the command imagemarket"):
        Layout.of_environment(choosing=choosing)


@pytest.mark.parametrize("stage", ["", "local"])
def test_this_machines_stage_may_be_said(state: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.setenv("MARKET_STAGE", stage)
    assert Layout.of_environment().state == state


def test_what_is_kept_is_its_owners_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "a" / "b" / "secrets.json", json.dumps({}))
    for path, mode in (("a", 0o700), ("a/b", 0o700), ("a/b/secrets.json", 0o600)):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode, path
    before = os.umask(0)
    try:
        make_private(tmp_path / "c")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700
