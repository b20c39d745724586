"""What is taken out of a text that nobody can mend: just what would be refused of one that somebody wrote."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemarket.platform.text import clean_line, clean_lines, what_shows

AWKWARD = st.text(
    st.characters()
    | st.sampled_from(
        "\u200d\u200c\ufe0f\u00ad\u034f\u202e\u0301\ud800\n\r\t e\u2764"
        "1\u20e3\u4e2d\u0915\u094d\U000e0100\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e007f"
    )
)


@settings(deadline=None)
@given(AWKWARD, st.integers(1, 40), st.booleans())
def test_what_shows_is_taken_as_it_is(text: str, most: int, lines: bool) -> None:
    shown = what_shows(text, most, lines=lines)
    assert (clean_lines if lines else clean_line)(shown) == shown
    assert len(shown) <= most


@settings(deadline=None)
@given(AWKWARD)
def test_of_what_may_enter_nothing_is_taken_out(text: str) -> None:
    try:
        clean = clean_line(text)
    except ValueError:
        return
    assert what_shows(text, len(text) + 1) == clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Cafe\u0301\x00 te\u200brrace\r\n", "Caf\u00e9 terrace"),
        ("left\u202egpj", "leftgpj"),
        ("e\u034f\u0301", "\u00e9"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("\u200b\u00ad", ""),
        ("half \ud800", "half"),
    ],
)
def test_it_is_what_one_sees(text: str, shown: str) -> None:
    assert what_shows(text, 100) == shown
