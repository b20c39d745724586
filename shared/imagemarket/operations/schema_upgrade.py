"""The schema brought to the newest revision, and the roles let in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagemarket.operations.retention import Retention


class SchemaUpgrade:
    """One step of a deployment; running it again changes nothing."""

    def __init__(
        self,
        *,
        dsn: Callable[[], str],
        read_secret: Callable[[str], str],
        role_secret_arns: Sequence[str],
        retention: Retention,
    ) -> None:
        self._dsn = dsn
        self._read_secret = read_secret
        self._role_secret_arns = role_secret_arns
        self._retention = retention

    def run(self) -> None:
        """Brings the schema to the newest revision, lets the roles in, and opens the partitions ahead."""
        from imagemarket.platform.roles import give_logins
        from imagemarket.schema import upgrade

        owner = self._dsn()
        upgrade(owner)
        give_logins(owner, [self._read_secret(arn) for arn in self._role_secret_arns])
        self._retention.run()
