"""What every search engine does alike: the contract of `imagemarket.search.engines.ports`."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import UUID

import numpy as np
import pytest
from httpx import Headers
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from benchmarks.material.edge import EdgeClient
from imagemarket.catalog.images import publish_listing
from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.imaging.models import PaletteColour
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable, NotFound
from imagemarket.platform.ids import new_id
from imagemarket.search.document import DocumentRendition, Removal, SearchDocument
from imagemarket.search.engines import opensearch_query, postgres, postgres_query
from imagemarket.search.engines.opensearch import OpenSearchEngine, connect
from imagemarket.search.engines.opensearch_index import definition
from imagemarket.search.engines.ports import DocumentReader, Hit, KeywordEngine, QueryRefused, VectorEngine
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.engines.qdrant import QdrantEngine
from imagemarket.search.errors import IndexingIncomplete
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from imagemarket.search.indexing.reindex import Differences, IndexMaintenance
from imagemarket.search.query.parser import QueryParser
from imagemarket.search.query.spelling import Speller
from imagemarket.search.query.syntax import Words, read
from imagemarket.search.request import Filters, SearchQuery, Sort
from local.layout import free_port
from tests.integration.rows import a_contributor
from tests.integration.test_search_documents import an_approved_image, set_status
from tests.serverless import NotServerless, serverless_client
from tests.unit.search.kit import (
    ADA,
    BOB,
    FIRST_DAY,
    MODEL,
    MemorySearch,
    document,
    passes,
    pointing,
    random_documents,
    random_unit,
)

# Qdrant's in-process mode has no indexes and says so of each.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode"),
]


class Engine(KeywordEngine, VectorEngine, DocumentReader, Protocol):
    """All the roles; here one thing plays them."""


class Pair:
    """Two engines that share the roles, as a stage joins them."""

    def __init__(self, words: Any, vectors: Any) -> None:
        self._engines = (words, vectors)
        self.search_text, self.count_facets, self.facets_of, self.filter_by_terms, self.present, self.documents = (
            words.search_text,
            words.count_facets,
            words.facets_of,
            words.filter_by_terms,
            words.present,
            words.documents,
        )
        self.nearest, self.vector_of = vectors.nearest, vectors.vector_of

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        changed = {engine.write(documents, removals) for engine in self._engines}
        assert len(changed) == 1, "both take the same"
        return changed.pop()

    def versions(self, image_ids: Sequence[UUID]) -> dict[UUID, int]:
        words, vectors = (engine.versions(image_ids) for engine in self._engines)
        assert words == vectors
        return words

    def differing(self, documents: Sequence[SearchDocument]) -> set[UUID]:
        return set().union(*(engine.differing(documents) for engine in self._engines))

    def listed(self) -> Iterator[UUID]:
        words, vectors = (sorted(engine.listed()) for engine in self._engines)
        assert words == vectors
        yield from words


class Refreshed(OpenSearchEngine):
    """What is written is found at once; the service itself takes its time, and has no such request."""

    def __init__(self, url: str, **details: Any) -> None:
        super().__init__(serverless_client(url), vectors=True, **details)
        self._open = connect(url)

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        try:
            return super().write(documents, removals)
        finally:
            self._open.indices.refresh(index="images*")

    def remove(self) -> None:
        self._open.indices.delete(index="images*")


@pytest.fixture
def opensearch(opensearch_server: str) -> Iterator[Refreshed]:
    """An OpenSearch without any index, held to what Serverless offers."""
    engine = Refreshed(opensearch_server)
    yield engine
    engine.remove()


@pytest.fixture
def qdrant() -> QdrantEngine:
    """Over the client's own stand-in in Python."""
    return QdrantEngine(QdrantClient(":memory:"))


@pytest.fixture
def qdrants_engine(tmp_path: Path) -> Iterator[QdrantEngine]:
    """Over the server's own engine, without the server."""
    client = EdgeClient(tmp_path / "qdrant")
    yield QdrantEngine(cast("QdrantClient", client))
    client.close()


_REAL = pytest.mark.engines


@pytest.fixture(
    params=[
        "memory",
        pytest.param("postgres", marks=_REAL),
        pytest.param("opensearch", marks=_REAL),
        "memory and qdrant",
        pytest.param("memory and the engine of qdrant", marks=_REAL),
    ]
)
def engine(request: pytest.FixtureRequest) -> Any:
    match request.param:
        case "memory":
            return MemorySearch()
        case "postgres":
            return PostgresSearch(request.getfixturevalue("database"))
        case "opensearch":
            return request.getfixturevalue("opensearch")
        case "memory and the engine of qdrant":
            return Pair(MemorySearch(), request.getfixturevalue("qdrants_engine"))
        case _:
            return Pair(MemorySearch(), request.getfixturevalue("qdrant"))


def titles(engine: Engine, hits: Any) -> list[str]:
    return [each.title for each in engine.documents([hit.image_id for hit in hits])]


def matched(
    engine: Engine, text: str | Words, sort: Sort = Sort.RELEVANCE, limit: int = 100, **filters: Any
) -> list[str]:
    return titles(engine, engine.search_text(text, Filters(**filters), sort=sort, limit=limit))


# --- writing -------------------------------------------------------------------------------------


def test_a_document_comes_back_as_it_was_written_less_its_vector(engine: Engine) -> None:
    written = document("Sunset", tags=("sea",), categories=("nature",), colours=("red",), people=True, description="d")
    assert engine.write([written], []) == 1
    assert engine.documents([written.image_id]) == [written.model_copy(update={"embedding": None})]


def test_writing_twice_changes_nothing_to_see(engine: Engine) -> None:
    written = document("Sunset")
    engine.write([written], [])
    engine.write([written], [])
    assert matched(engine, "sunset") == ["Sunset"]
    assert engine.count_facets("", Filters()).total == 1


def test_a_newer_version_replaces_an_older_one_whatever_comes_last(engine: Engine) -> None:
    older, gone = document("Red barn", version=3), document("Gone", version=3)
    newer = older.model_copy(update={"version": 5, "title": "Blue boat", "embedding": pointing(90)})
    engine.write([newer], [])
    assert engine.write([older], []) == 0
    engine.write([], [Removal(gone.image_id, 4)])
    assert engine.write([gone], []) == 0
    assert matched(engine, "") == ["Blue boat"]
    assert matched(engine, "barn") == []
    assert engine.vector_of(gone.image_id) is None


def test_a_removal_is_final_until_something_newer(engine: Engine) -> None:
    listed = document("Sunset", version=2)
    engine.write([listed], [])
    assert engine.write([], [Removal(listed.image_id, 1)]) == 0
    assert matched(engine, "sunset") == ["Sunset"]
    assert engine.write([], [Removal(listed.image_id, 3)]) == 1
    assert matched(engine, "sunset") == []
    assert engine.nearest(pointing(0), MODEL, Filters(), limit=10) == []
    assert engine.documents([listed.image_id]) == []
    assert engine.facets_of([listed.image_id]).total == 0
    engine.write([listed.model_copy(update={"version": 4})], [])
    assert matched(engine, "sunset") == ["Sunset"]


def test_documents_keep_the_order_asked_for_and_skip_the_unknown(engine: Engine) -> None:
    made = [document(str(number)) for number in range(5)]
    engine.write(made, [])
    asked = [made[3].image_id, new_id(), made[0].image_id, made[4].image_id]
    assert [each.title for each in engine.documents(asked)] == ["3", "0", "4"]


def test_what_is_listed_and_its_versions(engine: Engine) -> None:
    made = [document(str(number), version=number + 1) for number in range(5)]
    engine.write(made, [])
    engine.write([], [Removal(made[4].image_id, 9), Removal(new_id(), 1)])
    assert set(engine.listed()) == {each.image_id for each in made[:4]}
    asked = [made[1].image_id, made[4].image_id, new_id()]
    assert engine.versions(asked) == {made[1].image_id: 2}
    assert engine.versions([]) == {}


def test_the_same_version_with_other_contents_differs(engine: Engine) -> None:
    made = random_documents(6)
    engine.write(made, [])
    engine.write([], [Removal(made[5].image_id, 9)])
    assert engine.differing(made) == set()
    told = [made[0].model_copy(update={"width": 12}), made[1].model_copy(update={"version": 9, "width": 12}), *made[2:]]
    assert engine.differing(told) == {made[0].image_id}
    assert engine.differing([document("unknown")]) == engine.differing([]) == set()


OTHERWISE: dict[str, Any] = {
    "title": "Another",
    "description": "another",
    "tags": ("another",),
    "categories": ("people",),
    "contributor_id": UUID(int=9),
    "contributor_name": "Another",
    "image_type": ImageType.VECTOR,
    "license_types": (LicenseType.EDITORIAL,),
    "orientation": "portrait",
    "colours": ("teal",),
    "palette": (PaletteColour("#123456", 99.5),),
    "width": 12,
    "height": 34,
    "people": True,
    "safe": False,
    "published_at": FIRST_DAY + timedelta(days=400),
    "popularity": 12.345,
    "thumbhash": "another",
    "renditions": (DocumentRendition(width=1, height=2, format="webp", key="another"),),
    "model_version": "another-1",
    "embedding": pointing(91),
}
"""For each field another value than `document` gives it."""


