"""Qdrant as vector engine.

A point is an image: its id, its vector, and in the payload what the filters ask for. A point of an image that
left the catalogue stays behind with its version alone, and every write is conditional on the version that it
finds, so that a late message changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.document import DIMENSIONS, Removal, SearchDocument, same_vector
from imagemarket.search.engines.colours import cells_near, cells_of
from imagemarket.search.engines.ports import Hit, QueryRefused
from imagemarket.search.request import Filters

if TYPE_CHECKING:
    from qdrant_client import QdrantClient
    from qdrant_client import models as q

ALIAS = "images"
"""The name that everybody reads and writes by."""

_VECTOR = "embedding"
_TIMEOUT_SECONDS = 5
_PAGE = 1000
_LEAST_WALK = 128  # points of the graph that are looked at, however few are asked for
# Where fewer pass the filters, a walk also goes by way of points that do not (ACORN, Patel et al., SIGMOD 2024; Qdrant
# 1.16). Measured with 10 to 90 % kept: recall of 1.0 where it was .91, and .98 by eight times the walk.
_ACORN_BELOW = 0.4
_OVERSAMPLING = 2.0

_INDEXES = {
    "keyword": (
        "categories",
        "colours",
        "license_types",
        "orientation",
        "image_type",
        "contributor_id",
        "model_version",
    ),
    "integer": ("palette_cells", "width", "height", "version"),
    "float": ("aspect_ratio",),
    "bool": ("people", "safe", "listed"),
    "datetime": ("published_at",),
}
"""The fields of the payload that filters ask for, by kind of index; with them Qdrant knows how many points pass
and chooses between its graph and comparing one by one."""


@dataclass(frozen=True)
class Placement:
    """How a collection is spread over a cluster."""

    shards: int = 1
    """Parts of the collection; about one for each 5 million vectors, and no fewer than nodes."""
    replicas: int = 1
    """Copies of each part."""
    acknowledged_by: int = 1
    """Copies that must have a write before it counts."""
    quantised: bool = False
    """Whether an 8-bit copy of each vector is kept in memory and the vectors themselves on disk: a quarter of the
    memory, and the best found are compared again in full."""


def connect(url: str, *, api_key: str | None = None) -> QdrantClient:
    """A client of the cluster at `url`."""
    from qdrant_client import QdrantClient

    # Without the check the client asks nothing when it is made: a cold start makes no request more, and in the
    # background none that would only warn.
    return QdrantClient(url=url, api_key=api_key, timeout=_TIMEOUT_SECONDS, check_compatibility=False)


class QdrantEngine:
    """One collection, by its alias or by its own name."""

    def __init__(self, client: QdrantClient, *, placement: Placement | None = None, name: str = ALIAS) -> None:
        self._client = client
        self._placement = placement or Placement()
        self._name = name
        self._is_there = False

    # --- writing ---------------------------------------------------------------------------------

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """See `SearchIndex.write`."""
        from qdrant_client import models as q

        points: dict[int, list[q.PointStruct]] = defaultdict(list)
        for document in documents:
            points[document.version].append(_point(document))
        for gone in removals:
            payload = {"version": gone.version, "listed": False}
            points[gone.version].append(q.PointStruct(id=str(gone.image_id), vector={}, payload=payload))
        if not points:
            return 0
        with _answering():
            if not self._there():
                self._begin()
            older = self._older(points)
            self._client.batch_update_points(
                self._name,
                [
                    q.UpsertOperation(upsert=q.PointsList(points=alike, update_filter=_at_most(version)))
                    for version, alike in points.items()
                ],
                wait=True,
            )
        return older

    def _older(self, points: dict[int, list[q.PointStruct]]) -> int:
        """How many of the points are new or replace an older or equal one."""
        versions = {str(point.id): version for version, alike in points.items() for point in alike}
        held = self._client.retrieve(self._name, list(versions), with_payload=["version"])
        newer = sum((each.payload or {})["version"] > versions[str(each.id)] for each in held)
        return len(versions) - newer

    def _there(self) -> bool:
        self._is_there = self._is_there or self._client.collection_exists(self._name)
        return self._is_there

    def _begin(self) -> None:
        from qdrant_client import models as q

        first = f"{ALIAS}-first"
        if not self._client.collection_exists(first):
            self._create(first)
        create = q.CreateAlias(collection_name=first, alias_name=ALIAS)
        self._client.update_collection_aliases([q.CreateAliasOperation(create_alias=create)])

    def _create(self, name: str) -> None:
        from qdrant_client import models as q

        placement = self._placement
        scalar = q.ScalarQuantizationConfig(type=q.ScalarType.INT8, quantile=0.99, always_ram=True)
        self._client.create_collection(
            name,
            vectors_config={
                _VECTOR: q.VectorParams(
                    size=DIMENSIONS,
                    distance=q.Distance.COSINE,
                    datatype=q.Datatype.FLOAT16,
                    on_disk=placement.quantised,
                    hnsw_config=q.HnswConfigDiff(m=16, ef_construct=128),
                    quantization_config=q.ScalarQuantization(scalar=scalar) if placement.quantised else None,
                )
            },
            shard_number=placement.shards,
            replication_factor=placement.replicas,
            write_consistency_factor=placement.acknowledged_by,
        )
        for kind, fields in _INDEXES.items():
            for field in fields:
                self._client.create_payload_index(name, field, field_schema=q.PayloadSchemaType(kind), wait=True)

    # --- rebuilding ------------------------------------------------------------------------------

    def rebuild(self) -> QdrantRebuild:
        """See `SearchIndex.rebuild`."""
        name = f"{ALIAS}-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        with _answering():
            self._create(name)
        return QdrantRebuild(self._client, QdrantEngine(self._client, placement=self._placement, name=name), name)

    def versions(self, image_ids: Sequence[UUID]) -> dict[UUID, int]:
        """See `SearchIndex.versions`."""
        with _answering():
            if not self._there():
                return {}
            found = self._client.retrieve(self._name, [str(each) for each in image_ids], with_payload=True)
        payloads = {UUID(str(each.id)): each.payload or {} for each in found}
        return {image_id: payload["version"] for image_id, payload in payloads.items() if payload["listed"]}

    def differing(self, documents: Sequence[SearchDocument]) -> set[UUID]:
        """See `SearchIndex.differing`."""
        with _answering():
            if not self._there():
                return set()
            ids = [str(document.image_id) for document in documents]
            found = self._client.retrieve(self._name, ids, with_payload=True, with_vectors=[_VECTOR])
        held = {str(each.id): each for each in found}
        return {
            document.image_id
            for document in documents
            if (there := held.get(str(document.image_id))) is not None
            and (payload := there.payload or {})["listed"]
            and payload["version"] == document.version
            and not (payload == payload_of(document) and same_vector(_vector_in(there), document.embedding))
        }

    def listed(self) -> Iterator[UUID]:
        """See `SearchIndex.listed`."""
        after: Any = None
        while True:
            with _answering():
                if not self._there():
                    return
                found, after = self._client.scroll(
                    self._name,
                    scroll_filter=_equal("listed", value=True),
                    limit=_PAGE,
                    offset=after,
                    with_payload=False,
                )
            yield from (UUID(str(each.id)) for each in found)
            if after is None:
                return

    # --- vectors ---------------------------------------------------------------------------------

    def nearest(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        *,
        limit: int,
        exclude: UUID | None = None,
    ) -> list[Hit]:
        """See `VectorEngine.nearest`."""
        from qdrant_client import models as q

        again = q.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING)
        acorn = q.AcornSearchParams(enable=True, max_selectivity=_ACORN_BELOW)
        with _answering(question=True):
            if not self._there():
                return []
            found = self._client.query_points(
                self._name,
                query=list(vector),
                using=_VECTOR,
                query_filter=condition(filters, model_version, exclude),
                search_params=q.SearchParams(hnsw_ef=max(limit, _LEAST_WALK), quantization=again, acorn=acorn),
                limit=limit,
                with_payload=False,
            ).points
        hits = [Hit(UUID(str(each.id)), each.score) for each in found]
        return sorted(hits, key=lambda hit: (hit.score, hit.image_id), reverse=True)

    def vector_of(self, image_id: UUID) -> tuple[str, Sequence[float]] | None:
        """See `VectorEngine.vector_of`."""
        with _answering():
            if not self._there():
                return None
            found = self._client.retrieve(
                self._name, [str(image_id)], with_payload=["model_version"], with_vectors=[_VECTOR]
            )
        vector = _vector_in(found[0]) if found else None
        return None if vector is None else ((found[0].payload or {})["model_version"], vector)


class QdrantRebuild:
    """A new collection beside the one in use."""

    def __init__(self, client: QdrantClient, index: QdrantEngine, name: str) -> None:
        self._client = client
        self._name = name
        self.index = index

    def switch(self) -> None:
        """See `Rebuild.switch`."""
        from qdrant_client import models as q

        with _answering():
            others = [each.collection_name for each in self._client.get_aliases().aliases if each.alias_name == ALIAS]
            removed = [q.DeleteAliasOperation(delete_alias=q.DeleteAlias(alias_name=ALIAS)) for _ in others]
            create = q.CreateAlias(collection_name=self._name, alias_name=ALIAS)
            self._client.update_collection_aliases([*removed, q.CreateAliasOperation(create_alias=create)])
            for name in others:
                self._client.delete_collection(name)

    def abandon(self) -> None:
        """See `Rebuild.abandon`."""
        with _answering():
            self._client.delete_collection(self._name)


def payload_of(document: SearchDocument) -> dict[str, Any]:
    """What the filters ask of a document."""
    return {
        "version": document.version,
        "listed": True,
        "categories": list(document.categories),
        "colours": list(document.colours),
        "palette_cells": list(cells_of(document.palette)),
        "license_types": [each.value for each in document.license_types],
        "orientation": document.orientation,
        "image_type": document.image_type.value,
        "contributor_id": str(document.contributor_id),
        "width": document.width,
        "height": document.height,
        "aspect_ratio": document.width / document.height,
        "people": document.people,
        "safe": document.safe,
        "published_at": document.published_at.isoformat(),
        "model_version": document.model_version,
    }


def condition(filters: Filters, model_version: str, exclude: UUID | None = None) -> q.Filter:
    """The filters in Qdrant's form, always with `listed` and of one model."""
    from qdrant_client import models as q

    def any_of(field: str, values: Sequence[Any]) -> q.FieldCondition:
        return q.FieldCondition(key=field, match=q.MatchAny(any=list(values)))

    def between(field: str, least: float | None, most: float | None = None) -> q.FieldCondition:
        return q.FieldCondition(key=field, range=q.Range(gte=least, lte=most))

    def is_(field: str, value: Any) -> q.FieldCondition:
        return q.FieldCondition(key=field, match=q.MatchValue(value=value))

    must: list[Any] = [is_("listed", value=True), is_("model_version", model_version)]
    for field, values in (
        ("categories", filters.category),
        ("license_types", [each.value for each in filters.license]),
        ("orientation", filters.orientation),
        ("image_type", [each.value for each in filters.type]),
    ):
        if values:
            must.append(any_of(field, values))
    if filters.color:
        cells = {cell for each in filters.color if each[0] == "#" for cell in cells_near(each, filters.color_tolerance)}
        named = [each for each in filters.color if each[0] != "#"]
        must.append(q.Filter(should=[any_of("colours", named), any_of("palette_cells", sorted(cells))]))
    if filters.contributor:
        must.append(is_("contributor_id", str(filters.contributor)))
    if filters.people is not None:
        must.append(is_("people", filters.people))
    if filters.safe:
        must.append(is_("safe", value=True))
    if filters.min_width:
        must.append(between("width", filters.min_width))
    if filters.min_height:
        must.append(between("height", filters.min_height))
    if filters.min_aspect_ratio or filters.max_aspect_ratio:
        must.append(between("aspect_ratio", filters.min_aspect_ratio, filters.max_aspect_ratio))
    for first, last in ((filters.date_from, filters.date_to), filters.month):
        if first or last:
            begin = first and datetime.combine(first, time.min, UTC)
            end = last and datetime.combine(last, time.max, UTC)
            must.append(q.FieldCondition(key="published_at", range=q.DatetimeRange(gte=begin, lte=end)))
    return q.Filter(must=must, must_not=None if exclude is None else [q.HasIdCondition(has_id=[str(exclude)])])


