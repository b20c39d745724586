"""What was searched, shown and looked at, for those who improve the search: without anybody's name.

An event knows neither account nor address, and a query that looks like somebody's contact is not in it. Events
wait in a capped stream in Valkey and are gathered into the table `search_events` each minute; one that the
stream cannot take is lost, and a metric says so: no buyer waits for it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ratelimits import network_of
from imagemarket.platform.telemetry import count, logger
from imagemarket.platform.text import without_invisible
from imagemarket.search.popularity import EPOCH, count_looks
from imagemarket.search.spelling import english_words
from imagemarket.search.suggestions import SuggestionTable, phrase_of
from imagemarket.search.words import alike

MOST_WAITING = 100_000
_STREAM = "{search}:events"
_BATCH = 500
_NOT_KEPT = {"kind", "search_id", "at", "visitor", "all_words"}

# An address, also as people write it for people, a link, or a number that could be a telephone's, a card's or an
# account's.
_SOMEBODYS = re.compile(
    r"@|[(\[{<]\s*at\s*[)\]}>]|\bat\s+[\w-]+\s*(?:\.|\(?\bdot\b\)?)\s*[a-z]{2,}\b"
    r"|\bat\s+(?:gmail|googlemail|hotmail|outlook|icloud|yahoo|gmx|proton(?:mail)?)\b"
    r"|https?:|www\.|(?:\d[\s./()-]*){6,}",
    re.IGNORECASE,
)
# A token or a key: how well-known ones begin, letters and digits without end or that change all the time, what no word
# is as long as, base64, which changes between small and capital letters as no name does, and what a name of a secret is
# set to.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gh[oprsu]|github_pat|glpat|xox[abeprs]|whsec|pypi|npm|hf|shp\w\w|dop_v1)[-_][\w-]{8,}"
    r"|(?-i:\b(?:AIza|AKIA|ASIA|eyJ|ya29\.|SG\.)[\w-]{8,})"
    r"|(?=[^\W_]*\d)(?=\d*[^\W\d_])[\w+/=.-]{16,}|[\w+/=]{40,}"
    r"|\b(?=\w{8,})\w*?(?:\d+[^\W\d_]+){3,}\w*"
    r"|-{2,}\s*(?:BEGIN|END)\b|\b(?:BEGIN|END)[ \w]*\b(?:KEY|CERTIFICATE|MESSAGE)\b\s*-|\bssh-(?:rsa|dss|ed25519)\s"
    r"|(?-i:\b(?=(?:\w*[a-z][A-Z]){2})(?=\w*[A-Z]{2})\w{10,})"
    r"|\b(?:basic|bearer|digest)\s+(?=\S*\d|\S*=|(?-i:\S*[a-z][A-Z]))[\w+/=.-]{6,}"
    r"|\b[\w-]*(?:pass\w*|pwd?|pin|key|token|secret|credentials?|auth\w*|login|user\w*|otp|cv[cv])['\"]?\s*[:=]+\s*\S"
    r"|(?:\u5bc6\u7801|\u5bc6\u78bc|\u30d1\u30b9\u30ef\u30fc\u30c9|\ube44\ubc00\ubc88\ud638)\W*\w{3,}",
    re.IGNORECASE,
)
_SECRETS_NAME = (
    r"(?:pass ?wor[dt]s?|passwd|pass ?phrases?|pass ?codes?|pwd|credentials?|otp|cv[cv]|pin (?:code|number)|kennwor\w+"
    r"|mot de passe|contrase\u00f1a|contrasena|senha|\u043f\u0430\u0440\u043e\u043b\u044c"
    r"|(?:api|secret|private|access|auth\w*|client|session|encryption|ssh|aws)[ _-]?(?:keys?|tokens?|secrets?))"
)
# What is told with a password is words ("password protection icon"), or it may be the password.
_OF_A_SECRET = re.compile(rf"\b{_SECRETS_NAME}\b", re.IGNORECASE)
_TOLD = re.compile(
    rf"\b{_SECRETS_NAME}\s+(?:is|was|are)\s+\S|\b(?:my|our)\s+(?:{_SECRETS_NAME}|pin|pass|token|secret|key|login|code)"
    r"\s+(?:is|was)\s+\S|\b(?:pin|code)s?\W+(?:(?:is|was|number|no)\W+)*\d{4}\b(?!s)",
    re.IGNORECASE,
)
# Beside what is a secret's name now and then (a boarding pass, a token ring), a number or letters and digits tell it.
_PERHAPS_A_SECRETS = re.compile(
    r"\b(?:pins?|pass|tokens?|secrets?|codes?|keys?|log ?in|user ?names?|auth\w*|2fa|iban|ssn|account)\b", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d(?:s|er|'s)?\b", re.IGNORECASE)
_LIKE_A_SECRET = re.compile(
    r"(?:\d[\s./-]?){4,}|\b(?=\w*\d)(?=\w*[^\W\d_])(?!\d+(?:[a-z]{1,3}|x\d+\w*)\b)\w{6,}", re.IGNORECASE
)
_UNSPEAKABLE = re.compile(r"[b-df-hj-np-tv-xz]{4}", re.IGNORECASE)


class SearchEvent(BaseModel):
    """One answer, or one look at a picture that an answer showed."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["searched", "viewed"]
    search_id: UUID | None
    """Ties a look to its search; None for a look that no search led to."""
    at: datetime
    words: str = ""
    """As `phrase_of` writes them; empty where they could be somebody's contact or secret."""
    mode: str = ""
    filters: dict[str, list[str]] = {}
    first: int = 0
    """How many results came before these."""
    total: int = 0
    images: tuple[UUID, ...] = ()
    """The pictures shown, in their order, or the one looked at."""
    degraded: tuple[str, ...] = ()
    all_words: bool = False
    """Whether a picture on the page has all the words."""
    visitor: str = ""
    """Tells the day's networks apart (`Visitors`) while the event waits; not kept with it."""