def test_no_field_is_too_small_to_differ(engine: Engine) -> None:
    """What an engine keeps of a document is compared; what the one for meaning has no use for, by the other."""
    assert OTHERWISE.keys() == SearchDocument.model_fields.keys() - {"image_id", "version"}
    made = document()
    engine.write([made], [])
    for field, value in OTHERWISE.items():
        assert engine.differing([made.model_copy(update={field: value})]) == {made.image_id}, field
    bare = made.model_copy(update={"embedding": None, "model_version": None, "version": 2})
    assert engine.write([bare], []) == 1
    assert engine.differing([bare]) == set()
    assert engine.differing([bare.model_copy(update={"embedding": pointing(0)})]) == {made.image_id}


def test_vectors_differ_beyond_half_precision_alone(engine: Engine) -> None:
    made = random_documents(20)
    engine.write(made, [])
    assert made[0].embedding is not None
    near = tuple(float(np.float16(component)) for component in made[0].embedding)
    assert engine.differing([made[0].model_copy(update={"embedding": near}), *made[1:]]) == set()
    swapped = [
        one.model_copy(update={"embedding": other.embedding}) for one, other in zip(made[::2], made[1::2], strict=True)
    ]
    assert engine.differing(swapped) == {each.image_id for each in made[::2]}


@pytest.mark.engines
@pytest.mark.parametrize(
    ("column", "spoilt"),
    [
        ("words", "'zzz'"),
        ("embedding", "(SELECT embedding FROM search_documents WHERE image_id <> d.image_id LIMIT 1)"),
        ("palette_cells", "'{}'"),
        ("place", "place + 1"),
        ("indexed_at", "now()"),
    ],
)
def test_what_postgresql_derives_is_compared(database: Database, column: str, spoilt: str) -> None:
    """A row may be given back as it was written, and be searched by something else."""
    engine, made = PostgresSearch(database), random_documents(3)
    engine.write(made, [])
    with database.transaction() as connection:
        statement = f"UPDATE search_documents d SET {column} = {spoilt} WHERE image_id = %s"
        connection.execute(statement, (made[1].image_id,))  # pyright: ignore[reportArgumentType]
    assert engine.differing(made) == (set() if column == "indexed_at" else {made[1].image_id})
    assert engine.write(made, []) == 3
    assert engine.differing(made) == set()


@pytest.mark.engines
@pytest.mark.parametrize(
    ("field", "spoilt"),
    [
        ("title_words", "another"),
        ("description_words", "another"),
        ("tag_words", ["another"]),
        ("category_words", ["another"]),
        ("contributor_words", "another"),
        ("palette_cells", [1]),
        ("aspect_ratio", 9.5),
        ("month", "1999-01"),
        ("place", 1),
        ("embedding", list(pointing(91))),
    ],
)
def test_what_opensearch_derives_is_compared(opensearch: Refreshed, field: str, spoilt: Any) -> None:
    made = random_documents(3)
    opensearch.write(made, [])
    whole = {**opensearch._fields(made[1]), field: spoilt}
    opensearch._open.index(index="images", id=str(made[1].image_id), body=whole)
    assert opensearch.differing(made) == {made[1].image_id}
    opensearch.write(made, [])
    assert opensearch.differing(made) == set()


def test_an_engine_that_nothing_was_written_to_has_nothing(engine: Engine) -> None:
    assert engine.search_text("", Filters(), sort=Sort.NEWEST, limit=5) == []
    assert engine.search_text("boat", Filters(color=["red"]), sort=Sort.RELEVANCE, limit=5) == []
    assert engine.search_text("", Filters(), sort=Sort.RANDOM, limit=5) == []
    assert engine.nearest(pointing(0), MODEL, Filters(people=True), limit=5) == []
    assert engine.vector_of(new_id()) is None
    assert engine.documents([new_id()]) == engine.documents([]) == []
    assert engine.count_facets("boat", Filters(color=["red"])).total == 0
    assert list(engine.listed()) == []
    assert engine.write([], []) == 0


# --- words ---------------------------------------------------------------------------------------


def test_words_are_found_wherever_they_stand_titles_first(engine: Engine) -> None:
    engine.write(
        [
            document("Old town", description="a lighthouse far away"),
            document("Lighthouse"),
            document("Coast", tags=("lighthouse", "sea")),
            document("Meadow", tags=("grass",)),
        ],
        [],
    )
    assert matched(engine, "lighthouse") == ["Lighthouse", "Coast", "Old town"]


@pytest.mark.parametrize(
    "asked", ["cafés", "cafe", "CAFÉ", "coffee", "terrace coffee", "food", "ada", "the café", "drinks"]
)
def test_accents_capitals_and_plurals_do_not_matter(engine: Engine, asked: str) -> None:
    engine.write([document("Café terrace", tags=("coffee",), categories=("food-drink",))], [])
    engine.write([document("Empty road", contributor_id=BOB, contributor_name="Bob")], [])
    assert matched(engine, asked) == ["Café terrace"]


def test_all_words_are_wanted_and_any_is_enough_when_nothing_has_them_all(engine: Engine) -> None:
    engine.write([document("Red boat"), document("Red car"), document("Green boat")], [])
    assert matched(engine, "red boat") == ["Red boat"]
    assert set(matched(engine, "red tower")) == {"Red boat", "Red car"}
    assert engine.count_facets("red tower", Filters()).total == 2
    assert matched(engine, "purple tower") == []
    assert engine.count_facets("purple tower", Filters()).total == 0


@pytest.mark.parametrize(
    "asked",
    [
        *("!!!", "\U0001f642", "' OR 1=1 --", "a:*b & | ( <->", '"', "-", "%s %(x)s {}", "d'c#"),
        *("rock'n'c++", "x'|'boat2'|'c#", "'.net'|'c"),
    ],
)
def test_signs_are_no_commands(engine: Engine, asked: str) -> None:
    engine.write([document("Red boat")], [])
    assert matched(engine, asked) == []
    assert engine.count_facets(asked, Filters()).total == 0


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("東京タワーの夜景", "東京タワーの夜景"),
        ("Сани зимой", "САНИ"),
        ("قارب أحمر", "قارب"),
        ("סירה אדומה", "סירה"),
        ("Straße 66", "straße"),
        ("Naïve façade", "facade"),
        ("Boat \U0001f6f6 on a lake", "boat \U0001f6f6"),
        ("O'Neill's “quoted” pier", "pier"),
        ("100% wool & silk <b>", "wool"),
        ("C:\\temp\\boat", "boat"),
        ("a" * 250, "a" * 250),
    ],
)
def test_odd_words_are_found_again(engine: Engine, title: str, asked: str) -> None:
    engine.write([document(title), document("Meadow")], [])
    assert matched(engine, asked) == [title]
    assert engine.count_facets(asked, Filters()).total == 1


SPELLINGS: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (
        ("T-shirt on a line", "Tshirt in black", "t shirt folded"),
        ("t-shirt", "tshirt", "t shirt", "T\u2011Shirt", "t-shirts"),
    ),
    (("E-mail icon", "Email inbox"), ("e-mail", "email", "e mail", "e\u2013mail")),
    (("Wi-Fi antenna", "Wifi router"), ("wi-fi", "wifi", "wi fi")),
    (("Post-it on a wall", "Postit notes"), ("post-it", "postit")),
    (("Flag of the U.S.A.", "USA map"), ("usa", "U.S.A.", "U.S.A", "u.s.a.")),
    (("Rock'n'roll band", "Rock\u2019n\u2019roll dance"), ("rock'n'roll", "rock\u2018n\u2019roll", "rock n roll")),
]


@pytest.mark.parametrize(("titles_alike", "spellings"), SPELLINGS)
def test_however_a_word_is_spelt_it_finds_all_spellings(
    engine: Engine, titles_alike: tuple[str, ...], spellings: tuple[str, ...]
) -> None:
    engine.write([*(document(title) for title in titles_alike), document("A skirt"), document("Lake")], [])
    for asked in spellings:
        assert set(matched(engine, asked)) == set(titles_alike), asked
        assert engine.count_facets(asked, Filters()).total == len(titles_alike), asked


@pytest.mark.parametrize(
    "asked", ['"red bicycle"', "\u201cred bicycle\u201d", "\u201ered bicycle\u201c", "\u00abred bicycle\u00bb"]
)
def test_quotes_of_any_keyboard_keep_a_phrase_together(engine: Engine, asked: str) -> None:
    engine.write([document("A red bicycle"), document("A bicycle, red as wine"), document("Red leaves")], [])
    assert matched(engine, asked) == ["A red bicycle"]


