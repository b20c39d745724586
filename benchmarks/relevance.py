"""How well searches find what is meant: captioned photos among distractors, by every way of ranking.

The photos lie beside the clone in `../shared/samples`; without them nothing is measured. A photo's first caption
is its title, as a contributor would write it, and its tags and vector are the model's. The queries are its other
captions whole, what is on it in one word, the same misspelt and by a synonym, and with filters. Distractors are
the other photos and mixtures of two: a vector between theirs, tags of both.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.material.postgres import own_database
from benchmarks.material.samples import NOT_HERE, SAMPLES
from benchmarks.retrieval import BUNDLE, model_input
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.schema import upgrade
from imagemarket.search.document import SearchDocument
from imagemarket.search.engines.ports import Hit
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.query import synonyms
from imagemarket.search.query.parser import ParsedQuery, ParseOptions, QueryParser
from imagemarket.search.query.spelling import MOST_WORDS, Speller
from imagemarket.search.query.syntax import Words
from imagemarket.search.ranking.boosts import apply_boosts, boosts
from imagemarket.search.ranking.fusion import Fusion
from imagemarket.search.request import MAX_RESULTS, VECTOR_CANDIDATES, Filters, SearchQuery, Sort
from imagemarket.search.suggestions import SuggestionTable

MIXTURES = 1000
FOLDS = 5
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the meaning that are tried for the convex combination."""

DEFAULT = str(Fusion())
"""What hybrid search does unless told otherwise."""

_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_DEPTH = 10


@dataclass(frozen=True)
class Question:
    """A query, what it is an example of, and the photos that answer it."""

    kind: str
    text: str
    relevant: frozenset[UUID]
    fold: int
    filters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """nDCG@10, recall@10 and reciprocal rank of one answer, each from 0 to 1."""

    ndcg: float
    recall: float
    reciprocal: float


def judge(found: Sequence[UUID], relevant: frozenset[UUID]) -> Judged:
    """nDCG with relevance 0 or 1 (Järvelin and Kekäläinen, 2002)."""
    places = [place for place, image_id in enumerate(found, 1) if image_id in relevant]
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(relevant), _DEPTH) + 1))
    gained = sum(1 / math.log2(place + 1) for place in places if place <= _DEPTH)
    return Judged(
        ndcg=gained / best,
        recall=sum(place <= _DEPTH for place in places) / min(len(relevant), _DEPTH),
        reciprocal=1 / places[0] if places else 0.0,
    )


@dataclass
class Corpus:
    """The documents of photos and distractors, and the questions about them."""

    documents: list[SearchDocument]
    questions: list[Question]


def sample_entries() -> list[dict[str, Any]]:
    """What is said of the photos beside the clone: `file`, `captions` and `labels` of each."""
    return [each for each in json.loads((SAMPLES / "manifest.json").read_text()) if each["file"].startswith("photos/")]


def corpus(entries: Sequence[dict[str, Any]], seed: int = 7, mixtures: int = MIXTURES) -> Corpus:
    """Made anew from the photos each time, the same for the same seed; a `file` is a path from the samples on."""
    from sagemaker.builders.lite import build

    build(BUNDLE)
    photos = _photos(entries)
    numbers = random.Random(seed)
    mixed = [_mixture(numbers, *numbers.sample(photos, 2)) for _ in range(mixtures)]
    # Numbers of their own, so that the same is asked whatever tags a bundle gives.
    return Corpus([*photos, *mixed], list(_questions(entries, photos, random.Random(seed))))


def _photos(entries: Sequence[dict[str, Any]]) -> list[SearchDocument]:
    import io

    from PIL import Image

    from imagemarket.imaging import hashes
    from imagemarket.vision.analyser import Analyser

    analyser = Analyser(BUNDLE)
    made = []
    for entry in entries:
        jpeg = model_input(SAMPLES / entry["file"])
        (seen,) = analyser.analyse([jpeg])
        with Image.open(io.BytesIO(jpeg)) as picture:
            colours = hashes.colour_names(hashes.palette(picture.convert("RGB")))
            width, height = picture.size
        tags = tuple(tag.tag for tag in seen.tags)
        made.append(
            _document(
                title=entry["captions"][0].strip() if entry.get("captions") else f"{tags[0]} and {tags[1]}",
                tags=tags,
                categories=tuple(seen.categories),
                description=seen.description,
                colours=tuple(colours),
                orientation=_orientation(width, height),
                embedding=tuple(seen.embedding),
                model_version=analyser.model_version,
            )
        )
    return made


