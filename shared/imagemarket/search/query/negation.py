"""What a query says not to show: "street without people", "beach no umbrellas", "crowd-free square", "nobody".

A negation is a cue and the things behind it, one or a list:

    negation = cue {article} thing {joint [cue] thing}

- What follows a **sure** cue ("without", "except", "other than") or the operator `NOT` is left out.
- A cue that **counts** ("zero", "sans", "lack of") leaves out what is many or often absent: "zero dogs"; "zero gravity"
  is a name.
- "No", "not" and "neither" are **weak**: a sentence ("this is not a pipe") and a sign that says no leave nothing out.

What cues leave out they leave out of pictures that do not say the same themselves: "no strings attached" finds the
picture of that title. So no list of names is needed. Where it is not sure which thing is meant ("without parked cars"),
the words stay words, and it is told what would leave it out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from imagemarket.search.query.spelling import PARTICLES, english_words
from imagemarket.search.query.synonyms import singulars
from imagemarket.search.query.syntax import Words, read, signs_apart, with_quotes_closed
from imagemarket.search.query.words import NEVER_ALONE, STOP_WORDS, alike, other_numbers
from imagemarket.search.result import Interpretation

_DATA = Path(__file__).with_name("data")
TWO_WORD_NOUNS = _DATA / "two_word_nouns.txt"
MORE_TWO_WORD_NOUNS = _DATA / "more_two_word_nouns.txt"

_SURE = frozenset({"without", "w/o", "w/out", "minus", "exclude", "excludes", "excluding", "except"})
_SURE_PAIRS = frozenset(
    {(first, "of") for first in ("free", "devoid", "void", "empty", "clear", "bare", "instead")}
    | {(first, "from") for first in ("free", "apart", "aside")}
    | {(first, "than") for first in ("other", "rather")}
)
_COUNTS = frozenset({"sans", "zero", "0", "lacking", "lacks"})
_COUNTS_PAIRS = frozenset({("absence", "of"), ("lack", "of")})
_PAIRS = _SURE_PAIRS | _COUNTS_PAIRS
_WEAK = frozenset({"no", "not", "neither"})
_HAVING = frozenset(
    "have has having had got contain contains containing include includes including show shows showing"  # noqa: SIM905 - shorter
    " feature features featuring".split()
)
"""Verbs that say what a picture has: not to have something is to be without it."""
_CONTAINING = frozenset(
    {"contain", "contains", "containing", "include", "includes", "including", "showing", "featuring"}
)
"""Those of them that are nothing else; "shows" and "features" may be things."""
_VERBS = frozenset({"has", "have", "filter_by_terms", "had", "is", "are", "was", "were"})
_BEFORE_A_VERB = (frozenset({"there"}), frozenset({"that", "which", "who", "where"}))
"""With a verb they begin the clause of a negation, the nearest first: "lake where there are no ducks"."""
_ALL = frozenset({"all", "anything", "everything"})
"""Before "without", "except" and "but" they say that nothing else is asked."""
_NOBODY = frozenset({"nobody", "noone", "no-one", "no-body", "unpeopled", "peopleless"})
_NOBODY_IN_OTHER_LANGUAGES = frozenset({f"menschenleer{ending}" for ending in ("", "e", "em", "en", "er", "es")})
"""Words that say so by themselves."""
CUES = _SURE | _NOBODY
"""Words that leave something out by themselves."""
_IN_THE_PICTURE = frozenset(
    tuple(said.split())
    for said in (
        *("in it", "there", "around", "visible", "in sight", "in view", "in frame", "in shot", "in the frame"),
        *("in the shot", "in the picture", "in the photo", "in the image", "in the scene"),
        *("anywhere", "at all", "whatsoever"),
    )
)
"""Behind what is not wanted, at the end, they say no more than that: "nobody in it", "no cars around"."""
_CALLED = frozenset({"mr", "mrs", "ms", "miss", "dr", "sir", "lady"})
"""Before "nobody" they make it a name."""
PEOPLE = frozenset(
    "people person persons human humans peoples anyone anybody somebody someone folks individuals".split()  # noqa: SIM905 - shorter
)
_OF_A_HUMAN = frozenset({"being", "beings", "figure", "figures", "presence"})
"""What is people as well behind "human"."""
_IN_OTHER_LANGUAGES = frozenset(
    "ohne keine kein sin sans senza sem zonder geen \u0431\u0435\u0437".split()  # noqa: SIM905 - shorter
)
"""Cues of German, Spanish, French, Italian, Portuguese, Dutch and Russian."""
_PEOPLE_IN_OTHER_LANGUAGES = frozenset(
    "menschen mensch leute personen person jemanden gente personas persona nadie personne personnes gens persone"  # noqa: SIM905 - shorter
    " nessuno pessoas pessoa ningu\u00e9m ninguem mensen \u043b\u044e\u0434\u0435\u0439".split()
)
_ARTICLES_IN_OTHER_LANGUAGES = frozenset(
    "die der den das andere la las el los ninguna ning\u00fan alguna le les une un aucune autres il gli le nessuna"  # noqa: SIM905 - shorter
    " altre as os a o nenhuma outras de een andere".split()
)
_JOINTS_IN_OTHER_LANGUAGES = frozenset({"und", "oder", "y", "o", "et", "ou", "e", "en", "of", "ni", "\u0438"})
_OFTEN_ABSENT = frozenset({"crowd", "car", "traffic", "cloud", "clutter", "text", "logo", "watermark"})
"""What "-free" and "no-" leave out; "sugar-free" and "hands-free" name something."""
_FREE_OF = PEOPLE | {"crowd", "car", "traffic", "cloud", "clutter"}
"""What "people free beach" leaves out; "logo free" may be a logo that costs nothing."""
_WHOSE = frozenset({"kids", "girls", "boys", "ladies", "babies"})
"""Whose things are called by them, often without an apostrophe: "kids toys"."""
_NOT_FREE_OF = frozenset(
    "climb climber climbers dive diver divers fall kick solo style spirit spirits time speech to from of in download"  # noqa: SIM905 - shorter
    " downloads stock photo photos image images picture pictures vector vectors clipart png psd svg icon icons template"
    " templates use wifi entry".split()
)
"""After "people free": what people do freely, with every word that ends in -ing, and what costs nothing."""
_ONE_IN_S = frozenset(
    "times sports arms sales customs goods savings news lens series species mars wales alps naples james hercules texas"  # noqa: SIM905 - shorter
    " christmas gymnastics athletics politics graphics electronics physics mathematics economics bahamas xmas us"
    " headquarters kansas athens mens womens atlas cosmos angeles states".split()
)
"""What ends as a plural of an English word and is none, or tells more of the next word all the same: "times square"."""
_OPENING, MARKS = "([{", ".,;:!?()[]{}"
_BACKGROUND = frozenset({"background", "backgrounds", "backdrop"})
"""Who wants none wants what stands by itself, which texts call "isolated on a transparent background"."""
_ARTICLES = frozenset({"a", "an", "any", "the", "other", "many", "more", "visible", "single", "either", "both"})
_WHOSE_OR_WHICH = frozenset(
    "my your our its his her their own this that these those".split()  # noqa: SIM905 - shorter
)
_WORDS_BETWEEN = (
    _ARTICLES
    | _WHOSE_OR_WHICH
    | frozenset("all such some one few most lot lots of so as too very much even just only for having".split())  # noqa: SIM905 - shorter
)
"""What may stand between "without" and what it leaves out; "not for" and "not all" begin a sentence."""
_ALTERNATIVES = frozenset({"or", "OR", "nor", "and/or"})
_JOINTS = _ALTERNATIVES | {"and", "&", "+", "/"}
_AS_WELL_AS = ("as", "well", "as")
_SAYS = frozenset("is are was were am be it's that's do does did can will or me i you he she we they".split())  # noqa: SIM905 - shorter
"""Before "not" they make a sentence ("this is not a pipe", "forget me not"), which leaves nothing out."""
_OF_A_VERB = frozenset(
    {"at", "in", "by", "to", "for", "with", "on", "into", "of", "up", "a", "an", "the", "any", "his", "her"}
)
"""Behind "not" and a word, or behind a word in -ing, they make a verb of it ("not looking at the camera", "not wearing
a mask")."""
_ALLOWS = frozenset({"allowed", "permitted", "please", "beyond"})
"""Behind what a sign forbids."""
_WHERE = frozenset({"in", "on", "at", "with", "from", "near", "under", "behind", "inside", "during"})
"""Behind "not" and "except" they tell where, when or with what it is not: "not at sunset"."""
_SIGNS_THAT_SAY_NO = frozenset({"sign", "signs", "symbol", "symbols", "icon", "icons", "warning", "label"})
_NOT_A_THING = (
    STOP_WORDS
    | NEVER_ALONE
    | _SURE
    | _WEAK
    | _COUNTS
    | frozenset(
        "him from could even yet quite really always ever never every everyone everything everybody enough sure also"  # noqa: SIM905 - shorter
        " either again longer would".split()
    )
)
"""What no picture shows: "not for sale" and "not only" leave nothing out."""
_NOT_WITHIN = re.compile(r"(?:\w+n't|(?:are|is|do|does|did|was|were|has|have|had)nt)", re.IGNORECASE)
"""A word that says "not" in a sentence, as "aren't" does."""
_IN_APOSTROPHES = re.compile(
    r"""(?<!\S)((?:no|not|without|w/o|w/out|minus|except|excluding|(?:free|devoid|void) of|other than)\s+)"""
    r"""'(?=[^\s'])((?:[^'"]|'(?=\w))*)'(?!\w)""",
    re.IGNORECASE,
)
"""A phrase behind a cue in apostrophes, which elsewhere are none."""
_GLUED = re.compile(
    r"""((?!yes\W).*\w[^\w\s"'-][^\w\s"']*|[^\w\s"']*-+|-*"[^"]*"-*)"""
    r"""(no|not|without|w/o|w/out|minus|exclud(?:e|ing)|except)""",
    re.IGNORECASE,
)
"""A sign before a cue that is no part of it: "beach,no people", "beach -no people"."""
_SIGN_BEFORE_A_CUE = re.compile(
    r"(?<=\w)(?<!\byes)(?:[\u2012-\u2015](?=not\s)|(?:[\u2012-\u2015]|\s*[/|\\]\s*)(?=(?:no|without|(?-i:not))\s))",
    re.IGNORECASE,
)
"""A sign between a word and the cue behind it: "beach\u2014no people", "no people/no animals"."""
_BRACKET = re.compile(r"(?<!\S)(no|not|without)(?=[(\[{])", re.IGNORECASE)
_GLUED_OTHERWISE = re.compile(r"\W(?:no|not|without)$")
"""May be a cue or a name: "beach-no people", "yes-no question"."""
_LISTED = re.compile(r"""(?:(?<=[^\W\d_])|(?<="))([,;])(?=[^\W\d_]|")(?=(?:[^"]*"[^"]*")*[^"]*$)""")
"""Between things that stand side by side, outside of quotes: "dogs,cats"."""
_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"|")+')
"""What stands between spaces, a phrase in one."""
_MINUS = re.compile(r"(?<![^\W_])(?P<minus>-+)(?!-*>)(?P<apart>\s*)[\W_]*?(?P<word>[^\W_]+)")
"""A minus, or a dash between spaces, and the word behind it; an arrow is none."""
_FACE = re.compile(r"(?<!\S)[:;=8]-\w(?!\w)")
_SPACED_DASH = re.compile(r"(?<=\s)[\u2012-\u2015](?=\s)")
"""Nobody's minus."""
_WITHIN_A_NAME = re.compile(r"[-./&+_ ]")
_WAYS_TO_SAY_SO = ("{} free", "no {}", "without {}", "non {}", "zero {}", "free of {}", "free from {}")
"""How a picture says that it is without something, whatever the query said."""
_LEAST_OF_A_PART = 3
"""How many letters a part of a word has at least: "no cat in" has none of "catin"."""
_MOST_SPARED = 24
"""How many phrases of pictures that say the same a query spares, shared by its things; what engines take of a query
has an end."""