_FOR_SALE = {"House for sale", "Not for sale", "Notice"}
_OTHERS = {"Summer sale", "Sale of a house", "Sails for sales", "The Who", "A run for who", "Hamlet", "Names"}
PHRASES: list[tuple[str, set[str]]] = [
    ('"for sale"', _FOR_SALE),
    ('"not for sale"', {"Not for sale"}),
    ('"house for sale"', {"House for sale"}),
    ('sale -"for sale"', {"Summer sale", "Sale of a house", "Sails for sales"}),
    ('-"for sale"', _OTHERS),
    ('the -"for sale"', _OTHERS),
    ('"the who"', {"The Who"}),
    ('"to be or not to be"', {"Hamlet"}),
    ('"to be" hamlet', {"Hamlet"}),
    ('"be to"', set()),
    ('"sales"', {"Sails for sales"}),
    ('"sale" sail', set()),
    ('sails -"sale"', {"Sails for sales"}),
    ('"for sale" or "the who"', _FOR_SALE | {"The Who"}),
    ('summer or "for sale"', _FOR_SALE | {"Summer sale"}),
    ('"for sale" or -house', _FOR_SALE | _OTHERS - {"Sale of a house"}),
    ('house or -"for sale"', _OTHERS | {"House for sale"}),
    ('"cafe of the artists"', {"Names"}),
    ('"artist\u2019s c# handbook"', {"Names"}),
    ('"red boat"', set()),  # two tags are no phrase
    ('"t-shirt"', {"Names"}),
    ('"tshirt"', {"Names"}),
    ('"rocknroll"', {"Names"}),
    ('"bob"', {"Names"}),
    ('"the \u732b"', {"Names"}),
]


@pytest.mark.parametrize(("asked", "expected"), PHRASES)
def test_what_is_in_quotes_is_found_just_so(engine: Engine, asked: str, expected: set[str]) -> None:
    """Stop words too; no other form of a word; and so what is not wanted."""
    made = [
        *map(document, ("House for sale", "Not for sale", "Summer sale", "Sale of a house", "Sails for sales")),
        *map(document, ("The Who", "A run for who")),
        document("Notice", description="Not here: it is for\nsale."),
        document("Hamlet", description="To be, or not to be, that is the question"),
        document(
            "Names",
            tags=("red", "boat", "T-shirt", "rock'n'roll"),
            description="Caf\u00e9 of the artists. An artist's C# handbook on the \u732b",
            contributor_name="Bob",
        ),
    ]
    engine.write(made, [])
    assert set(matched(engine, asked)) == expected
    assert engine.count_facets(asked, Filters()).total == len(expected)
    ids = [each.image_id for each in made]
    assert set(titles(engine, [Hit(each, 0) for each in engine.filter_by_terms(asked, ids)])) == expected


@pytest.mark.parametrize(
    "asked", ["red -bicycle", "red NOT bicycle", "red \u2212bicycle", "red \u2013bicycle", "NOT bicycle red"]
)
def test_a_minus_in_any_form_excludes(engine: Engine, asked: str) -> None:
    engine.write([document("A red bicycle"), document("Red leaves"), document("Blue bicycle")], [])
    assert matched(engine, asked) == ["Red leaves"]


def test_a_picture_that_says_the_same_is_spared_by_words_and_by_no_minus(engine: Engine) -> None:
    written = [
        document(each) for each in ("Beach", "Beach, no umbrellas", "Beach with umbrellas", "No umbrella, beach")
    ]
    engine.write(written, [])
    without = read("beach -umbrellas")
    assert matched(engine, without) == ["Beach"]
    sparing = without.sparing({"umbrellas": ("no umbrella", "no umbrellas")})
    assert set(matched(engine, sparing)) == {"Beach", "Beach, no umbrellas", "No umbrella, beach"}
    assert engine.count_facets(sparing, Filters()).total == 3
    assert engine.filter_by_terms(sparing.exact, [each.image_id for each in written]) == {
        each.image_id for each in written if each.title != "Beach with umbrellas"
    }


@pytest.mark.parametrize("asked", ["lemonade without sugar", "lemonade no sugar", "lemonade zero sugars"])
def test_what_is_free_of_a_thing_is_without_it(engine: Engine, asked: str) -> None:
    spared = {"Sugar-free lemonade", "Lemonade free of sugar", "Lemonade, no sugar"}
    engine.write([document(each) for each in (*spared, "Lemonade", "Lemonade with sugar")], [])
    understood = QueryParser().parse(SearchQuery(q=asked), lambda _: ())
    assert set(matched(engine, understood.words)) == {*spared, "Lemonade"}


def test_the_very_word_comes_before_its_stem(engine: Engine) -> None:
    engine.write([document("Glass of water"), document("Reading glasses on a newspaper")], [])
    assert matched(engine, "glasses") == ["Reading glasses on a newspaper", "Glass of water"]
    assert set(matched(engine, "glass")) == {"Glass of water", "Reading glasses on a newspaper"}
    assert matched(engine, '"glass"') == ["Glass of water"]
    assert matched(engine, 'glasses -"glass"') == ["Reading glasses on a newspaper"]


def test_names_with_signs_are_other_names(engine: Engine) -> None:
    engine.write([document("C++ source code on a screen"), document("C# handbook"), document("Vitamin C")], [])
    assert matched(engine, "c#") == ["C# handbook"]
    assert matched(engine, "c++") == ["C++ source code on a screen"]
    assert matched(engine, "c# code") == []
    assert matched(engine, "vitamin c") == ["Vitamin C"]


_C_PLUS_PLUS = {"C/C++ source code", "C++ source code", "Objective-C++ class"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("c++", _C_PLUS_PLUS),
        ('"c++"', _C_PLUS_PLUS),
        ("-c++ code", {"node.js/C# code"}),
        ("c", {"C/C++ source code"}),
        ('"c" code', {"C/C++ source code"}),
        ('"c source"', set()),
        ("c/c++", {"C/C++ source code"}),
        ('"c/c++"', {"C/C++ source code"}),
        ('"c/c++ source"', {"C/C++ source code"}),
        ('"objective-c++"', {"Objective-C++ class"}),
        ("c#", {"node.js/C# code", "C#/.NET"}),
        ("node.js", {"node.js/C# code"}),
        (".net", {".NET developer at work", "C#/.NET"}),
        ('".NET developer"', {".NET developer at work"}),
        ('".net-developer"', {".NET developer at work"}),
        ("-.net net", {"Fishing net on a beach"}),
        ("net", {"Fishing net on a beach"}),
        ('"net"', {"Fishing net on a beach"}),
        ("dotnet", {".NET developer at work", "C#/.NET"}),
    ],
)
def test_a_sign_belongs_to_the_name_beside_it(engine: Engine, asked: str, expected: set[str]) -> None:
    titled = (*_C_PLUS_PLUS, "node.js/C# code", ".NET developer at work", "Fishing net on a beach")
    engine.write([*map(document, (*titled, "C#/.NET"))], [])
    assert set(matched(engine, asked)) == expected
    assert engine.count_facets(asked, Filters()).total == len(expected)


@pytest.mark.parametrize(
    "names",
    [
        ("दिन", "दान", "भारत", "भरत", "कटोरा", "रक्त", "रकत"),  # Devanagari: vowels and the virama
        ("காடு", "கடு", "বন", "বোন", "ผี", "ผา"),  # Tamil, Bengali, Thai
    ],
)
def test_marks_belong_to_their_word(engine: Engine, names: tuple[str, ...]) -> None:
    engine.write([*map(document, names)], [])
    for name in names:
        for asked in (name, f'"{name}"'):
            assert matched(engine, asked) == [name], asked
            assert engine.count_facets(asked, Filters()).total == 1, asked


@pytest.mark.parametrize(
    ("written", "asked"), [("שָׁלוֹם", "שלום"), ("كِتَاب", "كتاب"), ("x\u0302-ray", "x-ray"), ("c\ufe0fat", "cat")]
)
def test_points_and_accents_do_not_matter(engine: Engine, written: str, asked: str) -> None:
    engine.write([document(f"{written} 1"), document(f"{asked} 2"), document("Meadow")], [])
    for each in (written, asked, f'"{asked}"', f'"{written}"'):
        assert set(matched(engine, each)) == {f"{written} 1", f"{asked} 2"}, each


@pytest.mark.parametrize(
    ("title", "asked", "other"),
    [
        ("猫の写真", "猫", "犬の写真"),
        ("猫の写真", "写真", "真と写"),
        ("東京タワーの夜景", "タワー", "東京駅"),
        ("고양이가 잔다", "고양이", "강아지"),
        ("ภาพแมวดำ", "แมว", "ภาพหมา"),
    ],
)
def test_scripts_without_spaces_are_found_by_a_part(engine: Engine, title: str, asked: str, other: str) -> None:
    engine.write([document(title), document(other)], [])
    assert matched(engine, asked) == [title]
    assert engine.count_facets(asked, Filters()).total == 1


@pytest.mark.parametrize(
    ("title", "together", "apart"),
    [
        ("海滩日落", "日落海滩", "日落 海滩"),
        ("上海外滩夜景", "上海夜景", "上海 夜景"),
        ("夜景と東京タワー", "東京タワー夜景", "東京タワー 夜景"),
    ],
)
def test_words_of_scripts_without_spaces_are_told_apart_by_spaces_alone(
    engine: Engine, title: str, together: str, apart: str
) -> None:
    engine.write([document(title), document("湖")], [])
    assert matched(engine, together) == []
    assert matched(engine, apart) == [title]


