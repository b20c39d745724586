"""Node's tools: npm gives up in good time, is told of while it tries, and a person's own settings stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.layout import Layout
from local.tooling import _npm_heard, node_environment

_RETRIES = {
    "npm_config_fetch_retries": "2",
    "npm_config_fetch_retry_mintimeout": "1000",
    "npm_config_fetch_retry_maxtimeout": "4000",
}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    for name in (*_RETRIES, *(name.upper() for name in _RETRIES), "npm_config_cache", "NPM_CONFIG_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return Layout(made=tmp_path, state=tmp_path, port=4711)


def test_a_registry_that_does_not_answer_is_given_up_within_seconds(layout: Layout) -> None:
    environment = node_environment(layout)
    assert {name: environment[name] for name in _RETRIES} == _RETRIES
    assert environment["npm_config_cache"].startswith(str(layout.made))


@pytest.mark.parametrize("name", ["npm_config_fetch_retries", "NPM_CONFIG_FETCH_RETRIES"])
def test_a_persons_own_setting_wins(layout: Layout, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """npm reads either case, so neither is set beside the other."""
    monkeypatch.setenv(name, "9")
    environment = node_environment(layout)
    assert [value for key, value in environment.items() if key.lower() == "npm_config_fetch_retries"] == ["9"]
    assert environment["npm_config_fetch_retry_maxtimeout"] == "4000"


def test_a_failed_attempt_is_told_once_and_packages_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)

    hear = _npm_heard(say)
    for number in (1, 2):
        for name in ("esbuild", "aws-cdk"):
            hear(f"npm http fetch GET https://registry.example/{name} attempt {number} failed with ECONNREFUSED")
    hear("npm http fetch GET https://registry.example/esbuild attempt 1 failed with ETIMEDOUT")
    for _ in range(2):
        hear("npm http fetch GET 200 https://registry.example/esbuild 120ms (cache miss)")
    assert capsys.readouterr().out.splitlines() == [
        "  the package registry does not answer (ECONNREFUSED); trying again",
        "  the package registry does not answer (ETIMEDOUT); trying again",
    ]
    assert said == ["1 packages fetched", "2 packages fetched"]
