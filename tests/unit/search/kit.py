"""Search documents and engines for tests."""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from imagemarket.imaging.hashes import colour_names
from imagemarket.imaging.lab import lab_of
from imagemarket.imaging.models import PaletteColour
from imagemarket.platform.ids import new_id
from imagemarket.search import facets
from imagemarket.search.document import DIMENSIONS, DocumentRendition, Removal, SearchDocument, same_vector
from imagemarket.search.engines.ports import Hit
from imagemarket.search.engines.shuffle import beginning_of, place_of, shuffled
from imagemarket.search.facets import FACET_SAMPLE, FacetCounts, Facets, ordered
from imagemarket.search.query.syntax import Clause, Words, read
from imagemarket.search.query.words import ACCENT, STOP_WORDS, searchable
from imagemarket.search.request import MAX_RESULTS, Filters, Sort

MODEL = "lite-1"
ADA, BOB = UUID(int=1), UUID(int=2)
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def unit(values: Sequence[float]) -> tuple[float, ...]:
    """A unit vector of the catalogue's length, padded with zeros."""
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return tuple(value / length for value in values) + (0.0,) * (DIMENSIONS - len(values))


def pointing(degrees: float) -> tuple[float, ...]:
    """A unit vector in a plane: the nearer the angles, the more alike."""
    return unit([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def random_unit(numbers: random.Random, dimensions: int = 32) -> tuple[float, ...]:
    return unit([numbers.gauss(0, 1) for _ in range(dimensions)])


def document(title: str = "A picture", **changes: Any) -> SearchDocument:
    """A valid document; `changes` set its fields."""
    image_id = changes.pop("image_id", None) or new_id()
    fields: dict[str, Any] = {
        "image_id": image_id,
        "version": 2,
        "title": title,
        "contributor_id": ADA,
        "contributor_name": "Ada",
        "image_type": "photo",
        "license_types": ("standard",),
        "orientation": "landscape",
        "width": 3000,
        "height": 2000,
        "published_at": FIRST_DAY,
        "model_version": MODEL,
        "embedding": pointing(0),
        "renditions": tuple(
            DocumentRendition(
                width=edge, height=edge * 2 // 3, format=form, key=f"thumbnails/{image_id}/{edge}-0.{form}"
            )
            for edge in (150, 450)
            for form in ("avif", "jpeg", "webp")
        ),
        **changes,
    }
    return SearchDocument(**fields)


def random_documents(number: int, seed: int = 1) -> list[SearchDocument]:
    """Documents over every filter and random vectors, the same for the same seed."""
    numbers = random.Random(seed)
    nouns = ("lake", "boat", "tower", "market", "forest", "bicycle")
    made = []
    for place in range(number):
        contributor = numbers.choice([(ADA, "Ada"), (BOB, "Bob")])
        palette = random_palette(numbers)
        made.append(
            document(
                f"{numbers.choice(nouns)} and {numbers.choice(nouns)} {place}",
                contributor_id=contributor[0],
                contributor_name=contributor[1],
                tags=tuple(sorted(set(numbers.choices(nouns, k=2)))),
                categories=tuple(sorted(set(numbers.choices(("nature", "travel", "transport"), k=2)))),
                colours=colour_names(palette),
                palette=palette,
                width=numbers.choice([800, 3000, 4000, 6000]),
                height=numbers.choice([800, 2250, 3000, 4000]),
                safe=numbers.random() < 0.9,
                image_type=numbers.choice(["photo", "illustration", "vector"]),
                license_types=tuple(sorted(set(numbers.choices(["standard", "enhanced", "editorial"], k=2)))),
                orientation=numbers.choice(["landscape", "portrait", "square"]),
                people=numbers.choice([True, False, None]),
                published_at=FIRST_DAY + timedelta(days=numbers.randrange(90), seconds=place),
                popularity=numbers.choice([0.0, 1.0, 5.0]),
                embedding=random_unit(numbers),
            )
        )
    return made


def random_palette(numbers: random.Random) -> tuple[PaletteColour, ...]:
    """Three colours of six often met, a little off, of which the last may be too small to count."""
    common = [(200, 30, 40), (30, 60, 200), (40, 160, 60), (240, 240, 240), (250, 165, 20), (90, 60, 30)]
    shares = numbers.choice([(60, 30, 10), (70, 25, 5)])
    return tuple(
        PaletteColour(
            "#" + "".join(f"{min(255, max(0, level + numbers.randint(-15, 15))):02x}" for level in colour), share
        )
        for colour, share in zip(numbers.sample(common, 3), shares, strict=True)
    )


class MemorySearch:
    """Both engines and the reader in memory: every comparison made, no index."""

    def __init__(self) -> None:
        self.held: dict[UUID, tuple[int, SearchDocument | None]] = {}

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        changes = [*((d.image_id, d.version, d) for d in documents), *((r.image_id, r.version, None) for r in removals)]
        changed = 0
        for image_id, version, content in changes:
            if self.held.get(image_id, (-1, None))[0] <= version:
                self.held[image_id] = (version, content)
                changed += 1
        return changed

    def versions(self, image_ids: Sequence[UUID]) -> dict[UUID, int]:
        found = {image_id: self.held.get(image_id, (0, None)) for image_id in image_ids}
        return {image_id: version for image_id, (version, content) in found.items() if content is not None}

    def differing(self, documents: Sequence[SearchDocument]) -> set[UUID]:
        return {
            each.image_id
            for each in documents
            if (there := self.held.get(each.image_id, (-1, None))[1]) is not None
            and there.version == each.version
            and not (
                same_vector(there.embedding, each.embedding)
                and there.model_copy(update={"embedding": None}) == each.model_copy(update={"embedding": None})
            )
        }

    def listed(self) -> Iterator[UUID]:
        yield from [image_id for image_id, (_, content) in self.held.items() if content is not None]

    def rebuild(self) -> MemoryRebuild:
        return MemoryRebuild(self)

    def _listed(self, filters: Filters) -> list[SearchDocument]:
        return [content for _, content in self.held.values() if content is not None and passes(content, filters)]

    def _matching(self, text: str | Words, filters: Filters) -> list[tuple[float, SearchDocument]]:
        return self._by_words(text, self._listed(filters))[1]

    @staticmethod
    def _by_words(text: str | Words, listed: list[SearchDocument]) -> tuple[Any, list[tuple[float, SearchDocument]]]:
        """What is enough of the words (all or any), and what has enough."""
        words = read(text)
        if words.image_id is not None:
            return all, [(1.0, each) for each in listed if each.image_id == words.image_id]
        if not words.groups:
            return all, [] if text else [(0.0, each) for each in listed]
        found: list[tuple[float, SearchDocument]] = []
        for enough in (all, any) if words.plain else (all,):
            found = _having(words, listed, enough)
            if found:
                return enough, found
        return any if words.plain else all, found

    def search_text(self, text: str | Words, filters: Filters, *, sort: Sort, limit: int, seed: int = 0) -> list[Hit]:
        found = self._matching(text, filters)
        if sort is Sort.RANDOM:
            begin = beginning_of(seed)
            circle = sorted(found, key=lambda each: ((place := place_of(each[1].image_id)) < begin, place))
            return shuffled([Hit(each.image_id, score) for score, each in circle[:MAX_RESULTS]], seed)[:limit]
        if sort is Sort.RELEVANCE and (not text or read(text).only_without):
            sort = Sort.NEWEST
        keys: dict[Sort, Callable[[tuple[float, SearchDocument]], Any]] = {
            Sort.RELEVANCE: lambda each: (each[0], each[1].image_id),
            Sort.NEWEST: lambda each: (each[1].published_at, each[1].image_id),
            Sort.OLDEST: lambda each: (each[1].published_at, each[1].image_id),
            Sort.POPULAR: lambda each: (each[1].popularity, each[1].published_at, each[1].image_id),
        }
        found.sort(key=keys[sort], reverse=sort is not Sort.OLDEST)
        return [Hit(each.image_id, score) for score, each in found[:limit]]

    def count_facets(self, text: str | Words, filters: Filters) -> FacetCounts:
        enough, found = self._by_words(text, self._listed(filters))
        tally = _tally(each for _, each in found[:FACET_SAMPLE])
        words = read(text)
        for facet, wider in filters.without_own_filter().items():
            listed = self._listed(wider)
            wide = _having(words, listed, enough) if words.groups else self._by_words(text, listed)[1]
            counted = getattr(_tally(each for _, each in wide[:FACET_SAMPLE]).facets, facet)
            tally = FacetCounts(tally.total, tally.facets.model_copy(update={facet: counted}))
        return tally

    def facets_of(self, image_ids: Sequence[UUID], *facets: str) -> FacetCounts:
        tally = _tally(self._those(image_ids))
        named = {name: getattr(tally.facets, name) for name in facets}
        return replace(tally, facets=Facets(**named)) if facets else tally

    def filter_by_terms(self, text: str | Words, image_ids: Sequence[UUID]) -> set[UUID]:
        words = read(text)
        return {each.image_id for each in self.documents(image_ids) if words.groups and _has(each, words)}

    def present(self, words: Collection[str]) -> set[str]:
        listed = self._listed(Filters())
        return {word for word in words if _having(read(word), listed, all)}

    def nearest(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        *,
        limit: int,
        exclude: UUID | None = None,
    ) -> list[Hit]:
        measured = [
            (sum(a * b for a, b in zip(vector, each.embedding, strict=True)), each.image_id)
            for each in self._listed(filters)
            if each.embedding and each.model_version == model_version and each.image_id != exclude
        ]
        return [Hit(image_id, score) for score, image_id in sorted(measured, reverse=True)[:limit]]

    def vector_of(self, image_id: UUID) -> tuple[str, Sequence[float]] | None:
        content = self.held.get(image_id, (0, None))[1]
        if content is None or content.embedding is None or content.model_version is None:
            return None
        return content.model_version, content.embedding

    def documents(self, image_ids: Sequence[UUID]) -> list[SearchDocument]:
        return [each.model_copy(update={"embedding": None}) for each in self._those(image_ids)]

    def _those(self, image_ids: Sequence[UUID]) -> list[SearchDocument]:
        found = [self.held.get(image_id, (0, None))[1] for image_id in image_ids]
        return [each for each in found if each is not None]


class MemoryRebuild:
    def __init__(self, old: MemorySearch) -> None:
        self.index = MemorySearch()
        self._old = old

    def switch(self) -> None:
        self._old.held = self.index.held

    def abandon(self) -> None:
        self.index.held = {}


def _having(words: Words, listed: list[SearchDocument], enough: Any) -> list[tuple[float, SearchDocument]]:
    return [(_score(words, each), each) for each in listed if _has(each, words, enough)]


def _has(content: SearchDocument, words: Words, enough: Any = all) -> bool:
    groups = [group for group in words.groups if any(clause.phrase or words_of(clause.text) for clause in group)]
    if not groups:  # nothing but what is too common: looked for as it stands
        return enough(any(_says(content, clause, _split) for clause in group) for group in words.groups)
    return enough(any(_says(content, clause) != clause.excluded for clause in group) for group in groups)


def _says(content: SearchDocument, clause: Clause, cut: Callable[[str], list[str]] | None = None) -> bool:
    """Whether the document has one of the clause's forms; a phrase, just so."""
    cut = cut or (_split if clause.phrase else words_of)
    fields = [cut(_searchable(each)) for each in _fields(content)]
    for form in clause.forms:
        wanted = cut(" ".join(form.words))
        if not form.side_by_side and all(any(word in words for words in fields) for word in wanted):
            return True
        if form.side_by_side and any(
            wanted == words[place : place + len(wanted)]
            for words in fields
            for place in range(len(words) - len(wanted) + 1)
        ):
            return True
    return False


_searchable = cache(searchable)


def _fields(content: SearchDocument) -> tuple[str, ...]:
    categories = [each.replace("-", " ") for each in content.categories]
    return (content.title, content.description, *content.tags, *categories, content.contributor_name)


def _score(words: Words, content: SearchDocument) -> float:
    stems, typed = _weights(content, words_of), _weights(content, _split)
    asked = [form for group in words.groups for clause in group if not clause.excluded for form in clause.forms]
    return sum(
        max((stems.get(word, 0) for word in words_of(" ".join(form.words))), default=0)
        + max((typed.get(word, 0) for word in _split(" ".join(form.words)) if not form.inflected), default=0)
        for form in asked
    )


@cache
def words_of(text: str) -> list[str]:
    """Words as they are compared: no accents, no capitals, no plural, nothing too common."""
    words = [word for word in _split(text) if word not in STOP_WORDS]
    return [word if word.endswith("ss") else re.sub("(?<=ss)es$|s$", "", word) for word in words]


@cache
def _split(text: str) -> list[str]:
    plain = ACCENT.sub("", unicodedata.normalize("NFD", text.lower()))
    return "".join(each if each.isalnum() or unicodedata.category(each)[0] == "M" else " " for each in plain).split()


def _weights(content: SearchDocument, cut: Callable[[str], list[str]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    fields = (
        (1.0, content.title),
        (0.4, " ".join(content.tags)),
        (0.2, " ".join(content.categories).replace("-", " ")),
        (0.2, content.contributor_name),
        (0.1, content.description),
    )
    for weight, text in fields:
        for word in cut(_searchable(text)):
            weights[word] = weights.get(word, 0) + weight
    return weights


def passes(content: SearchDocument, filters: Filters) -> bool:
    """Whether a document is what the filters ask for, said a second time and plainly."""
    day = content.published_at.date()
    return all(
        (
            not filters.category or set(filters.category) & set(content.categories),
            not filters.color or any(_coloured(content, each, filters.color_tolerance) for each in filters.color),
            not filters.license or set(filters.license) & set(content.license_types),
            not filters.orientation or content.orientation in filters.orientation,
            not filters.type or content.image_type in filters.type,
            filters.contributor in {None, content.contributor_id},
            filters.people is None or content.people is filters.people,
            content.safe or not filters.safe,
            content.width >= (filters.min_width or 0),
            content.height >= (filters.min_height or 0),
            content.width / content.height >= (filters.min_aspect_ratio or 0),
            content.width / content.height <= (filters.max_aspect_ratio or 1e9),
            filters.date in {None, f"{day:%Y-%m}"},
            filters.date_from is None or day >= filters.date_from,
            filters.date_to is None or day <= filters.date_to,
        )
    )


def _coloured(content: SearchDocument, wanted: str, tolerance: float) -> bool:
    if wanted[0] != "#":
        return wanted in content.colours
    return any(
        math.dist(lab_of(wanted), [5 * round(each / 5) for each in lab_of(colour.hex)]) <= tolerance
        for place, colour in enumerate(content.palette)
        if place == 0 or colour.percentage >= 8
    )


def _tally(contents: Iterable[SearchDocument]) -> FacetCounts:
    counted: dict[str, Counter[str]] = {
        name: Counter()
        for name in ("category", "color", "license", "orientation", "type", "date", "contributor", "people")
    }
    names: dict[str, str] = {}
    total = 0
    for content in contents:
        total += 1
        names[str(content.contributor_id)] = content.contributor_name
        counted["category"].update(content.categories)
        counted["color"].update(content.colours)
        counted["license"].update(each.value for each in content.license_types)
        counted["orientation"][content.orientation] += 1
        counted["people"].update([] if content.people is None else [str(content.people).lower()])
        counted["type"][content.image_type.value] += 1
        counted["date"][content.published_at.strftime("%Y-%m")] += 1
        counted["contributor"][str(content.contributor_id)] += 1
    return FacetCounts(
        total,
        ordered(
            {
                name: [facets.counted(name, v, n, names.get(v)) for v, n in counts.items()]
                for name, counts in counted.items()
            }
        ),
    )