def test_an_images_id_finds_that_image_where_filters_let_it(engine: Engine) -> None:
    wanted, other = document("Lake", people=False), document("Boat")
    engine.write([wanted, other], [])
    assert matched(engine, str(wanted.image_id)) == ["Lake"]
    assert matched(engine, wanted.image_id.hex.upper()) == ["Lake"]
    assert engine.count_facets(str(wanted.image_id), Filters()).total == 1
    assert matched(engine, str(wanted.image_id), people=True) == []
    assert matched(engine, str(new_id())) == []


def test_a_synonym_stands_for_its_word_alone(engine: Engine) -> None:
    engine.write([document("Red sofa"), document("Red couch"), document("Blue couch"), document("Red wall")], [])
    asked = read("red sofa").with_synonyms({"sofa": ("couch",)})
    found = titles(engine, engine.search_text(asked, Filters(), sort=Sort.RELEVANCE, limit=10))
    assert set(found) == {"Red sofa", "Red couch"}
    assert engine.count_facets(asked, Filters()).total == 2
    loosely = read("purple sofa").with_synonyms({"sofa": ("couch",)})
    found = titles(engine, engine.search_text(loosely, Filters(), sort=Sort.RELEVANCE, limit=10))
    assert set(found) == {"Red sofa", "Red couch", "Blue couch"}


@pytest.mark.parametrize(
    "asked",
    [
        *("boat " * 1000, "x" * 5000, '"' * 5000, "-(" * 2500),
        " ".join(f"w{number}" for number in range(1000)),
        " ".join(f"one{number}-two{number}-three{number}" for number in range(100)),
    ],
)
def test_endless_words_are_no_trouble(engine: Engine, asked: str) -> None:
    engine.write([document("Red boat")], [])
    expected = ["Red boat"] if "boat" in asked else []
    assert matched(engine, asked) == expected
    assert engine.count_facets(asked, Filters()).total == len(expected)


@pytest.mark.parametrize("asked", [f'"{"a " * 99}"', f'"{"boat to " * 24}"', f'"{"x" * 198}"', '"ab" -"cd" ' * 18])
def test_the_longest_phrases_are_no_trouble(engine: Engine, asked: str) -> None:
    engine.write([document("A boat to x"), document("A " * 120, description="boat to " * 200)], [])
    expected = {("A " * 120).strip()} if asked[1] in "ab" and "cd" not in asked else set()
    assert {title.strip() for title in matched(engine, asked)} == expected
    assert engine.count_facets(asked, Filters()).total == len(expected)


def test_orders(engine: Engine) -> None:
    engine.write(
        [
            document("boat one", published_at=FIRST_DAY + timedelta(days=1), popularity=5),
            document("boat two", published_at=FIRST_DAY + timedelta(days=3), popularity=1),
            document("boat three", published_at=FIRST_DAY + timedelta(days=2), popularity=1),
            document("car", published_at=FIRST_DAY + timedelta(days=9), popularity=9),
        ],
        [],
    )
    newest = ["boat two", "boat three", "boat one"]
    assert matched(engine, "boat", Sort.NEWEST) == newest
    assert matched(engine, "boat", Sort.OLDEST) == newest[::-1]
    assert matched(engine, "boat", Sort.POPULAR) == ["boat one", "boat two", "boat three"]
    assert matched(engine, "") == matched(engine, "", Sort.NEWEST) == ["car", *newest]
    assert matched(engine, "", Sort.POPULAR, limit=2) == ["car", "boat one"]


def test_a_random_order_is_one_for_each_seed_in_every_engine(engine: Engine) -> None:
    made = random_documents(80)
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    orders = []
    for seed in (0, 1, 2**32 - 1):
        for text in ("", "boat"):
            found = engine.search_text(text, Filters(), sort=Sort.RANDOM, limit=200, seed=seed)
            expected = memory.search_text(text, Filters(), sort=Sort.RANDOM, limit=200, seed=seed)
            assert [hit.image_id for hit in found] == [hit.image_id for hit in expected]
            few = engine.search_text(text, Filters(), sort=Sort.RANDOM, limit=5, seed=seed)
            assert [hit.image_id for hit in few] == [hit.image_id for hit in found[:5]]
        orders.append(
            [hit.image_id for hit in engine.search_text("", Filters(), sort=Sort.RANDOM, limit=200, seed=seed)]
        )
    assert len({tuple(order) for order in orders}) == 3


# --- filters -------------------------------------------------------------------------------------

FILTERS: list[dict[str, Any]] = [
    {"category": ["nature"]},
    {"category": ["travel", "transport"]},
    {"color": ["red", "green"]},
    {"license": ["editorial"]},
    {"orientation": ["portrait", "square"]},
    {"type": ["vector"]},
    {"contributor": BOB},
    {"people": True},
    {"people": False},
    {"safe": False},
    {"color": ["#c81e28"]},
    {"color": ["#3c6ed2", "orange"], "color_tolerance": 30},
    {"color": ["#c83c78"], "color_tolerance": 50, "safe": False},
    {"min_width": 3000},
    {"min_width": 4000, "min_height": 3000},
    {"min_aspect_ratio": 4 / 3},
    {"min_aspect_ratio": 0.9, "max_aspect_ratio": 4 / 3, "type": ["photo", "vector"]},
    {"date_from": date(2026, 2, 1)},
    {"date_to": date(2026, 1, 31)},
    {"date_from": date(2026, 2, 3), "date_to": date(2026, 2, 3)},
    {"date_from": date(1, 1, 1), "date_to": date(9999, 12, 31)},
    {"date": "2026-02"},
    {"date": "2026-02", "date_from": date(2026, 2, 10)},
    {"category": ["nature"], "color": ["blue"], "orientation": ["landscape"], "contributor": ADA},
]


# A facet in use by its own filter, alone and with others; words that nothing has together.
FACETED: list[tuple[str, dict[str, Any]]] = [
    ("boat", {"category": ["nature"], "people": False, "min_width": 900}),
    ("", {"orientation": ["square"], "license": ["editorial"], "type": ["photo"]}),
    ("", {"contributor": ADA, "date_from": date(2026, 2, 1), "color": ["#c81e28"]}),
    ("", {"date": "2026-02", "date_to": date(2026, 2, 20), "people": True}),
    ("boat zeppelin", {"color": ["red"], "safe": False}),
    ("zeppelin", {"color": ["red"]}),
]


def test_every_filter_holds_in_every_question(engine: Engine) -> None:
    made = random_documents(150)
    engine.write(made, [])
    vector = random_unit(random.Random(7))
    for chosen in FILTERS:
        filters = Filters(**chosen)
        passing = {each.image_id for each in made if passes(each, filters)}
        assert 0 < len(passing) <= len(made), chosen
        assert {hit.image_id for hit in engine.search_text("", filters, sort=Sort.NEWEST, limit=200)} == passing, chosen
        boats = {each.image_id for each in made if each.image_id in passing and "boat" in f"{each.title} {each.tags}"}
        found = {hit.image_id for hit in engine.search_text("boat", filters, sort=Sort.RELEVANCE, limit=200)}
        assert found == boats, chosen
        assert {hit.image_id for hit in engine.nearest(vector, MODEL, filters, limit=200)} == passing, chosen
        assert engine.count_facets("", filters).total == len(passing), chosen


def test_any_question_is_answered_as_by_comparing_everything(engine: Engine) -> None:
    made = random_documents(250, seed=20)
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    numbers = random.Random(21)
    for _ in range(40):
        chosen: dict[str, Any] = {}
        for each in numbers.sample(FILTERS, numbers.randrange(4)):
            chosen |= each
        if chosen.get("date_to", date.max) < chosen.get("date_from", date.min):
            continue
        filters = Filters(**chosen)
        text = numbers.choice(["", "boat", "lake forest", "tower zeppelin"])
        limit = numbers.choice([1, 10, 300])
        for sort in (Sort.NEWEST, Sort.OLDEST, Sort.POPULAR, Sort.RANDOM):
            asked = {"sort": sort, "limit": limit, "seed": numbers.randrange(100)}
            found = [hit.image_id for hit in engine.search_text(text, filters, **asked)]
            assert found == [hit.image_id for hit in memory.search_text(text, filters, **asked)], (text, chosen, sort)
        by_words = {hit.image_id for hit in engine.search_text(text, filters, sort=Sort.RELEVANCE, limit=300)}
        assert by_words == {hit.image_id for hit in memory.search_text(text, filters, sort=Sort.RELEVANCE, limit=300)}
        assert engine.count_facets(text, filters) == memory.count_facets(text, filters), (text, chosen)
        vector = random_unit(numbers)
        near = engine.nearest(vector, MODEL, filters, limit=limit)
        true = memory.nearest(vector, MODEL, filters, limit=limit)
        assert [hit.score for hit in near] == pytest.approx([hit.score for hit in true], abs=2e-3), chosen
        assert len({hit.image_id for hit in near} & {hit.image_id for hit in true}) >= 0.95 * len(true)


