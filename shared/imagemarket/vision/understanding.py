"""From what a tower says of every word to what people read: tags, categories, people, one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from imagemarket.vision.bundle import Understanding
from imagemarket.vision.models import TAGS_PER_IMAGE, Tag
from imagemarket.vision.towers import Sight

_MAX_CATEGORIES = 3
_SURE, _LIKELY = 0.8, 0.4
_FACE_FROM = 0.98
_PLAIN_COLOUR = 0.5
"""Share of the picture that a colour covers to be plainly there."""
_LEAST = 0.01
"""Words below it are not guesses any more."""

_EXCLUSIVE = (
    ("interior", "outdoors"),
    ("day", "night"),
    ("dawn", "noon", "dusk", "midnight"),
    ("winter", "summer", "autumn", "spring"),
    ("hot", "cold"),
    ("wet", "dry"),
    ("old", "young"),
    ("modern", "ancient"),
    ("sunny", "cloudy", "rainy", "foggy"),
    ("crowded", "empty"),
    ("clean", "dirty", "messy"),
    ("happy", "sad", "angry"),
    ("calm", "stormy"),
    ("urban", "rural"),
)
"""Of these at most one is true of a picture."""

_HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown")
_GREYS = "black and white"


class Vocabulary(BaseModel):
    """`image/vocabulary.json`: the words in the order of the tables, and what belongs to what."""

    model_config = ConfigDict(frozen=True)

    words: list[str]
    categories: list[str]
    wider: dict[str, list[str]]
    """The nearest wider words of a word: beagle, hound; hound, dog."""
    breadth: dict[str, float]
    """How much a word covers, to name the narrowest first; missing: a thing of its own."""


class Reader:
    """Reads a tower's sight for people."""

    def __init__(self, vocabulary: Vocabulary, claims: Understanding) -> None:
        self._vocabulary = vocabulary
        self._claims = claims
        self._wider = {word: _closure(word, vocabulary.wider) for word in vocabulary.wider}

    def confidences(self, sight: Sight, surest_face: float = 0) -> dict[str, float]:
        """Of each word that may hold, without contradictions; a wider word is as sure as its surest narrower one, and
        a person as sure as a face."""
        pairs = zip(self._vocabulary.words, sight.words.tolist(), strict=True)
        held = {word: min(1.0, probability) for word, probability in pairs if probability >= _LEAST}
        for word, probability in list(held.items()):
            for wider in self._wider.get(word, ()):
                held[wider] = max(held.get(wider, 0.0), probability)
        if surest_face >= _FACE_FROM:
            held["person"] = max(held.get("person", 0.0), surest_face)
        for group in _EXCLUSIVE:
            there = sorted((word for word in group if word in held), key=lambda word: -held[word])
            for word in there[1:]:
                del held[word]
        return held

    def categories(self, sight: Sight) -> list[str]:
        """The categories that are claimed, the likeliest first; the likeliest alone when none is."""
        pairs = zip(self._vocabulary.categories, sight.categories.tolist(), strict=True)
        ranked = sorted(pairs, key=lambda pair: -pair[1])
        chosen = [slug for slug, probability in ranked if probability >= self._claims.category_from]
        if not chosen and ranked[0][1] > 0:
            chosen = [ranked[0][0]]
        return chosen[:_MAX_CATEGORIES]

    def people(self, held: Mapping[str, float], surest_face: float) -> bool | None:
        """Whether people are there. Yes: a face, or much that people come with. No: nothing like a face however
        small, and next to nothing that people come with. Else unknown."""
        person = held.get("person", 0.0)
        if person >= self._claims.people_from:
            return True
        return False if surest_face == 0 and person < self._claims.no_people_below else None


def tags(held: Mapping[str, float], colours: Mapping[str, float], *, people: bool | None) -> list[Tag]:
    """The surest words first, colours among them: a colour is as sure as it is plainly there."""
    scores = dict(held)
    if _GREYS in colours:
        for hue in _HUES:
            scores.pop(hue, None)
    for colour, share in colours.items():
        scores[colour] = min(1.0, share / _PLAIN_COLOUR)
    if people is False:
        scores.pop("person", None)
    ranked = sorted(scores, key=lambda word: (-scores[word], word))[:TAGS_PER_IMAGE]
    return [Tag(tag=word, confidence=round(min(1.0, scores[word]), 4)) for word in ranked]


def describe(
    held: Mapping[str, float], colours: Mapping[str, float], breadth: Mapping[str, float], *, people: bool | None
) -> str:
    """One sentence that claims no more than the model does."""
    words = {word: probability for word, probability in held.items() if word != "person"}
    ranked = sorted(words, key=lambda word: (-words[word], word))
    sure = [word for word in ranked if words[word] >= _SURE]
    likely = [word for word in ranked if _LIKELY <= words[word] < _SURE]
    # Of the sure words the narrow ones say most; a class's own name is the narrowest.
    sure.sort(key=lambda word: (breadth.get(word, 0.0), -words[word]))
    who = ["people"] if people else []
    if sure or who:
        said = f"Shows {_listed([*sure[: 3 - len(who)], *who], 'and')}"
        said += f", perhaps with {_listed(likely[:2], 'or')}" if likely else ""
    elif likely:
        said = f"May show {_listed(likely[:3], 'or')}"
    elif ranked:
        said = f"Possibly shows {_listed(ranked[:2], 'or')}"
    else:
        said = "Shows nothing that the model knows"
    tints = list(colours)[:2]
    return f"{said}; mostly {_listed(tints, 'and')}." if tints else f"{said}."


def _closure(word: str, wider: Mapping[str, Sequence[str]]) -> list[str]:
    found: list[str] = []
    waiting = list(wider.get(word, ()))
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.append(each)
            waiting += wider.get(each, ())
    return found


def _listed(words: Sequence[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
