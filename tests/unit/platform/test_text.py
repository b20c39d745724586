"""What is taken out of a text that nobody can mend: just what would be refused of one that somebody wrote."""

# ruff: noqa: RUF001 - other scripts are what is tested here
from __future__ import annotations

import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemarket.platform.text import LOST, clean_line, clean_lines, is_invisible, what_shows

AWKWARD = st.text(
    st.characters()
    | st.sampled_from(
        "\u200d\u200c\ufe0f\u00ad\u034f\u202e\u0301\ud800\n\r\t e\u2764"
        "\u1000\u1039\u2d30\u2d7f"
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


_NODE = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
_IGNORABLE = r"""
for (let code = 0; code < 0x110000; code++)
  if (/\p{Default_Ignorable_Code_Point}/u.test(String.fromCodePoint(code))) console.log(code)
"""


@pytest.mark.skipif(_NODE is None, reason="Node.js, which knows Unicode's properties, is not at hand")
def test_all_that_unicode_lets_a_font_leave_out_is_invisible() -> None:
    assert _NODE is not None
    told = subprocess.run([_NODE, "-e", _IGNORABLE], capture_output=True, text=True, check=True, timeout=300).stdout
    ignorable = [int(each) for each in told.split()]
    assert len(ignorable) > 4000
    assert [f"U+{each:04X}" for each in ignorable if not is_invisible(chr(each))] == []


@pytest.mark.parametrize(
    "text", ["\u1000\u1039\u1000", "\u1004\u103a\u1039\u1000", "\u1780\u17d2\u1798", "\u2d30\u2d7f\u2d31"]
)
def test_what_stacks_letters_of_its_script_is_taken(text: str) -> None:
    assert clean_line(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "ca\u2d7ft",
        "cat\u2d7f",
        "\u2d7fcat",
        "\u2d30\u2d7f",
        "\u2d30\u2d7f\u2d7f\u2d31",
        "ca\u1039t",
        "\u1000\u17d2\u1000",
        "\u1000\u1039t",
    ],
)
def test_what_stacks_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be seen"):
        clean_line(text)
    assert "\u2d7f" not in what_shows(text, 100)


HINDI, BENGALI, PERSIAN = "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0995\u09b2\u09ae", "\u06a9\u062a\u0627\u0628"


@pytest.mark.parametrize("word", [HINDI, BENGALI, PERSIAN, "\u0936\u094d\u0930\u0940\u092e\u093e\u0928\u094d"])
@pytest.mark.parametrize(
    "form", ["{}\u200c", "{}\u200c\u200c", "\u200c{}", "{}\u200c {}", "{}\u200c, {}\u200c.", "x {}\u200c!"]
)
def test_a_non_joiner_that_people_leave_at_a_words_end_is_dropped_as_a_space_is(word: str, form: str) -> None:
    text = form.format(word, word)
    assert clean_line(text) == text.replace("\u200c", "") == what_shows(text, 100)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\u0645\u06cc\u200c\u0634\u0648\u062f", "\u0645\u06cc\u200c\u0634\u0648\u062f"),
        ("\u0645\u06cc\u200c\u200c\u0634\u0648\u062f", "\u0645\u06cc\u200c\u0634\u0648\u062f"),
        ("\u09a4\u09cd\u200d", "\u09a4\u09cd\u200d"),
        ("\u06f1\u06f3\u06f0\u06f5 \u0647\u200d", "\u06f1\u06f3\u06f0\u06f5 \u0647\u200d"),
    ],
)
def test_joiners_with_work_to_do_stay_once(text: str, clean: str) -> None:
    assert clean_line(text) == clean == what_shows(text, 100)


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("عکس ۳\u200cبعدی از شهر", "عکس ۳بعدی از شهر"),
        ("دختر ۱۸\u200cساله", "دختر ۱۸ساله"),
        ("3\u200cبعدی", "3بعدی"),
        ("فایل PDF\u200cها", "فایل PDFها"),
        ("دوربین DSLR\u200c\u200cها", "دوربین DSLRها"),
        ("کووید\u200c۱۹", "کووید۱۹"),
        ("१\u200cवीं", "१वीं"),
        ("کتاب\u200cनमस्ते", "کتابनमस्ते"),
        ("❤\ufe0f\u200cها", "❤\ufe0fها"),
        ("cafe\u0301\u200cها", "caféها"),
    ],
    ids=ascii,
)
def test_a_non_joiner_between_a_joining_script_and_another_or_a_number_is_dropped(typed: str, clean: str) -> None:
    assert clean_line(typed) == clean == what_shows(typed, 100)


