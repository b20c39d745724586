"""Which words are said to nobody, and which names only have one for a part."""

from __future__ import annotations

import pytest

from imagemarket.search.query.offence import offends


@pytest.mark.parametrize(
    "name",
    [
        "Blue footed booby",
        "Jackass penguins on a beach",
        "Pussy willow in spring",
        "Fanny pack",
        "Kaffir lime leaves",
        "Levee dyke",
        "Honky tonk bar",
        "Leather pouf",
        "Gato negro",
        "Midget submarine",
        "Cono Sur",
        "Horny toad",
        "Super Bowl XXX",
    ],
)
def test_harmless_names_are_suggested(name: str) -> None:
    assert not offends(name)


@pytest.mark.parametrize("name", ["kaffir", "midget", "two honkies", "jackass", "fanny"])
def test_what_harmless_names_are_made_of_offends_by_itself(name: str) -> None:
    assert offends(name)


@pytest.mark.parametrize("name", ["Cono de helado", "conos de tr\u00e1fico", "CONO", "ic\u00f4ne"])
def test_a_word_that_an_accent_tells_from_a_coarse_one_is_suggested(name: str) -> None:
    assert not offends(name)


@pytest.mark.parametrize("name", ["co\u00f1o", "CON\u0303O", "dos co\u00f1os", "raped woman"])
def test_words_of_the_lists_are_not(name: str) -> None:
    assert offends(name)


@pytest.mark.parametrize(
    "phrase",
    [
        "kill all jews",
        "gas the roma",
        "kill all irish",
        "kill the disabled",
        "death to all dutch",
        "Gas the Jews",
        "exterminate all muslims!",
        "death to chinese",
        "Kill women",
        "lynch blacks",
    ],
)
def test_a_call_to_violence_against_a_group_is_not_suggested(phrase: str) -> None:
    assert offends(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "Kill Bill",
        "gas turkish stove",
        "kill all weeds",
        "road kill",
        "German gas mask",
        "slaughter house",
        "Death Valley",
        "jews praying",
        "to kill a mockingbird",
        "kill the lights",
    ],
)
def test_killing_and_groups_apart_are(phrase: str) -> None:
    assert not offends(phrase)