class Visitors:
    """Names for networks that last a day: whoever reads one learns neither the network nor what it did yesterday."""

    def __init__(self, key: Callable[[], str], clock: Clock) -> None:
        """`key` gives a secret, at first use."""
        self._secret = key
        self._clock = clock

    def name(self, address: str) -> str:
        """Of the network that an address belongs to."""
        network = network_of(address) or "this machine"
        day = self._clock.now().date().isoformat()
        return hmac.digest(self._secret().encode(), f"visitor\0{day}\0{network}".encode(), "sha256").hex()[:16]


class EventStream(Protocol):
    """Where events go."""

    def publish(self, event: SearchEvent) -> None:
        """Never raises: an event is no reason for a buyer to wait or fail."""
        ...


def impersonal(words: str) -> str:
    """The words as an event may carry them; none of them where any could be somebody's contact or secret, in whichever
    letters."""
    seen = alike(without_invisible(words))
    if _SOMEBODYS.search(seen) or _SECRET.search(seen) or _tells_a_secret(seen):
        return ""
    return phrase_of(words)


def _tells_a_secret(words: str) -> bool:
    """Whether a secret is named and told, or beside its name something stands that is no English word, or beside what
    may be its name something that looks like one."""
    if _TOLD.search(words):
        return True
    others, named = _OF_A_SECRET.subn(" ", words)
    if named and any(
        other.strip(".,;:!?()\"'").lower() not in english_words() for other in others.split() if other.strip("-&/|+")
    ):
        return True
    others, named = _PERHAPS_A_SECRETS.subn(" ", words)
    return bool(named) and (_LIKE_A_SECRET.search(_YEAR.sub(" ", others)) is not None or _made_up_behind(words))


def _made_up_behind(words: str) -> bool:
    """Whether right behind what may be a secret's name letters stand that nobody can say."""
    behind = (words[name.end() :].split() for name in _PERHAPS_A_SECRETS.finditer(words))
    return any(
        _UNSPEAKABLE.search(following[0]) and following[0].lower() not in english_words()
        for following in behind
        if following
    )


class ValkeyStream:
    """The stream that events wait in."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def publish(self, event: SearchEvent) -> None:
        """See `EventStream.publish`. One round trip."""
        try:
            self._cache.append(_STREAM, event.model_dump_json(exclude_defaults=True), most=MOST_WAITING)
        except DependencyUnavailable:
            count("SearchEventsLost")


class EventGatherer:
    """Takes what waits into the table, once each, counts looks, and tells the suggestions what many search."""

    def __init__(self, cache: Cache, database: Database, suggestions: SuggestionTable) -> None:
        self._cache = cache
        self._database = database
        self._suggestions = suggestions

    def drain(self) -> int:
        """How many events were new. Safe to repeat, and side by side: an event's place in the stream is its key."""
        total = 0
        while True:
            try:
                waiting = self._cache.waiting(_STREAM, most=_BATCH)
            except DependencyUnavailable:
                logger.warning("search events wait: the cache is not answering")
                return total
            if not waiting:
                return total
            events = [(place, SearchEvent.model_validate_json(raw)) for place, raw in waiting]
            new = self._insert(events)
            fresh = [event for place, event in events if place in new]
            self._suggestions.searched(
                {
                    (event.words, event.at.date(), event.visitor)
                    for event in fresh
                    if event.kind == "searched"
                    and event.words
                    and event.visitor
                    and event.all_words
                    and not event.first
                }
            )
            total += len(new)
            try:
                self._cache.remove(_STREAM, [place for place, _ in waiting])
            except DependencyUnavailable:
                return total  # they come again, and are known

    def _insert(self, events: Sequence[tuple[str, SearchEvent]]) -> set[str]:
        from psycopg.types.json import Jsonb

        with self._database.transaction() as connection:
            looked = [event for _, event in events if event.kind == "viewed" and event.visitor]
            count_looks(
                connection,
                [(image_id, event.at.date(), event.visitor) for event in looked for image_id in event.images],
                max((event.at for event in looked), default=EPOCH),
            )
            rows = connection.execute(
                "INSERT INTO search_events (place, kind, search_id, at, event)"
                " SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::timestamptz[], %s::jsonb[])"
                " ON CONFLICT DO NOTHING RETURNING place",
                (
                    [place for place, _ in events],
                    [event.kind for _, event in events],
                    [event.search_id for _, event in events],
                    [event.at for _, event in events],
                    [Jsonb(event.model_dump(mode="json", exclude=_NOT_KEPT)) for _, event in events],
                ),
            ).fetchall()
        return {row["place"] for row in rows}
