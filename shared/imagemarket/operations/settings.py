"""What the deployment's own steps need."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class OperationsSettings(RoomSettings):
    """What the deployment's own steps need."""

    database_role_secret_arns: str = UNSET
    """Secrets of all roles, with commas between; for whoever lets them in."""
