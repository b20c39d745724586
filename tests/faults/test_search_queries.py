"""`samples/faults/search-queries`: each row of its table, against real engines.

The table is prose, so its rows are written out here; the test fails where a row comes that none of these answers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from imagemarket.platform.database import Database
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.query import synonyms
from imagemarket.search.query.parser import QueryParser
from imagemarket.search.request import Filters, Mode, SearchQuery, Sort
from tests.unit.search.kit import document, pointing
from tests.unit.search.test_service import Measured, service

pytestmark = pytest.mark.engines

_ANSWERED = (
    *("no people", "queer couple", "“red bicycle”", "titles T-shirt", "E-mail", "glasses", "c#", "-", "猫"),
    *("an image's id", "red NOT bicycle"),
)
_TITLES = (
    *("A red bicycle at a wall", "A bicycle, red as wine", "Red leaves", "T-shirt", "Tshirt", "t shirt", "E-mail"),
    *("Email", "Wi-Fi", "wifi", "Post-it", "U.S.A. from above", "USA", "Reading glasses on a newspaper"),
    *("Glass of water", "C++ source code on a screen", "猫の写真", "Caucasian chalk circle play", "White circle"),
    "People in a street",
)


@pytest.fixture
def engine(database: Database) -> PostgresSearch:
    engine = PostgresSearch(database)
    engine.write([document(title, embedding=pointing(80), people=title.startswith("People")) for title in _TITLES], [])
    return engine


def _found(engine: PostgresSearch, q: str, mode: Mode = Mode.HYBRID, **filters: Any) -> list[str]:
    page = service(engine, encoder=Measured).search(SearchQuery(q=q, mode=mode, limit=100, **filters))
    return [hit.title for hit in page.results]


def test_every_row_of_the_table_is_tried_here(folder: Path) -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (folder / "EXPECTED.md").read_text(encoding="utf-8"), re.MULTILINE)
    asked = [row.lstrip("`") for row in rows if row != "query"]
    assert [row for row in asked if not row.startswith(_ANSWERED)] == []
    assert len(asked) >= len(_ANSWERED)


@pytest.mark.parametrize("asked", ["no people", "street without people", "nobody"])
def test_no_people_shows_nobody(engine: PostgresSearch, asked: str) -> None:
    assert "People in a street" not in _found(engine, asked)


@pytest.mark.parametrize("asked", ["queer couple", "gay wedding", "asian woman", "dwarf hamster", "white kitchen"])
def test_no_slur_is_said(asked: str) -> None:
    understood = QueryParser(lambda: None).parse(SearchQuery(q=asked), lambda _: ())
    told = {other for each in understood.synonyms for other in each.instead}
    assert not told & (synonyms.offensive() | {"asiatic", "caucasian", "homo", "midget"})


def test_a_colour_is_no_people(engine: PostgresSearch) -> None:
    assert "Caucasian chalk circle play" not in _found(engine, "white circle")


def test_curly_quotes_are_quotes(engine: PostgresSearch) -> None:
    assert _found(engine, "“red bicycle”") == _found(engine, '"red bicycle"') == ["A red bicycle at a wall"]


@pytest.mark.parametrize(
    ("spellings", "titles"),
    [
        (("t-shirt", "tshirt", "t shirt"), {"T-shirt", "Tshirt", "t shirt"}),
        (("e-mail", "email"), {"E-mail", "Email"}),
        (("wi-fi", "wifi"), {"Wi-Fi", "wifi"}),
        (("postit", "post-it"), {"Post-it"}),
        (("usa", "U.S.A."), {"U.S.A. from above", "USA"}),
    ],
)
def test_spellings_find_one_another(engine: PostgresSearch, spellings: tuple[str, ...], titles: set[str]) -> None:
    for asked in spellings:
        assert set(_found(engine, asked)) == titles, asked


def test_words_signs_and_ids(engine: PostgresSearch) -> None:
    assert _found(engine, "glasses")[0] == "Reading glasses on a newspaper"
    assert "C++ source code on a screen" not in _found(engine, "c#")
    assert _found(engine, "red NOT bicycle") == ["Red leaves"]
    everything = _found(engine, "")
    for signs in ("-", '"'):
        assert _found(engine, signs) in ([], everything)
    assert _found(engine, "猫", Mode.KEYWORD) == _found(engine, "猫") == ["猫の写真"]
    assert _found(engine, "แมว") == []
    some = engine.search_text("", Filters(), sort=Sort.NEWEST, limit=3)[1].image_id
    page = service(engine).search(SearchQuery(q=str(some)))
    assert [hit.id for hit in page.results] == [some]
