"""What a query means beyond its words: the shape, the colours and the categories it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.search import synonyms as lists
from imagemarket.search.models import Filters, Interpretation, SearchQuery, Spelling, Synonyms
from imagemarket.search.spelling import Speller
from imagemarket.search.words import NEVER_ALONE, STOP_WORDS, Words, alike, read, with_quotes_closed

_SHAPES = {
    "vertical": "portrait",
    "upright": "portrait",
    "horizontal": "landscape",
    "panoramic": "landscape",
}
# "Times Square" is a place and "landscape" a subject: these are shapes only of a picture.
_SHAPES_OF_A_PICTURE = {"square": "square", "portrait": "portrait", "landscape": "landscape"}
_FORMATS = {"format", "orientation"}
COLOURS = {name: name for name in COLOUR_NAMES} | {
    "gray": "grey",
    "violet": "purple",
    "crimson": "red",
    "scarlet": "red",
    "turquoise": "teal",
    "azure": "blue",
    "magenta": "pink",
}
"""Words for colours, by what the filter calls them."""
_PEOPLE = frozenset(
    {"people", "person", "persons", "human", "humans", "peoples", "anyone", "anybody", "somebody", "someone", "folks"}
)
_NOBODY = frozenset({"nobody", "noone", "no-one", "no-body", "unpeopled", "peopleless"})
_OFTEN_ABSENT = frozenset({"crowd", "car", "traffic", "cloud", "clutter", "text", "logo", "watermark"})
"""What "-free", "no-" and "zero" leave out; "sugar-free", "hands-free" and "zero gravity" name something."""
_WITHOUT = frozenset({"without", "w/o", "w/out", "minus", "exclude", "excluding", "except"})
_NONE_OF = frozenset({"sans", "zero", "0", "lacking", "lacks"})
"""Say no of people and what often is absent; "comic sans" and "zero waste" are names."""
_WITHOUT_ANY_OF = frozenset({"free", "devoid", "void", "empty", "clear", "bare", "absence", "lack"})
_FREE_OF = _PEOPLE | {"crowd", "car", "traffic", "cloud", "clutter"}
"""What "people free beach" leaves out; "logo free" may be a logo that costs nothing."""
_NOT_FREE_OF = frozenset(
    {"climb", "climber", "climbers", "climbing", "dive", "diver", "divers", "diving", "fall", "falling", "running"}
    | {"kick", "soloing", "solo", "style", "styling", "spirit", "spirits", "time", "speech", "to", "from", "of", "in"}
    | {"download", "downloads", "stock", "photo", "photos", "image", "images", "picture", "pictures", "vector"}
    | {"vectors", "clipart", "png", "psd", "svg", "icon", "icons", "template", "templates", "use", "wifi", "entry"}
)
"""After "people free": what people do freely, and what costs nothing."""
_OPENING, _MARKS = "([{", ".,;:!?()[]{}"
_ARTICLES = frozenset({"a", "an", "any", "the", "other", "many", "more", "visible", "single"})
_WORDS_BETWEEN = _ARTICLES | frozenset(
    {"all", "those", "these", "such", "some", "one", "lot", "lots", "of", "too", "much", "for", "my", "your", "our"}
)
"""What may stand between "without" and what it leaves out; "not for" and "not all" begin a sentence."""
_SAYS = frozenset({"is", "are", "was", "were", "am", "be", "it's", "that's", "do", "does", "did", "can", "will", "or"})
"""Before "not" they make a sentence ("this is not a pipe", "with or without sugar"), which leaves nothing out."""
_ALL = frozenset({"all", "anything", "everything"})
"""Before "without" or "except" they say that nothing else is asked."""
_SIGNS_THAT_SAY_NO = frozenset({"sign", "signs", "symbol", "symbols", "icon", "icons", "warning", "label"})
_NOT_A_THING = STOP_WORDS | frozenset(
    {"you", "your", "him", "her", "them", "our", "who", "what", "why", "how", "when", "where", "which", "than", "from"}
    | {
        "about",
        "because",
        "been",
        "being",
        "do",
        "does",
        "did",
        "have",
        "has",
        "had",
        "can",
        "could",
        "should",
        "would",
    }
    | {"just", "only", "even", "yet", "too", "very", "quite", "really", "always", "ever", "never", "all", "every"}
    | {"everyone", "everything", "everybody", "enough", "much", "sure", "also", "either", "both", "again", "longer"}
)
"""What no picture shows: "not for sale" and "not only" leave nothing out."""
_FORBIDDEN = frozenset(
    {"smoking", "parking", "entry", "exit", "trespassing", "swimming", "fishing", "diving", "littering", "camping"}
    | {"loitering", "stopping", "standing", "overtaking", "photography", "drinking", "vaping", "dumping", "way", "war"}
    | {"pain", "time", "name", "signal", "internet", "waste", "plastic", "poverty", "hunger", "limits", "found"}
    | {"allowed", "guilty", "enter", "touch", "disturb", "problem", "problems", "doubt", "idea", "worries", "worry"}
    | {"matter", "comment", "thanks", "vacancy", "mercy", "excuses", "limit", "deal", "fear", "regrets"}
)
"""What is called by its "no" or "not": a no-parking zone, no pain no gain, do not disturb, no problem."""
_LITTLE = {"and", "the", "of"}
_CATEGORIES = {
    word: category.slug
    for category in CATEGORIES
    for word in re.findall(r"[a-z]+", category.name.lower())
    if word not in _LITTLE
}
_GLUED = re.compile(
    r"""((?!yes\W).*\w[^\w\s"'-][^\w\s"']*|[^\w\s"']*-+|-*"[^"]*"-*)(no|not|without|w/o|w/out|minus|exclud(?:e|ing)|except)""",
    re.IGNORECASE,
)
"""A sign before a negation that is no part of it: "beach,no people", "beach -no people"."""
_LONG_DASH = re.compile(r"(?<=\w)[\u2012-\u2015](?=(?:no|not|without)\s)", re.IGNORECASE)
_GLUED_OTHERWISE = re.compile(r"\W(?:no|not|without)$")
"""May be a negation or a name: "beach-no people", "yes-no question"."""
_EXACT = re.compile(r'"|(?:^|\s)-\w|\s(?:or|OR)\s')
"""Quotes, a minus and `or` say exactly what is wanted."""
_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"|")+')
"""What stands between spaces, a phrase in one."""
_MINUS = re.compile(r"(?<![^\W_])(?P<minus>-+)(?!-*>)(?P<apart>\s*)[\W_]*?(?P<word>[^\W_]+)")
"""A minus, or a dash between spaces, and the word behind it; an arrow is none."""
_FACE = re.compile(r"(?<!\S)[:;=8]-\w(?!\w)")
_SPACED_DASH = re.compile(r"(?<=\s)[\u2012-\u2015](?=\s)")
"""Nobody's minus."""
_WITHIN_A_NAME = re.compile(r"[-./&+_ ]")
_PHRASE = re.compile(r'"[^"]*[^\W_][^"]*"')


