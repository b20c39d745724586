"""A catalogue of synthetic pictures, in the shape of real ones; the same for the same seed.

- Words: Zipf with exponent 1 over 30,000 words, half of a picture's from its topic's own 400, so that words
  and meaning agree. 5 in the title, 14 in the description, 30 tags: about 45 different words a picture.
- Vectors: 400 topics of unequal size (Zipf, exponent 0.7) around a common mean, as real embeddings lie in a
  cone; within a topic along 48 directions of falling strength, as their inner dimension is far below their
  length; a little noise on all 512 dimensions, the rest padding. Two pictures of one topic have a cosine of
  about 0.75, of two topics 0.35.
- Filters go with the topic: its categories, colours and contributors are likely, others are met; people and
  orientation lean with it. 2,000 contributors, the busiest with about 2 % of all pictures.
- Queries: a picture's vector half way to its topic, which is nobody's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.hashes import colour_names
from imagemarket.imaging.models import PaletteColour
from imagemarket.platform.ids import new_id
from imagemarket.search.document import DIMENSIONS, DocumentRendition, SearchDocument
from imagemarket.search.request import Filters

MODEL = "bench"

_TOPICS, _OWN_WORDS, _CONTRIBUTORS = 400, 400, 2000
_LENGTH, _INNER = 512, 48
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu", "chi")
_VOCABULARY = ["".join(parts) for parts in itertools.product(_SYLLABLES, repeat=4)][::2][:30_000]
_WORDS_OF_A_PICTURE = 49
_PALETTES = 8  # of a topic
_BATCH = 1000
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_THUMBHASH = "1QcSHQRnh493V4dIh4eXh1h4kJUI"


def _zipf(number: int, exponent: float) -> np.ndarray:
    weights = 1 / np.arange(1, number + 1) ** exponent
    return weights / weights.sum()


@dataclass(frozen=True)
class Question:
    """A query's words, its vector, and the topic it is about."""

    text: str
    vector: tuple[float, ...]
    topic: int