def _orientation(width: int, height: int) -> str:
    if abs(width - height) <= 0.05 * max(width, height):
        return "square"
    return "landscape" if width > height else "portrait"


def _document(**fields: Any) -> SearchDocument:
    return SearchDocument(
        image_id=new_id(),
        version=1,
        contributor_id=UUID(int=1),
        contributor_name="Ada",
        image_type="photo",  # pyright: ignore[reportArgumentType]
        license_types=("standard",),  # pyright: ignore[reportArgumentType]
        width=600,
        height=400,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        **fields,
    )


def _mixture(numbers: random.Random, one: SearchDocument, other: SearchDocument) -> SearchDocument:
    """A picture that never was, with something of both."""
    assert one.embedding
    assert other.embedding
    share = numbers.uniform(0.3, 0.7)
    mixed = [share * a + (1 - share) * b for a, b in zip(one.embedding, other.embedding, strict=True)]
    length = math.sqrt(sum(value * value for value in mixed))
    tags = tuple(dict.fromkeys(numbers.sample(one.tags, 8) + numbers.sample(other.tags, 8)))
    return _document(
        title=f"{tags[0]} and {tags[-1]}",
        tags=tags,
        categories=one.categories,
        description=other.description,
        colours=other.colours,
        orientation=one.orientation,
        embedding=tuple(value / length for value in mixed),
        model_version=one.model_version,
    )


def _misspelt(numbers: random.Random, word: str) -> str:
    """One slip behind the first letter: two letters swapped, one left out, doubled or another."""
    place = numbers.randrange(1, len(word) - 1)
    slips = (
        word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        word[:place] + word[place + 1 :],
        word[:place] + word[place] + word[place:],
        word[:place] + numbers.choice("aeiorstn") + word[place + 1 :],
    )
    return numbers.choice([slip for slip in slips if slip != word])


def _questions(
    entries: Sequence[dict[str, Any]], photos: Sequence[SearchDocument], numbers: random.Random
) -> Iterator[Question]:
    shown: dict[str, set[UUID]] = {}
    for place, (entry, photo) in enumerate(zip(entries, photos, strict=True)):
        for label in entry.get("labels", []):
            shown.setdefault(label, set()).add(photo.image_id)
        fold, own = place % FOLDS, frozenset({photo.image_id})
        captions = [caption.strip().rstrip(".") for caption in entry.get("captions", [])]
        for caption in captions[1:3]:
            yield Question("caption", caption, own, fold)
        if len(captions) > 3:
            yield Question("filtered", captions[3], own, fold, {"orientation": [photo.orientation]})
            words = captions[-1].split()
            long = [word for word in words if len(word) > 5 and word.isalpha()]
            if long:
                wrong = numbers.choice(long)
                misspelt = " ".join(_misspelt(numbers, word) if word == wrong else word for word in words)
                yield Question("misspelt caption", misspelt, own, fold)
    known = synonyms.shipped()
    for place, (label, images) in enumerate(sorted(shown.items())):
        fold = place % FOLDS
        yield Question("noun", label, frozenset(images), fold)
        if len(label) > 4 and " " not in label:
            yield Question("misspelt noun", _misspelt(numbers, label), frozenset(images), fold)
        for other in known.get(label, ())[:1]:
            yield Question("synonym", other, frozenset(images), fold)


# --- ways of ranking -------------------------------------------------------------------------------

Way = Callable[[Sequence[Hit], Sequence[Hit]], list[Hit]]

WAYS: dict[str, Way] = {
    "keyword": lambda by_words, _: list(by_words),
    "semantic": lambda _, by_meaning: list(by_meaning),
    "rrf": Fusion("rrf").of,
    **{f"convex:{share:g}": Fusion("convex", share).of for share in SHARES},
}
READINGS = {
    "plain": ParseOptions(spelling=False, synonyms=False, interpretation=False),
    "spelling": ParseOptions(synonyms=False, interpretation=False),
    "synonyms": ParseOptions(spelling=False, interpretation=False),
    "all": ParseOptions(),
}

Scores = dict[tuple[str, str], list[Judged]]
"""By reading and way, one for each question."""


@contextmanager
def engine_with(documents: Sequence[SearchDocument]) -> Iterator[tuple[PostgresSearch, Speller]]:
    with own_database() as dsn:
        upgrade(dsn)
        database = Database(lambda: dsn)
        engine, table = PostgresSearch(database), SuggestionTable(database)
        for begin in range(0, len(documents), 100):
            engine.write(documents[begin : begin + 100], [])
            table.write(documents[begin : begin + 100], [])
        yield engine, Speller(table.words(MOST_WORDS))
        database.close()