MOST_LOOK_UPS = 4
"""How many words of a query are looked up before they are corrected, in one round trip. A query with more that are
neither the catalogue's nor English has no slips: it is of another language, or made up, and stays as it is."""


@dataclass(frozen=True)
class Wanted:
    """What a picture gains by having."""

    colours: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    """The query's words, for tags that are exactly one of them or all of them."""


@dataclass(frozen=True)
class Understood:
    """A query made ready for the engines."""

    text: str
    """The words as a person would type them; empty where there are none."""
    words: Words
    """The same for the engines, synonyms among them."""
    filters: Filters
    wanted: Wanted = field(default_factory=Wanted)
    spelling: Spelling | None = None
    interpreted: tuple[Interpretation, ...] = ()
    synonyms: tuple[Synonyms, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What is done to queries; each can be left out, to measure what it brings."""

    spelling: bool = True
    synonyms: bool = True
    interpretation: bool = True


class QueryReader:
    """Reads queries. `speller` gives None while the catalogue's words are still being loaded."""

    def __init__(
        self,
        speller: Callable[[], Speller | None] = lambda: None,
        synonyms: Mapping[str, tuple[str, ...]] | None = None,
        reading: Reading | None = None,
    ) -> None:
        """`synonyms` are the shipped lists where None."""
        self._speller = speller
        self._synonyms = synonyms
        self._reading = reading or Reading()

    def read(self, query: SearchQuery, present: Callable[[Collection[str]], Collection[str]]) -> Understood:
        """What to ask the engines. `present` says which of some words pictures have, and is asked at most once: of
        those that would be corrected, of which none that pictures have is."""
        asked = read(query.q)
        typed = query.q if asked.groups or asked.image_id else ""  # signs alone are no words
        if not typed or query.verbatim or asked.image_id:
            told = [_unread(query.q)] if query.q and not typed else _lost(typed, asked, [])
            return Understood(typed, asked, query.filters(), interpreted=tuple(told))
        text, filters, interpreted, denied = alike(typed), query.filters(), [], frozenset[str]()
        if self._reading.interpretation:
            text, filters, interpreted, denied = _without_unwanted(alike(_LONG_DASH.sub(", ", typed)), filters)
        interpreted += _lost(typed, read(text), interpreted)
        if _EXACT.search(text) or not read(text).plain:
            return Understood(text, read(text), filters, interpreted=tuple(interpreted))
        words = text.split()
        wanted = Wanted(words=frozenset(word.lower() for word in words))
        if self._reading.interpretation:
            words, filters, more, wanted = _interpret(words, filters, denied)
            interpreted += more
        spelling = None
        if self._reading.spelling and (speller := self._speller()) is not None:
            corrected = _corrected(words, speller, present)
            if corrected != words:
                spelling = Spelling(asked=" ".join(words), searched=" ".join(corrected))
                words = corrected
        instead: dict[str, tuple[str, ...]] = {}
        if self._reading.synonyms:
            known = lists.shipped() if self._synonyms is None else self._synonyms
            instead = lists.alternatives([word for word in words if word.lower() not in COLOURS], known)
            if (speller := self._speller()) is not None:
                instead = _in_the_catalogue(instead, speller)
        searched = " ".join(words)
        return Understood(
            text=searched,
            words=read(searched).with_synonyms(instead),
            filters=filters,
            wanted=wanted,
            spelling=spelling,
            interpreted=tuple(interpreted),
            synonyms=tuple(Synonyms(word=word, instead=list(others)) for word, others in instead.items()),
        )


def _in_the_catalogue(instead: dict[str, tuple[str, ...]], speller: Speller) -> dict[str, tuple[str, ...]]:
    """The synonyms that pictures have; others find nothing and only puzzle."""
    held = {word: tuple(other for other in others if speller.has(other)) for word, others in instead.items()}
    return {word: others for word, others in held.items() if others}


def _without_unwanted(text: str, filters: Filters) -> tuple[str, Filters, list[Interpretation], frozenset[str]]:
    """Negations as a filter or a minus: "street without people", "beach no umbrellas", "crowd-free square", "nobody".

    No people becomes the filter, unless the query filters by people itself. Signs and symbols that say no ("no smoking
    sign") are looked for as they are called, and so is what nothing else stands beside ("no problem"): who wants the
    whole catalogue but one thing writes a minus. Where it is not sure what is left out, the words stay words. The last
    that is returned are the words behind such a negation, by which no picture may gain.
    """
    told: list[Interpretation] = []
    chosen = filters
    unwanted: list[str] = []
    kept: list[str] = []
    denied: set[str] = set()
    text = with_quotes_closed(text)  # one that nothing closes would take in what is added behind it
    words = _tokens(text)
    shows_a_sign = not _SIGNS_THAT_SAY_NO.isdisjoint(word.lower() for word in words)
    alone = False
    place = 0
    while place < len(words):
        read_as = _negation(words[place:], shows_a_sign=shows_a_sign)
        before = kept[-1].lower() if kept else ""
        sentence = before == "or" or (before in _SAYS and words[place].lower() == "not")
        if not read_as.named or sentence:
            if read_as.span:
                denied |= {word.lower().strip(_MARKS) for word in words[place:]}
            doubted = read_as.doubted or (read_as.named if sentence and words[place] != "NOT" else ())
            told += [
                _unread(" ".join(words[place : place + read_as.span]), each and f"-{each}") for each in doubted[:1]
            ]
            kept.append(words[place])
            place += 1
            continue
        said = " ".join(words[place : place + read_as.span])
        if words[place + read_as.span - 1].endswith(","):  # may be a list that goes on, or what is wanted beside
            denied |= {word.lower().strip(_MARKS) for word in words[place + read_as.span :]} - set(_SHAPES)
        place += read_as.span
        if before in _ALL and read_as.strong:
            kept.pop()
            alone = True
        alone = alone or (read_as.strong and len(read_as.named) > 1)
        for each in read_as.named:
            if each not in _PEOPLE:
                unwanted.append(each)
                told.append(Interpretation(words=said, parameter="q", value=f"-{each}", effect="exclusion"))
            elif filters.people is None:
                filters = Filters.model_validate(filters.model_dump() | {"people": False})
                told.append(Interpretation(words=said, parameter="people", value="false", effect="filter"))
    shown = alone or any(not clause.excluded for group in read(" ".join(kept)).groups for clause in group)
    if unwanted and not shown and filters == chosen:
        unread = _as_read(text, told)
        return text, chosen, unread, frozenset(word.lower().strip(_MARKS) for word in words)
    while unwanted and kept and (kept[-1].lower() == "or" or not read(kept[-1]).groups):
        kept.pop()  # with what is left out it would be an alternative
    without = [f"-{each}" for each in unwanted]
    made = " ".join([*kept, *without])
    if _as_read(made, told) != told:  # "cat or NOT in"
        made = " ".join([*without, *kept])
    return made, filters, _as_read(made, told), frozenset(denied)


def _as_read(text: str, told: list[Interpretation]) -> list[Interpretation]:
    """What is told, as unread what the text does not leave out of all results."""
    excluded = (group[0] for group in read(text).groups if len(group) == 1 and group[0].excluded)
    without = {f"-{clause.text.lower()}" for clause in excluded}
    return [
        _unread(each.words, each.value)
        if each.effect == "exclusion" and each.value.replace('"', "") not in without
        else each
        for each in told
    ]


def _lost(typed: str, asked: Words, told: Sequence[Interpretation]) -> list[Interpretation]:
    """What was typed behind a minus and is not left out, or only as one name ("-cat-dog"), as unread."""
    lost: list[Interpretation] = []
    excluded = [clause for group in asked.groups for clause in group if clause.excluded]
    said = {each.words for each in told}
    without = {word for clause in excluded for word in re.findall(r"[^\W_]+", clause.text.lower())}
    text = with_quotes_closed(alike(_SPACED_DASH.sub(",", typed)))
    for minus in _MINUS.finditer(_FACE.sub("   ", text)):
        word, start = minus["word"].lower(), minus.start()
        quoted = text.count('"', 0, start) % 2 == 1
        dash = bool(minus["apart"]) and (quoted or word[0].isdigit())  # "Paris - France", 1939 - 1945
        if word not in without and not dash and not (quoted and text[start - 1] != '"') and minus[0] not in said:
            lost.append(_unread(minus[0], f"-{word}"))
    for clause in excluded:
        parts = _WITHIN_A_NAME.split(clause.text)
        known = clause.phrase or clause.write() in {each.value for each in told}
        if not known and len(parts) > 1 and all(_may_be_a_thing(part) for part in parts):
            lost.append(_unread(clause.write(), " ".join(f"-{part.lower()}" for part in parts)))
    return lost


def _may_be_a_thing(part: str) -> bool:
    return len(part) > 2 and part.isalpha() and part.lower() not in NEVER_ALONE


def _unread(words: str, instead: str = "") -> Interpretation:
    """What was not read as more than words; `instead` would say what it may have meant."""
    return Interpretation(words=words, parameter="q", value=instead, effect="unread")


def _tokens(text: str) -> list[str]:
    """What stands between spaces, a negation by itself."""
    found: list[str] = []
    tokens = _TOKEN.findall(text)
    for place, token in enumerate(tokens):
        glued = _GLUED.fullmatch(token) if place + 1 < len(tokens) else None
        found += [part for part in glued.groups() if part.strip("-")] if glued else [token]
    return found


class _Negation(NamedTuple):
    """The beginning of some words, as a negation."""

    span: int = 0
    """How many of them it is, or may be; 0 where they are none."""
    named: Sequence[str] = ()
    """What it does not want: nothing where that is not sure."""
    doubted: Sequence[str] = ()
    """What it may not want, where that is not sure; "" where it is no thing."""
    strong: bool = False
    """Whether nobody is called so: "without", "neither ... nor", `NOT`."""


def _negation(words: list[str], *, shows_a_sign: bool) -> _Negation:
    first = words[0].lower().lstrip(_OPENING)
    second = words[1].lower() if len(words) > 1 else ""
    bare = first.strip(_MARKS)
    if bare in _NOBODY:
        return _Negation(1, ["people"])
    if first == "no" and second.strip(_MARKS) in {"one", "body"}:
        return _Negation(2, ["people"])
    before, joint, behind = bare.partition("-")
    if joint and behind in {"free", "less"} and _often_absent(before):
        return _Negation(1, [before])
    if joint and before in {"no", "non", *_NONE_OF} and _often_absent(behind):
        return _Negation(1, [behind])
    if second.strip(_MARKS) == "free" and first in _FREE_OF and not (words[2:] and words[2].lower() in _NOT_FREE_OF):
        return _Negation(2, [first])
    # "NOT FOR SALE" is a sentence in capitals, "mountains NOT in the mist" is none.
    operator = words[0].lstrip(_OPENING) == "NOT"
    strong = operator or first in _WITHOUT
    of = first in _WITHOUT_ANY_OF and (second == "of" or (first, second) == ("free", "from"))
    none = of or first in _NONE_OF
    if not strong and not none and first not in {"no", "not", "neither"}:
        return _Negation(1 if _GLUED_OTHERWISE.search(first) else 0)
    passed_over = _WORDS_BETWEEN if (strong or none) and not operator else _ARTICLES
    place = 2 if of else 1
    while place < len(words) and (
        words[place].lower() in passed_over
        or not words[place].strip("([{\"'")
        or (operator and words[place] in STOP_WORDS and words[place].islower())
    ):
        place += 1
    place, named = _list(
        words, place, commas=strong, joints={"and", "or", "nor"} if operator else {"and", "or", "OR", "nor"}
    )
    following = words[place].lower().strip(_MARKS) if place < len(words) else ""
    for word in named:
        called = not strong and (shows_a_sign or word in _FORBIDDEN or word.isdigit())
        if word in _SHAPES and not called and not none and not operator:
            return _Negation(place, doubted=("",))
        if called or word in _SHAPES or (none and not _often_absent(word)):
            return _Negation(1)
    if operator and words[place : place + 1] == ["OR"]:
        return _Negation()
    if operator and not named and " ".join(words[1:place]).islower():
        return _Negation(place, doubted=("",))
    if not named and not none and not operator and (meant := _minuses(following)):
        return _Negation(place + 1, doubted=(meant.removeprefix("-"),))
    if not named or (following in _FORBIDDEN and not operator):
        return _Negation(1)
    if first == "neither" and len(named) < 2:
        return _Negation(place, doubted=named)
    if not operator and not words[place - 1].endswith(tuple(_MARKS)) and _may_be_one_name(named[-1], following):
        return _Negation(place + 1, doubted=() if none else (f'"{named[-1]} {following}"',))
    return _Negation(place, named, strong=strong or first == "neither")


def _list(words: list[str], place: int, *, commas: bool, joints: Collection[str]) -> tuple[int, list[str]]:
    """The things that begin at a place, which `joints` join, and where they end. Commas join them where
    "or" or "nor" does so at last, and with `commas` what is many or often absent: "no people, black and white" and
    "without umbrellas, sunset" are no such lists."""
    named: list[str] = []
    sure, joined = (place, named[:]), True
    while place < len(words) and (thing := _thing(words[place])):
        named.append(thing)
        comma = words[place].endswith(",")
        place += 1
        if joined or (commas and len(named) - len(sure[1]) == 1 and _of_a_list(thing)):
            sure = (place, named[:])
        joint = words[place] if place < len(words) else ""
        joined = joint in joints and (joint != "and" or named == sure[1])
        if joined:
            place += 1
            while place < len(words) and words[place].lower() in _ARTICLES:
                place += 1
        elif not comma:
            break
    return sure


def _minuses(word: str) -> str:
    """What would leave out the things that a word with signs in it names ("people/cars", "#cars"); empty where it names
    none."""
    clauses = [clause for group in read(f"-{word}").groups for clause in group]
    things = all(each.excluded and not {each.text.lower()} & (_NOT_A_THING | _FORBIDDEN) for each in clauses)
    return " ".join(each.write() for each in clauses) if things else ""


def _of_a_list(thing: str) -> bool:
    return _often_absent(thing) or (thing.endswith("s") and not thing.endswith("ss"))


def _thing(word: str) -> str:
    """What a word names that a picture may show; empty where nothing."""
    bare = word.lower().lstrip(_OPENING).rstrip(_MARKS)
    groups = read(bare).groups
    one = (
        len(groups) == 1 == len(groups[0]) == len(read(f"-{bare}").groups)
        and groups[0][0].write() == bare
        and not groups[0][0].excluded
    )
    return bare if one and bare not in _NOT_A_THING else ""


def _may_be_one_name(word: str, following: str) -> bool:
    """Whether a word may only tell more of the next: "parked cars", "no right turn"; what often is absent and what is
    many does not."""
    if not following or following in _WITHOUT | _NOBODY or word.startswith('"'):
        return False
    if following in STOP_WORDS:
        return following == "of"
    return not _often_absent(word) and (not word.endswith("s") or word.endswith("ss"))


def _often_absent(word: str) -> bool:
    return word in _PEOPLE or word in _OFTEN_ABSENT or word.removesuffix("s") in _OFTEN_ABSENT


def _corrected(words: list[str], speller: Speller, present: Callable[[Collection[str]], Collection[str]]) -> list[str]:
    better = {word: nearest for word in words if (nearest := speller.correct(word)) is not None}
    if not better or len(better) > MOST_LOOK_UPS:
        return words
    kept = present(better)
    return [word if word in kept else better.get(word, word) for word in words]


def _interpret(
    words: list[str], filters: Filters, denied: frozenset[str]
) -> tuple[list[str], Filters, list[Interpretation], Wanted]:
    """A shape becomes a filter and is no word any more, unless the query filters by shape itself; colours
    and categories stay words, and pictures that have them come further up. Words of a negation that was not read
    (`denied`) do nothing of this."""
    kept: list[str] = []
    told: list[Interpretation] = []
    shape: str | None = None
    place = 0
    while place < len(words):
        word, following = words[place].lower(), words[place + 1].lower() if place + 1 < len(words) else ""
        named = _SHAPES.get(word) or (_SHAPES_OF_A_PICTURE.get(word) if following in _FORMATS else None)
        if named and word not in denied and shape is None and not filters.orientation:
            shape = named
            span = 2 if following in _FORMATS else 1
            said = " ".join(words[place : place + span])
            told.append(Interpretation(words=said, parameter="orientation", value=named, effect="filter"))
            place += span
            continue
        kept.append(words[place])
        place += 1
    lower = [word.lower() for word in kept if word.lower().strip(_MARKS) not in denied]
    colours = {word: COLOURS[word] for word in lower if word in COLOURS}
    categories = {word: _CATEGORIES[word] for word in lower if word in _CATEGORIES}
    told += [Interpretation(words=w, parameter="color", value=v, effect="boost") for w, v in colours.items()]
    told += [Interpretation(words=w, parameter="category", value=v, effect="boost") for w, v in categories.items()]
    if shape:
        filters = Filters.model_validate(filters.model_dump() | {"orientation": [shape]})
    wanted = Wanted(frozenset(colours.values()), frozenset(categories.values()), frozenset(lower))
    return kept, filters, told, wanted