@dataclass(frozen=True)
class Asked:
    """A query without its negations."""

    kept: str
    """The words that remain, as they were typed."""
    without: tuple[str, ...] = ()
    """What is left out, each with a minus."""
    first: bool = False
    """Whether what is left out has to stand before the rest, whose end would change it: "cat or NOT in"."""
    spared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By what is left out, how pictures say the same that are not."""
    nobody: bool = False
    """Whether no people are wanted."""
    told: tuple[Interpretation, ...] = ()
    foreign: bool = False
    """Whether a negation is of another language than English, whose words are no slips."""
    denied: frozenset[str] = frozenset()
    """Words behind a cue that was not read, for which no image is boosted."""

    @property
    def said_in_words(self) -> tuple[str, ...]:
        """The words left out that stand behind a word; who writes a minus or `NOT` says exactly what is not wanted."""
        said = (each for each in self.told if each.effect == "exclusion" and not each.words.startswith("NOT"))
        return tuple(each.value[1:] for each in said if each.value[1:].isalpha())

    def with_rest(self, kept: str) -> str:
        """The query, the words that remain put otherwise."""
        parts = (*self.without, kept) if self.first else (kept, *self.without)
        return " ".join(part for part in parts if part)

    @property
    def text(self) -> str:
        """The query with a minus for each negation."""
        return self.with_rest(self.kept)

    def sparing(self, words: Words) -> Words:
        """The words with what they spare."""
        return words.sparing(self.spared)


class _Cue(NamedTuple):
    span: int
    kind: Literal["operator", "sure", "counts", "weak"]
    alone: bool = False
    having: bool = False


class _Negation(NamedTuple):
    """The beginning of some words, as a negation."""

    span: int = 0
    """How many of them it is, or may be; 0 where they are none."""
    named: Sequence[str] = ()
    """What it does not want: nothing where that is not sure."""
    advice: str | None = None
    """What would leave out what it may not want, where that is not sure; empty where nothing would, None where it
    leaves nothing out in any reading."""
    cue: str = ""
    """What says so: "without", "free of"; empty where the things stand within it."""
    strong: bool = False
    """Whether nobody is called so: "without", "neither ... nor", `NOT`."""
    operator: bool = False
    alone: bool = False
    foreign: bool = False
    compound: bool = False
    """Whether it is one word that may be a name: "sugar-free"."""
    superfluous: bool = False
    """Whether an operator follows, which says the same: "no -dogs"."""
    having: bool = False
    """Whether a verb says it: "does not have dogs"."""


def without_negations(typed: str, *, people: bool | None, shapes: Collection[str]) -> Asked:
    """Reads negations. People are left out by their filter, where the query has none of its own (`people`). Where
    nothing else is asked ("no problem") the words stay words: who wants the whole catalogue but one thing writes a
    minus. `shapes` are words that a picture cannot be said to be without."""
    text = _IN_APOSTROPHES.sub(r'\1"\2"', alike(_SIGN_BEFORE_A_CUE.sub(", ", typed)))
    text = _BRACKET.sub(r"\1 ", signs_apart(text))
    text = with_quotes_closed(text)  # an open quote would take in what is added behind it
    words = _tokens(text)
    told: list[Interpretation] = []
    unwanted: list[str] = []
    spared: dict[str, tuple[str, ...]] = {}
    kept: list[str] = []
    denied: set[str] = set()
    listed: list[str] = []
    alone = nobody = after_negation = joined = foreign = False
    place = 0
    while place < len(words):
        read_as = _negation(words[place:], shapes=shapes)
        if after_negation and words[place] in _JOINTS and place + 1 < len(words):
            following = _negation(words[place + 1 :], shapes=shapes)
            if following.named or words[place + 1][0] == "-":  # "without dogs and without cats"
                place, read_as, joined = place + 1, following, True
        before = _bare(kept[-1]) if kept else ""
        if words[place].lower() == "no" and _answers(kept, words[place + 1 :]):
            read_as = _Negation()  # an answer: "yes and no buttons"
        foreign = foreign or read_as.foreign
        if read_as.superfluous and before != "or":
            place += read_as.span
            continue
        sentence = before in _SAYS and words[place].lower() == "not"
        sentence = sentence or _NOT_WITHIN.fullmatch(words[place]) is not None
        sentence = before == "or" or (sentence and not read_as.having)
        twice = bool(kept) and kept[-1].lower() in _WEAK | _SURE  # "not without dogs"
        sentence = sentence or (twice and not read_as.operator)
        if not read_as.named or sentence or (before in _CALLED and read_as.span == 1):
            advice = read_as.advice
            if sentence and read_as.named and not read_as.operator:
                advice = _minus(read_as.named)
            if read_as.span:
                denied |= {_bare(word) for word in words[place:]}
            if advice is not None and not (read_as.compound and len(words) == 1):  # "sugar-free" is a kind of food
                told.append(unread(" ".join(words[place : place + read_as.span]), advice))
            after_negation = False
            behind = place + (_not_having(words[place:]) or 1)
            kept += words[place:behind]
            place = behind
            continue
        typed_as = words[place : place + read_as.span]
        said = " ".join(typed_as)
        if typed_as[-1].endswith(","):  # may be a list that goes on, or what is wanted beside
            denied |= {_bare(word) for word in words[place + read_as.span :]} - set(shapes)
        place += read_as.span
        if _in_the_picture(words[place:]):
            place = len(words)
        kept = _without_clause(kept, verb=read_as.having)
        if before in _ALL and read_as.strong:
            kept.pop()
            alone = True
        # "no dogs, no cats" is a list, "no pain, no gain" a name
        listed = [*listed, *read_as.named] if after_negation else [*read_as.named]
        several = joined and len(listed) > 1 and (read_as.strong or all(map(_of_a_list, listed)))
        alone = alone or read_as.alone or several or (read_as.strong and len(read_as.named) > 1)
        joined, after_negation = typed_as[-1].endswith((",", ";")), True
        for each in read_as.named:
            if each not in PEOPLE:
                unwanted += [each, *_as_two_words(each)]
                told.append(Interpretation(words=said, parameter="q", value=f"-{each}", effect="exclusion"))
                if read_as.operator:
                    spared[each] = ()
                else:
                    spared.setdefault(each, _same_said(said, read_as.cue, each))
            elif people is None:
                if not nobody or told[-1].words != said:
                    told.append(Interpretation(words=said, parameter="people", value="false", effect="filter"))
                nobody = True
    things_sparing = sum(map(bool, spared.values())) or 1
    spared = {each: phrases[: _MOST_SPARED // things_sparing] for each, phrases in spared.items()}
    if unwanted or nobody:
        kept = [] if all(word.lower() in STOP_WORDS for word in kept) else kept  # "with no people"
    shown = alone or nobody or any(not clause.excluded for g in read(" ".join(kept)).groups for clause in g)
    if unwanted and not shown:
        unread_now = tuple(unread(each.words, each.value) if each.effect == "exclusion" else each for each in told)
        asked = Asked(text, told=unread_now, foreign=foreign, denied=frozenset(map(_bare, words)))
    else:
        while unwanted and kept and (_bare(kept[-1]) == "or" or not read(kept[-1]).groups):
            kept.pop()  # with what is left out it would be an alternative
        without = tuple(f"-{each}" for each in unwanted)
        first = bool({each.replace('"', "") for each in without} - _left_out(" ".join([*kept, *without])))
        asked = Asked(" ".join(kept), without, first, spared, nobody, tuple(told), foreign, frozenset(denied))
    left_out = _left_out(asked.text)
    told = [each for each in asked.told if each.effect != "exclusion" or each.value.replace('"', "") in left_out]
    told += [unread(each.words, each.value) for each in asked.told if each not in told]
    return replace(asked, told=tuple(told), nobody=nobody)


def people_by_filter(asked: Asked) -> tuple[Asked, list[Interpretation]]:
    """The query, people left out by their filter where a minus does; and what is told of it. By the word alone the
    picture that says "without people" would be left out, and the one of a woman would not."""
    without: list[str] = []
    told: list[Interpretation] = []
    for each in asked.without:
        named = [clause for group in read(each).groups for clause in group]
        others = [clause.write() for clause in named if clause.text.lower() not in PEOPLE]
        if len(others) < len(named):
            told.append(Interpretation(words=each, parameter="people", value="false", effect="filter"))
        without += others if len(others) < len(named) else [each]
    return replace(asked, without=tuple(without), nobody=asked.nobody or bool(told)), told


def untold(typed: str, asked: Words, told: Sequence[Interpretation]) -> list[Interpretation]:
    """All that is told: with what was typed behind a minus and is not left out, or only as one name ("-cat-dog"), and
    without what is left out after all ("no -dogs")."""
    lost: list[Interpretation] = []
    excluded = [clause for group in asked.groups for clause in group if clause.excluded]
    said = {each.words for each in told}
    names = {word for clause in excluded for word in _letters(clause.text)}
    text = with_quotes_closed(signs_apart(alike(_SPACED_DASH.sub(",", typed))))
    for minus in _MINUS.finditer(_FACE.sub("   ", text)):
        word, start = minus["word"].lower(), minus.start()
        quoted = text.count('"', 0, start) % 2 == 1
        dash = bool(minus["apart"]) and (quoted or word[0].isdigit())  # "Paris - France", 1939 - 1945
        dash = dash or (not quoted and _cue([word, "x"]) is not None and word not in {"free", "apart"})
        if word not in names and not dash and not (quoted and text[start - 1] != '"') and minus[0] not in said:
            lost.append(unread(minus[0], _advice(text, minus)))
    tokens = text.split()
    lost += [unread(token) for token in tokens if token[0] == "-" and _is_a_sign(token)]
    lost += [unread(f"NOT {sign}") for no, sign in pairwise(tokens) if no == "NOT" and _is_a_sign(sign)]
    for clause in excluded:
        parts = _WITHIN_A_NAME.split(clause.text)
        known = clause.phrase or clause.write() in {each.value for each in told} or bool(_name(parts))
        if not known and len(parts) > 1 and all(_may_be_a_thing(part) for part in parts):
            lost.append(unread(clause.write(), " ".join(f"-{part.lower()}" for part in parts)))
    without = {clause.text.lower() for clause in excluded}
    return [
        *(each for each in told if each.effect != "unread" or not _is_left_out(each.value, without)),
        *lost,
    ]


def unread(words: str, instead: str = "") -> Interpretation:
    """What was not read as more than words; `instead` would say what it may have meant."""
    clauses = [clause for group in read(instead).groups for clause in group]
    works = clauses and all(clause.excluded for clause in clauses)
    return Interpretation(words=words, parameter="q", value=instead if works else "", effect="unread")


def _is_left_out(advice: str, without: Collection[str]) -> bool:
    named = {clause.text.lower() for group in read(advice).groups for clause in group}
    return bool(named) and named <= set(without)


def _answers(before: Sequence[str], behind: Sequence[str]) -> bool:
    """Whether a "no" between these words is the answer beside a "yes"."""
    nearest = (_without_joint(before[::-1]), _without_joint(behind))
    return any(words and _bare(words[0]) == "yes" for words in nearest)


def _without_joint(words: Sequence[str]) -> Sequence[str]:
    return words[1:] if words and words[0] in _JOINTS else words


def _left_out(text: str) -> set[str]:
    """What the text leaves out of all results, each with a minus and without quotes."""
    excluded = (group[0] for group in read(text).groups if len(group) == 1 and group[0].excluded)
    return {f"-{clause.text.lower()}" for clause in excluded}


def _advice(text: str, minus: re.Match[str]) -> str:
    """How to leave out what stands behind a dash: `-"hot dogs"`, since neither "hot" nor "dogs" is meant alone."""
    word = minus["word"].lower()
    following = re.match(r"[ ]([^\W_]+)", text[minus.end() :])
    if minus["apart"] and following and _may_be_one_name(word, following[1].lower()):
        return f'-"{word} {following[1].lower()}"'
    return f"-{word}"


def _in_the_picture(words: Sequence[str]) -> bool:
    return tuple(map(_bare, words)) in _IN_THE_PICTURE


def _letters(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _is_a_sign(token: str) -> bool:
    """Whether it is an emoji or the like, and no word."""
    return not _letters(token) and any(unicodedata.category(char) == "So" for char in token)


def _may_be_a_thing(part: str) -> bool:
    return len(part) > 2 and part.isalpha() and part.lower() not in NEVER_ALONE


def _bare(word: str) -> str:
    return word.lower().strip(MARKS)


def _minus(named: Sequence[str]) -> str:
    return " ".join(f"-{each}" for each in named)


def _same_said(said: str, cue: str, thing: str) -> tuple[str, ...]:
    """How a picture says the same, the likeliest first: with the cue in either number, a whole list as it was typed,
    and in other words ("sugar-free" of "without sugar")."""
    bare = thing.strip('"')
    plural = () if not bare.replace("-", "").isalpha() or bare.endswith("s") else (f"{bare}s",)
    numbers = dict.fromkeys((bare, *plural, *other_numbers(bare)))
    phrases = (
        *(f"{cue} {each}" for each in numbers if cue),
        said.replace('"', " "),
        *(way.format(each) for way in _WAYS_TO_SAY_SO for each in numbers),
    )
    read_so = (clause.text.lower() for each in phrases for group in read(f'"{each}"').groups for clause in group)
    return tuple(dict.fromkeys(read_so))


def _tokens(text: str) -> list[str]:
    """What stands between spaces, a cue by itself, and each thing of a list that a cue begins."""
    found: list[str] = []
    tokens = _TOKEN.findall(text)
    listing = False
    for place, token in enumerate(tokens):
        ends = place + 1 == len(tokens) or tokens[place + 1][0] == "-"  # "-not -without" leaves out both words
        glued = None if ends else _GLUED.fullmatch(token)
        parts = [part for part in glued.groups() if part.strip("-")] if glued else [token]
        if listing and not glued and token[0] != "-":
            parts = _TOKEN.findall(_LISTED.sub(r"\1 ", token))
        found += parts
        if cue := _cue([*found[-2:-1], found[-1], "x"]) or _cue([found[-1], "x"]):
            listing = cue.kind in {"sure", "counts"}
    return found


def _without_clause(kept: list[str], *, verb: bool) -> list[str]:
    """The words before a negation without the beginning of its clause ("that has", "containing", "which shows"), whose
    verb it may have itself (`verb`)."""
    end = len(kept)
    said = [_bare(word) for word in kept[-2:]]
    if said[-1:] == ["got"] and said[0] in _VERBS:
        end -= 2
    elif said and (said[-1] in _VERBS | _CONTAINING or (said[-1] in _HAVING and said[0] in _BEFORE_A_VERB[1])):
        end -= 1
    elif not verb:
        return kept
    for said in _BEFORE_A_VERB:
        end -= end > 0 and _bare(kept[end - 1]) in said
    return kept[:end]


def _not_having(words: Sequence[str]) -> int:
    """How many words say that something does not have what follows: "does not have", "doesn't have", "not having"."""
    said = [_bare(word) for word in words[:3]]
    no = 2 if said[0] in {"do", "does", "did"} and said[1:2] == ["not"] else 1
    cue = no > 1 or said[0] in {"not", "never"} or _NOT_WITHIN.fullmatch(said[0]) is not None
    return no + 1 if cue and not _HAVING.isdisjoint(said[no : no + 1]) else 0


def _pair(words: Sequence[str]) -> tuple[str, str]:
    return (words[0].lower().lstrip(_OPENING), _bare(words[1])) if len(words) > 1 else ("", "")


def _cue(words: Sequence[str]) -> _Cue | None:
    """The cue that some words begin with, which something follows."""
    first = words[0].lower().lstrip(_OPENING)
    pair = _pair(words)
    first = first.rstrip(":.") if first.rstrip(":.") in _SURE else first.removesuffix(":")
    if words[0].lstrip(_OPENING) == "NOT":
        return _Cue(1, "operator")
    if span := _not_having(words):
        return _Cue(span, "sure", having=True)
    if pair[0] in _ALL and pair[1] == "but":
        return _Cue(2, "sure", alone=True)
    if pair in _SURE_PAIRS:
        return _Cue(2, "sure")
    if pair in _COUNTS_PAIRS:
        return _Cue(2, "counts")
    if first in _SURE:
        return _Cue(1, "sure")
    if first in _COUNTS:
        return _Cue(1, "counts")
    return _Cue(1, "weak") if first in _WEAK else None


def _compound(words: list[str]) -> _Negation | None:
    """Cues that have what they leave out in themselves: "nobody", "car-free", "no-cars", "people free"."""
    bare = _bare(words[0])
    second = _bare(words[1]) if len(words) > 1 else ""
    if bare in _NOBODY or bare in _NOBODY_IN_OTHER_LANGUAGES:
        return _Negation(1, ["people"], foreign=bare not in _NOBODY)
    if words[0].lower().lstrip(_OPENING) == "no" and second in {"one", "body"}:
        return _Negation(2, ["people"])
    before, joint, behind = bare.partition("-")
    if joint and behind in {"free", "less"} and before:
        if _often_absent(before):
            return _Negation(1, [before])
        advice = "" if before in _BACKGROUND else f"-{before}"
        return _Negation(1, advice=advice, compound=True) if _thing(before) else None
    if joint and before in {"no", "non", *_COUNTS} and _often_absent(behind):
        return _Negation(1, [behind])
    third = words[2].lower() if len(words) > 2 else ""
    free = second == "free" and words[0].lower().lstrip(_OPENING) in _FREE_OF
    return _Negation(2, [bare]) if free and third not in _NOT_FREE_OF and not third.endswith("ing") else None


def _negation(words: list[str], *, shapes: Collection[str]) -> _Negation:
    if (found := _compound(words) or _in_another_language(words)) is not None:
        return found
    cue = _cue(["not", *words[1:]] if _NOT_WITHIN.fullmatch(words[0]) else words)
    if cue is None:
        glued = _GLUED_OTHERWISE.search(words[0].lower())
        thing = _thing(words[1]) if glued and len(words) > 1 and not words[0].lower().startswith("yes") else ""
        return _Negation(2, advice=f"-{thing}") if thing else _Negation(1 if glued else 0)
    operator, weak, counts = cue.kind == "operator", cue.kind == "weak", cue.kind == "counts"
    strong = operator or cue.kind == "sure"
    said = " ".join(words[: cue.span]).lower().strip(MARKS)
    if group := _in_brackets(words, cue.span):
        end, named = group
        if not (weak and _on_a_sign(words, end)):
            return _Negation(end, named, None, said, strong, operator, cue.alone, having=cue.having)
    place = cue.span
    where = said in {"not", "except", "excluding"} and place + 1 < len(words) and words[place].lower() in _WHERE
    place += where
    passed_over = _WORDS_BETWEEN
    if (weak and not where) or operator:
        passed_over = _ARTICLES | {"even"} if weak else _ARTICLES
    if said == "not" and place + 1 < len(words):  # "not one cloud"; "no one" is nobody
        passed_over |= {"one"}
    while place < len(words) and (
        words[place].lower() in passed_over
        or _pair(words[place:]) in {("so", "many"), ("too", "many")}
        or not words[place].strip("([{\"'")
        or (operator and words[place] in STOP_WORDS and words[place].islower())
    ):
        place += 1
    if place < len(words) and (words[place][0] == "-" or words[place] == "NOT"):
        return _Negation(cue.span, superfluous=True)
    begin = place
    joints = _JOINTS - {"OR"} if operator else _JOINTS
    whose = not _WHOSE_OR_WHICH.isdisjoint(map(str.lower, words[cue.span : begin]))
    place, named = _list(words, place, commas=not weak, joints=joints, names=not operator, whose=whose)
    following = _bare(words[place]) if place < len(words) else ""
    if not named:
        if operator:
            if len(listed := _things(following)) > 1:  # "NOT people,dogs"
                return _Negation(place + 1, listed, None, said, strong, operator)
            return _Negation(place, advice="" if " ".join(words[1:place]).islower() else None)
        meant = _minus(_things(following))
        sign = place < len(words) and _is_a_sign(words[place])
        return _Negation(place + 1, advice=meant) if meant or sign else _Negation(1)
    if (weak and _on_a_sign(words, place)) or (said == "minus" and _on_a_sign(words, cue.span)):
        return _Negation(1)
    if named[0].isdigit():  # "no. 5" and "minus 20" are numbers, "no 2 dogs" may be none
        several = len(named) == 1 and _thing(following) and _of_a_list(following)
        return _Negation(place + 1, advice=f"-{following}") if several else _Negation(1)
    if operator and words[place : place + 1] == ["OR"]:
        return _Negation()
    if not operator and not _BACKGROUND.isdisjoint(named):
        return _Negation(place, advice=_minus([each for each in named if each not in _BACKGROUND]))
    if not set(named).isdisjoint(shapes):
        return _Negation(place, advice="" if not operator else _minus([each for each in named if each not in shapes]))
    if counts and not all(map(_of_a_list, named)):
        return _Negation(place, advice=_minus(named))
    if (following in _ALLOWS and not strong) or (said == "neither" and len(named) < 2):
        return _Negation(place, advice=_minus(named))
    ends = words[place - 1].endswith(tuple(MARKS))
    is_verb = ((said == "not" and begin == cue.span) or named[-1].endswith("ing")) and following in _OF_A_VERB
    if not operator and not ends and place == begin + 1 and is_verb and not _in_the_picture(words[place:]):
        end = _end_of_verb(words, place)
        phrase = " ".join(_bare(word) for word in words[place - 1 : end])
        return _Negation(end, advice=f'-"{phrase}"' if end > place + 1 else _minus(named))
    if not operator and not ends and _may_be_one_name(named[-1], following):
        end, names = _names(words, begin)
        return _Negation(end, advice=_minus(names))
    if place == begin:
        return _Negation(1)
    strong = strong or said == "neither"
    return _Negation(place, named, None, said, strong, operator, cue.alone, having=cue.having)


def _on_a_sign(words: list[str], place: int) -> bool:
    """Whether what ends at a place stands on a sign: "no smoking area sign". Of people it is so right before alone:
    "no people neon sign"."""
    behind = words[place : place + 1] if _bare(words[place - 1]) in PEOPLE else words[place:]
    for before, word in zip(words[place - 1 :], behind, strict=False):
        if before.endswith(tuple(".,;:!?")) or word.lower() in STOP_WORDS:
            return False
        if _bare(word) in _SIGNS_THAT_SAY_NO:
            return True
    return False


def _in_another_language(words: list[str]) -> _Negation | None:
    """People behind a cue of another language, and what else may be meant there."""
    cue = words[0].lower().lstrip(_OPENING)
    if cue not in _IN_OTHER_LANGUAGES:
        return None
    place = 1
    while place + 1 < len(words) and words[place].lower() in _ARTICLES_IN_OTHER_LANGUAGES:
        place += 1
    thing = _thing(words[place]) if place < len(words) else ""
    if not thing or (cue in english_words() and thing in english_words() and thing not in _PEOPLE_IN_OTHER_LANGUAGES):
        return None  # "sin city", "sans umbrellas"
    things, end = [thing], place + 1
    while (
        end + 1 < len(words) and words[end].lower() in _JOINTS_IN_OTHER_LANGUAGES and (also := _thing(words[end + 1]))
    ):
        things.append(also)
        end += 2
    named = ["people" if each in _PEOPLE_IN_OTHER_LANGUAGES else each for each in things]
    if set(named) == {"people"}:
        return _Negation(end, ["people"], None, cue, strong=True, foreign=True)
    return _Negation(end, advice=_minus(list(dict.fromkeys(named))), foreign=True)


def _in_brackets(words: list[str], place: int) -> tuple[int, list[str]] | None:
    """The things in brackets that begin at a place, and where they end."""
    if place >= len(words) or not words[place].startswith(tuple(_OPENING)):
        return None
    end = next((at for at, word in enumerate(words[place:], place) if word.rstrip(".,;:!?")[-1:] in ")]}"), None)
    if end is None or end == place:
        return None
    inside = [clause for group in read(f"-{' '.join(words[place : end + 1])}").groups for clause in group]
    named = [clause.write().removeprefix("-").lower() for clause in inside if clause.text.lower() not in _NOT_A_THING]
    return (end + 1, list(dict.fromkeys(named))) if named else None


def _list(
    words: list[str], place: int, *, commas: bool, joints: Collection[str], names: bool, whose: bool
) -> tuple[int, list[str]]:
    """The things that begin at a place, which `joints` join, and where they end. Commas join them where a joint does so
    at last, and with `commas` what is many or often absent: "no people, black and white" and "without umbrellas,
    sunset" are no such lists. With `names` two words that are what a thing is called are one, with a hyphen, which
    leaves them out side by side in any number. With `whose`, or behind "or", the next may be somebody's as well
    ("without his hat and his bag"); "man without hat and his dog" has the dog."""
    named: list[str] = []
    sure, joined, last = (place, named[:]), True, False
    while place < len(words) and (thing := _thing(words[place])) and _pair(words[place:]) not in _PAIRS:
        if names and (name := _people(words[place : place + 2]) or _name(words[place : place + 2])):
            thing, place = name, place + 1
        named.append(thing)
        comma = words[place].endswith((",", ";"))
        place += 1
        several = commas and (last or len(named) - len(sure[1]) == 1) and _of_a_list(thing)
        if joined or several:
            sure = (place, named[:])
        joint, span = words[place] if place < len(words) else "", 1
        if tuple(map(str.lower, words[place : place + 3])) == _AS_WELL_AS:
            joint, span = "and", 3
        joined = joint in joints and (joint != "and" or named == sure[1])
        last = joint in joints and not joined  # "without people, furniture and windows"
        if joined or last:
            between = _ARTICLES.union(joints, {"even"})  # "and / or"
            between |= _WORDS_BETWEEN if joint in _ALTERNATIVES else _WHOSE_OR_WHICH if whose else frozenset()
            place += span
            while place < len(words) and words[place].lower() in between:
                place += 1
        elif not comma:
            break
    return sure


def _end_of_verb(words: list[str], place: int) -> int:
    """Where what a verb is about ends, which begins with a preposition: "at the camera"."""
    end = place + 1
    while end < len(words) and words[end].lower() in _WORDS_BETWEEN and not words[end - 1].endswith(tuple(MARKS)):
        end += 1
    return end + 1 if end < len(words) and _thing(words[end]) else place + 1


def _names(words: list[str], place: int) -> tuple[int, list[str]]:
    """The same where a thing may be two words ("hot dogs and cats")."""
    names: list[str] = []
    while place < len(words) and (thing := _thing(words[place])):
        following = _bare(words[place + 1]) if place + 1 < len(words) else ""
        two = (
            not words[place].endswith(tuple(MARKS)) and following not in _JOINTS and _may_be_one_name(thing, following)
        )
        place += 2 if two else 1
        names.append(f'"{thing} {following}"' if two else thing)
        if place + 1 >= len(words) or words[place] not in _JOINTS or not _thing(words[place + 1]):
            break
        place += 1
    return place, names


def _things(word: str) -> list[str]:
    """The things that a word with signs in it names ("people/cars", "#cars"); none where it names anything else."""
    clauses = [clause for group in read(f"-{word}").groups for clause in group]
    things = all(each.excluded and each.text.lower() not in _NOT_A_THING for each in clauses)
    return [each.write().removeprefix("-").lower() for each in clauses] if things else []


def _of_a_list(thing: str) -> bool:
    bare = thing.strip('"')
    return _often_absent(bare) or _is_many(bare.rpartition(" ")[2])


def _thing(word: str) -> str:
    """What a word names that a picture may show; empty where nothing."""
    bare = word.lower().lstrip(_OPENING).rstrip(MARKS)
    groups = read(bare).groups
    if bare.startswith('"') and [[each.phrase for each in group] for group in groups] == [[True]]:
        return groups[0][0].write()
    one = (
        len(groups) == 1 == len(groups[0]) == len(read(f"-{bare}").groups)
        and groups[0][0].write() == bare
        and not groups[0][0].excluded
    )
    return bare if one and bare not in _NOT_A_THING else ""


@cache
def _second_words() -> Mapping[str, frozenset[str]]:
    """Of things that are called by two words the second, by the first."""
    found: dict[str, frozenset[str]] = {}
    for table in (TWO_WORD_NOUNS, MORE_TWO_WORD_NOUNS):
        lines = table.read_text(encoding="utf-8").splitlines()
        for first, seconds in (line.split(": ") for line in lines if line[0] != "#"):
            found[first] = found.get(first, frozenset()).union(seconds.split())
    return found


def _people(words: Sequence[str]) -> str:
    """ "people" where the two words are another name of them: "human beings"; else empty."""
    first, second = _pair(words)
    return "people" if first in {"human", "humans"} and second in _OF_A_HUMAN else ""


def _name(words: Sequence[str]) -> str:
    """The two words as one where they are what a thing is called, in any number, or one word in parts ("sun glasses",
    "make up"): "traffic-lights"; else empty."""
    if len(words) != 2 or words[0].endswith(tuple(MARKS)):
        return ""
    first, second = _pair(words)
    numbers = {second, *singulars(second)}
    known = not _second_words().get(first, frozenset()).isdisjoint(numbers)
    return f"{first}-{second}" if known or _in_parts(first, second, numbers) else ""


def _as_two_words(name: str) -> list[str]:
    """A verb with its particle in quotes, which engines do not otherwise look for side by side: "make-up"."""
    first, hyphen, second = name.partition("-")
    return [f'"{first} {second}"'] if hyphen and second in PARTICLES else []


def _in_parts(first: str, second: str, numbers: Collection[str]) -> bool:
    """Whether two words, the second in these numbers, are an English word in parts."""
    words = len(first) >= _LEAST_OF_A_PART and (len(second) >= _LEAST_OF_A_PART or second == "up")
    return words and any(f"{first}{each}" in english_words() for each in numbers)


def _may_be_one_name(word: str, following: str) -> bool:
    """Whether a word may only tell more of the next: "parked cars", "no right turn"; what often is absent and what is
    many does not."""
    if not following or following[0] == "-" or following in _SURE | _NOBODY or word.startswith('"'):
        return False
    if following in STOP_WORDS:
        return following == "of"
    if _name([word, following]) or (word in _WHOSE and _is_many(following)):
        return True
    return not _often_absent(word) and not _is_many(word)


def _is_many(word: str) -> bool:
    """Whether a word is a plural, as the list of English words tells ("lens", "bus" and "tennis" are none). Of words
    that are not in it, any that ends in s is ("selfies")."""
    if not word.endswith("s") or word.endswith(("ss", "'s")) or word in _ONE_IN_S:
        return False
    return word not in english_words() or any(len(each) > 2 and each in english_words() for each in singulars(word))


def _often_absent(word: str) -> bool:
    return word in PEOPLE or word in _OFTEN_ABSENT or word.removesuffix("s") in _OFTEN_ABSENT