def scores(
    made: Corpus, engine: PostgresSearch, speller: Speller, readings: Mapping[str, ParseOptions] = READINGS
) -> Scores:
    """Every question asked in every reading, and its answer judged for every way, boosts included. As in the product,
    what neither has the words nor is close in meaning is no result."""
    from imagemarket.vision.text import TextEncoder

    encoder = TextEncoder(BUNDLE)
    documents = {document.image_id: document for document in made.documents}
    found: Scores = {}
    for reading_name, reading in readings.items():
        reader = QueryParser(lambda: speller, None, reading)
        for question in made.questions:
            query = SearchQuery(q=question.text[:200], **question.filters)
            asked = reader.parse(query, engine.present)
            by_words = _matched(engine, asked)
            by_meaning = engine.nearest(
                encoder.encode(asked.text), encoder.model_version, asked.filters, limit=VECTOR_CANDIDATES
            )
            boosted = {
                hit.image_id: boosts(documents[hit.image_id], asked.boost_terms, _NOW)
                for hit in [*by_words, *by_meaning]
            }
            close = {hit.image_id for hit in by_meaning if hit.score >= (encoder.close_from or -1)}
            having = {hit.image_id for hit in by_words}
            for way_name, way in WAYS.items():
                results = close if way_name == "semantic" else close | having
                ranked = apply_boosts([hit for hit in way(by_words, by_meaning) if hit.image_id in results], boosted)
                judged = judge([hit.image_id for hit in ranked], question.relevant)
                found.setdefault((reading_name, way_name), []).append(judged)
    return found


def _match(engine: PostgresSearch, text: str | Words, filters: Filters) -> list[Hit]:
    return engine.search_text(text, filters, sort=Sort.RELEVANCE, limit=MAX_RESULTS)


def _matched(engine: PostgresSearch, asked: ParsedQuery) -> list[Hit]:
    """As `Search` does."""
    return _match(engine, asked.words if asked.text else "", asked.filters)


def mean(judged: Sequence[Judged], measure: str = "ndcg") -> float:
    """Over questions; `measure` is a field of `Judged`."""
    return statistics.fmean(getattr(each, measure) for each in judged)


def cross_validated(made: Corpus, found: Scores) -> tuple[float, str]:
    """nDCG@10 of the convex combination on questions that did not choose its share, and the share that all of
    them choose together."""
    names = [f"convex:{share:g}" for share in SHARES]
    held_out: list[Judged] = []
    for fold in range(FOLDS):
        inside = [place for place, question in enumerate(made.questions) if question.fold != fold]
        best = max(names, key=lambda name: mean([found["all", name][place] for place in inside]))
        held_out += [
            found["all", best][place] for place, question in enumerate(made.questions) if question.fold == fold
        ]
    return mean(held_out), max(names, key=lambda name: mean(found["all", name]))


