"""The search API through its Lambda handler, on a real PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from functions.search_api.handler import handler
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.details import ImageDetails
from imagemarket.search.document import Removal
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from imagemarket.search.query.spelling import Speller
from imagemarket.search.service import Search
from imagemarket.search.suggestions import Suggestions, SuggestionTable
from tests.api.events import LambdaContext, caller, http_event, json_of
from tests.integration.rows import a_contributor
from tests.integration.test_search_documents import PUBLISHED, an_approved_image, set_status
from tests.provided import provide
from tests.unit.search.kit import MODEL, document, passes, pointing, random_documents
from tests.unit.search.test_service import Encoder

pytestmark = pytest.mark.engines
Ask = Callable[..., Any]


@pytest.fixture
def engine(database: Database) -> PostgresSearch:
    return PostgresSearch(database)


@pytest.fixture(autouse=True)
def _wired(database: Database, engine: PostgresSearch) -> None:
    media, api = "https://cdn.test/media", "https://api.test"
    search = Search(
        keyword=engine,
        vector=engine,
        reader=engine,
        encoder=Encoder,
        cursors=CursorSigner(lambda: "a secret", SystemClock()),
        media_base_url=media,
        public_base_url=api,
    )
    details = ImageDetails(database=database, media_base_url=media, public_base_url=api)
    table = SuggestionTable(database)
    provide("search.service", search)
    provide("search.suggestions", Suggestions(table, lambda: Speller(table.words(100))))
    provide("search.image_details", details)


def send(path: str, headers: dict[str, str] | None = None, **query: Any) -> dict[str, Any]:
    return handler(http_event("GET", path, None, headers, query=urlencode(query, doseq=True)), LambdaContext())


def get(path: str, **query: Any) -> Any:
    answer = send(path, **query)
    assert answer["statusCode"] == 200, answer["body"]
    return json_of(answer)


def problem(path: str, **query: Any) -> tuple[int, str, Any]:
    answer = send(path, **query)
    document = json_of(answer)
    assert answer["headers"]["content-type"] == "application/problem+json"
    return answer["statusCode"], document["type"], document


@pytest.mark.parametrize("asked", [{}, {"color": "blue"}, {"date_from": "2026-01-20", "date": "2026-02"}])
def test_each_value_of_a_facet_is_sent_back_as_the_filter_of_its_name(
    engine: PostgresSearch, asked: dict[str, str]
) -> None:
    engine.write(random_documents(40), [])
    facets = get("/v1/search", **asked)["facets"]
    assert all(facets.values()), "each has a value to send back"
    for facet, counts in facets.items():
        for each in counts:
            page = get("/v1/search", **{**asked, facet: each["value"]})
            assert page["estimated_total"] == each["count"], (facet, each)


def test_an_answer_has_the_promised_form(engine: PostgresSearch) -> None:
    shown = document("Golden sunset", categories=("nature",), colours=("orange",), thumbhash="aGk=")
    engine.write([shown], [])
    page = get("/v1/search", q="sunset")
    UUID(page.pop("search_id"))
    base = f"thumbnails/{shown.image_id}"
    assert page == {
        "results": [
            {
                "id": str(shown.image_id),
                "title": "Golden sunset",
                "score": pytest.approx(1, abs=1e-4),
                "contributor": {"id": str(shown.contributor_id), "name": "Ada"},
                "tags": list(shown.tags),
                "categories": ["nature"],
                "image_type": "photo",
                "orientation": "landscape",
                "license_types": ["standard"],
                "width": 3000,
                "height": 2000,
                "thumbhash": "aGk=",
                "renditions": [
                    {
                        "width": edge,
                        "height": edge * 2 // 3,
                        "format": form,
                        "url": f"https://cdn.test/media/{base}/{edge}-0.{form}",
                    }
                    for edge in (150, 450)
                    for form in ("avif", "jpeg", "webp")
                ],
                "preview_url": f"https://api.test/v1/images/{shown.image_id}/preview",
            }
        ],
        "page": 1,
        "facets": {
            "category": [{"value": "nature", "label": "Nature", "count": 1}],
            "orientation": [{"value": "landscape", "label": "Landscape", "count": 1}],
            "color": [{"value": "orange", "label": "Orange", "count": 1}],
            "license": [{"value": "standard", "label": "Standard", "count": 1}],
            "type": [{"value": "photo", "label": "Photo", "count": 1}],
            "contributor": [{"value": str(shown.contributor_id), "count": 1, "label": "Ada"}],
            "people": [],
            "date": [{"value": "2026-01", "label": "January 2026", "count": 1}],
        },
        "facets_estimated": False,
        "estimated_total": 1,
        "next_cursor": None,
        "mode": "hybrid",
        "spelling": None,
        "interpreted": [],
        "synonyms": [{"word": "sunset", "instead": ["dusk"]}],
        "keyword_only": [],
        "degraded": [],
    }


def test_every_filter_as_a_client_sends_it(engine: PostgresSearch) -> None:
    from imagemarket.search.request import Filters

    made = random_documents(120)
    engine.write(made, [])
    for query in (
        {"category": ["nature", "travel"], "color": "blue"},
        {"orientation": "portrait", "license": ["editorial", "enhanced"]},
        {"type": "vector", "people": "true", "safe": "false"},
        {"color": ["ffa514", "#f0f0f0"], "color_tolerance": "12", "min_width": "3000", "max_aspect_ratio": "1.5"},
        {"contributor": "00000000-0000-0000-0000-000000000002", "date_from": "2026-01-10", "date_to": "2026-02-20"},
    ):
        listed = {name: [value] if isinstance(value, str) else value for name, value in query.items()}
        single = set(Filters.model_fields) - {"category", "orientation", "color", "license", "type"}
        filters = Filters.model_validate({n: v[0] if n in single else v for n, v in listed.items()})
        expected = {str(each.image_id) for each in made if passes(each, filters)}
        assert expected
        for mode in ("keyword", "semantic", "hybrid"):
            for words in ("", "boat lake"):
                page = get("/v1/search", q=words, mode=mode, limit=100, **query)
                found = {hit["id"] for hit in page["results"]}
                assert found <= expected
                if not words or mode != "keyword":
                    assert found == expected, "a page is full while there is enough"
                    assert page["estimated_total"] == len(expected)


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
@pytest.mark.parametrize("words", ["", "boat"])
def test_a_walk_by_link_gives_every_hit_once(engine: PostgresSearch, mode: str, words: str) -> None:
    engine.write(random_documents(90), [])
    everything = get("/v1/search", q=words, mode=mode, limit=100)
    walked: list[str] = []
    answer = send("/v1/search", q=words, mode=mode, limit=13)
    numbers: list[int] = []
    while True:
        page = json_of(answer)
        numbers.append(page["page"])
        walked += [hit["id"] for hit in page["results"]]
        following = re.search(r'<(/v1/search)\?([^>]+)>; rel="next"', answer["headers"]["link"])
        assert bool(following) == bool(page["next_cursor"])
        if not following:
            break
        answer = handler(http_event("GET", following[1], query=following[2]), LambdaContext())
        assert answer["statusCode"] == 200
    assert walked == [hit["id"] for hit in everything["results"]]
    assert len(set(walked)) == len(walked) == everything["estimated_total"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert get("/v1/search", q=words, mode=mode, limit=13, page=3)["page"] == 3
    second = get("/v1/search", q=words, mode=mode, limit=13, page=2)
    assert [hit["id"] for hit in second["results"]] == walked[13:26]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"q": "x" * 201}, "q"),
        ({"mode": "fuzzy"}, "mode"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "1e3"}, "limit"),
        ({"page": "51"}, "page"),
        ({"category": "cars"}, "category"),
        ({"color": ["red", "mauve"]}, "color"),
        ({"date_from": "2026-13-01"}, "date_from"),
        ({"date_from": "2026-02-02", "date_to": "2026-02-01"}, "date_to"),
        ({"contributor": "ada"}, "contributor"),
        ({"cursor": "forged"}, "cursor"),
        ({"color_tolerance": "60"}, "color_tolerance"),
        ({"min_width": "-1"}, "min_width"),
        ({"min_aspect_ratio": "2", "max_aspect_ratio": "1"}, "max_aspect_ratio"),
        ({"q": "boat", "min_score": "many"}, "min_score"),
        ({"sort": "random", "seed": "x"}, "seed"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_parameter_is_named_with_its_limit(query: dict[str, Any], field: str) -> None:
    status, _, told = problem("/v1/search", **query)
    assert status == 422
    assert [each["field"] for each in told["errors"]] == [field]
    assert told["detail"].startswith(f"{field}: ")
    assert told["errors"][0]["in"] == "query"
    if field == "colour":  # what nobody asked for may be a secret
        assert "value" not in told["errors"][0]
    elif field != "cursor":  # which says nothing to a person
        assert told["errors"][0]["value"].removesuffix("…") in str(list(query.values()))


def test_a_cursor_of_another_query_is_refused(engine: PostgresSearch) -> None:
    engine.write(random_documents(30), [])
    cursor = get("/v1/search", q="boat", limit=2)["next_cursor"]
    for other in ({"q": "lake"}, {"q": "boat", "color": "red"}):
        status, kind, told = problem("/v1/search", cursor=cursor, limit=2, **other)
        assert (status, kind) == (422, "/v1/problems/invalid-cursor")
        assert told["errors"][0]["field"] == "cursor"
    assert get("/v1/search", q="boat", limit=5, cursor=cursor)["results"]


def test_only_the_fields_asked_for_come(engine: PostgresSearch) -> None:
    engine.write([document("Red boat")], [])
    (hit,) = get("/v1/search", q="boat", fields=["title", "width"])["results"]
    assert set(hit) == {"id", "title", "width"}
    for spelling in ("title,width", "title, width", ["title", "width"], ["title,width", "width"]):
        assert get("/v1/search", q="boat", fields=spelling)["results"] == [hit], spelling
    for spelling in ("password", "title,password", "title,"):
        assert problem("/v1/search", fields=spelling)[2]["errors"][0]["field"] == "fields"
    whole = send("/v1/search", q="boat")
    assert whole["headers"]["etag"] != send("/v1/search", q="boat", fields="title")["headers"]["etag"]


def test_an_etag_is_the_same_while_the_results_are(engine: PostgresSearch) -> None:
    engine.write(random_documents(30), [])
    first, second = (send("/v1/search", q="boat", limit=2)["headers"]["etag"] for _ in range(2))
    assert first == second


def test_suggestions_complete_what_is_typed(database: Database) -> None:
    SuggestionTable(database).write([document("Golden sunset", tags=("sunset",))], [])
    answer = send("/v1/search/suggest", q="suns")
    assert json_of(answer) == {
        "items": [{"text": "sunset", "images": 1}],
        "next_cursor": None,
        "corrected": None,
    }
    assert answer["headers"]["cache-control"] == "public, max-age=60"
    assert send("/v1/search/suggest", {"If-None-Match": answer["headers"]["etag"]}, q="suns")["statusCode"] == 304
    assert get("/v1/search/suggest", q="sunste")["corrected"] == "sunset"
    assert problem("/v1/search/suggest")[2]["errors"][0]["field"] == "q"


def test_an_admin_is_told_why(engine: PostgresSearch) -> None:
    engine.write([document("Red boat", tags=("boat",))], [])
    event = http_event("GET", "/v1/search/explain", caller=caller("admin"), query="q=boat")
    answer = handler(event, LambdaContext())
    assert answer["headers"]["cache-control"] == "no-store"
    (why,) = json_of(answer)["explanations"]
    assert why["keyword"]["rank"] == why["vector"]["rank"] == 1
    assert why["boosts"]["exact_tag"] == pytest.approx(0.1)


def test_hostile_words_find_nothing_and_break_nothing(engine: PostgresSearch) -> None:
    engine.write([document("Red boat")], [])
    for words in ("'; DROP TABLE search_documents; --", "a\0b", "'b'&!'c':*"):
        assert get("/v1/search", q=words, mode="keyword")["results"] == []
    for signs in ("%", "\ufdd0 \U0001f642", "<->", "((((", "!" * 200, "' & '", "\\"):
        assert get("/v1/search", q=signs, mode="keyword")["mode"] == "browse", "no words at all"
    assert get("/v1/search")["estimated_total"] == 1


def test_an_answer_is_cached_by_its_content(engine: PostgresSearch) -> None:
    engine.write([document("Red boat")], [])
    first = send("/v1/search", q="boat")
    assert first["headers"]["cache-control"] == "public, max-age=60"
    etag = first["headers"]["etag"]
    unchanged = send("/v1/search", {"If-None-Match": f'"other", {etag}'}, q="boat")
    assert (unchanged["statusCode"], unchanged.get("body") or "") == (304, "")
    assert unchanged["headers"]["etag"] == etag
    engine.write([document("Blue boat")], [])
    assert send("/v1/search", {"If-None-Match": etag}, q="boat")["statusCode"] == 200


def test_a_degraded_answer_is_not_kept(engine: PostgresSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.write([document("Red boat")], [])

    def away(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of order")

    monkeypatch.setattr(engine, "nearest", away)
    answer = send("/v1/search", q="boat")
    page = json_of(answer)
    assert (page["mode"], [each["part"] for each in page["degraded"]], len(page["results"])) == (
        *("keyword", ["vector"], 1),
    )
    assert answer["headers"]["cache-control"] == "no-store"
    monkeypatch.setattr(engine, "search_text", away)
    answer = send("/v1/search", q="boat")
    assert (answer["statusCode"], json_of(answer)["type"]) == (503, "/v1/problems/search-unavailable")
    assert answer["headers"]["retry-after"] == "5"


def test_similar_pictures_take_the_same_filters(engine: PostgresSearch) -> None:
    made = [document(f"{angle}", embedding=pointing(angle), colours=("red",)) for angle in (0, 20, 40, 60)]
    engine.write([*made, document("blue", embedding=pointing(1), colours=("blue",))], [])
    path = f"/v1/images/{made[0].image_id}/similar"
    assert [hit["title"] for hit in get(path)["results"]] == ["blue", "20", "40", "60"]
    page = get(path, color="red", limit=2)
    assert [hit["title"] for hit in page["results"]] == ["20", "40"]
    assert page["mode"] == "similar"
    assert [hit["title"] for hit in get(path, color="red", limit=2, cursor=page["next_cursor"])["results"]] == ["60"]
    assert problem(path, q="boat")[0] == 422
    assert problem(f"/v1/images/{new_id()}/similar")[:2] == (404, "/v1/problems/image-not-found")


def test_a_look_is_kept_of_pictures_that_exist_alone(database: Database) -> None:
    looks: list[UUID] = []

    class Looks:
        def viewed(self, image_id: UUID, _search_id: UUID, *, address: str) -> None:
            assert address
            looks.append(image_id)

    provide("search.service", Looks())
    image = an_approved_image(database, a_contributor(database))
    for looked_at, status in [(new_id(), 404), (image, 200)]:
        assert send(f"/v1/images/{looked_at}", search_id=new_id())["statusCode"] == status
    assert looks == [image]


def test_a_picture_in_detail(database: Database) -> None:
    contributor = a_contributor(database)
    image = an_approved_image(database, contributor)
    answer = send(f"/v1/images/{image}")
    detail = json_of(answer)
    assert answer["headers"]["cache-control"] == "public, max-age=60"
    assert send(f"/v1/images/{image}", {"If-None-Match": answer["headers"]["etag"]})["statusCode"] == 304
    renditions = detail.pop("renditions")
    assert detail == {
        "id": str(image),
        "title": "Golden sunset",
        "description": "A sunset over the sea.",
        "contributor": {"id": str(contributor), "name": "Ada"},
        "image_type": "photo",
        "license_types": ["standard", "enhanced"],
        "categories": ["nature", "backgrounds"],
        "tags": [
            {"tag": "sunset", "confidence": 1, "source": "contributor"},
            {"tag": "ocean", "confidence": pytest.approx(0.7), "source": "ai"},
            {"tag": "cloud", "confidence": pytest.approx(0.4), "source": "ai"},
        ],
        "orientation": "landscape",
        "width": 3000,
        "height": 2000,
        "format": "jpeg",
        "file_size_bytes": 123456,
        "people": False,
        "palette": [{"hex": "#ff8800", "percentage": 100.0}],
        "colors": ["orange"],
        "technical": {
            "camera": "Box 1",
            "lens": None,
            "iso": 100,
            "exposure": None,
            "aperture": None,
            "focal_length_mm": None,
            "taken_at": None,
            "decoded_from": None,
        },
        "thumbhash": "aGVsbG8=",
        "preview_url": f"https://api.test/v1/images/{image}/preview",
        "published_at": PUBLISHED.isoformat().replace("+00:00", "Z"),
    }
    assert [(r["width"], r["format"]) for r in renditions] == [
        (edge, form) for edge in (150, 450) for form in ("avif", "jpeg", "webp")
    ]
    assert "originals/" not in answer["body"]
    assert "a.jpg" not in answer["body"], "the contributor's own name of the file is nobody's business"


@pytest.mark.parametrize("status", ["processing", "rejected", "pending_review", "processing_failed"])
def test_nothing_but_approved_images_is_ever_shown(database: Database, engine: PostgresSearch, status: str) -> None:
    contributor = a_contributor(database)
    image, other = an_approved_image(database, contributor), an_approved_image(database, contributor)
    indexer = Indexer(DocumentBuilder(database), [engine])
    indexer.index([Removal(image, 2), Removal(other, 2)])
    set_status(database, image, status, 3)
    indexer.index([Removal(image, 3)])
    for path in (f"/v1/images/{image}", f"/v1/images/{image}/similar"):
        assert problem(path)[:2] == (404, "/v1/problems/image-not-found")
    for mode in ("keyword", "semantic", "hybrid"):
        for words in ("sunset", ""):
            assert [hit["id"] for hit in get("/v1/search", q=words, mode=mode)["results"]] == [str(other)]
    assert [hit["id"] for hit in get(f"/v1/images/{other}/similar")["results"]] == []
    assert get("/v1/search", sort="oldest")["estimated_total"] == 1


@pytest.mark.parametrize("status", ["taken_down", "deleted"])
def test_a_tombstone_says_that_something_was_there(database: Database, engine: PostgresSearch, status: str) -> None:
    image = an_approved_image(database, a_contributor(database))
    set_status(database, image, status, 3)
    for path in (f"/v1/images/{image}", f"/v1/images/{image}/similar"):
        assert problem(path)[:2] == (410, "/v1/problems/image-gone")


def test_a_search_leaves_no_words_in_the_log(engine: PostgresSearch, capsys: pytest.CaptureFixture[str]) -> None:
    engine.write([document("Red boat", published_at=PUBLISHED + timedelta(days=1), model_version=MODEL)], [])
    get("/v1/search", q="embarrassing boat")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert lines
    assert "embarrassing" not in json.dumps(lines)
