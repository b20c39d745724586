"""Finding pictures by words and meaning, looking at one, and keeping the search engines up to date."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events

from cdk.foundation.alarms import metric_of
from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.indexing.listener import LISTENS_TO


class Search(Capability):
    group = "search"

    def make(self) -> None:
        market, stage = self.market, self.stage
        encode_text = self.function(
            "encode_text",
            "the vector of a query's words",
            seconds=HTTP_SECONDS,
            memory_mb=1769,  # one whole core, which is what encoding a text takes
            load=Load.INFERENCE,
            uses=[layer("vision"), market.models.load_text_towers()],
        )
        self.function(
            "search_api",
            "finding pictures and looking at one",
            seconds=HTTP_SECONDS,
            memory_mb=1769,
            load=Load.INTERACTIVE,
            uses=[
                layer("api", "search"),
                setting(
                    search_fusion=stage.search.fusion,
                    public_base_url=stage.edge.public_base_url,
                    media_base_url=stage.edge.media_base_url,
                ),
                market.database.connect(DatabaseRole.READER),
                market.search.by_words_and_meaning(),
                market.valkey.cache(),
                market.valkey.counters(),
                market.secrets.cursor_key.read(),
                encode_text.invoke("encode_text_function"),
            ],
        )
        index = self.queue("index", consumer_seconds=60)
        self.listen(index, *LISTENS_TO)
        self.consumer(
            index,
            "index_images",
            "writes search documents",
            batch=100,
            gather_seconds=stage.search.index_batch_seconds,
            uses=[
                layer("api", "search"),
                market.database.connect(DatabaseRole.INDEXER),
                market.search.by_words_and_meaning(),
                market.valkey.counters(),
            ],
        )
        self.job(
            "collect_search_events",
            "takes what was searched and looked at into its table",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            seconds=50,
            uses=[
                layer("api", "search"),
                market.database.connect(DatabaseRole.INDEXER),
                market.valkey.cache(),
            ],
        )
        self._alarms()

    def _alarms(self) -> None:
        self.alarms.add(
            "search-degraded",
            metric_of("search_api", "SearchesDegraded"),
            says="more than ten searches in five minutes lacked an engine, the encoder or the cache",
            above=10,
        )
        self.alarms.add(
            "search-slow",
            metric_of("search_api", "SearchDuration.hybrid", "p99"),
            says="the slowest of a hundred hybrid searches takes longer than 200 ms",
            above=200,
            periods=3,
        )
        self.alarms.add(
            "requests-not-counted",
            metric_of("search_api", "RateLimiterUnavailable"),
            says="requests go through without being counted: the cache does not answer",
            above=10,
        )
