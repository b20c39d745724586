"""The second stage against duplicates: pictures that look alike or mean alike are compared point by point.

The nearest neighbours by embedding and the lookalikes of the first stage are candidates. A candidate is compared by
its public 450 px thumbnail (`imaging.feature_matching`), so crops, frames, overlays, turns and mirrors are found. What
agrees nearly everywhere is a duplicate; what has a part in common is for a person to decide: an overlay, a collage,
another exposure of the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from imagemarket.imaging.picture_faults import picture_work
from imagemarket.imaging.sandbox import raised
from imagemarket.ingestion.fingerprints import Evidence, FoundBy, Lookalike, Verdict
from imagemarket.ingestion.models import Step
from imagemarket.ingestion.repository import duplicates as repository
from imagemarket.platform.database import Database
from imagemarket.platform.errors import MarketError, NotFound
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import logger

if TYPE_CHECKING:
    from imagemarket.imaging.feature_matching import Comparison, Features

NEIGHBOURS = 10
"""Nearest images by embedding that are compared."""
LEAST_COSINE = 0.7
"""Images that are less alike in what they show are not compared."""

CERTAIN_INLIERS, CERTAIN_AGREEMENT, CERTAIN_CELLS = 25, 0.98, 20
PROBABLE_INLIERS = 10
"""By chance two pictures have up to 4."""
PROBABLE_DISTANCE = 4
"""Bits from which on a perceptual hash alone is a reason to ask a person: where a picture has too few points to be
compared. Of five million others one in 300,000 is so near by chance."""

_CLOCK = len("2024-05-06T07:08:09")
"""A copy may have lost the time zone, which tells no other exposure."""

COMPARED = ("thumbnail", 450, "jpeg")
"""Kind, long edge and format of the rendition that is compared."""


class NearestImages(Protocol):
    """The vector engine, as far as it is needed here."""

    def __call__(self, vector: Sequence[float], model_version: str, limit: int, /) -> Sequence[tuple[UUID, float]]:
        """The listed images nearest to the vector, each with the cosine, nearest first."""
        ...


@dataclass(frozen=True)
class Subject:
    """The image in question."""

    image_id: UUID
    thumbnail: str
    """Key of its rendition that is compared."""
    lookalikes: tuple[Lookalike, ...]
    """What the first stage found."""
    embedding: Sequence[float]
    model_version: str
    taken_at: str | None
    """When it was taken, as the camera said."""


@dataclass(frozen=True)
class Findings:
    """What came of the comparisons."""

    evidence: list[Evidence]
    """What speaks for a copy, the certain first; empty for a new picture."""
    compared: frozenset[UUID]
    """The published images that the picture was compared with."""


@dataclass(frozen=True)
class _Candidate:
    image_id: UUID
    distance: int | None
    cosine: float | None


class NearDuplicateDetector:
    """Finds the earlier images that one is a copy of."""

    def __init__(self, *, database: Database, renditions: ObjectStore, nearest: NearestImages) -> None:
        self._database = database
        self._renditions = renditions
        self._nearest = nearest

    def find(self, subject: Subject) -> Findings:
        """Compares the picture with those that are published, approved or held. One that is still being processed is
        no earlier image, whatever it looks like: the first to be published is."""
        candidates = self._candidates(subject)
        if not candidates:
            return Findings([], frozenset())
        from imagemarket.imaging import feature_matching

        known = repository.published(
            self._database, [candidate.image_id for candidate in candidates], thumbnail=COMPARED
        )
        if not known:
            return Findings([], frozenset())
        thumbnail = self._renditions.get(subject.thumbnail)
        with picture_work(Step.PUBLISH):
            ours = feature_matching.features(thumbnail)
        found = []
        for candidate in candidates:
            other = known.get(candidate.image_id)
            if other is None:
                continue
            theirs = self._features(candidate.image_id, other["key"]) if other["key"] else None
            comparison = None
            if theirs is not None:
                with picture_work(Step.PUBLISH):
                    comparison = feature_matching.compare(ours, theirs)
            times = subject.taken_at, other["taken_at"]
            exposures_differ = None not in times and len({time[:_CLOCK] for time in times if time}) > 1
            verdict = judge(comparison, candidate.distance, exposures_differ=exposures_differ)
            if verdict is not None:
                found.append(_evidence(candidate, comparison, verdict))
        found.sort(key=lambda each: (each.verdict is not Verdict.CERTAIN, -(each.inliers or 0)))
        return Findings(found, frozenset(known))

    def _features(self, image_id: UUID, key: str) -> Features | None:
        """Of another image's thumbnail; None where that is missing or broken, which is our trouble and no fault of the
        picture in question. What stands for likeness without it is then all there is."""
        from imagemarket.imaging import feature_matching

        try:
            return feature_matching.features(self._renditions.get(key))[0]
        except NotFound:
            logger.warning("a thumbnail is missing", other=str(image_id))
        except MarketError:
            raise
        except Exception as error:  # noqa: BLE001 - of a library, in any way
            logger.error("a thumbnail is broken", other=str(image_id), raised=raised(error))
        return None

    def _candidates(self, subject: Subject) -> list[_Candidate]:
        near = {
            image_id: cosine
            for image_id, cosine in [
                *self._not_listed(subject),
                *self._nearest(subject.embedding, subject.model_version, NEIGHBOURS),
            ]
            if cosine >= LEAST_COSINE and image_id != subject.image_id
        }
        nearest = sorted(near, key=near.__getitem__, reverse=True)[:NEIGHBOURS]
        distances = {each.image_id: each.distance for each in subject.lookalikes}
        return [_Candidate(each, distances.get(each), near.get(each)) for each in dict.fromkeys([*distances, *nearest])]

    def _not_listed(self, subject: Subject) -> list[tuple[UUID, float]]:
        """The nearest of those that the vector engine does not have: held for review, or approved just now."""
        return repository.nearest_unlisted(self._database, subject.embedding, subject.model_version, limit=NEIGHBOURS)


def judge(comparison: Comparison | None, distance: int | None, *, exposures_differ: bool) -> Verdict | None:
    """What two pictures' likeness amounts to. `exposures_differ`: both say when they were taken, and it is not
    the same: however alike, two exposures are two pictures, and whether both are wanted a person decides."""
    if comparison is not None and comparison.inliers >= PROBABLE_INLIERS:
        alike = (
            comparison.inliers >= CERTAIN_INLIERS
            and comparison.agreement >= CERTAIN_AGREEMENT
            and comparison.cells >= CERTAIN_CELLS
        )
        return Verdict.CERTAIN if alike and not exposures_differ else Verdict.PROBABLE
    return Verdict.PROBABLE if distance is not None and distance <= PROBABLE_DISTANCE else None


def _evidence(candidate: _Candidate, comparison: Comparison | None, verdict: Verdict) -> Evidence:
    return Evidence(
        other_id=candidate.image_id,
        found_by=FoundBy.EMBEDDING if candidate.distance is None else FoundBy.PERCEPTUAL_HASH,
        verdict=verdict,
        distance=candidate.distance,
        cosine=candidate.cosine,
        inliers=comparison.inliers if comparison else None,
        agreement=comparison.agreement if comparison else None,
        cells=comparison.cells if comparison else None,
    )
