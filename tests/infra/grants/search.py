"""What the functions of `cdk/capabilities/search.py` may do."""

from __future__ import annotations

from imagemarket.platform.roles import DatabaseRole
from tests.infra.grants.common import Grants, connecting, consuming

EXPECTED: dict[str, Grants] = {
    "encode_text": {},
    "search_api": {
        **connecting(DatabaseRole.READER, "CursorKey"),
        "lambda:InvokeFunction": {"EncodeText"},
    },
    "index_images": connecting(DatabaseRole.INDEXER) | consuming("Index"),
    "collect_search_events": connecting(DatabaseRole.INDEXER) | {"sqs:SendMessage": {"DeadRuns"}},
}
