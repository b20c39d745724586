"""OpenSearch as keyword engine, as vector engine where its collection holds vectors, and as reader.

Only operations that OpenSearch Serverless offers are used. One index behind an alias: Serverless decides
on shards itself, so an index for each month would only spread every search over all of them. It has no
external versions to count on, so a newer document is kept from an older one by a script that runs within the
update, under the engine's own check that nobody wrote in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.document import Removal, SearchDocument, same_vector
from imagemarket.search.engines.colours import cells_of
from imagemarket.search.engines.opensearch_index import GIVEN_BACK, definition, removed_fields
from imagemarket.search.engines.opensearch_query import (
    conditions_of,
    facet_conditions,
    facetless_conditions,
    queries_of,
    terms_query,
    with_ids,
)
from imagemarket.search.engines.ports import Hit, QueryRefused
from imagemarket.search.engines.shuffle import beginning_of, place_of, shuffled
from imagemarket.search.errors import IndexingIncomplete
from imagemarket.search.facets import MONTHS, MOST_CONTRIBUTORS, FacetCounts, counted, ordered
from imagemarket.search.query.syntax import Words, read
from imagemarket.search.query.words import searchable
from imagemarket.search.request import MAX_RESULTS, Filters, Sort

if TYPE_CHECKING:
    from boto3 import Session
    from opensearchpy import OpenSearch, TransportError

ALIAS = "images"
"""The name that everybody reads and writes by."""

_TIMEOUT_SECONDS = 5
_BULK_SECONDS = 30
_BULK = 200  # documents in one request: about 2 MB with vectors
_PAGE = 1000
_LEAST_NEIGHBOURS = (
    100  # Lucene looks around no further than what is asked for, so asking for few finds few of the best
)

_KEEP_THE_NEWER = """
    if (ctx.op == 'create' || ctx._source.version <= params.document.version) { ctx._source = params.document }
    else { ctx.op = 'none' }
