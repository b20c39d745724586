"""Node's tools: npm gives up in good time, is told of while it tries, and a person's own settings stay."""

from __future__ import annotations

from pathlib import Path

import pytest

import local.tooling
from local.layout import Layout
from local.tooling import _Npm, node_environment

_RETRIES = {
    "npm_config_fetch_retries": "2",
    "npm_config_fetch_retry_mintimeout": "1000",
    "npm_config_fetch_retry_maxtimeout": "4000",
    "npm_config_fetch_timeout": "20000",
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

    hear = _Npm(say, {}).hear
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


class _Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(("said", "patience"), [(None, 100), ("60000", 300), ("soon", 100)])
def test_it_stalls_when_attempts_fail_and_no_package_comes(
    monkeypatch: pytest.MonkeyPatch, said: str | None, patience: float
) -> None:
    clock = _Clock()
    monkeypatch.setattr(local.tooling, "time", clock)
    npm = _Npm(None, {} if said is None else {"NPM_CONFIG_FETCH_TIMEOUT": said})
    clock.now += 1000
    assert not npm.stalled(), "what comes slowly, or is taken from the cache, fails no attempt"
    for attempt in (1, 2):
        npm.hear(f"npm http fetch GET https://registry.example/a attempt {attempt} failed with ERR_SOCKET_TIMEOUT")
        clock.now += patience / 2 - 1
    assert not npm.stalled()
    npm.hear("npm http fetch GET 200 https://registry.example/b 120ms (cache miss)")
    clock.now += 1000
    assert not npm.stalled(), "a package came"
    npm.hear("npm http fetch GET https://registry.example/a attempt 3 failed with ERR_SOCKET_TIMEOUT")
    clock.now += patience + 1
    assert npm.stalled()
