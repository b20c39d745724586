"""Which words are said to nobody, and which names only have one for a part."""

from __future__ import annotations

import pytest

from imagemarket.search.offence import offends


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