"""

_FACETS: Mapping[str, Mapping[str, Any]] = {
    "category": {"terms": {"field": "categories", "size": 100}},
    "color": {"terms": {"field": "colours", "size": 100}},
    "license": {"terms": {"field": "license_types", "size": 10}},
    "orientation": {"terms": {"field": "orientation", "size": 10}},
    "type": {"terms": {"field": "image_type", "size": 10}},
    "people": {"terms": {"field": "people", "size": 2}},
    "date": {"terms": {"field": "month", "size": MONTHS, "order": {"_key": "desc"}}},
    "contributor": {
        "terms": {
            "field": "contributor_id",
            "size": MOST_CONTRIBUTORS,
            "shard_size": 1000,
            "order": [{"_count": "desc"}, {"_key": "asc"}],
        },
        "aggs": {"name": {"terms": {"field": "contributor_name", "size": 1}}},
    },
}

_ORDERS: Mapping[Sort, list[dict[str, str]]] = {
    Sort.RELEVANCE: [{"_score": "desc"}, {"image_id": "desc"}],
    Sort.NEWEST: [{"published_at": "desc"}, {"image_id": "desc"}],
    Sort.OLDEST: [{"published_at": "asc"}, {"image_id": "asc"}],
    Sort.POPULAR: [{"popularity": "desc"}, {"published_at": "desc"}, {"image_id": "desc"}],
    Sort.RANDOM: [{"place": "asc"}, {"image_id": "asc"}],
}


def connect(endpoint: str, *, session: Session | None = None) -> OpenSearch:
    """A client of the collection at `endpoint`. With a session its requests are signed for Serverless."""
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection

    signed: dict[str, Any] = {}
    if session is not None:
        signed["http_auth"] = Urllib3AWSV4SignerAuth(session.get_credentials(), session.region_name, "aoss")
    return OpenSearch(
        hosts=[endpoint],
        connection_class=Urllib3HttpConnection,
        timeout=_TIMEOUT_SECONDS,
        max_retries=1,
        retry_on_timeout=False,
        pool_maxsize=8,
        http_compress=True,
        **signed,
    )


class OpenSearchEngine:
    """One index of documents, by its alias or by its own name."""

    def __init__(
        self, client: OpenSearch, *, vectors: bool = False, language: str = "english", name: str = ALIAS
    ) -> None:
        """`language` and `vectors` shape an index that is made anew; see `definition`."""
        self._client = client
        self._vectors = vectors
        self._language = language
        self._name = name

    # --- writing ---------------------------------------------------------------------------------

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """See `SearchIndex.write`. Raises `IndexingIncomplete` with the images that were not taken; the others
        are written. What was written is found after the next refresh, on Serverless within about 10 s."""
        changes = [*(self._fields(each) for each in documents), *(removed_fields(each) for each in removals)]
        changed = 0
        failed: set[UUID] = set()
        for begin in range(0, len(changes), _BULK):
            results = self._bulk(changes[begin : begin + _BULK])
            changed += sum(each["result"] in {"created", "updated"} for each in results if each["status"] < 300)
            failed |= {UUID(each["_id"]) for each in results if each["status"] >= 300}
        if failed:
            raise IndexingIncomplete(failed)
        return changed

    def _bulk(self, changes: Sequence[dict[str, Any]], *, again: bool = True) -> list[dict[str, Any]]:
        body: list[dict[str, Any]] = []
        for fields in changes:
            body.append({"update": {"_id": fields["image_id"], "retry_on_conflict": 5}})
            script = {"lang": "painless", "source": _KEEP_THE_NEWER, "params": {"document": fields}}
            body.append({"script": script, "scripted_upsert": True, "upsert": {}})
        by_alias = self._name == ALIAS
        parameters = {"require_alias": str(by_alias).lower(), "request_timeout": _BULK_SECONDS}
        with _answering():
            answer = self._client.bulk(body=body, index=self._name, params=parameters)
        results = [item["update"] for item in answer["items"]]
        missing = any(each.get("error", {}).get("type") == "index_not_found_exception" for each in results)
        if missing and by_alias and again:
            self._begin()
            return self._bulk(changes, again=False)
        return results

    def _begin(self) -> None:
        """Makes the first index and the alias. Whoever comes second finds both made."""
        from opensearchpy import RequestError

        first = f"{ALIAS}-first"
        with _answering():
            try:
                self._client.indices.create(index=first, body=self._definition())
            except RequestError as error:
                if error.error != "resource_already_exists_exception":
                    raise
            self._client.indices.put_alias(index=first, name=ALIAS)

    def _fields(self, document: SearchDocument) -> dict[str, Any]:
        fields = document.model_dump(mode="json", exclude=set() if self._vectors else {"embedding"}, exclude_none=True)
        return {
            **fields,
            "listed": True,
            "title_words": searchable(document.title),
            "description_words": searchable(document.description),
            "tag_words": [searchable(tag) for tag in document.tags],
            "category_words": [each.replace("-", " ") for each in document.categories],
            "contributor_words": searchable(document.contributor_name),
            "palette_cells": list(cells_of(document.palette)),
            "aspect_ratio": document.width / document.height,
            "month": document.published_at.astimezone(UTC).strftime("%Y-%m"),
            "place": place_of(document.image_id),
        }

    # --- rebuilding ------------------------------------------------------------------------------

    def rebuild(self) -> OpenSearchRebuild:
        """See `Rebuildable.rebuild`."""
        name = f"{ALIAS}-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        with _answering():
            self._client.indices.create(index=name, body=self._definition())
        index = OpenSearchEngine(self._client, vectors=self._vectors, language=self._language, name=name)
        return OpenSearchRebuild(self._client, index, name)

    def _definition(self) -> dict[str, Any]:
        return definition(vectors=self._vectors, language=self._language)

    def versions(self, image_ids: Sequence[UUID]) -> dict[UUID, int]:
        """See `SearchIndex.versions`. Read by id, so that what was written a moment ago counts already."""
        return {image_id: source["version"] for image_id, source in self._sources(image_ids, "version").items()}

    def _sources(self, image_ids: Sequence[UUID], *fields: str) -> dict[UUID, dict[str, Any]]:
        """What listed documents were written with, by id: these fields, or all."""
        if not image_ids:
            return {}
        path, body = f"/{self._name}/_mget", {"ids": [str(each) for each in image_ids]}
        only = {"_source_includes": ",".join((*fields, "listed"))} if fields else {}
        with _answering():
            # The client's own mget sends a POST, which Serverless does not list.
            answer = self._client.transport.perform_request("GET", path, params=only, body=body)
        found = {UUID(each["_id"]): each["_source"] for each in answer["docs"] if each.get("found")}
        return {image_id: source for image_id, source in found.items() if source["listed"]}

    def differing(self, documents: Sequence[SearchDocument]) -> set[UUID]:
        """See `SearchIndex.differing`. What is searched by is made of what a document was written with."""
        found: set[UUID] = set()
        for begin in range(0, len(documents), _BULK):
            batch = documents[begin : begin + _BULK]
            held = self._sources([document.image_id for document in batch])
            for document in batch:
                there = held.get(document.image_id)
                if there is not None and there["version"] == document.version:
                    wanted = self._fields(document)
                    alike = same_vector(there.pop("embedding", None), wanted.pop("embedding", None))
                    if not alike or there != wanted:
                        found.add(document.image_id)
        return found

    def listed(self) -> Iterator[UUID]:
        """See `SearchIndex.listed`."""
        after: dict[str, Any] = {}
        while True:
            body = {"query": {"term": {"listed": True}}, "sort": [{"image_id": "asc"}], **after}
            hits = self._search(body, size=_PAGE)["hits"]["hits"]
            yield from (UUID(each["_id"]) for each in hits)
            if len(hits) < _PAGE:
                return
            after = {"search_after": hits[-1]["sort"]}

    # --- words -----------------------------------------------------------------------------------

    def search_text(self, text: str | Words, filters: Filters, *, sort: Sort, limit: int, seed: int = 0) -> list[Hit]:
        """See `KeywordEngine.search_text`. Ranked by BM25 of the best field, titles before tags before the rest."""
        if sort is Sort.RELEVANCE and (not text or read(text).only_without):
            sort = Sort.NEWEST
        narrow = conditions_of(filters)
        for query in queries_of(text):
            if sort is Sort.RANDOM:
                hits = self._circle(query, narrow, beginning_of(seed))
                found = shuffled(hits, seed)[:limit]
            else:
                found = self._hits(query, narrow, sort, limit)
            if found:
                return found
        return []

    def _circle(self, query: dict[str, Any], narrow: list[dict[str, Any]], beginning: int) -> list[Hit]:
        """The `MAX_RESULTS` documents that follow a place on the circle."""
        found: list[Hit] = []
        for half in ({"gte": beginning}, {"lt": beginning}):
            found += self._hits(query, [*narrow, {"range": {"place": half}}], Sort.RANDOM, MAX_RESULTS - len(found))
            if len(found) == MAX_RESULTS:
                break
        return found

    def _hits(self, query: dict[str, Any], narrow: list[dict[str, Any]], sort: Sort, limit: int) -> list[Hit]:
        body = {"query": {"bool": {"must": [query], "filter": narrow}}, "sort": _ORDERS[sort], "track_scores": True}
        found = self._search({**body, "track_total_hits": False}, size=limit)
        scored = "match_all" not in query
        return [Hit(UUID(each["_id"]), each["_score"] if scored else 0.0) for each in found["hits"]["hits"]]

    def count_facets(self, text: str | Words, filters: Filters) -> FacetCounts:
        """See `KeywordEngine.count_facets`. Every match is counted, so nothing is estimated."""
        tally = FacetCounts(0, ordered({}))
        for query in queries_of(text):
            tally = self._tally(query, facetless_conditions(filters), facet_conditions(filters))
            if tally.total:
                return tally
        # Nothing passes every filter, and yet a facet may have something to widen to.
        return tally

    def facets_of(self, image_ids: Sequence[UUID], *facets: str) -> FacetCounts:
        """See `KeywordEngine.facets_of`."""
        return self._tally(with_ids(image_ids)["query"], [], {}, facets)

    def filter_by_terms(self, text: str | Words, image_ids: Sequence[UUID]) -> set[UUID]:
        """See `KeywordEngine.filter_by_terms`."""
        words = read(text)
        if not words.groups or not image_ids:
            return set()
        narrow = [*with_ids(image_ids)["query"]["bool"]["filter"], terms_query(words, "must")]
        body = {"query": {"bool": {"filter": narrow}}, "_source": False, "track_total_hits": False}
        return {UUID(each["_id"]) for each in self._search(body, size=len(image_ids))["hits"]["hits"]}

    def present(self, words: Collection[str]) -> set[str]:
        """See `KeywordEngine.present`. One round trip, however many words."""
        wanted = list(words)
        if not wanted:  # which the engine refuses
            return set()
        each = {"filters": {"filters": [terms_query(read(word), "must") for word in wanted]}}
        body = {
            "query": {"bool": {"filter": conditions_of(Filters())}},
            "aggs": {"words": each},
            "track_total_hits": False,
        }
        answer = self._search(body, size=0).get("aggregations")
        counts = [] if answer is None else [bucket["doc_count"] for bucket in answer["words"]["buckets"]]
        return {word for word, count in zip(wanted, counts, strict=False) if count}

    def _tally(
        self,
        query: dict[str, Any],
        narrow: list[dict[str, Any]],
        chosen: dict[str, dict[str, Any]],
        facets: Collection[str] = (),
    ) -> FacetCounts:
        asked = {facet: values for facet, values in _FACETS.items() if not facets or facet in facets}
        counting: dict[str, Any] = {"total": {"filter": {"bool": {"filter": list(chosen.values())}}}}
        for facet, values in asked.items():
            others = [each for name, each in chosen.items() if name != facet]
            counting[facet] = {"filter": {"bool": {"filter": others}}, "aggs": {"values": values}}
        body = {"query": {"bool": {"filter": [query, *narrow]}}, "aggs": counting, "track_total_hits": False}
        answer = self._search(body, size=0).get("aggregations")
        if answer is None:
            return FacetCounts(0, ordered({}))
        counts = {
            facet: [
                counted(
                    facet,
                    str(each.get("key_as_string", each["key"])),
                    each["doc_count"],
                    each["name"]["buckets"][0]["key"] if "name" in each else None,
                )
                for each in answer[facet]["values"]["buckets"]
            ]
            for facet in asked
        }
        return FacetCounts(answer["total"]["doc_count"], ordered(counts))

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
        """See `VectorEngine.nearest`. Lucene filters while it walks its graph, and compares one by one where
        the filters leave few."""
        narrow: list[dict[str, Any]] = [*conditions_of(filters), {"term": {"model_version": model_version}}]
        if exclude is not None:
            narrow.append({"bool": {"must_not": [{"term": {"image_id": str(exclude)}}]}})
        near = {"vector": list(vector), "k": max(limit, _LEAST_NEIGHBOURS), "filter": {"bool": {"filter": narrow}}}
        body = {"query": {"knn": {"embedding": near}}, "sort": _ORDERS[Sort.RELEVANCE], "track_scores": True}
        found = self._search(body, size=limit)["hits"]["hits"]
        return [Hit(UUID(each["_id"]), 2 * each["_score"] - 1) for each in found]  # scores are (1 + cosine) / 2

    def vector_of(self, image_id: UUID) -> tuple[str, Sequence[float]] | None:
        """See `VectorEngine.vector_of`."""
        found = self._search(with_ids([image_id]), size=1, source=["model_version", "embedding"])["hits"]["hits"]
        source = found[0]["_source"] if found else {}
        return (source["model_version"], source["embedding"]) if "embedding" in source else None

    # --- pages -----------------------------------------------------------------------------------

    def documents(self, image_ids: Sequence[UUID]) -> list[SearchDocument]:
        """See `DocumentReader.documents`."""
        found = self._search(with_ids(image_ids), size=len(image_ids), source=sorted(GIVEN_BACK))["hits"]["hits"]
        documents = {each["_id"]: SearchDocument.model_validate(each["_source"]) for each in found}
        return [documents[name] for name in map(str, image_ids) if name in documents]

    def _search(self, body: dict[str, Any], *, size: int, source: list[str] | bool = False) -> Any:
        with _answering(question=True):
            return self._client.search(
                index=self._name,
                body={**body, "size": size, "_source": source},
                # A collection that nothing was written to yet has no index, and nothing to find.
                params={"ignore_unavailable": "true"},
            )


class OpenSearchRebuild:
    """A new index beside the one in use."""

    def __init__(self, client: OpenSearch, index: OpenSearchEngine, name: str) -> None:
        self._client = client
        self._name = name
        self.index = index

    def switch(self) -> None:
        """See `Rebuild.switch`."""
        with _answering():
            others = [name for name in self._aliased() if name != self._name]
            actions = [{"remove": {"index": name, "alias": ALIAS}} for name in others]
            self._client.indices.update_aliases(
                body={"actions": [*actions, {"add": {"index": self._name, "alias": ALIAS}}]}
            )
            for name in others:
                self._client.indices.delete(index=name)

    def abandon(self) -> None:
        """See `Rebuild.abandon`."""
        with _answering():
            self._client.indices.delete(index=self._name)

    def _aliased(self) -> list[str]:
        from opensearchpy import NotFoundError

        try:
            return list(self._client.indices.get_alias(name=ALIAS))
        except NotFoundError:
            return []


def _is_refusal(error: TransportError) -> bool:
    """Whether the engine cannot read the question, or finds it too long (413) or too much, which it calls a 500."""
    told: Any = error.info if isinstance(error.info, dict) else {}
    causes = told["error"].get("root_cause", ()) if isinstance(told.get("error"), dict) else ()
    return error.status_code in {400, 413} or any(each["type"].startswith("too_many_") for each in causes)


@contextmanager
def _answering(*, question: bool = False) -> Iterator[None]:
    """Turns what the client raises into errors of the house: the engine does not answer, or does not take a
    question."""
    from opensearchpy import ConnectionError as NoConnection
    from opensearchpy import TransportError

    try:
        yield
    except NoConnection as error:
        raise DependencyUnavailable("The search engine is not answering; try again.") from error
    except TransportError as error:
        if question and _is_refusal(error):
            raise QueryRefused("The search engine does not take this question.") from error
        if error.status_code not in {408, 429, 500, 502, 503, 504}:
            raise
        raise DependencyUnavailable("The search engine is not answering; try again.") from error
