"""Finding images: engines, query encoders, suggestions, the index."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from imagemarket.search.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from imagemarket.catalog.wiring import CatalogRoom
    from imagemarket.platform.resources import Resources
    from imagemarket.platform.stale_while_revalidate import StaleWhileRevalidate
    from imagemarket.search.by_image import ImageSearch
    from imagemarket.search.details import ImageDetails
    from imagemarket.search.encoding import QueryEncoders, TextTowers
    from imagemarket.search.engines.opensearch import OpenSearchEngine
    from imagemarket.search.engines.ports import DocumentReader
    from imagemarket.search.engines.postgres import PostgresSearch
    from imagemarket.search.engines.qdrant import QdrantEngine
    from imagemarket.search.events import SearchEventCollector
    from imagemarket.search.indexing.documents import Indexer
    from imagemarket.search.indexing.reembedding import Reembedding
    from imagemarket.search.indexing.reindex import IndexMaintenance
    from imagemarket.search.query.spelling import Speller
    from imagemarket.search.service import Search
    from imagemarket.search.suggestions import Suggestions, SuggestionTable
    from imagemarket.vision.wiring import VisionRoom

Engine = TypeVar("Engine")


class SearchRoom:
    """Search's services."""

    def __init__(self, resources: Resources, *, catalog: CatalogRoom, vision: VisionRoom) -> None:
        self._resources = resources
        self._catalog = catalog
        self._vision = vision

    @cached_property
    def settings(self) -> SearchSettings:
        return SearchSettings()

    # --- encoders

    @cached_property
    def text_towers(self) -> TextTowers:
        import tempfile
        from pathlib import Path

        from imagemarket.search.encoding import TextTowers, fetch_text_tower
        from imagemarket.vision.text import TextEncoder

        s3 = self._resources.s3

        def load(place: str) -> TextEncoder:
            kept = Path(tempfile.gettempdir()) / "bundles"
            return TextEncoder(fetch_text_tower(s3, place, kept) if place.startswith("s3://") else Path(place))

        return TextTowers(self.settings.model_bundle.split(","), load)

    @cached_property
    def query_encoders(self) -> QueryEncoders:
        from imagemarket.search.encoding import QueryEncoders
        from imagemarket.search.repository import models

        # A search waits a second and a half for an engine, ten for the first time; trying again is for a busy function.
        client = self._resources.client("lambda", connect_seconds=1, read_seconds=10, attempts=4)
        return QueryEncoders(
            model=lambda: models.in_use(self._resources.database),
            functions=client,
            function_name=self.settings.encode_text_function,
            cache=self._resources.cache,
        )

    # --- engines

    @cached_property
    def postgres(self) -> PostgresSearch:
        from imagemarket.search.engines.postgres import PostgresSearch

        return PostgresSearch(self._resources.database)

    @cached_property
    def opensearch(self) -> OpenSearchEngine:
        from imagemarket.search.engines.opensearch import OpenSearchEngine, connect

        endpoint = self.settings.opensearch_endpoint
        signed = endpoint.startswith("https://")
        return OpenSearchEngine(
            connect(endpoint, session=self._resources.aws if signed else None),
            vectors=self.settings.vector_engine == "opensearch",
            language=self.settings.opensearch_language,
        )

    @cached_property
    def qdrant(self) -> QdrantEngine:
        import json

        from imagemarket.search.engines.qdrant import Placement, QdrantEngine, connect

        cluster = json.loads(self._resources.secret(self.settings.qdrant_secret_arn))
        replicas = self.settings.qdrant_replicas
        placement = Placement(
            shards=self.settings.qdrant_shards, replicas=replicas, acknowledged_by=replicas // 2 + 1, quantised=True
        )
        return QdrantEngine(connect(cluster["url"], api_key=cluster["api_key"]), placement=placement)

    @cached_property
    def keyword_engine(self) -> PostgresSearch | OpenSearchEngine:
        """The engine that finds by words, counts facets and gives documents back."""
        engines = {"postgres": lambda: self.postgres, "opensearch": lambda: self.opensearch}
        return _engine_of(engines, "keyword", self.settings.keyword_engine)

    @cached_property
    def vector_engine(self) -> PostgresSearch | OpenSearchEngine | QdrantEngine:
        """The engine that finds by meaning."""
        engines = {
            "postgres": lambda: self.postgres,
            "opensearch": lambda: self.opensearch,
            "qdrant": lambda: self.qdrant,
        }
        return _engine_of(engines, "vector", self.settings.vector_engine)

    @cached_property
    def second_reader(self) -> DocumentReader | None:
        """The engine for meaning, where it is another than that for words and keeps whole documents too."""
        engines = {"postgres": lambda: self.postgres, "opensearch": lambda: self.opensearch}
        name = self.settings.vector_engine
        return engines[name]() if name in engines and name != self.settings.keyword_engine else None

    @property
    def nearest(self) -> Callable[[Sequence[float], str, int], list[tuple[UUID, float]]]:
        """What finds the images nearest to a vector of a model, flagged ones included, with their similarity."""
        from imagemarket.search.request import Filters

        engine = self.vector_engine

        def nearest(vector: Sequence[float], model_version: str, limit: int) -> list[tuple[UUID, float]]:
            hits = engine.nearest(vector, model_version, Filters(safe=False), limit=limit)
            return [(hit.image_id, hit.score) for hit in hits]

        return nearest

    # --- queries

    @cached_property
    def _suggestion_table(self) -> SuggestionTable:
        from imagemarket.search.suggestions import SuggestionTable

        return SuggestionTable(self._resources.database)

    @cached_property
    def _speller(self) -> StaleWhileRevalidate[Speller]:
        """The catalogue's words, ten minutes old at most; the first request goes without rather than wait for them."""
        from imagemarket.platform.stale_while_revalidate import StaleWhileRevalidate
        from imagemarket.search.query.spelling import MOST_WORDS, Speller

        table = self._suggestion_table
        return StaleWhileRevalidate("speller", lambda: Speller(table.words(MOST_WORDS)), seconds=600, patience=0.05)

    @cached_property
    def suggestions(self) -> Suggestions:
        from imagemarket.search.suggestions import Suggestions

        return Suggestions(self._suggestion_table, self._speller.get)

    @cached_property
    def events(self) -> SearchEventCollector:
        from imagemarket.search.events import SearchEventCollector

        return SearchEventCollector(self._resources.cache, self._resources.database, self._suggestion_table)

    @cached_property
    def service(self) -> Search:
        from imagemarket.search.cursor import CursorSigner
        from imagemarket.search.events import ValkeyStream, Visitors
        from imagemarket.search.pages import PageCache
        from imagemarket.search.query.parser import QueryParser
        from imagemarket.search.ranking.fusion import Fusion
        from imagemarket.search.service import Search

        cursor_key, clock = self.settings.cursor_secret_arn, self._resources.clock
        return Search(
            keyword=self.keyword_engine,
            vector=self.vector_engine,
            reader=self.keyword_engine,
            second_reader=self.second_reader,
            encoder=self.query_encoders.current,
            cursors=CursorSigner(lambda: self._resources.secret(cursor_key), clock),
            pages=PageCache(self._resources.cache, self._resources.counters, clock),
            queries=QueryParser(self._speller.get),
            fusion=Fusion.named(self.settings.search_fusion),
            events=ValkeyStream(self._resources.cache),
            visitors=Visitors(lambda: self._resources.secret(cursor_key), clock),
            clock=clock,
            media_base_url=self._catalog.settings.media_base_url,
            public_base_url=self._resources.public_base_url,
        )

    @cached_property
    def by_image(self) -> ImageSearch:
        import atexit

        from imagemarket.imaging.sandbox import Inspector
        from imagemarket.platform.ratelimits import RateLimiter
        from imagemarket.search.by_image import DECODE_SECONDS, IN_ALL, PER_NETWORK, ImageSearch
        from imagemarket.search.events import ValkeyStream
        from imagemarket.search.service import Search

        by_vectors = Search(
            keyword=self.keyword_engine,
            vector=self.vector_engine,
            reader=self.keyword_engine,
            second_reader=self.second_reader,
            events=ValkeyStream(self._resources.cache),
            media_base_url=self._catalog.settings.media_base_url,
            public_base_url=self._resources.public_base_url,
        )
        counters = self._resources.counters
        decoder = Inspector(seconds=DECODE_SECONDS)
        atexit.register(decoder.close)
        return ImageSearch(
            search=by_vectors,
            work=self._catalog.work,
            decoder=decoder,
            model=self._vision.endpoint_for_requests,
            forms=RateLimiter(lambda: counters, address=PER_NETWORK, account=IN_ALL),
        )

    @cached_property
    def image_details(self) -> ImageDetails:
        from imagemarket.search.details import ImageDetails

        return ImageDetails(
            database=self._resources.database,
            media_base_url=self._catalog.settings.media_base_url,
            public_base_url=self._resources.public_base_url,
        )

    # --- the index

    @cached_property
    def indexer(self) -> Indexer:
        from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
        from imagemarket.search.pages import TakeDowns

        engines = dict.fromkeys((self.keyword_engine, self.vector_engine))
        # What leaves the catalogue leaves the kept pages last, when no engine can find it any more.
        indexes = [*engines, self._suggestion_table, TakeDowns(self._resources.counters)]
        return Indexer(DocumentBuilder(self._resources.database), indexes)

    @cached_property
    def maintenance(self) -> IndexMaintenance:
        from imagemarket.search.indexing.reindex import IndexMaintenance

        indexes = {
            self.settings.keyword_engine: self.keyword_engine,
            self.settings.vector_engine: self.vector_engine,
        }
        return IndexMaintenance(self._resources.database, indexes)

    def reembedding(self, endpoint_name: str | None = None) -> Reembedding:
        """The way over to another model, which the endpoint of that name serves; the deployment's own by default."""
        from imagemarket.search.indexing.reembedding import Reembedding

        endpoint = self._vision.endpoint_named(endpoint_name) if endpoint_name else self._vision.endpoint
        return Reembedding(
            database=self._resources.database, analyse=endpoint.analyse, read=self._catalog.originals.get
        )


def _engine_of(engines: dict[str, Callable[[], Engine]], role: str, name: str) -> Engine:
    if name not in engines:
        raise ValueError(f"MARKET_{role.upper()}_ENGINE is {name!r}; it must be one of {', '.join(engines)}")
    return engines[name]()
