"""The table of suggestions on a real PostgreSQL: what it completes, and that it never drifts from the catalogue."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import pytest

from imagemarket.platform.database import Database
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.query.spelling import Speller, words_of
from imagemarket.search.suggestions import OFTEN, Suggestions, SuggestionTable, SuggestQuery, begun
from tests.roles import InRole
from tests.unit.search.kit import document, random_documents

pytestmark = pytest.mark.engines


@pytest.fixture
def table(database: Database) -> SuggestionTable:
    return SuggestionTable(InRole(database, DatabaseRole.INDEXER))


def suggest(table: SuggestionTable, typed: str, limit: int = 8) -> list[str]:
    page = Suggestions(table, lambda: Speller(table.words(1000))).suggest(SuggestQuery(q=typed, limit=limit))
    return [each.text for each in page.items]


def test_titles_and_tags_complete_what_was_typed_the_most_frequent_first(table: SuggestionTable) -> None:
    table.write(
        [
            document("Golden sunset", tags=("sunset", "sea")),
            document("Sunset over Rome", tags=("sunset", "rome")),
            document("Sunflower", tags=("flower",)),
        ],
        [],
    )
    assert suggest(table, "sun") == ["sunset", "Sunflower", "Sunset over Rome"]
    assert suggest(table, "s") == ["sunset", "sea", "Sunflower", "Sunset over Rome"]
    assert suggest(table, "  SUNSET o") == ["Sunset over Rome"]
    assert suggest(table, "sun", limit=1) == ["sunset"]
    assert suggest(table, "%") == []
    assert suggest(table, "golden_") == []


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("mother\u2019s", "Mother's Day bouquet"),
        ("mothers d", "Mother's Day bouquet"),
        ("mother's", "Mother's Day bouquet"),
        ("cafe a", "Caf\xe9 at night"),
        ("cafe\u0301 a", "Caf\xe9 at night"),
        ("munchen", "M\xfcnchen"),
        ("ete", "\xc9t\xe9"),
        ('"dog', "#Dog"),
        ("#dog", "#Dog"),
        ("dog", "#Dog"),
        ("strasse", "Stra\xdfe"),
    ],
)
def test_a_beginning_is_read_as_search_reads_it(table: SuggestionTable, typed: str, completed: str) -> None:
    tags = ("Caf\xe9 at night", "M\xfcnchen", "\xc9t\xe9", "#Dog", "Stra\xdfe")
    table.write([document("Mother's Day bouquet", tags=tags)], [])
    assert suggest(table, typed) == [completed]


def test_what_is_searched_with_and_without_accents_is_one_phrase(table: SuggestionTable) -> None:
    table.write([document("Night", tags=("caf\xe9",))], [])
    table.write([document("Night", tags=("cafe",))], [])
    first, second = date(2026, 6, 1), date(2026, 6, 2)
    for day in (first, second):
        table.searched({(("cafe night", "caf\xe9 night")[number % 2], day, str(number)) for number in range(OFTEN)})
    table.searched({("caf\xe9 day", day, str(number)) for number in range(OFTEN) for day in (first, second)})
    assert suggest(table, "cafe n") == ["caf\xe9 night"]
    assert suggest(table, "cafe d") == ["caf\xe9 day"]


@pytest.mark.parametrize("typed", ["sunste", "sunest", "sunsett", "sonset", "golden sunste"])
def test_a_slip_does_not_stop_it(table: SuggestionTable, typed: str) -> None:
    table.write([document("Golden sunset", tags=("sunset",))], [])
    assert suggest(table, typed)[0].lower() in {"sunset", "golden sunset"}


def test_a_words_other_spelling_follows(table: SuggestionTable) -> None:
    table.write([*map(document, ("Gray cat", "Gray car", "Grey cloud", "Grey dog"))], [])
    assert suggest(table, "grey c") == ["Grey cloud", "Gray car", "Gray cat"]
    assert suggest(table, "gray c") == ["Gray car", "Gray cat", "Grey cloud"]


@pytest.mark.parametrize("typed", ["gluten free", "gluten f", "gluten-free", "gluten free b", "gluten-free b"])
def test_a_hyphen_and_a_space_stand_for_each_other(table: SuggestionTable, typed: str) -> None:
    table.write([*map(document, ("Gluten-free bread", "Gluten free beer", "Gluten 3"))], [])
    assert set(suggest(table, typed)) == {"Gluten-free bread", "Gluten free beer"}


def test_what_begins_as_typed_comes_before_what_is_joined_otherwise(table: SuggestionTable) -> None:
    table.write([*map(document, ("E-bike ride", "E-bike race", "E bike"))], [])
    assert suggest(table, "e b") == ["E bike", "E-bike race", "E-bike ride"]
    assert suggest(table, "one two three four f%") == []


def test_what_offends_is_suggested_to_nobody(table: SuggestionTable) -> None:
    table.write([document("Golden whore", tags=("golden slut", "golden hour"))], [])
    assert suggest(table, "golden") == ["golden hour"]


def test_what_offends_takes_nobodys_place(table: SuggestionTable, database: Database) -> None:
    coarse = tuple(f"golden slut {number}" for number in range(12))
    table.write([document("Golden hour"), document("Golden gate", tags=coarse), document("-", tags=coarse)], [])
    assert suggest(table, "golden") == ["Golden gate", "Golden hour"]
    with database.transaction() as connection:  # some that were kept before the list knew them
        for phrase in coarse:
            connection.execute("INSERT INTO suggestions (phrase, shown, images) VALUES (%s, %s, 9)", (phrase, phrase))
    assert suggest(table, "golden") == ["Golden gate", "Golden hour"]


def test_what_could_be_a_contact_or_a_secret_is_suggested_to_nobody(table: SuggestionTable, database: Database) -> None:
    table.write(
        [
            document("Golden password is Hunter2!x", tags=("golden ghp_abcdef", "golden 555-123-4567", "golden hour")),
            document("Golden Boeing 747-400", tags=("akiazzqfodnn7example", "golden 1920s")),
        ],
        [],
    )
    assert suggest(table, "golden") == ["golden 1920s", "Golden Boeing 747-400", "golden hour"]
    assert suggest(table, "akiazzqfodnn7exampel") == []
    assert {"hunter2", "akiazzqfodnn7example"}.isdisjoint(table.words(100))  # no slip is put right to one either
    with database.transaction() as connection:  # one that was kept before the rule knew it
        connection.execute(
            "INSERT INTO suggestions (phrase, shown, images) VALUES ('token=ab12cd34', 'token=ab12cd34', 1)"
        )
    assert suggest(table, "token") == []


def test_a_correction_is_said(table: SuggestionTable) -> None:
    table.write([document("Golden sunset", tags=("sunset",))], [])
    suggestions = Suggestions(table, lambda: Speller(table.words(1000)))
    assert suggestions.suggest(SuggestQuery(q="sunste")).corrected == "sunset"
    assert suggestions.suggest(SuggestQuery(q="sunse")).corrected is None


def test_what_is_often_searched_is_suggested_and_what_is_not_stays_private(table: SuggestionTable) -> None:
    table.write([document("Golden sunset")], [])
    day = date(2026, 6, 1)
    table.searched({("golden retriever", day, str(number)) for number in range(OFTEN - 1)})
    table.searched({("golden retriever", day + timedelta(days=1), "another")})
    assert suggest(table, "gold") == ["Golden sunset"]
    table.searched({("golden retriever", day, str(number)) for number in range(OFTEN)})
    assert suggest(table, "gold") == ["golden retriever", "Golden sunset"]


@pytest.mark.parametrize(
    "asked",
    [
        "golden boat \U0001f595",
        "golden f*ck",
        "golden fvck",
        "golden sh it",
        "golden \ua730\u1d1c\u1d04\u1d0b",
        "golden hour!",
        "golden 48151623",
        "2025",
        "golden boat.com",
        "golden bo@t",
    ],
)
def test_what_others_searched_is_suggested_in_known_words_and_small_numbers_alone(
    table: SuggestionTable, asked: str
) -> None:
    day = date(2026, 6, 1)
    for phrase in (asked, "golden mother-of-pearl 1920s", "golden tv t-shirt"):
        table.searched({(phrase, day, str(number)) for number in range(OFTEN)})
    assert suggest(table, "golden") == ["golden mother-of-pearl 1920s", "golden tv t-shirt"]
    assert suggest(table, "2025") == []


def test_whatever_comes_twice_or_late_the_counts_are_those_of_the_catalogue(
    table: SuggestionTable, database: Database
) -> None:
    numbers = random.Random(3)
    made = random_documents(40)
    truth: dict[UUID, tuple[int, SearchDocument | None]] = {}
    for _ in range(30):
        batch, gone = [], []
        for each in numbers.sample(made, 6):
            version = numbers.randrange(1, 9)
            if numbers.random() < 0.3:
                gone.append(Removal(each.image_id, version))
                change = None
            else:
                change = each.model_copy(update={"version": version, "title": numbers.choice(made).title})
                batch.append(change)
            if truth.get(each.image_id, (-1, None))[0] <= version:
                truth[each.image_id] = (version, change)
        table.write(batch, gone)
    phrases: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for _, listed in truth.values():
        if listed is not None:
            phrases.update({begun(each) for each in (listed.title, *listed.tags)})
            words.update({word for word in words_of(" ".join((listed.title, *listed.tags))) if len(word) > 2})
    held = database.fetch_all("SELECT phrase, images FROM suggestions")
    assert {row["phrase"]: row["images"] for row in held} == dict(phrases)
    assert table.words(10_000) == dict(words)


def test_when_the_table_is_away_the_client_is_told_when_to_return() -> None:
    away = SuggestionTable(Database(lambda: "postgresql://127.0.0.1:1/none?connect_timeout=1"))
    with pytest.raises(SearchUnavailable) as refused:
        Suggestions(away, lambda: None).suggest(SuggestQuery(q="sun"))
    assert int(refused.value.headers["Retry-After"]) >= 1
