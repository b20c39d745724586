"""What titles, tags and queries never say to others, and what they do."""

from __future__ import annotations

import pytest

from imagemarket.search.confidential import confidential
from imagemarket.search.suggestions import offends

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


@pytest.mark.parametrize("words", ["kkk", "K K K", "k.k.k", "puta", "putas", "golden p u t a", "maric\u00f3n"])
def test_slurs_of_other_languages_and_short_ones_offend(words: str) -> None:
    assert offends(words)
