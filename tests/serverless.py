"""OpenSearch Serverless as far as its limits go: a client that refuses what the service does not offer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

# "Supported OpenSearch API operations and permissions" of the Amazon OpenSearch Service developer guide, for search
# collections; those that are used here and their kin. There is no _refresh, _reindex, _update_by_query,
# _delete_by_query, _cluster, _stats or ingest pipeline.
_INDEX = r"[^_/][^/]*"
_SUPPORTED = (
    # aoss:CreateIndex, DescribeIndex, DeleteIndex, UpdateIndex
    rf"PUT /{_INDEX}",
    rf"(GET|HEAD) /{_INDEX}",
    rf"GET /{_INDEX}/_(mapping|settings)",
    r"GET /_cat/indices",
    rf"DELETE /{_INDEX}",
    rf"PUT /{_INDEX}/_(mapping|settings)",
    # aoss:WriteDocument
    rf"POST (/{_INDEX})?/_bulk",
    rf"(PUT|POST) /{_INDEX}/_(create|doc)/[^/]+",
    rf"POST /{_INDEX}/_update/[^/]+",
    rf"DELETE /{_INDEX}/_doc/[^/]+",
    # aoss:ReadDocument
    rf"(GET|POST) /{_INDEX}/_(search|count|analyze)",
    rf"GET /{_INDEX}/_(msearch|mget)",
    rf"(GET|HEAD) /{_INDEX}/_(doc|source)/[^/]+",
    # aoss:CreateCollectionItems, DescribeCollectionItems, UpdateCollectionItems, DeleteCollectionItems
    r"POST /_aliases",
    r"(GET|HEAD) /_alias(/[^/]+)?",
    rf"(PUT|POST|DELETE) /{_INDEX}/_alias(es)?/[^/]+",
)
_PATTERN = re.compile("|".join(f"(?:{each})" for each in _SUPPORTED))

_FIXED_SETTINGS = ("number_of_shards", "number_of_replicas", "refresh_interval")
"""What the service decides by itself."""
_FIXED_PARAMETERS = {"refresh", "version", "version_type", "if_seq_no", "if_primary_term"}
"""What its documentation does not promise for a write."""


class NotServerless(AssertionError):
    """The service would not have taken this request."""


def check(method: str, path: str, parameters: Iterable[str], body: Any) -> None:
    """Raises `NotServerless` for what the service does not offer."""
    if not _PATTERN.fullmatch(f"{method} {path}"):
        raise NotServerless(f"{method} {path}")
    if unknown := _FIXED_PARAMETERS & set(parameters):
        raise NotServerless(f"{method} {path}: {', '.join(sorted(unknown))}")
    if method == "PUT" and path.count("/") == 1 and (named := [s for s in _FIXED_SETTINGS if s in json.dumps(body)]):
        raise NotServerless(f"{method} {path}: {', '.join(named)}")


def serverless_client(url: str) -> Any:
    """A client like the product's own, held to the service's limits."""
    from imagemarket.search.engines.opensearch import connect

    client = connect(url)
    perform = client.transport.perform_request

    def restricted(method: str, url: str, params: Any = None, body: Any = None, **details: Any) -> Any:
        check(method, url, set(params or ()) - {"request_timeout"}, body)
        return perform(method, url, params=params, body=body, **details)

    setattr(client.transport, "perform_request", restricted)  # noqa: B010 - its own signature is wider
    return client
