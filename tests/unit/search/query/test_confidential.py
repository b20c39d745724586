"""What titles, tags and queries never say to others, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagemarket.search.query.confidential import confidential
from imagemarket.search.query.links import leads_away
from imagemarket.search.query.offence import offends
from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.synonyms import offensive, offensive_elsewhere, told_by_accents
from imagemarket.search.query.words import folded

SECRETS = (
    "akiazzqfodnn7example",
    "akiaiosfodnnaexample",
    "my backup: akiazzqfodnn7example",
    "api key sk_live_51H8abc",
    "sk_live_51H8abcdefgh",
    "ghp_abcdef",
    "GHP_ABCDEF",
    "glpat-abcdef",
    "password is Hunter2!x",
    "Password Hunter2",
    "passw0rd hunter2",
    "p4ssw0rd hunter2",
    "pa$$word hunter2",
    "pass-word hunter2",
    "token=ab12cd34ef",
    "session=ab12cd34ef",
    "sessionToken: abc",
    "user_key: abc",
    "mykey=abc",
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111_1111_1111_1111",
    "4111.1111.1111.1111",
    "\uff14\uff11\uff11\uff11 1111 1111 1111",
    "ssn 078-05-1120",
    "078 05 1120",
    "123-45-6789",
    "123\u201345\u20136789",
    "DE89 3704 0044 0532 0130 00",
    "de89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "gb29nwbk60161331926819",
    "+49 170 1234567",
    "+49 (0)170 / 123 45 67",
    "call 555-123-4567",
    "555-123 4567",
    "(555) 123-4567",
    "555 1234 call me",
    "0170-1234567",
    "4111, 1111, 1111, 1111",
    "4111:1111:1111:1111",
    "9f86d081",
    "abc123",
    "XYZ789",
    "qwe321",
    "hunter2pro",
    "jane1987max",
    "12345pro",
    "mypassword hunter2",
    "passwordhunter2",
    "wachtwoord hunter2",
    "ada@example.com",
    "ada@example.com",
    "ada at example.com",
    "my p\u0456n is 4711",  # Cyrillic
    "p\u0430ssword hunter2",
    "bob \u0430t gmail dot com",
)
TITLES = (
    "Route 66",
    "Boeing 747-400",
    "Airbus A320-200 at Frankfurt",
    "1920s",
    "year 2026",
    "Happy New Year 2025 2026",
    "World War 1939-1945",
    "Winter 2019/2020",
    "4k wallpaper",
    "1920x1080 wallpaper",
    "10,000 steps",
    "B-52 bomber",
    "Formula 1 2024",
    "Mercedes-Benz 300 SL 1955",
    "7-Eleven",
    "24/7 open",
    "Leica M11 50mm f1.4",
    "20th-century-architecture",
    "3d-illustration-of-a-cat",
    "Turkey: a journey",
    "Monkey: portrait",
    "Compass: detail",
    "Passage: old town",
    "Author: portrait of a writer",
    "Sunset at Rome. Italy",
    "Secrets of Machu Picchu",
    "Password protection icon",
    "Apollo 11",
)


@pytest.mark.parametrize("words", SECRETS)
def test_what_could_be_a_contact_or_a_secret_is_confidential(words: str) -> None:
    assert confidential(words)
    assert confidential(words.lower())
    assert confidential(f"Sunset {words} beach")


@pytest.mark.parametrize("words", TITLES)
def test_what_pictures_are_called_is_not(words: str) -> None:
    assert not confidential(words)
    assert not confidential(words.lower())


def queries(name: str) -> list[str]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("# ")]


def test_no_contact_or_secret_that_buyers_type_by_mistake_is_kept() -> None:
    typed = queries("queries_with_secrets.txt")
    assert len(typed) >= 200
    kept = [each for each in typed for way in (each, each.lower(), f"sunset {each} beach") if not confidential(way)]
    assert kept == []


def test_of_what_buyers_look_for_hardly_anything_is_lost() -> None:
    typed = queries("queries_of_buyers.txt")
    assert len(typed) >= 400
    lost = [each for each in typed if confidential(each)]
    assert len(lost) <= len(typed) // 100, lost


@pytest.mark.parametrize(
    "words",
    [
        *("boeing747", "Airbus320", "airbusa380", "canon5d", "NikonD850", "leicam11", "porsche911", "citroen2cv"),
        *("citro\u00ebn2cv", "nokia3310", "geforce4090", "xbox360", "blink182", "tokyo2020", "expo2020", "route66"),
        *("A7III", "a7siii", "a320neo landing", "porsche911turbo", "iphone15promax", "galaxys24ultra", "xmas2026"),
        *("4k", "mp3", "liberty76", "azerbaijan24", "vintage porsche911 poster"),
    ],
)
def test_a_name_with_its_number_in_one_is_no_secret(words: str) -> None:
    assert not confidential(words)


@pytest.mark.parametrize(
    "words",
    [
        "spam.photography",
        "a spam.studio b",
        "bit.ly/abc",
        "t.me/ada",
        "spam(dot)com",
        "spam [.] com",
        "spam. com",
        "\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
        "example.co.uk",
        "hxxp://spam",
        "javascript:alert(1)",
        "10.0.0.1",
        "spam dot com",
        "EXAMPLE.COM",
    ],
)
def test_a_link_leads_away(words: str) -> None:
    assert leads_away(words)


@pytest.mark.parametrize(
    "words",
    [
        "node.js",
        "St. Moritz",
        "St.Moritz",
        "mr. bean",
        "no.5",
        "e.g.",
        "i.am",
        "7.am",
        "U.S.A.",
        "the dot com bubble",
        "Sunset at Rome. Italy",
        "A boat. Net and rope",
        "polka dot dress",
        "f/1.4",
        "3.5",
        "photo.jpg",
        "data: a chart",
    ],
)
def test_a_dot_leads_nowhere_by_itself(words: str) -> None:
    assert not leads_away(words)


@pytest.mark.parametrize("words", ["kkk", "K K K", "k.k.k", "puta", "putas", "golden p u t a", "maric\u00f3n"])
def test_slurs_of_other_languages_and_short_ones_offend(words: str) -> None:
    assert offends(words)


NOUNS = ("harbour", "concept", "tree", "man", "road")
SMALL_CAPITALS = str.maketrans(
    "abcdefghijklmnopqrstuvwyz",
    "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\ua7af\u0280"
    "\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
)
DISGUISES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in the plural": lambda word: word[:-1] + "ies" if word[-1] == "y" and word[-2] not in "aeiou" else f"{word}s",
    "in capitals": str.upper,
    "in small capitals": lambda word: word.translate(SMALL_CAPITALS),
    "in wide letters": lambda word: "".join(chr(ord(each) + 0xFEE0) if each.isalpha() else each for each in word),
    "in Cyrillic": lambda word: word.translate(str.maketrans("aceopx", "\u0430\u0441\u0435\u043e\u0440\u0445")),
    "letter by letter": lambda word: " ".join(word.replace(" ", "")),
    "with dots": lambda word: ".".join(word.replace(" ", "")),
    "with a hyphen": lambda word: f"{word[:2]}-{word[2:]}",
    "with digits": lambda word: word.translate(str.maketrans("oie", "013")),
    "with signs": lambda word: word.translate(str.maketrans("ais", "@!$")),
    "among others": lambda word: f"a golden {word} sunset",
}


@pytest.mark.parametrize("way", DISGUISES)
def test_a_word_of_the_list_is_known_in_disguise(way: str) -> None:
    assert [word for word in sorted(offensive()) if not offends(DISGUISES[way](word))] == []


def test_a_word_of_another_language_is_known_without_its_accents_too() -> None:
    assert len(offensive_elsewhere()) > 200
    for word in sorted(offensive_elsewhere()):
        assert all(map(offends, (word, f"a golden {word} sunset"))), word
        assert offends(folded(word)) == (word not in told_by_accents()), word


@pytest.mark.parametrize(
    "phrase",
    [
        *("bitte", "pesce spada", "cerveja", "Troja", "Pula Croatia", "hora de comer", "folle journ\u00e9e", "vaca"),
        *("kurve", "gato negro", "blue footed booby", "pussy willow", "kaffir lime", "horny toad", "honky tonk"),
        *("\u0441\u043e\u0431\u0430\u043a\u0430", "\u732b", "\uac1c", "\u0643\u0644\u0628", "Spa", "Pica pica"),
    ],
)
def test_ordinary_words_of_other_languages_are_suggested(phrase: str) -> None:
    assert not offends(phrase)


def test_no_word_offends_for_a_part_of_it() -> None:
    listed = {word.replace("-", "") for word in offensive() | offensive_elsewhere()}
    words = [word for word in english_words() if not offends(word)]
    assert len(english_words()) - len(words) < 2 * len(listed), "listed words and their plurals"
    assert [f"{word} {noun}" for word in words[::50] for noun in NOUNS if offends(f"{word} {noun}")] == []


@pytest.mark.parametrize(
    "phrase",
    [
        *("Rotterdam harbour", "woodpecker", "psychology concept", "therapist", "flame retardant", "Maine Coon", "a55"),
        *("homo sapiens", "top 5 hits", "who're", "tres leches", "spices", "gites", "Matsushita", "b&w", "mad man"),
    ],
)
def test_what_only_has_a_part_that_would_offend_is_suggested(phrase: str) -> None:
    assert not offends(phrase)


@pytest.mark.parametrize(
    "phrase", ["f*ck", "sh it", "fuckoff", "ni99er", "boat \U0001f595", "see @ada", "s.h.i.t", "@$$"]
)
def test_disguises_that_people_thought_of_are_known(phrase: str) -> None:
    assert offends(phrase)
