"""Where the model runs."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class VisionSettings(RoomSettings):
    """Where the model runs."""

    model_endpoint_name: str = UNSET
    """SageMaker endpoint that analyses pictures."""
