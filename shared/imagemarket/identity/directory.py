"""Whether the account that a token names is still there: a token outlives its account by minutes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from uuid import UUID

HELD_SECONDS = 30.0
"""How long a process takes an account it has seen for one that is there."""
_HELD = 10_000


class AccountDirectory:
    """Answers from memory for `HELD_SECONDS` where that will do: a client's reads cost one look at the database."""

    def __init__(self, exists: Callable[[UUID], bool], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._exists = exists
        self._monotonic = monotonic
        self._seen: OrderedDict[UUID, float] = OrderedDict()
        self._lock = Lock()

    def exists(self, account_id: UUID, *, now_for_sure: bool = False) -> bool:
        """`now_for_sure` looks at the database in any case: nothing can be written for an account that is gone.
        Raises `DependencyUnavailable` where the database does not answer."""
        now = self._monotonic()
        with self._lock:
            seen = self._seen.get(account_id)
        if not now_for_sure and seen is not None and now - seen < HELD_SECONDS:
            return True
        found = self._exists(account_id)
        with self._lock:
            self._seen.pop(account_id, None)
            if found:
                self._seen[account_id] = now
                if len(self._seen) > _HELD:
                    self._seen.popitem(last=False)
        return found
