"""What counts as an answer to a webhook's challenge."""

from __future__ import annotations

import pytest

from imagemarket.notifications.delivery import _why_not_verified
from imagemarket.notifications.sender import Answer

TOLD = "3Yl0cYQx5mU7mJp3m1r8b0S0yW2T2c8vQ4hGm0cWq1E"


@pytest.mark.parametrize("text", [TOLD, f'"{TOLD}"', f'{{"challenge": "{TOLD}", "more": 1}}'])
@pytest.mark.parametrize(("before", "behind"), [("", ""), ("", "\n"), ("\ufeff", ""), ("\ufeff\r\n ", " \r\n")])
def test_a_challenge_is_told_as_text_or_as_json(text: str, before: str, behind: str) -> None:
    assert _why_not_verified(Answer(1, status=200, body=before + text + behind), TOLD) is None


@pytest.mark.parametrize(
    "text", ["", '""', "null", "1", f'["{TOLD}"]', f"'{TOLD}'", f'{{"told": "{TOLD}"}}', f"{TOLD}x"]
)
def test_what_does_not_tell_it_does_not(text: str) -> None:
    assert _why_not_verified(Answer(1, status=200, body=text), TOLD) == "the answer does not tell the challenge"


def test_a_refusal_tells_nothing() -> None:
    assert _why_not_verified(Answer(1, status=500, body=TOLD), TOLD) == "the challenge was answered with status 500"
