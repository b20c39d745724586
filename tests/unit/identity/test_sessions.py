"""Refresh tokens: each is used once, a doubled request is forgiven, a copy ends the session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from imagemarket.identity.errors import InvalidRefreshToken
from imagemarket.identity.service import MAX_LIVE_IN_FAMILY, REFRESH_GRACE
from tests.unit.identity.kit import Kit

SECOND = timedelta(seconds=1)


@pytest.fixture
def kit() -> Kit:
    kit = Kit()
    kit.registered()
    return kit


def refused(kit: Kit, token: str) -> bool:
    try:
        kit.identity.refresh(token)
    except InvalidRefreshToken:
        return True
    return False


def test_a_refresh_token_gives_the_next_one(kit: Kit) -> None:
    token = kit.login().refresh_token
    seen = {token}
    for _ in range(5):
        kit.clock.advance(timedelta(minutes=15))
        token = kit.identity.refresh(token).refresh_token
        seen.add(token)
    assert len(seen) == 6
    assert all(len(each) == 43 for each in seen), "32 random bytes in base64url"


def test_reuse_ends_the_session_for_owner_and_thief_alike(kit: Kit) -> None:
    stolen = kit.login().refresh_token
    owners = kit.identity.refresh(stolen).refresh_token
    kit.clock.advance(REFRESH_GRACE + SECOND)
    assert refused(kit, stolen)
    assert refused(kit, owners)


def test_reuse_of_one_session_leaves_the_others(kit: Kit) -> None:
    stolen, other = kit.login().refresh_token, kit.login().refresh_token
    kit.identity.refresh(stolen)
    kit.clock.advance(REFRESH_GRACE + SECOND)
    assert refused(kit, stolen)
    assert not refused(kit, other)


def test_a_doubled_request_gets_two_answers_of_which_either_can_go_on(kit: Kit) -> None:
    for chosen in (0, 1):
        token = kit.login().refresh_token
        first = kit.identity.refresh(token).refresh_token
        kit.clock.advance(REFRESH_GRACE)
        second = kit.identity.refresh(token).refresh_token
        assert first != second
        kit.clock.advance(timedelta(minutes=15))
        assert not refused(kit, (first, second)[chosen])


@pytest.mark.parametrize("later", [11, 30, 60, 600])
def test_a_doubled_request_is_forgiven_however_late_it_is_handled(kit: Kit, later: int) -> None:
    """It may have waited at the gateway, and behind it for a process to start."""
    token = kit.login().refresh_token
    lost = kit.identity.refresh(token).refresh_token
    kit.clock.advance(timedelta(seconds=later))
    kept = kit.identity.refresh(token).refresh_token
    kept = kit.identity.refresh(kept).refresh_token
    assert not refused(kit, kept)
    assert refused(kit, lost), "whoever holds the other answer is found out"


def test_a_copy_taken_within_the_grace_is_found_out_at_the_next_refresh(kit: Kit) -> None:
    token = kit.login().refresh_token
    owners = kit.identity.refresh(token).refresh_token
    thiefs = kit.identity.refresh(token).refresh_token
    kit.clock.advance(timedelta(minutes=15))
    thiefs = kit.identity.refresh(thiefs).refresh_token
    kit.clock.advance(timedelta(minutes=1))
    assert refused(kit, owners)
    assert refused(kit, thiefs)


@pytest.mark.parametrize("seconds", [0, 1, 9, 10, 11, 900])
@pytest.mark.parametrize("later", [0, 9, 900])
def test_a_copy_is_found_out_however_soon_both_sides_refresh(kit: Kit, seconds: int, later: int) -> None:
    """Also within the grace of the moment that retired the other: retired by a sibling is not used."""
    token = kit.login().refresh_token
    owners = kit.identity.refresh(token).refresh_token
    thiefs = kit.identity.refresh(token).refresh_token
    kit.clock.advance(timedelta(seconds=later))
    owners = kit.identity.refresh(owners).refresh_token
    kit.clock.advance(timedelta(seconds=seconds))
    assert refused(kit, thiefs)
    assert refused(kit, owners)


def test_a_token_whose_successor_is_in_use_is_forgiven_no_more(kit: Kit) -> None:
    token = kit.login().refresh_token
    owners = kit.identity.refresh(kit.identity.refresh(token).refresh_token).refresh_token
    assert refused(kit, token)
    assert refused(kit, owners)


def test_a_token_sent_over_and_over_ends_its_session_and_no_other(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    token, other = kit.login().refresh_token, kit.login().refresh_token
    given = [kit.identity.refresh(token).refresh_token for _ in range(MAX_LIVE_IN_FAMILY)]
    assert "session ended" not in caplog.text
    assert refused(kit, token)
    assert "session ended" in caplog.text
    assert all(refused(kit, each) for each in given)
    assert not refused(kit, other)


@pytest.mark.parametrize("times", range(1, MAX_LIVE_IN_FAMILY + 1))
def test_a_thief_who_takes_the_grace_keeps_no_session_from_its_owner(kit: Kit, times: int) -> None:
    """However often the copy was sent before: either the owner goes on, or nobody does."""
    token = kit.login().refresh_token
    thiefs = [kit.identity.refresh(token).refresh_token for _ in range(times)]
    try:
        owners = kit.identity.refresh(token).refresh_token
    except InvalidRefreshToken:
        assert all(refused(kit, each) for each in thiefs)
    else:
        owners = kit.identity.refresh(owners).refresh_token
        assert refused(kit, thiefs[0])
        assert refused(kit, owners), "the copy was found out"


def test_a_session_that_rests_for_thirty_days_is_over(kit: Kit) -> None:
    resting, kept_up = kit.login().refresh_token, kit.login().refresh_token
    kit.clock.advance(timedelta(days=30) - SECOND)
    kept_up = kit.identity.refresh(kept_up).refresh_token
    kit.clock.advance(SECOND)
    assert refused(kit, resting)
    assert not refused(kit, kept_up)


@pytest.mark.parametrize("token", ["", "nonsense", "\udce4", "x" * 10_000])
def test_what_was_never_given_out_is_refused(kit: Kit, token: str) -> None:
    assert refused(kit, token)


@dataclass
class Given:
    """What the outside knows of a token it holds."""

    token: str
    session: int
    expires_at: datetime
    parent: Given | None = None
    used_at: datetime | None = None
    retired_at: datetime | None = None


class Sessions(RuleBasedStateMachine):
    """Owners, thieves and clocks in any order. The model knows sessions, not tables."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.kit = Kit()
        self.kit.registered()
        self.sessions = 0
        self.ended: set[int] = set()
        self.held: list[Given] = []

    def _hold(self, token: str, session: int, parent: Given | None = None) -> Given:
        given = Given(token, session, self.kit.clock.now() + timedelta(days=30), parent)
        assert all(other.token != token for other in self.held), "no token is given out twice"
        self.held.append(given)
        return given

    def _live(self, session: int) -> list[Given]:
        return [each for each in self.held if each.session == session and each.retired_at is None]

    @rule(target=tokens)
    def sign_in(self) -> Given:
        self.sessions += 1
        return self._hold(self.kit.login().refresh_token, self.sessions)

    @rule(target=tokens, given=tokens)
    def refresh(self, given: Given) -> object:
        now = self.kit.clock.now()
        usable = given.session not in self.ended and now < given.expires_at
        doubled = (
            given.used_at is not None
            and now - given.used_at <= REFRESH_GRACE
            and not any(each.parent is given and each.used_at is not None for each in self.held)
        )
        crowded = doubled and len(self._live(given.session)) >= MAX_LIVE_IN_FAMILY
        try:
            renewed = self.kit.identity.refresh(given.token)
        except InvalidRefreshToken:
            assert not usable or given.retired_at is not None, "a live token was refused"
            assert not doubled or crowded or not usable, "a doubled request was refused"
            if usable and (crowded or not doubled):
                self.ended.add(given.session)
            return multiple()
        assert usable, "a token of an ended session, or an expired one, was taken"
        assert given.retired_at is None or doubled, "an old token was taken"
        if given.retired_at is None:
            for other in self._live(given.session):
                other.retired_at = now
            given.used_at = now
        return self._hold(renewed.refresh_token, given.session, given)

    @rule(given=tokens)
    def sign_out(self, given: Given) -> None:
        self.kit.identity.logout(given.token)
        self.ended.add(given.session)

    @rule(seconds=st.sampled_from([1, 30, 899, 900, 901, 29 * 86400]))
    def wait(self, seconds: int) -> None:
        self.kit.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def two_holders_do_not_both_go_on(self) -> None:
        for one in self.held:
            used = [each for each in self.held if each.parent is one and each.used_at is not None]
            assert len(used) <= 1, "both successors of a token were taken"

    @invariant()
    def at_most_a_few_tokens_of_a_session_are_live(self) -> None:
        for session in range(1, self.sessions + 1):
            live = self._live(session)
            assert len(live) <= MAX_LIVE_IN_FAMILY
            newest = [each for each in self.held if each.session == session][-1]
            assert session in self.ended or newest.retired_at is None, "the chain has a living end"


Sessions.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSessions = Sessions.TestCase