@pytest.mark.parametrize(
    "text",
    [
        *("سل\u200dام", "سل\u064e\u200dام", "سل\u200d\u064eام", "س\u200dێو", "ا\u200dء", "क\u200dमल", "ക\u200dമ"),
        *("★\u200d★", "★\u200d★ Sale", "©\u200d©", "█\u200d█", "👩\u200d★", "★\u200d👩", "👩\u200d©", "🏽\u200d👩"),
        *("👩\ufe0e\u200d🚀", "🇬\u200d🇧", "👩\u200d🏽"),
        *("→\ufe00 x", "∀\ufe00", "ခ\ufe01", "ဃ\ufe00", "中\ufe00", "令\ufe01"),
    ],
    ids=ascii,
)
def test_a_joiner_or_selector_that_changes_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be seen"):
        clean_line(text)


@pytest.mark.parametrize(
    "text",
    [
        *("ه\u200d", "ه\u064e\u200d", "ه\u200d.ش", "ه\u200dء", "می\u200cروم", "س\u200d2"),
        *("क्\u200dष", "ශ්\u200dරී", "র\u200d্য", "അവന്\u200d", "ದ\u200d್ವ"),
        *(
            "👩\u200d👩\u200d👧",
            "👩🏽\u200d⚕\ufe0f",
            "👩\u200d⚕",
            "❤\u200d🔥",
            "❤\ufe0f\u200d🔥",
            "👁\u200d🗨",
            "🏳\ufe0f\u200d⚧\ufe0f",
        ),
        *("⛹🏽\u200d♀", "🕵🏽\u200d♂\ufe0f", "🐦\u200d⬛", "🏴\u200d☠\ufe0f", "🇬🇧", "1\ufe0f⃣"),
        *("∩\ufe00", "⪬\ufe00", "က\ufe00", "ꡖ\ufe00", "令\ufe00"),
    ],
    ids=ascii,
)
def test_a_joiner_or_selector_that_changes_what_is_seen_stays(text: str) -> None:
    assert clean_line(text) == text == what_shows(text, 100)


_EMOJI = r"""
for (let code = 128; code < 0x110000; code++) {
  const each = String.fromCodePoint(code)
  if (/(?![\p{RI}\p{EMod}])\p{Emoji}/u.test(each)) console.log("emoji", code)
  else if (code >= 0x2190 && /[\p{So}\p{Sm}]/u.test(each)) console.log("symbol", code)
}
"""


@pytest.mark.skipif(_NODE is None, reason="Node.js, which knows Unicode's properties, is not at hand")
def test_the_selectors_of_emoji_stay_at_emoji_and_are_dropped_at_other_symbols() -> None:
    assert _NODE is not None
    told = subprocess.run([_NODE, "-e", _EMOJI], capture_output=True, text=True, check=True, timeout=300).stdout
    kinds = {chr(int(code)): kind for kind, code in (line.split() for line in told.splitlines())}
    assert len(kinds) > 5000
    not_taken = {LOST, *(each for each in kinds if is_invisible(each) or not unicodedata.is_normalized("NFC", each))}
    for each, kind in kinds.items():
        if kind == "emoji":
            assert clean_line(f"a {each}\ufe0f") == f"a {each}\ufe0f", ascii(each)
        elif unicodedata.category(each) != "Cn" and each not in not_taken:
            assert clean_line(f"a {each}\ufe0f") == f"a {each}", ascii(each)


@pytest.mark.parametrize("text", ["cat\u200c", "\u200ccat", "c\u200cat", "cat \u200c", "\u0420\u200c", "2\u200c"])
def test_joiners_of_scripts_that_do_not_join_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be seen"):
        clean_line(text)


@pytest.mark.parametrize("emoji", ["\u2b50", "\U0001fadc", "\U0001f6d8"])
def test_an_emoji_alone_is_a_word_however_new_it_is(emoji: str) -> None:
    assert clean_line(emoji) == emoji