def test_facets_count_the_matches(engine: Engine) -> None:
    made = random_documents(60)
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    for text, chosen in [("", {}), ("boat", {}), ("lake", {"color": ["red"]}), ("", {"people": True}), *FACETED]:
        assert engine.count_facets(text, Filters(**chosen)) == memory.count_facets(text, Filters(**chosen))
    some = [each.image_id for each in made[:20]]
    tally = engine.facets_of(some)
    assert tally == memory.facets_of(some)
    assert engine.facets_of(some, "type", "date") == memory.facets_of(some, "type", "date")
    assert tally.total == 20 == sum(count.count for count in tally.facets.orientation)
    assert {count.label for count in tally.facets.contributor} == {"Ada", "Bob"}
    assert engine.facets_of([]).total == 0


def test_each_value_of_a_facet_finds_as_many_as_it_counts(engine: Engine) -> None:
    engine.write(random_documents(60), [])
    for text, chosen in [("", {}), ("boat", {}), *FACETED]:
        for facet, counts in engine.count_facets(text, Filters(**chosen)).facets:
            for each in counts:
                value = [each.value] if isinstance(getattr(Filters(), facet), list) else each.value
                filters = Filters.model_validate({**chosen, facet: value})
                assert engine.count_facets(text, filters).total == each.count, (text, chosen, facet, each.value)


@pytest.mark.parametrize(
    ("text", "number"), [('"red boat"', 1), ("-boat", 2), ('lake -"red boat"', 2), ('"red boat" -lake', 0), ("🙂", 0)]
)
def test_what_quotes_and_minus_say_is_held_against_documents(engine: Engine, text: str, number: int) -> None:
    titles = ["A red boat on a lake", "A boat, red as wine, on a lake", "A lake in fog", "Red leaves"]
    made = [document(title=title) for title in titles]
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    ids = [each.image_id for each in made]
    found = engine.filter_by_terms(text, [*ids, UUID(int=1)])
    assert len(found) == number
    assert found == memory.filter_by_terms(text, ids)
    assert engine.filter_by_terms(text, []) == set()


def test_which_words_pictures_have(engine: Engine) -> None:
    gone = document("A zeppelin")
    engine.write(
        [
            document("Boats on a lake", tags=("dawn",), description="Fog rises."),
            document("A nude", safe=False),
            document("猫の写真"),
            gone,
        ],
        [],
    )
    engine.write([], [Removal(gone.image_id, 9)])
    asked = ["boat", "Lake", "dawn", "fog", "猫", "nude", "zeppelin", "kayak"]
    assert engine.present(asked) == {"boat", "Lake", "dawn", "fog", "猫"}
    assert engine.present(["kayak"]) == engine.present([]) == set()


@pytest.mark.parametrize(
    "asked",
    [
        *("street without people", "street no people", "street (no people)", "street no-people", "street sans people"),
        *("street zero people", "street, nobody", "people-free street", "people free street", "street lacking people"),
        *("street -people", 'street -"person"', "street -(people dogs)", "street not with people"),
        *("absence of people street", "street,no people", "street\u2014no people", "street without all those people"),
    ],
)
def test_no_people_shows_nobody(engine: Engine, asked: str) -> None:
    engine.write([document("Street", people=False), document("People in a street", people=True)], [])
    understood = QueryParser().parse(SearchQuery(q=asked), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=5)
    assert titles(engine, hits) == ["Street"]
    near = engine.nearest(pointing(0), MODEL, understood.filters, limit=5)
    assert titles(engine, near) == ["Street"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("not for sale", {"Not for sale"}),
        ("to be or not to be", {"To be, or not to be"}),
        ("no problem", {"No problem"}),
        ("-problem", {"Not for sale", "To be, or not to be", "Crowded beach", "Beach", "Lake"}),
        ("beach not crowded", {"Beach"}),
        ("beach,not crowded", {"Beach"}),
        ("lake neither crowded nor beach", {"Lake"}),
    ],
)
def test_words_that_say_no_leave_out_what_buyers_mean(engine: Engine, asked: str, expected: set[str]) -> None:
    engine.write(
        [*map(document, ("Not for sale", "To be, or not to be", "No problem", "Crowded beach", "Beach", "Lake"))], []
    )
    understood = QueryParser().parse(SearchQuery(q=asked), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=9)
    assert set(titles(engine, hits)) == expected


@pytest.mark.parametrize(
    "asked",
    [
        *("lake without boats and/or ducks", "lake without either ducks or boats", "lake without its ducks"),
        *("lake without even ducks", "lake without those ducks or those boats"),
        *("lake that does not have ducks", "lake which has no ducks", "lake where there are no ducks or boats"),
    ],
)
def test_words_within_a_negation_demand_nothing(engine: Engine, asked: str) -> None:
    engine.write([*map(document, ("Lake", "Lake with ducks", "Ducks and boats", "Street"))], [])
    understood = QueryParser().parse(SearchQuery(q=asked), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=9)
    assert titles(engine, hits) == ["Lake"]


def test_what_only_leaves_out_shows_the_newest_first(engine: Engine) -> None:
    days = {"Lake": 1, "Beach": 3, "Meadow": 2, "Boat": 4}
    made = [document(title, published_at=FIRST_DAY + timedelta(days=day)) for title, day in days.items()]
    engine.write(made, [])
    assert matched(engine, "-boat") == ["Beach", "Meadow", "Lake"]
    assert matched(engine, read("-lake -dogs").sparing({"dogs": ("no dogs",)})) == ["Boat", "Beach", "Meadow"]
    assert engine.count_facets("-boat", Filters()).total == 3


@pytest.mark.parametrize("asked", ["dog/cat", "dog / cat", "dog+cat"])
def test_a_slash_between_words_is_a_space(engine: Engine, asked: str) -> None:
    engine.write([*map(document, ("Cat beside a dog", "Dog/cat", "Dog", "Cat", "Boat"))], [])
    assert set(matched(engine, asked)) == {"Cat beside a dog", "Dog/cat"}
    assert engine.count_facets(asked, Filters()).total == 2


def test_two_words_find_the_one_that_they_make(engine: Engine) -> None:
    engine.write([*map(document, ("Website on a screen", "Web of a spider", "Building site", "Site of a web"))], [])
    understood = QueryParser(lambda: Speller({"website": 1})).parse(SearchQuery(q="web site"), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=5)
    assert set(titles(engine, hits)) == {"Website on a screen", "Site of a web"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("line up", {"Lineup of cars", "Cars line up"}),
        ("work out gym", {"Workout in gym", "Gym to work out"}),
        ("make up artist", {"Makeup artist", "Make-up artist", "Artist with make up"}),
    ],
)
def test_a_verb_and_its_particle_find_the_noun(engine: Engine, asked: str, expected: set[str]) -> None:
    others = ("Artist", "Gym", "Cars", "Up")
    engine.write([*map(document, (*expected, *others))], [])
    speller = Speller({"lineup": 1, "workout": 1, "makeup": 1})
    understood = QueryParser(lambda: speller, {}).parse(SearchQuery(q=asked), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=9)
    assert set(titles(engine, hits)) == expected


@pytest.mark.parametrize("asked", ["artist without make up", "artist no make up", "artist without make-up"])
def test_a_verb_and_its_particle_are_left_out_however_they_are_written(engine: Engine, asked: str) -> None:
    left_out = ("Artist with make up", "Make-up artist", "Makeup artist")
    engine.write([*map(document, ("Artist", "Artist who makes pots", *left_out))], [])
    understood = QueryParser().parse(SearchQuery(q=asked), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=9)
    assert set(titles(engine, hits)) == {"Artist", "Artist who makes pots"}


@pytest.mark.parametrize(
    ("asked", "other"), [("white circle", "Caucasian chalk circle play"), ("native plants", "Aborigine and plants")]
)
def test_no_people_is_looked_for_in_a_words_place(engine: Engine, asked: str, other: str) -> None:
    engine.write([document(asked.title()), document(other)], [])
    understood = QueryParser().parse(SearchQuery(q=asked), lambda _: ())
    hits = engine.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=5)
    assert titles(engine, hits) == [asked.title()]


# --- vectors -------------------------------------------------------------------------------------


def test_the_nearest_come_first_with_their_cosine(engine: Engine) -> None:
    made = {angle: document(f"{angle}", embedding=pointing(angle)) for angle in (0, 30, 60, 90, 180)}
    engine.write(list(made.values()), [])
    hits = engine.nearest(pointing(10), MODEL, Filters(), limit=4)
    assert titles(engine, hits) == ["0", "30", "60", "90"]
    assert hits[0].score == pytest.approx(0.9848, abs=2e-3)
    without = engine.nearest(pointing(10), MODEL, Filters(), limit=2, exclude=made[0].image_id)
    assert titles(engine, without) == ["30", "60"]


def test_only_one_models_vectors_are_compared(engine: Engine) -> None:
    engine.write(
        [
            document("ours"),
            document("other", model_version="other"),
            document("none", model_version=None, embedding=None),
        ],
        [],
    )
    assert titles(engine, engine.nearest(pointing(0), MODEL, Filters(), limit=10)) == ["ours"]
    assert titles(engine, engine.nearest(pointing(0), "other", Filters(), limit=10)) == ["other"]
    assert sorted(matched(engine, "")) == ["none", "other", "ours"]


