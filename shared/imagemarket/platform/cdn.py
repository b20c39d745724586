"""The CDN in front of the public renditions, as far as it must be told that something is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from imagemarket.platform.aws import aws_errors
from imagemarket.platform.ids import new_id


class Cdn(Protocol):
    """Forgets what it holds of some paths."""

    def invalidate(self, paths: Sequence[str]) -> None:
        """Paths begin with a slash and may end in `*`. Raises `DependencyUnavailable`."""
        ...


class CloudFront:
    """One distribution. An invalidation is everywhere within seconds, most often."""

    def __init__(self, client: Any, distribution_id: str) -> None:
        self._client = client
        self._distribution_id = distribution_id

    def invalidate(self, paths: Sequence[str]) -> None:
        with aws_errors("The CDN"):
            self._client.create_invalidation(
                DistributionId=self._distribution_id,
                InvalidationBatch={
                    "Paths": {"Quantity": len(paths), "Items": list(paths)},
                    "CallerReference": str(new_id()),
                },
            )


class NoCdn:
    """Where renditions are read straight from their bucket, nothing holds a copy."""

    def invalidate(self, paths: Sequence[str]) -> None:
        del paths