class Catalogue:
    """Makes pictures and questions. Catalogues of one seed are of one world; each `part` has other pictures."""

    def __init__(self, seed: int = 20260101, *, part: int = 0) -> None:
        numbers = self._numbers = np.random.default_rng(seed)
        self._topic_weights = _zipf(_TOPICS, 0.7)
        # Shuffled, so that the commonest word is no topic's name.
        self._word_weights = _zipf(len(_VOCABULARY), 1.0)
        self._own_words = np.stack([numbers.permutation(len(_VOCABULARY))[:_OWN_WORDS] for _ in range(_TOPICS)])
        self._own_weights = _zipf(_OWN_WORDS, 1.0)
        mean = numbers.normal(size=_LENGTH)
        self._centres = 0.6 * mean / np.linalg.norm(mean) + 0.8 * _rows_of_unit(numbers.normal(size=(_TOPICS, _LENGTH)))
        strengths = 1 / np.sqrt(np.arange(1, _INNER + 1))
        self._directions = _rows_of_unit(numbers.normal(size=(_INNER, _LENGTH))) * strengths[:, None]
        self._contributors = [(UUID(int=number + 1), f"Contributor {number}") for number in range(_CONTRIBUTORS)]
        self._contributor_weights = _zipf(_CONTRIBUTORS, 0.8)
        self._contributor_sums = np.cumsum(self._contributor_weights)[:-1]
        self._own_contributors = numbers.choice(_CONTRIBUTORS, size=(_TOPICS, 20), p=self._contributor_weights)
        self._own_categories = numbers.choice(len(CATEGORIES), size=(_TOPICS, 2))
        self._own_colours = numbers.integers(0, 256, size=(_TOPICS, 4, 3))
        self._palettes = [[self._palette(topic) for _ in range(_PALETTES)] for topic in range(_TOPICS)]
        self._people = numbers.beta(0.4, 0.9, size=_TOPICS)
        self._portrait = numbers.beta(2, 5, size=_TOPICS)
        self._numbers = np.random.default_rng([seed, part])

    # --- pictures --------------------------------------------------------------------------------

    def documents(self, number: int) -> Iterator[SearchDocument]:
        """So many new pictures."""
        for begin in range(0, number, _BATCH):
            yield from self._batch(min(_BATCH, number - begin))

    def _batch(self, size: int) -> Iterator[SearchDocument]:
        numbers = self._numbers
        topics = numbers.choice(_TOPICS, size=size, p=self._topic_weights)
        vectors = self._vectors(topics).tolist()
        general = numbers.choice(len(_VOCABULARY), size=(size, _WORDS_OF_A_PICTURE), p=self._word_weights)
        own = numbers.choice(_OWN_WORDS, size=(size, _WORDS_OF_A_PICTURE), p=self._own_weights)
        is_own = numbers.random((size, _WORDS_OF_A_PICTURE)) < 0.5
        words = np.where(is_own, self._own_words[topics[:, None], own], general)
        chances = numbers.random((size, 10))
        for place, topic in enumerate(topics):
            yield self._document(topic, words[place].tolist(), vectors[place], chances[place])

    def _document(self, topic: int, words: list[int], vector: list[float], chances: np.ndarray) -> SearchDocument:
        spelt = [_VOCABULARY[word] for word in words]
        image_id = new_id()
        if chances[0] < 0.7:
            contributor = self._own_contributors[topic][int(chances[0] / 0.7 * 20)]
        else:
            contributor = int(np.searchsorted(self._contributor_sums, chances[0] / 0.3 - 7 / 3))
        contributor_id, name = self._contributors[contributor]
        categories = {int(self._own_categories[topic][0])}
        if chances[1] < 0.6:
            categories.add(int(self._own_categories[topic][1]) if chances[1] < 0.45 else int(chances[1] * 1000) % 25)
        palette, colours = self._palettes[topic][int(chances[3] * 1000) % _PALETTES]
        portrait = chances[2] < self._portrait[topic]
        width, height = (4000, 6000) if portrait else (4000, 4000) if chances[2] > 0.95 else (6000, 4000)
        scale = (1.0, 0.7, 0.4)[int(chances[3] * 3)]
        return SearchDocument.model_construct(
            image_id=image_id,
            version=1,
            title=" ".join(spelt[:5]).capitalize(),
            description=f"The {' '.join(spelt[5:12])} beside a {' '.join(spelt[12:19])}.",
            tags=tuple(dict.fromkeys(spelt[19:])),
            categories=tuple(CATEGORIES[each].slug for each in sorted(categories)),
            contributor_id=contributor_id,
            contributor_name=name,
            image_type=ImageType.PHOTO
            if chances[4] < 0.8
            else ImageType.ILLUSTRATION
            if chances[4] < 0.92
            else ImageType.VECTOR,
            license_types=(LicenseType.STANDARD, LicenseType.ENHANCED)[: 1 if chances[5] < 0.5 else 2]
            if chances[5] < 0.93
            else (LicenseType.EDITORIAL,),
            orientation="portrait" if portrait else "square" if width == height else "landscape",
            colours=colours,
            palette=palette,
            width=round(width * scale),
            height=round(height * scale),
            people=bool(chances[6] < self._people[topic]),
            safe=bool(chances[7] < 0.98),
            published_at=_FIRST_DAY + timedelta(minutes=int(chances[8] * 1_300_000)),
            popularity=round(1 / (1 - float(chances[9])), 3),
            thumbhash=_THUMBHASH,
            renditions=tuple(
                DocumentRendition.model_construct(
                    width=edge, height=edge * 2 // 3, format=form, key=f"thumbnails/{image_id}/{edge}-0000.{form}"
                )
                for edge in (150, 450)
                for form in ("avif", "jpeg", "webp")
            ),
            model_version=MODEL,
            embedding=tuple(vector),
        )

    def _palette(self, topic: int) -> tuple[tuple[PaletteColour, ...], tuple[str, ...]]:
        """A palette near the topic's colours, and their names."""
        numbers = self._numbers
        near = np.clip(self._own_colours[topic][:3] + numbers.integers(-40, 41, size=(3, 3)), 0, 255)
        colours = np.vstack([near, numbers.integers(0, 256, size=(1, 3))])[numbers.permutation(4)]
        shares = (45.0, 28.0, 18.0, 9.0)
        palette = tuple(
            PaletteColour("#{:02x}{:02x}{:02x}".format(*colour), share)
            for colour, share in zip(colours.tolist(), shares, strict=True)
        )
        return palette, colour_names(palette)

    def _vectors(self, topics: np.ndarray, spread: float = 1.0) -> np.ndarray:
        numbers = self._numbers
        inner = numbers.normal(size=(len(topics), _INNER)) @ self._directions
        noise = numbers.normal(size=(len(topics), _LENGTH))
        made = self._centres[topics] + spread * (0.25 * inner + 0.3 / np.sqrt(_LENGTH) * noise)
        padded = np.zeros((len(topics), DIMENSIONS), dtype=np.float32)
        padded[:, :_LENGTH] = _rows_of_unit(made)
        return padded

    # --- questions -------------------------------------------------------------------------------

    def questions(self, number: int) -> list[Question]:
        """One to three words each, of a topic's own."""
        numbers = self._numbers
        topics = numbers.choice(_TOPICS, size=number, p=self._topic_weights)
        vectors = self._vectors(topics, spread=0.5)
        asked = []
        for place, topic in enumerate(topics.tolist()):
            words = numbers.choice(_OWN_WORDS, size=1 + place % 3, p=self._own_weights, replace=False)
            text = " ".join(_VOCABULARY[each] for each in self._own_words[topic][words])
            asked.append(Question(text, tuple(vectors[place].tolist()), topic))
        return asked

    def contributor(self, rank: int) -> UUID:
        """The contributor of that rank by number of pictures, from 0."""
        return self._contributors[rank][0]

    def filters(self, topic: int) -> list[Filters]:
        """Filters from those that keep nearly all to those that keep few, half of them what goes with the topic."""
        own, other = (CATEGORIES[int(self._own_categories[each][0])].slug for each in (topic, (topic + 7) % _TOPICS))
        colour = "#{:02x}{:02x}{:02x}".format(*self._own_colours[topic][0].tolist())
        contributor = self.contributor(int(self._own_contributors[topic][0]))
        chosen: list[dict[str, Any]] = [
            {},
            {"safe": False},
            {"orientation": ["landscape"]},
            {"people": True, "type": ["photo"]},
            {"category": [own]},
            {"category": [other]},
            {"category": [own], "orientation": ["portrait"], "min_width": 2000},
            {"category": [other], "type": ["illustration"], "people": True},
            {"color": [colour]},
            {"contributor": contributor},
            {"contributor": self.contributor((topic * 31) % 200)},
            {"category": [own], "color": [colour], "orientation": ["portrait"]},
            {"category": [other], "type": ["vector"], "license": ["editorial"]},
            {"contributor": contributor, "orientation": ["portrait"], "people": True},
        ]
        return [Filters(**each) for each in chosen]


def _rows_of_unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