def test_an_images_vector_comes_back(engine: Engine) -> None:
    written, bare = document(embedding=pointing(33)), document(model_version=None, embedding=None)
    engine.write([written, bare], [])
    found = engine.vector_of(written.image_id)
    assert found is not None
    assert found[0] == MODEL
    assert found[1] == pytest.approx(list(pointing(33)), abs=1e-3)
    assert engine.vector_of(bare.image_id) is None
    assert engine.vector_of(new_id()) is None


_WALKING = {"EXACT_UP_TO": -1, "WIDE_EXACT_UP_TO": -1}


@pytest.mark.parametrize("way", [_WALKING, {**_WALKING, "_SHORT_WALK": 10, "_STEPS_FOR_EACH": 0}, {}])
def test_every_way_to_the_nearest_gives_full_lists_that_pass_every_filter(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, way: dict[str, int]
) -> None:
    """PostgreSQL walks its graph, in vain, or not at all; the others have ways of their own."""
    for name, value in way.items():
        monkeypatch.setattr(postgres, name, value)
    made = random_documents(400, seed=3)
    engine.write(made, [])
    vector = random_unit(random.Random(8))
    memory = MemorySearch()
    memory.write(made, [])
    for chosen in [{}, *FILTERS]:
        filters = Filters(**chosen)
        passing = sum(passes(each, filters) for each in made)
        for limit in (10, 400):
            hits = engine.nearest(vector, MODEL, filters, limit=limit)
            assert len(hits) == min(limit, passing), chosen
            assert len({hit.image_id for hit in hits}) == len(hits)
            assert all(passes(each, filters) for each in engine.documents([hit.image_id for hit in hits]))
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        exact = {hit.image_id for hit in memory.nearest(vector, MODEL, filters, limit=10)}
        found = {hit.image_id for hit in engine.nearest(vector, MODEL, filters, limit=10)}
        assert len(exact & found) >= 0.8 * len(exact), chosen


# --- made anew from the truth, and held against it -----------------------------------------------


@pytest.fixture(
    params=[
        pytest.param("memory", marks=_REAL),
        pytest.param("postgres", marks=_REAL),
        pytest.param("opensearch", marks=_REAL),
        pytest.param("qdrant", marks=_REAL),
        pytest.param("qdrants_engine", marks=_REAL),
    ]
)
def kept(request: pytest.FixtureRequest, database: Database) -> Any:
    """An index, and its maintenance over an empty truth."""
    match request.param:
        case "memory":
            index: Any = MemorySearch()
        case "postgres":
            index = PostgresSearch(database)
        case _:
            index = request.getfixturevalue(request.param)
    return index, IndexMaintenance(database, {"engine": index})


def some_images(database: Database, number: int) -> list[UUID]:
    contributor = a_contributor(database)
    return [an_approved_image(database, contributor, title=f"boat {place}") for place in range(number)]


def test_verify_finds_every_kind_of_difference_and_repairs_it(kept: Any, database: Database) -> None:
    index, maintenance = kept
    images = some_images(database, 5)
    assert maintenance.verify("engine") == Differences(seen=5, missing=5)
    assert maintenance.verify("engine", repair=True) == Differences(seen=5, missing=5)
    assert maintenance.verify("engine") == Differences(seen=5)
    set_status(database, images[0], "rejected", 3)
    set_status(database, images[1], "approved", 4)
    orphan = document(version=8)
    index.write([orphan], [])
    altered = DocumentBuilder(database).build([images[2]])[0][0].model_copy(update={"title": "Other", "width": 12})
    index.write([altered], [])
    found = Differences(seen=4, outdated=1, differing=1, orphans=2)
    assert maintenance.verify("engine") == found
    assert maintenance.verify("engine", repair=True) == found
    assert maintenance.verify("engine") == Differences(seen=4)
    assert index.versions([*images, orphan.image_id]) == {images[1]: 4, **dict.fromkeys(images[2:], 2)}


def test_documents_newer_than_the_source_are_told_and_made_anew(kept: Any, database: Database) -> None:
    index, maintenance = kept
    (image,) = some_images(database, 1)
    index.write([document(image_id=image, version=9)], [])
    assert maintenance.verify("engine", repair=True) == Differences(seen=1, newer_than_source=1)
    if not isinstance(index, PostgresSearch):  # which is the truth's own table, and is written to in its place
        assert maintenance.reindex("engine") == Differences(seen=1)
        assert index.versions([image]) == {image: 2}


def test_what_is_wrong_with_an_image_is_told_in_words_and_mended_by_a_later_version(
    kept: Any, database: Database
) -> None:
    index, maintenance = kept
    right, outdated, newer, other_vector, missing, rejected = images = some_images(database, 6)
    maintenance.verify("engine", repair=True)
    set_status(database, outdated, "approved", 4)
    index.write([document(image_id=newer, version=9)], [])
    index.write([], [Removal(missing, 2)])
    with database.transaction() as connection:
        connection.execute(
            "UPDATE image_embeddings SET embedding = embedding - embedding - embedding WHERE image_id = %s",
            (other_vector,),
        )
    set_status(database, rejected, "rejected", 3)
    orphan = document(version=8)
    index.write([orphan], [])

    assert maintenance.differences(images) == {
        outdated: "engine has version 2 of an image of version 4",
        newer: "engine has version 9 of an image of version 2",
        other_vector: "engine has other contents than the image's, in the same version",
        missing: "engine has no document",
        rejected: "engine shows an image that is not approved",
    }
    assert maintenance.orphans() == {orphan.image_id}

    wrong = [outdated, newer, other_vector, missing, rejected, orphan.image_id]
    maintenance.repair(wrong)
    rows = database.fetch_all(
        "SELECT subject AS image_id, (payload->>'version')::int AS version FROM outbox"
        " WHERE type = %s AND subject = ANY(%s)",
        ("ImageListingChanged", wrong),
    )
    Indexer(DocumentBuilder(database), [index]).index([Removal(row["image_id"], row["version"]) for row in rows])
    assert maintenance.differences(images) == {}
    assert maintenance.orphans() == set()
    assert index.versions([right, newer]) == {right: 2, newer: 10}


def test_an_index_is_made_anew_while_changes_go_on(kept: Any, database: Database, monkeypatch: Any) -> None:
    """Every change that the old index hears of meanwhile is in the new one, whenever it comes."""
    index, maintenance = kept
    images = some_images(database, 4)
    index.write([document(version=5)], [])  # an orphan that a fresh index has not
    maintenance.verify("engine", repair=True)

    def change(image: UUID, status: str) -> None:
        with database.transaction() as connection:
            connection.execute("UPDATE images SET status = %s, version = 3 WHERE id = %s", (status, image))
            publish_listing(connection, image, 1)
        Indexer(DocumentBuilder(database), [index]).index([Removal(image, 3)])

    write, caught_up = maintenance._write, maintenance._catch_up
    change(images[0], "approved")

    def write_and_change(*details: Any, **more: Any) -> None:
        write(*details, **more)
        monkeypatch.setattr(maintenance, "_write", write)
        change(images[1], "rejected")  # after it was copied

    def catch_up_and_change(*details: Any) -> None:
        caught_up(*details)
        monkeypatch.setattr(maintenance, "_catch_up", caught_up)
        change(images[2], "rejected")  # between the last look and the switch

    monkeypatch.setattr(maintenance, "_write", write_and_change)
    monkeypatch.setattr(maintenance, "_catch_up", catch_up_and_change)
    assert maintenance.reindex("engine") == Differences(seen=2)
    assert index.versions(images) == {images[0]: 3, images[3]: 2}
    assert maintenance.verify("engine") == Differences(seen=2)


def test_a_failed_rebuild_leaves_the_index_that_serves(kept: Any, database: Database, monkeypatch: Any) -> None:
    index, maintenance = kept
    images = some_images(database, 2)
    maintenance.verify("engine", repair=True)

    def fail(*_: Any) -> None:
        raise DependencyUnavailable("gone")

    monkeypatch.setattr(maintenance, "_catch_up", fail)
    with pytest.raises(DependencyUnavailable):
        maintenance.reindex("engine")
    assert set(index.listed()) == set(images)


def test_an_engine_that_is_not_used_is_named_with_those_that_are(kept: Any) -> None:
    with pytest.raises(NotFound, match="engine: 'solr' is not used here; there is engine"):
        kept[1].verify("solr")


@_REAL
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('"red boat"', {"Red boat at sea"}),
        ('"boat red"', {"A boat, red"}),
        ("red -sea", {"A boat, red", "Red sky"}),
        ("sky or harbour", {"Red sky"}),
        ("running", {"The Who run"}),
        ("the who", {"The Who run"}),
        ("stormy sailing", {"Sails in a storm"}),
        ('"boat sky"', set()),
        ("red -red", set()),
    ],
)
@pytest.mark.parametrize("name", ["postgres", "opensearch"])
def test_how_words_are_read(
    request: pytest.FixtureRequest, database: Database, name: str, asked: str, found: set[str]
) -> None:
    engine: Any = PostgresSearch(database) if name == "postgres" else request.getfixturevalue(name)
    titles = ("Red boat at sea", "A boat, red", "Red sky", "The Who run", "Sails in a storm")
    engine.write([document(title) for title in titles], [])
    assert set(matched(engine, asked)) == found


