"""The index in OpenSearch: how text is read, and what each field is."""

from __future__ import annotations

from typing import Any

from imagemarket.search.document import DIMENSIONS, Removal, SearchDocument
from imagemarket.search.query.words import STOP_WORDS


def definition(*, vectors: bool, language: str = "english") -> dict[str, Any]:
    """The index: how text is read, and what each field is.

    Text is written and asked in plain words (`search.words`), which are folded to plain letters and reduced by the
    stemmer and stop words of `language`, one that Lucene has (https://docs.opensearch.org, "Stemmer token filter").
    `vectors` adds the field of embeddings, which a search collection of Serverless does not take.
    """
    folded = ["lowercase", "asciifolding"]
    filters: dict[str, Any] = {
        "stop_words": {"type": "stop", "stopwords": sorted(STOP_WORDS) if language == "english" else f"_{language}_"},
        "stemmer_of_language": {"type": "stemmer", "language": language},
    }
    text = {"type": "text", "analyzer": "stemmed", "fields": {"plain": {"type": "text", "analyzer": "plain"}}}
    keyword, whole = {"type": "keyword"}, {"type": "integer"}
    kept = {"type": "object", "enabled": False}  # given back, never searched
    shown = {"type": "text", "index": False}
    properties: dict[str, Any] = {
        "image_id": keyword,
        "version": {"type": "long"},
        "listed": {"type": "boolean"},
        **dict.fromkeys(("title", "description", "tags"), shown),
        **dict.fromkeys(("title_words", "description_words", "tag_words", "category_words"), text),
        "categories": keyword,
        "contributor_id": keyword,
        "contributor_name": keyword,
        "contributor_words": {"type": "text", "analyzer": "plain"},
        "image_type": keyword,
        "license_types": keyword,
        "orientation": keyword,
        "colours": keyword,
        "palette": kept,
        "palette_cells": whole,
        "width": whole,
        "height": whole,
        "aspect_ratio": {"type": "double"},
        "people": {"type": "boolean"},
        "safe": {"type": "boolean"},
        "published_at": {"type": "date"},
        "month": keyword,
        "popularity": {"type": "double"},
        "place": whole,
        "thumbhash": {"type": "keyword", "index": False, "doc_values": False},
        "renditions": kept,
        "model_version": keyword,
    }
    if vectors:
        properties["embedding"] = {
            "type": "knn_vector",
            "dimension": DIMENSIONS,
            "method": {
                "name": "hnsw",
                "engine": "lucene",
                "space_type": "cosinesimil",
                "parameters": {"m": 16, "ef_construction": 100},
            },
        }
    return {
        "settings": {
            "index": {"knn": True} if vectors else {},
            "analysis": {
                "filter": filters,
                "analyzer": {
                    "stemmed": {
                        "type": "custom",
                        "tokenizer": "whitespace",
                        "filter": [*folded, "stop_words", "stemmer_of_language"],
                    },
                    "plain": {"type": "custom", "tokenizer": "whitespace", "filter": folded},
                },
            },
        },
        "mappings": {"dynamic": "strict", "properties": properties},
    }


GIVEN_BACK = set(SearchDocument.model_fields) - {"embedding"}
"""What a page is made of."""


def removed_fields(gone: Removal) -> dict[str, Any]:
    """What is left of a document that was taken out."""
    return {"image_id": str(gone.image_id), "version": gone.version, "listed": False}