def measure() -> list[report.Row]:
    """The table of every way and reading, and the claims that the defaults stand on."""
    if not (SAMPLES / "manifest.json").exists():
        return [report.unmeasured("relevance of hybrid search", unit="nDCG@10", goal="", reason=NOT_HERE)]
    made = corpus(sample_entries())
    with engine_with(made.documents) as (engine, speller):
        found = scores(made, engine, speller)
    console = Console(width=140)
    table = Table("reading", "way", "nDCG@10", "recall@10", "MRR", title=f"{len(made.questions)} queries, all kinds")
    for (reading, way), judged in found.items():
        table.add_row(reading, way, *(f"{mean(judged, name):.3f}" for name in ("ndcg", "recall", "reciprocal")))
    console.print(table)
    kinds = list(dict.fromkeys(question.kind for question in made.questions))
    for measure_of, title in (("ndcg", "nDCG@10"), ("recall", "recall@10"), ("reciprocal", "MRR")):
        console.print(_by_kind(made, found, kinds, measure_of, title))
    console.print(_ranks(made, found))
    convex, share = cross_validated(made, found)
    console.print(f"convex, its share chosen on the other folds: nDCG@10 {convex:.3f}; on all together {share}")

    def of(reading: str, way: str, kind: str | None = None, what: str = "ndcg") -> float:
        chosen = [j for q, j in zip(made.questions, found[reading, way], strict=True) if kind in {None, q.kind}]
        return mean(chosen, what)

    floor, nonsense, kept = measure_least_close(made)
    default = DEFAULT
    console.print(f"least cosine of what is close: {floor:.2f}; made-up words that find 1 % or more: {nonsense:.1%}")
    alike_from, same, nothing = measure_alike(made)
    console.print(f"least cosine of what is alike: {alike_from:.2f}")
    return [
        report.at_least(
            f"captions whose own photo is close at {floor:.2f}; the peer is made-up words that find 1 % or more",
            ours=kept, peer=nonsense, unit="share", limit=0.8,
        ),
        report.at_least(
            f"pairs that show the same which are alike at {alike_from:.2f}; the peer is pairs with nothing in common",
            ours=same, peer=nothing, unit="share", limit=0.95,
        ),
        report.at_least(
            "convex combination, cross-validated; the peer is RRF",
            ours=convex, peer=of("all", "rrf"), unit="nDCG@10", limit=of("all", "rrf"),
        ),
        report.at_least(
            f"hybrid ({default}), every kind; the peer is keyword search",
            ours=of("all", default), peer=of("all", "keyword"), unit="nDCG@10", limit=0.6,
        ),
        report.at_least(
            f"hybrid ({default}), every kind; the peer is semantic search",
            ours=of("all", default), peer=of("all", "semantic"), unit="nDCG@10", limit=0.6,
        ),
        report.at_least(
            "misspelt nouns with spelling; the peer is without",
            ours=of("all", default, "misspelt noun"), peer=of("plain", default, "misspelt noun"),
            unit="nDCG@10", limit=of("plain", default, "misspelt noun"),
        ),
        report.at_least(
            "synonyms with the lists; the peer is without",
            ours=of("all", default, "synonym"), peer=of("plain", default, "synonym"),
            unit="nDCG@10", limit=of("plain", default, "synonym"),
        ),
        report.at_least(
            "captions lose next to nothing by the reading; the peer is without",
            ours=of("all", default, "caption"), peer=of("plain", default, "caption"),
            unit="nDCG@10", limit=0.98 * of("plain", default, "caption"),
        ),
    ]  # fmt: skip


def measure_least_close(made: Corpus) -> tuple[float, float, float]:
    """`least_close` of the samples with its share of made-up words, and the share of captions whose own photo is as
    close."""
    import numpy as np

    from imagemarket.vision.text import TextEncoder
    from sagemaker.builders.closeness import least_close, made_up_words

    encoder = TextEncoder(BUNDLE)
    photos = made.documents[: len(made.documents) - MIXTURES]
    vectors = np.asarray([photo.embedding for photo in photos])
    likeness = np.asarray([vectors @ np.asarray(encoder.encode(word)) for word in made_up_words()])
    place = {photo.image_id: row for row, photo in enumerate(photos)}
    own = np.asarray(
        [
            vectors[place[next(iter(question.relevant))]] @ np.asarray(encoder.encode(question.text))
            for question in made.questions
            if question.kind == "caption"
        ]
    )
    found = least_close(likeness)
    if found is None:
        raise RuntimeError("made-up words are as close to the photos as can be")
    floor, nonsense = found
    return floor, nonsense, float((own >= floor).mean())


def measure_alike(made: Corpus) -> tuple[float, float, float]:
    """See `alike`, of the samples that are labelled."""
    import numpy as np

    from sagemaker.builders.closeness import alike

    entries = sample_entries()
    labelled = [place for place, entry in enumerate(entries) if entry.get("labels")]
    vectors = np.asarray([made.documents[place].embedding for place in labelled])
    return alike(vectors @ vectors.T, [frozenset(entries[place]["labels"]) for place in labelled])


def _by_kind(made: Corpus, found: Scores, kinds: Sequence[str], measure_of: str, title: str) -> Table:
    table = Table("reading", "way", *kinds, title=f"{title} by kind of query")
    for (reading, way), judged in found.items():
        if way.startswith("convex") and way not in {"convex:0.5", "convex:0.7"}:
            continue
        of_kind = {kind: [j for q, j in zip(made.questions, judged, strict=True) if q.kind == kind] for kind in kinds}
        table.add_row(reading, way, *(f"{mean(each, measure_of):.3f}" for each in of_kind.values()))
    return table


def _ranks(made: Corpus, found: Scores) -> Table:
    """Of each query the place of the first photo that answers it, by every way with all of the reading."""
    ways = ("keyword", "semantic", "rrf", DEFAULT)
    table = Table("kind", "query", *ways, title="the first photo that answers stands at")
    for number, question in enumerate(made.questions):
        reciprocals = [found["all", way][number].reciprocal for way in ways]
        table.add_row(question.kind, question.text, *(f"{1 / each:.0f}" if each else "-" for each in reciprocals))
    return table


if __name__ == "__main__":
    sys.exit(report.main(measure))
