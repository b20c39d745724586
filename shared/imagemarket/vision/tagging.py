"""From what a tower says of every word to what people read: tags, categories, people, one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from imagemarket.vision.bundle import Scale, Understanding
from imagemarket.vision.models import TAGS_PER_IMAGE, Tag
from imagemarket.vision.towers import Sight

_MAX_CATEGORIES = 3
_FACE_FROM = 0.98
_PLAIN_COLOUR = 0.5
"""Share of the picture that a colour covers to be plainly there."""
_LEAST = 0.01
"""Evidence below it is no guess any more."""
_LIKELIER = 0.5
"""Confidence from which "person" is a tag: half of all photos have somebody, so any of them may."""
_NEAR = 0.001
"""How near to 0 and to 1 evidence is told apart."""

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
    origins: dict[str, str] = {}
    """Where a word comes from, for the calibration."""


class Reader:
    """Reads a tower's sight for people."""

    def __init__(self, vocabulary: Vocabulary, claims: Understanding) -> None:
        self._vocabulary = vocabulary
        self._claims = claims
        self._wider = {word: _closure(word, vocabulary.wider) for word in vocabulary.wider}

    def confidences(self, sight: Sight, surest_face: float = 0) -> dict[str, float]:
        """Of each word that may hold, without contradictions. For a wider word speaks as much as for its likeliest
        narrower one, for a person as much as for a face; the bundle's calibration, where it has one, makes
        probabilities of that."""
        pairs = zip(self._vocabulary.words, sight.words.tolist(), strict=True)
        held = {word: min(1.0, probability) for word, probability in pairs if probability >= _LEAST}
        for word, probability in list(held.items()):
            for wider in self._wider.get(word, ()):
                held[wider] = max(held.get(wider, 0.0), probability)
        held = self._calibrated(held, surest_face)
        for group in _EXCLUSIVE:
            there = sorted((word for word in group if word in held), key=lambda word: -held[word])
            for word in there[1:]:
                del held[word]
        return held

    def _calibrated(self, held: Mapping[str, float], surest_face: float) -> dict[str, float]:
        calibration = self._claims.calibration
        if calibration is None:
            face = {"person": max(held.get("person", 0.0), surest_face)} if surest_face >= _FACE_FROM else {}
            return {**held, **face}
        origins = self._vocabulary.origins
        scaled = {word: scale(evidence, calibration.words[origins[word]]) for word, evidence in held.items()}
        person = held.get("person", 0.0)
        return {**scaled, "person": scale(person, calibration.person, calibration.face * surest_face)}

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

    def tags(self, held: Mapping[str, float], colours: Mapping[str, float], *, people: bool | None) -> list[Tag]:
        """The surest words first, colours among them: a colour is as sure as it is plainly there or, calibrated, as
        people are to speak of it."""
        calibration = self._claims.calibration
        sure = {
            colour: min(1.0, share / _PLAIN_COLOUR) if calibration is None else share**calibration.colour
            for colour, share in colours.items()
        }
        return _tags(held, sure, people=people)

    def describe(self, held: Mapping[str, float], colours: Mapping[str, float], *, people: bool | None) -> str:
        """One sentence that claims no more than the model does."""
        return _describe(held, colours, self._vocabulary.breadth, self._claims, people=people)


def scale(evidence: float, by: Scale, more: float = 0.0) -> float:
    """The probability that `evidence` (0..1) comes to; `more` is added to its log odds."""
    kept = min(max(evidence, _NEAR), 1 - _NEAR)
    return 1 / (1 + math.exp(-(by.there * math.log(kept) - by.gone * math.log(1 - kept) + by.offset + more)))


def _tags(held: Mapping[str, float], colours: Mapping[str, float], *, people: bool | None) -> list[Tag]:
    scores = {**held, **colours}
    if _GREYS in colours:
        for hue in _HUES:
            scores.pop(hue, None)
    if people is False or scores.get("person", 0.0) < _LIKELIER:
        scores.pop("person", None)
    ranked = sorted(scores, key=lambda word: (-scores[word], word))[:TAGS_PER_IMAGE]
    return [Tag(tag=word, confidence=round(min(1.0, scores[word]), 4)) for word in ranked]


def _describe(
    held: Mapping[str, float],
    colours: Mapping[str, float],
    breadth: Mapping[str, float],
    claims: Understanding,
    *,
    people: bool | None,
) -> str:
    words = {word: probability for word, probability in held.items() if word != "person"}
    ranked = sorted(words, key=lambda word: (-words[word], word))
    sure = [word for word in ranked if words[word] >= claims.sure_from]
    likely = [word for word in ranked if claims.likely_from <= words[word] < claims.sure_from]
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