def _point(document: SearchDocument) -> q.PointStruct:
    from qdrant_client import models as q

    vector: dict[str, Any] = {} if document.embedding is None else {_VECTOR: list(document.embedding)}
    return q.PointStruct(id=str(document.image_id), vector=vector, payload=payload_of(document))


def _vector_in(record: q.Record) -> Sequence[float] | None:
    vectors = record.vector
    return vectors.get(_VECTOR) if isinstance(vectors, dict) else None  # pyright: ignore[reportReturnType]


def _at_most(version: int) -> q.Filter:
    from qdrant_client import models as q

    return q.Filter(must=[q.FieldCondition(key="version", range=q.Range(lte=version))])


def _equal(field: str, *, value: Any) -> q.Filter:
    from qdrant_client import models as q

    return q.Filter(must=[q.FieldCondition(key=field, match=q.MatchValue(value=value))])


@contextmanager
def _answering(*, question: bool = False) -> Iterator[None]:
    """Turns what the client raises into errors of the house: the engine does not answer, or does not take a question
    (400 and 422: none that it can read, or beyond its limits; 413: too long)."""
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except ResponseHandlingException as error:
        raise DependencyUnavailable("The vector engine is not answering; try again.") from error
    except UnexpectedResponse as error:
        if question and error.status_code in {400, 413, 422}:
            raise QueryRefused("The vector engine does not take this question.") from error
        if error.status_code not in {408, 429, 500, 502, 503, 504}:
            raise
        raise DependencyUnavailable("The vector engine is not answering; try again.") from error
