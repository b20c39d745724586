"""Text that shows nothing, shows something else than it is, or that a database does not take."""

# ruff: noqa: RUF001 - other scripts are what is tested here
from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from imagemarket.ingestion.models import UploadRequest
from imagemarket.platform.text import Text, clean_line, clean_lines
from tests.unit.ingestion.test_upload_request import announcement

ENGLAND, SCOTLAND, WALES = (
    "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
UNSEEN = [
    *(
        "t\u202egpj",
        "\u200b",
        "t\u0085x",
        "a\x00b",
        "a\u200bb",
        "a\u200db",
        "\u200dab",
        "ab\u200c",
        "a\ufeffb",
        "a\u00adb",
    ),
    *(
        "a\u2066b\u2069",
        "a\u200eb",
        "a\x1bb",
        "a\x9fb",
        "a\x7fb",
        "a\u2028b",
        "a\u2060b",
        "a\u180eb",
        "a\ufffeb",
        "a\ufffcb",
        "a\u303fb",
        "a\U0001d159b",
        "a\U00016fe4b",
        "a\ue000b",
        "\ufe0fa",
    ),
    *(
        "c\ufe0fa\ufe0ft\ufe0f",
        "c\U000e0101at",
        "a\ufe00",
        "1\ufe0f",
        "1\ufe0fa",
        "שלום\ufe0f",
        "か\U000e0100",
        "x\u0301\ufe0f",
    ),
    *(
        "中\u200d国",
        "日\u200c本",
        "한\u200d국",
        "ש\u200dל",
        "ไ\u200dท",
        "か\u200dな",
        "ა\u200cბ",
        "ሀ\u200dለ",
        "ا\u200d",
        "سلامو\u200d",
        "ه\u200d\u200d",
        "\u200dه",
        "ണ\u0d4d\u200d\u200d",
        "ണ\u200d",
        "ท\u0e3a\u200d",
        "\u0d4d\u200d",
        "中\ufe0f",
        "中\ufe03",
    ),
    *(
        "😀\ufe00",
        "😀\ufe05",
        "😀\U000e0101",
        "👩\u200c👧",
        "👩\u200d",
        "👩\u200dक",
        "中\u200d👧",
        "°\u200d°",
        "×\ufe0f",
        "^\u200d^",
    ),
    *(
        "a\U000e0067\U000e007f",
        "🏴\U000e0067",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074",
        "🏴\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f",
    ),
    *(f"{ENGLAND}\U000e007f", f"🏴{ENGLAND[1:]}{ENGLAND[1:]}", ENGLAND[1:], "a\u180bb", "क\u180b", "ᠠ\u200dक\ufe0f"),
    *("Caf\ufffd", "\ufffd"),
    *("\u3164", "\u115f", "a\U000e0041b", "a\U000e0001", "\ud800", "a\udfffb", "\u034f", "a\ufe0f\ufe0f", "\u2800"),
]
SEEN = [
    *(
        "Golden sunset",
        "Straße nach Köln",
        "二月の雪",
        "غروب الشمس",
        "שקיעה",
        "क्षितिज",
        "C# — “curly” quotes…",
        "5 × 7 €",
    ),
    *(
        f"flag {ENGLAND} of England",
        f"{ENGLAND}{SCOTLAND}",
        WALES,
        "🏴",
        "🏴\u200d☠\ufe0f",
        "🙂\u200d↔\ufe0f",
        "👩🏽\u200d🚀",
    ),
    *(
        "⁉\ufe0f",
        "ℹ\ufe0f",
        "©\ufe0f",
        "™\ufe0e",
        "#\ufe0f⃣",
        "☎\ufe0e",
        "⛹🏽\u200d♀\ufe0f",
        "葛\U000e0100城",
        "辻\U000e0101",
        "∩\ufe00",
        "ᠠ\u180b",
    ),
    *("അവന\u0d4d\u200d", "കടല\u0d4d\u200d തീരം", "അവന\u0d4d\u200d.", "ন\u09cd\u200d", "क\u094d\u200d"),
    *("ه\u200d", "۱۴۰۲ ه\u200d.ش.", "سال ۱۴۰۲ ه\u200d", "ه\u064e\u200d", "ہ\u200d"),
    *("ශ්\u200dරී", "র\u200d্য", "ন\u200c্ন", "ខ\u200cា", "ܐ\u200cܒ", "က\ufe00"),
    *("می\u200cخواهم", "क्\u200dष", "👩\u200d👩\u200d👧", "❤\ufe0f", "👍🏽", "1\ufe0f⃣", "🏳\ufe0f\u200d🌈", "g\u030a"),
]


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_what_cannot_be_seen_is_refused_or_nothing(text: str) -> None:
    for field in ("title", "description", "filename"):
        value = f"{text}.jpg" if field == "filename" else text
        with pytest.raises(ValidationError) as refused:
            UploadRequest.model_validate(announcement(**{field: value}))
        assert refused.value.errors()[0]["loc"] == (field,)
    with pytest.raises(ValidationError):
        UploadRequest.model_validate(announcement(tags=["sea", text]))


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_what_people_write_is_taken(text: str) -> None:
    request = UploadRequest.model_validate(announcement(title=text, description=text, tags=[text]))
    assert request.title == request.description == unicodedata.normalize("NFC", text)


def test_a_title_of_nothing_visible_is_empty() -> None:
    for text in (" ", "\t", "\u00a0\u3000", "\u0301", "\n"):
        assert clean_line(text) == ""
        with pytest.raises(ValidationError) as refused:
            UploadRequest.model_validate(announcement(title=text))
        assert refused.value.errors()[0]["type"] == "string_too_short"


def test_a_name_has_one_form() -> None:
    assert clean_line("  Ka\u0308se\t\u00a0und  Brot ") == "Käse und Brot"
    assert clean_lines(" one\r\ntwo\rthree\n") == "one\ntwo\nthree"
    with pytest.raises(ValueError, match=r"a line break \(U\+000A\)"):
        clean_line("two\nlines")


def test_a_refusal_names_what_is_in_the_text() -> None:
    with pytest.raises(ValueError, match=r"U\+202E \(right-to-left override\), which turns the direction"):
        clean_line("t\u202egpj")
    with pytest.raises(ValueError, match=r"U\+FFFD, which stands for what could not be read; send the text in UTF-8"):
        clean_line("Caf\ufffd")
    with pytest.raises(ValueError, match=r"U\+200B \(zero width space\), which cannot be seen"):
        clean_line("a\u200bb")


@given(st.text(max_size=40))
def test_what_is_taken_can_be_stored_and_is_taken_again(text: str) -> None:
    try:
        taken = clean_line(text)
    except ValueError:
        return
    assert clean_line(taken) == taken == unicodedata.normalize("NFC", taken).strip()
    taken.encode()
    assert not any(unicodedata.category(each) in {"Cc", "Cs"} for each in taken)


def test_lengths_are_those_of_the_text_that_is_kept() -> None:
    class Note(BaseModel):
        text: Annotated[str, Text(least=1, most=3)]

    assert Note(text="a\u0308o\u0308u\u0308").text == "äöü"
    for text in ("äöüß", "x" * 10_000_000, ""):
        with pytest.raises(ValidationError):
            Note(text=text)
    schema = TypeAdapter(Note).json_schema()["properties"]["text"]
    assert (schema["minLength"], schema["maxLength"]) == (1, 3)


def test_the_examples_of_the_folder(folder: Path) -> None:
    told = (folder / "EXPECTED.md").read_text(encoding="utf-8")
    titles = [match.encode().decode("unicode_escape") for match in re.findall(r'"((?:\\u[0-9a-f]{4}|[a-z])+)"', told)]
    assert len(titles) >= 3
    for title in titles:
        with pytest.raises(ValidationError):
            UploadRequest.model_validate(announcement(title=title))
