"""What a query's words ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.search.query.syntax import Clause, read


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("red boat", [[Clause("red")], [Clause("boat")]]),
        ('"red boat" sea', [[Clause("red boat", phrase=True)], [Clause("sea")]]),
        ("red -sea", [[Clause("red")], [Clause("sea", excluded=True)]]),
        ('-"red boat"', [[Clause("red boat", phrase=True, excluded=True)]]),
        ('-"red boat', [[Clause("red boat", phrase=True, excluded=True)]]),
        ("cat -\u201cdog", [[Clause("cat")], [Clause("dog", phrase=True, excluded=True)]]),
        ('cat --"dog"', [[Clause("cat")], [Clause("dog", phrase=True, excluded=True)]]),
        ('red" boat', [[Clause("red")], [Clause("boat")]]),
        *(
            (asked, [[Clause("cat")], [Clause("dog", excluded=True)]])
            for asked in ("cat;-dog", "cat,-dog", "cat/-dog", "cat (-dog)", "cat+-dog", "cat|-(dog)", "cat (NOT dog)")
        ),
        *((f"-cat{sign}dog", [[Clause("cat", excluded=True)], [Clause("dog", excluded=True)]]) for sign in ",;|/"),
        ("-[cat dog]", [[Clause("cat", excluded=True)], [Clause("dog", excluded=True)]]),
        ("-AC/DC", [[Clause("AC/DC", excluded=True)]]),
        ("TCP/IP", [[Clause("TCP/IP")]]),
        ("singer/dj", [[Clause("singer dj"), Clause("singer-dj", added=True)]]),
        ("-dj/producer", [[Clause("dj", excluded=True)], [Clause("producer", excluded=True)]]),
        ("sky or harbour OR quay", [[Clause("sky"), Clause("harbour"), Clause("quay")]]),
        ("or sky or", [[Clause("sky")]]),
        ("semi-circle", [[Clause("semi-circle")]]),
        ("mist NOT in the hills", [[Clause("mist")], [Clause("hills", excluded=True)]]),
        ("owl -on", [[Clause("owl")], [Clause("on", phrase=True, excluded=True)]]),
        ("owl -off", [[Clause("owl")], [Clause("off", phrase=True, excluded=True)]]),
        (
            "cat -(dog or bird) sea",
            [[Clause("cat")], *[[Clause(w, excluded=True)] for w in ("dog", "bird")], [Clause("sea")]],
        ),
        ("cat -dogs,birds", [[Clause("cat")], *[[Clause(w, excluded=True)] for w in ("dogs", "birds")]]),
        ("cat or NOT dog", [[Clause("cat"), Clause("dog", excluded=True)]]),
        ("tea with or without milk", [[Clause(w)] for w in ("tea", "with", "without", "milk")]),
        ("cat cat -dog -dog", [[Clause("cat")], [Clause("dog", excluded=True)]]),
        ("NOT FOR SALE", [[Clause("FOR")], [Clause("SALE")]]),
        ("red NOT sale", [[Clause("red")], [Clause("sale", excluded=True)]]),
        ('all"closed', [[Clause("all")], [Clause("closed")]]),
        ('! - \U0001f642 -- "" \'', []),
    ],
)
def test_how_a_text_is_read(text: str, groups: list[list[Clause]]) -> None:
    assert [list(group) for group in read(text).groups] == groups


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('  red -"old boat" or  -sea((( ', 'red -"old boat" or -sea'),
        ("a-(-(-(b", "a -b"),
        ("-a(b", '-"a b"'),
        ("C:\\temp rock'n'roll 66.5", "C temp rock'n'roll 66.5"),
        ("-(" * 100, ""),
        ("Portland, OR! (or) sea -or.", 'Portland sea -"or"'),
    ],
)
def test_signs_that_mean_nothing_are_left_out(text: str, written: str) -> None:
    assert read(text).write() == written


def test_only_plain_words_may_be_loosened() -> None:
    assert read("red boat").plain
    assert not any(read(text).plain for text in ('"red boat"', "red -boat", "red or boat"))


@given(st.text(max_size=400))
def test_anything_can_be_read(text: str) -> None:
    words = read(text)
    assert read(words.write()).write() == words.write()
    assert all(any(letter.isalnum() for letter in clause.text) for group in words.groups for clause in group)