def test_one_and_several_find_each_other_the_very_word_first(engine: Engine) -> None:
    pairs = ("woman women", "man men", "child children", "bus buses", "mouse mice", "wolf wolves", "leaf leaves")
    pairs = (*pairs, "lens lenses", "iris irises", "knife knives", "cactus cacti")
    engine.write([document(f"{word} here") for pair in pairs for word in pair.split()], [])
    for pair in pairs:
        one, several = (f"{word} here" for word in pair.split())
        assert matched(engine, several.split()[0]) == [several, one], pair
        assert matched(engine, one.split()[0].upper()) == [one, several], pair
        assert matched(engine, f'"{several}"') == [several], "in quotes it is the very word"
        assert not {one, several} & set(matched(engine, f"here -{several.split()[0]}")), pair


def test_two_words_side_by_side_are_present_in_any_number_and_spelling(engine: Engine) -> None:
    engine.write([document("Business woman in data centers"), document("Car beside small pet")], [])
    assert set(engine.present({"data-centre", "business-woman", "car-pet"})) == {"data-centre", "business-woman"}


def test_spellings_of_a_word_are_one_but_for_quotes(engine: Engine) -> None:
    pairs = ("grey gray", "harbour harbor", "jewellery jewelry", "travelling traveling", "aeroplanes airplane")
    engine.write([document(f"{word} vase") for pair in pairs for word in pair.split()], [])
    engine.write([document("Light-grey wall")], [])
    for pair in pairs:
        both = {f"{word} vase" for word in pair.split()}
        for word in pair.split():
            assert set(matched(engine, f"{word} vase")) == both, word
            assert set(matched(engine, f'"{word} vase"')) == {f"{word} vase"}
            assert not both & set(matched(engine, f"vase -{word}")), word
    assert matched(engine, "light-gray") == ["Light-grey wall"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("owl -on", {"Owl in flight", "Cat and owl", "Owl off duty"}),
        ("owl -off", {"Owl on a branch", "Owl in flight", "Cat and owl"}),
        ("owl -(branch or flight)", {"Cat and owl", "Owl off duty"}),
        ("owl NOT in the flight", {"Owl on a branch", "Cat and owl", "Owl off duty"}),
        ("duty or NOT owl", {"Owl off duty", "Dog"}),
        ("owl -branch,flight,duty", {"Cat and owl"}),
    ],
)
def test_what_is_left_out(engine: Engine, asked: str, found: set[str]) -> None:
    titles = ("Owl on a branch", "Owl in flight", "Cat and owl", "Owl off duty", "Dog")
    engine.write([document(title) for title in titles], [])
    assert set(matched(engine, asked)) == found


@pytest.mark.parametrize(
    "asked", ["hawaii", "Hawai\u02bbi", "hawai'i", "HAWAI\u2019I", "ha\u00adwaii", "\u2039hawaii\u203a"]
)
def test_an_okina_is_an_apostrophe_and_a_soft_hyphen_nothing(engine: Engine, asked: str) -> None:
    titles = {"Hawai\u02bbi", "Hawaii at night", "Hawai'i beach"}
    engine.write([document(title) for title in (*titles, "Hawk")], [])
    assert set(matched(engine, asked)) == titles


@pytest.mark.parametrize("asked", ["猫" * 200, '"' + "猫" * 198 + '"', "猫犬" * 100, '"' + "a " * 99 + '"'])
def test_the_same_letter_over_and_over_takes_no_time(engine: Engine, asked: str) -> None:
    """A ranking that looks for a phrase anew from every place takes seconds a document."""
    texts = ("猫" * 1999, "猫犬" * 999, "a " * 999)
    engine.write([document(f"Picture {number}", description=text) for text in texts for number in range(5)], [])
    assert len(matched(engine, asked)) == 5


# --- what one engine alone promises --------------------------------------------------------------


@_REAL
def test_opensearch_names_the_documents_it_did_not_take_and_takes_the_others(opensearch: Refreshed) -> None:
    good = [document(f"boat {number}") for number in range(3)]
    bad = document("boat").model_copy(update={"width": 2**40})
    with pytest.raises(IndexingIncomplete) as refused:
        opensearch.write([good[0], bad, *good[1:]], [])
    assert refused.value.image_ids == {bad.image_id}
    assert len(matched(opensearch, "boat")) == 3


@_REAL
@pytest.mark.parametrize(
    ("language", "written", "asked"),
    [("german", "Häuser am Fluß", "haus"), ("french", "Les chevaux blancs", "cheval"), ("spanish", "Gatos", "gato")],
)
def test_opensearch_reads_a_language(opensearch_server: str, language: str, written: str, asked: str) -> None:
    client = connect(opensearch_server)
    client.indices.create(index="images-foreign", body=definition(vectors=False, language=language))
    engine = OpenSearchEngine(serverless_client(opensearch_server), name="images-foreign")
    engine.write([document(written), document("Meadow")], [])
    client.indices.refresh(index="images-foreign")
    assert matched(engine, asked) == [written]  # pyright: ignore[reportArgumentType]
    client.indices.delete(index="images-foreign")


@_REAL
def test_the_restricted_client_refuses_what_serverless_does_not_offer(opensearch_server: str) -> None:
    client = serverless_client(opensearch_server)
    for ask in (
        lambda: client.indices.refresh(index="images"),
        client.cluster.health,
        lambda: client.update_by_query(index="images", body={}),
        lambda: client.reindex(body={}),
        lambda: client.indices.create(index="images-x", body={"settings": {"number_of_shards": 3}}),
        lambda: client.index(index="images", id="1", body={}, params={"version": "3", "version_type": "external"}),
    ):
        with pytest.raises(NotServerless):
            ask()


def test_an_engine_that_is_away_says_that_it_may_be_tried_again() -> None:
    for engine in (
        OpenSearchEngine(connect(f"http://127.0.0.1:{free_port()}")),
        QdrantEngine(QdrantClient(url=f"http://127.0.0.1:{free_port()}", check_compatibility=False)),
    ):
        with pytest.raises(DependencyUnavailable):
            engine.nearest(pointing(0), MODEL, Filters(), limit=1)
        with pytest.raises(DependencyUnavailable):
            engine.write([document()], [])


@_REAL
@pytest.mark.parametrize("asked", ["&", "(" * 200_000], ids=["no query", "too deep"])
def test_postgresql_refuses_a_question_that_it_cannot_take(
    database: Database, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    engine = PostgresSearch(database)
    engine.write([document("Red boat")], [])
    for module in (postgres, postgres_query):
        monkeypatch.setattr(module, "tsquery_of", lambda *_: asked)
    for ask in (
        lambda: engine.search_text("boat", Filters(), sort=Sort.RELEVANCE, limit=1),
        lambda: engine.count_facets("boat", Filters()),
        lambda: engine.filter_by_terms("boat", [new_id()]),
        lambda: engine.present(["boat"]),
    ):
        with pytest.raises(QueryRefused):
            ask()


@_REAL
def test_opensearch_refuses_a_question_that_it_cannot_take(
    opensearch: Refreshed, monkeypatch: pytest.MonkeyPatch
) -> None:
    opensearch.write([document("Red boat")], [])
    monkeypatch.setattr(opensearch_query, "_MOST_CLAUSES", 100_000)
    many = " ".join(f"w{number}" for number in range(100))
    with pytest.raises(QueryRefused):
        opensearch.search_text(f"{many} boat-house", Filters(), sort=Sort.RELEVANCE, limit=1)


def test_qdrant_refuses_a_question_that_it_cannot_take(monkeypatch: pytest.MonkeyPatch) -> None:
    client = QdrantClient(":memory:")
    engine = QdrantEngine(client)
    engine.write([document("Red boat")], [])

    def refuse(*_: Any, **__: Any) -> None:
        raise UnexpectedResponse(400, "Bad Request", b"{}", Headers())

    monkeypatch.setattr(client, "query_points", refuse)
    with pytest.raises(QueryRefused):
        engine.nearest(pointing(0), MODEL, Filters(), limit=1)


@_REAL
@pytest.mark.parametrize("name", ["postgres", "opensearch"])
def test_a_vector_of_another_length_is_refused(request: pytest.FixtureRequest, database: Database, name: str) -> None:
    engine: Any = PostgresSearch(database) if name == "postgres" else request.getfixturevalue(name)
    engine.write([document("Red boat")], [])
    with pytest.raises(QueryRefused):
        engine.nearest([1.0, 0.0], MODEL, Filters(), limit=1)


@_REAL
def test_writers_side_by_side_leave_the_newest_in_opensearch(opensearch: Refreshed) -> None:
    made = [document(f"t{number}") for number in range(10)]
    rounds = [
        [each.model_copy(update={"version": version, "title": f"v{version}"}) for each in made]
        for version in range(1, 7)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda place: opensearch.write(rounds[place], []), (3, 5, 0, 4, 2, 1)))
    assert matched(opensearch, "") == ["v6"] * 10


