"""Qdrant's own engine in this process (`qdrant-edge-py`), behind the client's face.

`EdgeClient` takes what `QdrantEngine` sends to a cluster and hands it to a shard in a folder, one for each collection:
the collection's settings, the indexes of the payload, points, conditions and questions are the product's own. Only the
network between and the names of collections are no engine's. What the product does not send is not translated, and
raises.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import qdrant_edge as edge
from qdrant_client import models as q

_FULL_SCAN_KB = 10_000
"""The server's default; below it a segment is compared one by one."""


class EdgeClient:
    """The part of `QdrantClient` that `QdrantEngine` uses, over collections of one shard each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Any] = {}
        self._aliases: dict[str, str] = {}

    def shard(self, name: str) -> Any:
        """The one of a collection, by its own name or its alias."""
        return self._open[self._aliases.get(name, name)]

    def close(self) -> None:
        for shard in self._open.values():
            shard.close()

    # --- the collection --------------------------------------------------------------------------

    def collection_exists(self, name: str) -> bool:
        return self._aliases.get(name, name) in self._open

    def create_collection(self, name: str, *, vectors_config: dict[str, q.VectorParams], **spread: Any) -> None:
        """`spread`, how it lies on a cluster, means nothing to one shard."""
        _ = spread
        vectors = {field: _vector(each) for field, each in vectors_config.items()}
        folder = self._folder / name
        folder.mkdir(parents=True)
        self._open[name] = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vectors))

    def delete_collection(self, name: str) -> None:
        self._open.pop(name).close()
        shutil.rmtree(self._folder / name)

    def create_payload_index(self, name: str, field: str, *, field_schema: q.PayloadSchemaType, wait: bool) -> None:
        _ = wait
        kind = getattr(edge.PayloadSchemaType, field_schema.value.capitalize())
        self.shard(name).update(edge.UpdateOperation.create_field_index(field, kind))

    def update_collection_aliases(self, changes: Sequence[Any]) -> None:
        for change in changes:
            if isinstance(change, q.DeleteAliasOperation):
                del self._aliases[change.delete_alias.alias_name]
            else:
                self._aliases[change.create_alias.alias_name] = change.create_alias.collection_name

    def get_aliases(self) -> SimpleNamespace:
        return SimpleNamespace(
            aliases=[
                q.AliasDescription(alias_name=alias, collection_name=name) for alias, name in self._aliases.items()
            ]
        )

    # --- points ----------------------------------------------------------------------------------

    def retrieve(
        self, name: str, ids: Sequence[str], *, with_payload: list[str] | bool, with_vectors: list[str] | bool = False
    ) -> list[SimpleNamespace]:
        found = self.shard(name).retrieve(list(ids), with_payload=with_payload, with_vector=with_vectors)
        return [SimpleNamespace(id=each.id, payload=each.payload, vector=each.vector) for each in found]

    def scroll(
        self, name: str, *, scroll_filter: q.Filter, limit: int, offset: Any, with_payload: bool
    ) -> tuple[list[Any], Any]:
        asked = edge.ScrollRequest(
            offset=offset, limit=limit, filter=_filter(scroll_filter), with_payload=with_payload, with_vector=False
        )
        return self.shard(name).scroll(asked)

    def batch_update_points(self, name: str, operations: Sequence[q.UpsertOperation], *, wait: bool) -> None:
        _ = wait
        for operation in operations:
            sent = operation.upsert
            assert isinstance(sent, q.PointsList)
            points = [edge.Point(each.id, cast("Any", each.vector), each.payload) for each in sent.points]
            assert isinstance(sent.update_filter, q.Filter)
            self.shard(name).update(edge.UpdateOperation.upsert_points(points, _filter(sent.update_filter)))

    def query_points(
        self,
        name: str,
        *,
        query: list[float],
        using: str,
        query_filter: q.Filter,
        search_params: q.SearchParams,
        limit: int,
        with_payload: bool,
    ) -> SimpleNamespace:
        again, acorn = search_params.quantization, search_params.acorn
        assert again is not None
        assert acorn is not None
        found = self.shard(name).query(
            edge.QueryRequest(
                limit=limit,
                query=edge.Query.Nearest(query, using),
                filter=_filter(query_filter),
                params=edge.SearchParams(
                    hnsw_ef=search_params.hnsw_ef,
                    quantization=edge.QuantizationSearchParams(rescore=again.rescore, oversampling=again.oversampling),
                    acorn=edge.AcornSearchParams(enable=bool(acorn.enable), max_selectivity=acorn.max_selectivity),
                ),
                with_payload=with_payload,
                with_vector=False,
            )
        )
        return SimpleNamespace(points=found)


def _vector(asked: q.VectorParams) -> Any:
    graph, smaller = asked.hnsw_config, asked.quantization_config
    assert graph is not None
    assert graph.m is not None
    assert graph.ef_construct is not None
    quantised = None
    if smaller is not None:
        assert isinstance(smaller, q.ScalarQuantization)
        quantised = edge.ScalarQuantizationConfig(
            getattr(edge.ScalarType, smaller.scalar.type.value.capitalize()),
            quantile=smaller.scalar.quantile,
            always_ram=smaller.scalar.always_ram,
        )
    assert asked.datatype is not None
    return edge.EdgeVectorParams(
        asked.size,
        getattr(edge.Distance, asked.distance.value),
        on_disk=asked.on_disk,
        datatype=getattr(edge.VectorStorageDatatype, asked.datatype.value.capitalize()),
        quantization_config=quantised,
        hnsw_config=edge.HnswIndexConfig(graph.m, graph.ef_construct, _FULL_SCAN_KB),
    )


def _filter(asked: q.Filter) -> Any:
    parts = {name: _listed(getattr(asked, name)) for name in ("must", "should", "must_not")}
    if asked.min_should is not None:
        raise NotImplementedError("min_should")
    filled: dict[str, Any] = {name: [_condition(each) for each in part] for name, part in parts.items() if part}
    return edge.Filter(**filled)


def _listed(part: Any) -> list[Any]:
    return [] if part is None else part if isinstance(part, list) else [part]


def _condition(asked: Any) -> Any:
    if isinstance(asked, q.Filter):
        return _filter(asked)
    if isinstance(asked, q.HasIdCondition):
        return edge.HasIdCondition(set(asked.has_id))
    if not isinstance(asked, q.FieldCondition):
        raise NotImplementedError(type(asked).__name__)
    match asked:
        case q.FieldCondition(match=q.MatchValue(value=value)):
            # Of Python's own `bool` version 0.9 of the bindings makes a number, which no field of booleans equals.
            told = np.bool_(value) if isinstance(value, bool) else value
            return edge.FieldCondition(asked.key, match=edge.MatchValue(cast("Any", told)))
        case q.FieldCondition(match=q.MatchAny(any=values)):
            return edge.FieldCondition(asked.key, match=edge.MatchAny(values))
        case q.FieldCondition(range=q.Range() as bounds):
            return edge.FieldCondition(asked.key, range=edge.RangeFloat(gte=bounds.gte, lte=bounds.lte))
        case q.FieldCondition(range=q.DatetimeRange() as bounds):
            begin, end = (each and each.isoformat() for each in (bounds.gte, bounds.lte))
            return edge.FieldCondition(asked.key, range=edge.RangeDateTime(gte=begin, lte=end))
        case _:
            raise NotImplementedError(f"a condition such as on {asked.key}")
