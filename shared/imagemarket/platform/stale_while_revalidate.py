"""Values that take a while to load and may be a little old: loaded aside, served at once.

By hand, since cachetools forgets a value once it is old, and dogpile.cache, which can go on serving it, leaves the
thread that loads the next one and how long the first is waited for to its caller, which is all there is here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from imagemarket.platform.telemetry import count, logger

T = TypeVar("T")


class StaleWhileRevalidate(Generic[T]):
    """A value that is loaded in a thread of its own at first use, and again when it is old."""

    def __init__(
        self,
        name: str,
        load: Callable[[], T],
        *,
        seconds: float,
        patience: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` is how old it may become; `patience` how long the first use waits for it."""
        self._name = name
        self._load = load
        self._seconds = seconds
        self._patience = patience
        self._monotonic = monotonic
        self._value: T | None = None
        self._begun: float | None = None
        self._lock = threading.Lock()

    def get(self) -> T | None:
        """The newest value there is; None while the first one is being loaded, or could not be."""
        now = self._monotonic()
        with self._lock:
            begin = self._begun is None or now - self._begun >= self._seconds
            if begin:
                self._begun = now
        if begin:
            thread = threading.Thread(target=self._refresh, name=self._name, daemon=True)
            thread.start()
            if self._value is None:
                thread.join(self._patience)
        return self._value

    def _refresh(self) -> None:
        try:
            self._value = self._load()
        except Exception:  # noqa: BLE001
            # The value of before goes on serving; the next try is when it would have been old.
            logger.exception("could not be loaded", what=self._name)
            count(f"NotLoaded.{self._name}")