_WRITTEN: dict[str, dict[str, Any]] = {
    "USA map": {},
    "Flag of the U.S.A.": {},
    "u s a road trip": {},
    "Tell us a story": {},
    "Usage of water": {},
    "Dogs in a park": {},
    "Dog's bowl": {},
    "Dogs\u2019 bowls": {},
    "A dog": {},
    "Cats and kittens": {},
    "C++20 standard": {},
    "C++ source": {},
    "C# handbook": {},
    "C\u266f minor chord": {},
    "F# compiler": {},
    "C4 explosion": {},
    "Vitamin C": {},
    ".NET developer": {},
    "Fishing net": {},
    "node.js server": {},
    "\u0623\u062d\u0645\u062f": {},  # Ahmad with a hamza, without, drawn out by a tatweel, with vowels
    "\u0627\u062d\u0645\u062f 2": {},
    "\u0623\u062d\u0640\u0640\u0645\u062f 3": {},
    "\u0623\u064e\u062d\u0652\u0645\u064e\u062f 4": {},
    "\u0645\u062f\u0631\u0633\u0629": {},  # school, with either letter at its end
    "\u0645\u062f\u0631\u0633\u0647 2": {},
    "\u0645\u0633\u062a\u0634\u0641\u0649": {},  # hospital, as well
    "\u0645\u0633\u062a\u0634\u0641\u064a 2": {},
    "Caf\u00e9 table": {},
    "Cafe chair": {},
    "Smo\u0308rga\u030asbord": {},
    "Sm\u00f8rrebr\u00f8d": {},
    "\u0141\u00f3d\u017a street": {},
    "Stra\u00dfe in Berlin": {},
    "\u00c6ble": {},
    "\u0130stanbul": {},
    "\u0401\u043b\u043a\u0430": {},  # a Russian fir with its points
    "\u039f\u03b4\u03cc\u03c2": {},  # a Greek street with its accent
    "\u732b\u306e\u5199\u771f": {},
    "\u3071\u3093": {},  # bread, which is not
    "\u306f\u3093": {},  # a stamp
    "T-shirt on a line": {},
    "Tshirt in black": {},
    "t shirt folded": {},
    "Wi-Fi antenna": {},
    "House for sale": {},
    "Summer sale": {},
    "The Who": {},
    "Reading glasses": {},
    "Glass of water": {},
    "Red bicycle": {},
    "A bicycle, red as wine": {},
    "Hawai\u02bbi": {},
    "Portrait by Jones": {},
    "Tagged": {"tags": ("red", "boat", "night sky")},
    "Described": {"description": "Not here: it is for\nrent. A lamp\u2014lit."},
    "Sorted": {"categories": ("black-and-white",)},
    "Ours": {"contributor_name": "Zo\u00eb Jones"},
    "Hyphen-ated words": {},
    "Rock\u2019n\u2019roll": {},
    "AC/DC": {},
}
"""Titles, and what else their pictures have."""

_USA = {"USA map", "Flag of the U.S.A.", "u s a road trip"}
_AHMAD = {each for each in _WRITTEN if "\u062d" in each}
_SHIRTS = {"T-shirt on a line", "Tshirt in black", "t shirt folded"}
_FOUND: list[tuple[tuple[str, ...], set[str]]] = [
    (("usa", "USA", "U.S.A.", "u.s.a", "u s a", "U S A", '"usa"', '"U.S.A."', "usa,"), _USA),
    (('"u s a"',), {"Flag of the U.S.A.", "u s a road trip"}),
    (("usage",), {"Usage of water"}),
    (("usa -map",), _USA - {"USA map"}),
    (('"dogs"',), {"Dogs in a park", "Dogs\u2019 bowls"}),
    (('"dog"',), {"A dog", "Dog's bowl"}),
    (('"dog\u2019s"',), {"A dog", "Dog's bowl"}),
    (("dog", "dogs", "DOGS"), {"Dogs in a park", "Dog's bowl", "Dogs\u2019 bowls", "A dog"}),
    (('dog -"dogs"',), {"A dog", "Dog's bowl"}),
    (("c++20", "C++20", "c++ 20", '"c++20"'), {"C++20 standard"}),
    (("c++", '"c++"'), {"C++20 standard", "C++ source"}),
    (("c#", "C\u266f", '"c#"'), {"C# handbook", "C\u266f minor chord"}),
    (("c# handbook",), {"C# handbook"}),
    (("f#",), {"F# compiler"}),
    (("c",), {"Vitamin C"}),
    (("c4",), {"C4 explosion"}),
    ((".net", ".NET", '".net"'), {".NET developer"}),
    (("net", '"net"'), {"Fishing net"}),
    (("node.js",), {"node.js server"}),
    (
        (
            "أحمد",
            "احمد",
            "إحمد",
            "احـمد",
        ),
        _AHMAD,
    ),
    (('"أ\u064eح\u0652م\u064eد"',), _AHMAD),
    (
        ("مدرسة", "مدرسه"),
        {"مدرسة", "مدرسه 2"},
    ),
    (("مستشفی",), {"مستشفى", "مستشفي 2"}),
    (("cafe", "café", "cafe\u0301", '"café"'), {"Café table", "Cafe chair"}),
    (("smorgasbord", "smörgåsbord"), {"Smo\u0308rga\u030asbord"}),
    (("smorrebrod", "smørrebrød", '"smorrebrod"'), {"Smørrebrød"}),
    (("lodz", "łódź", '"LODZ street"'), {"Łódź street"}),
    (("strasse", "straße", '"strasse in berlin"'), {"Straße in Berlin"}),
    (("aeble",), {"Æble"}),
    (("istanbul", "İstanbul", "ISTANBUL", '"istanbul"'), {"İstanbul"}),
    (
        ("\u0435\u043b\u043a\u0430", "\u0451\u043b\u043a\u0430", '"\u0415\u041b\u041a\u0410"'),
        {"\u0401\u043b\u043a\u0430"},
    ),
    (
        ("\u03bf\u03b4\u03bf\u03c3", "\u039f\u0394\u039f\u03a3", '"\u03bf\u03b4\u03cc\u03c2"'),
        {"\u039f\u03b4\u03cc\u03c2"},
    ),
    (("猫", "写真", '"猫"'), {"猫の写真"}),
    (("ぱん",), {"ぱん"}),
    (("はん",), {"はん"}),
    (("t-shirt", "tshirt", "t shirt", '"tshirt"', '"t-shirt"'), _SHIRTS),
    (('"t shirt"',), {"T-shirt on a line", "t shirt folded"}),
    (("wifi", "wi-fi", "wi fi", '"wi-fi"'), {"Wi-Fi antenna"}),
    (('"for sale"',), {"House for sale"}),
    (('sale -"for sale"',), {"Summer sale"}),
    (("sale -summer-sales", "sale -summer-sale"), {"House for sale"}),
    (("glass -water-glasses",), {"Reading glasses", "Glass of water"}),
    (("glass -reading-glass",), {"Glass of water"}),
    (('"the who"',), {"The Who"}),
    (("glass", "glasses"), {"Reading glasses", "Glass of water"}),
    (('"glass"',), {"Glass of water"}),
    (('"red bicycle"',), {"Red bicycle"}),
    (("red bicycle",), {"Red bicycle", "A bicycle, red as wine"}),
    (('"bicycle red"',), {"A bicycle, red as wine"}),
    (('"red boat"',), set()),
    (('"night sky"',), {"Tagged"}),
    (('"for rent"',), {"Described"}),
    (('"lamp lit"',), {"Described"}),
    (('"black and white"',), {"Sorted"}),
    (("jones", '"jones"', "JONES"), {"Portrait by Jones", "Ours"}),
    (("zoe jones", '"Zoë Jones"'), {"Ours"}),
    (("hawaii", "hawai'i", '"Hawai\u2019i"'), {"Hawai\u02bbi"}),
    (("hyphenated", "hyphen-ated", '"hyphen-ated words"'), {"Hyphen-ated words"}),
    (("rock'n'roll", "rocknroll", '"rock n roll"'), {"Rock\u2019n\u2019roll"}),
    (("ac/dc", "acdc", '"AC/DC"'), {"AC/DC"}),
    (("kittens or usage",), {"Cats and kittens", "Usage of water"}),
    (('"kittens" or "summer sale"',), {"Cats and kittens", "Summer sale"}),
]
"""What queries find of them, whatever the engine."""


def test_every_engine_finds_the_same(engine: Engine) -> None:
    made = [document(title, **{"contributor_name": "Ada", **others}) for title, others in _WRITTEN.items()]
    engine.write(made, [])
    expected = {asked: found for queries, found in _FOUND for asked in queries}
    assert {asked: set(matched(engine, asked)) for asked in expected} == expected


@pytest.mark.parametrize("around", ['"{}"', "\u201c{}\u201d", "{}.", "{},", "({})", "<{}>", " {} "])
def test_an_images_id_is_found_whatever_stands_around_it(engine: Engine, around: str) -> None:
    wanted = document("Lake")
    engine.write([wanted, document("Boat")], [])
    asked = around.format(wanted.image_id)
    assert matched(engine, asked) == ["Lake"]
    assert engine.count_facets(asked, Filters()).total == 1
