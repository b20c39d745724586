"""`imagemarket search`, by its own command line."""

from __future__ import annotations

from typing import Any, Self

import pytest
from typer.testing import CliRunner

from imagemarket.cli import catalogue
from imagemarket.cli.app import app
from imagemarket.platform.errors import NotFound
from imagemarket.search.indexing.reindex import Differences
from tests.provided import provide


class _Maintenance:
    engines = ("postgres", "qdrant")

    def __init__(self, **found: int) -> None:
        self.found = Differences(seen=7, **found)
        self.calls: list[Any] = []

    def reindex(self, engine: str) -> Differences:
        self.calls.append(("reindex", engine))
        return self.found

    def verify(self, engine: str, *, repair: bool) -> Differences:
        self.calls.append(("verify", engine, repair))
        if engine == "solr":
            raise NotFound("engine: 'solr' is not used here.")
        return self.found


def run(monkeypatch: pytest.MonkeyPatch, maintenance: _Maintenance, *words: str) -> Any:
    provide("search.maintenance", maintenance)
    monkeypatch.setenv("MARKET_DATABASE_SECRET_ARN", "given")
    return CliRunner().invoke(app, ["search", *words])


def test_every_engine_of_the_stage_is_made_anew_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = _Maintenance()
    done = run(monkeypatch, maintenance, "reindex")
    assert (done.exit_code, maintenance.calls) == (0, [("reindex", "postgres"), ("reindex", "qdrant")])
    assert (
        "qdrant: 7 approved images; 0 missing, 0 outdated, 0 differing, 0 newer than source, 0 orphans." in done.output
    )
    maintenance.calls.clear()
    run(monkeypatch, maintenance, "reindex", "--engine", "qdrant")
    assert maintenance.calls == [("reindex", "qdrant")]


def test_a_difference_is_told_by_the_status_unless_it_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = _Maintenance(missing=2)
    assert run(monkeypatch, maintenance, "verify", "--engine", "qdrant").exit_code == 1
    repaired = run(monkeypatch, maintenance, "verify", "--engine", "qdrant", "--repair")
    assert (repaired.exit_code, maintenance.calls[-1]) == (0, ("verify", "qdrant", True))
    assert "2 missing" in repaired.output
    assert run(monkeypatch, _Maintenance(), "verify").exit_code == 0


def test_an_unknown_engine_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, _Maintenance(), "verify", "--engine", "solr")
    assert (done.exit_code, str(done.exception)) == (1, "engine: 'solr' is not used here.")


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["a red boat"], "a red boat"),
        (["find", "a red boat"], "a red boat"),
        (["--limit", "3", "a red boat"], "a red boat"),
        (["a", "red", "boat", "--limit", "3"], "a red boat"),
        (["find", "verify"], "verify"),
        (["-people beach"], "-people beach"),
        (["beach", "-people", "--limit", "3", "-cars"], "beach -people -cars"),
        (["--", "-people", "beach"], "-people beach"),
    ],
)
def test_words_find_pictures(monkeypatch: pytest.MonkeyPatch, words: list[str], query: str) -> None:
    asked: list[Any] = []

    class Market:
        def __init__(self, url: str) -> None:
            """Any address will do."""

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing was opened."""

        def get(self, path: str, *, params: dict[str, Any]) -> dict[str, Any]:
            asked.append((path, params["q"]))
            return {"results": []}

    monkeypatch.setattr(catalogue, "MarketClient", Market)
    done = CliRunner().invoke(app, ["search", *words])
    assert (done.exit_code, done.output.strip()) == (0, "Nothing found.")
    assert asked == [("/v1/search", query)]


def test_a_misspelt_option_is_no_word_to_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, _Maintenance(), "beach", "--limt", "3")
    assert done.exit_code == 2
    assert "No such option: --limt" in done.output


def test_the_help_says_how_to_look_for_a_commands_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "search find verify" in " ".join(run(monkeypatch, _Maintenance(), "--help").output.split())
