"""The model that analyses pictures, where it runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagemarket.vision.settings import VisionSettings

if TYPE_CHECKING:
    from imagemarket.platform.resources import Resources
    from imagemarket.vision.sagemaker import VisionEndpoint


class VisionRoom:
    """The model's services."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    @cached_property
    def settings(self) -> VisionSettings:
        return VisionSettings()

    @cached_property
    def endpoint(self) -> VisionEndpoint:
        """The deployment's own, for work that a queue or the saga waits for."""
        return self.endpoint_named(self.settings.model_endpoint_name)

    def endpoint_named(self, name: str) -> VisionEndpoint:
        """The endpoint of that name. A call ends well before a function's limit: whoever calls owns the patience."""
        return self._endpoint(name, read_seconds=45, connect_seconds=3)

    @cached_property
    def endpoint_for_requests(self) -> VisionEndpoint:
        """The deployment's own, for what a person waits for."""
        return self._endpoint(self.settings.model_endpoint_name, read_seconds=15, connect_seconds=2)

    def _endpoint(self, name: str, *, read_seconds: int, connect_seconds: int) -> VisionEndpoint:
        from imagemarket.vision.sagemaker import VisionEndpoint

        client = self._resources.client(
            "sagemaker-runtime", connect_seconds=connect_seconds, read_seconds=read_seconds, attempts=1
        )
        return VisionEndpoint(client, name)
