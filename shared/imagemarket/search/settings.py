"""Engines, and how a query becomes a page."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class SearchSettings(RoomSettings):
    """Engines, and how a query becomes a page."""

    model_bundle: str = UNSET
    """Where the bundles lie whose text towers encode queries: folders or `s3://bucket/prefix`, with commas between."""
    encode_text_function: str = UNSET
    """Name of the function that encodes queries."""
    search_fusion: str = "convex:0.5"
    """How hybrid search brings words and meaning together: `rrf`, or `convex:` and the share of the meaning."""
    keyword_engine: str = "postgres"
    """Which engine finds by words: postgres or opensearch."""
    vector_engine: str = "postgres"
    """Which engine finds by meaning: postgres, opensearch or qdrant."""
    opensearch_endpoint: str = UNSET
    """Address of the OpenSearch collection; requests are signed where it is https."""
    opensearch_language: str = "english"
    """Language whose stemmer and stop words a new OpenSearch index reads text by, as Lucene calls it."""
    qdrant_secret_arn: str = UNSET
    """Secret with `{url, api_key}` of the Qdrant cluster."""
    qdrant_shards: int = 1
    """Parts that a new Qdrant collection is made of."""
    qdrant_replicas: int = 1
    """Copies of each part of a new Qdrant collection."""
    cursor_secret_arn: str = UNSET
    """Secret string that signs cursors."""
