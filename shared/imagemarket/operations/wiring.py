"""What operators run: the schema's upgrade, the consistency check, dead letters, retention."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, LiteralString

from imagemarket.operations.settings import OperationsSettings

if TYPE_CHECKING:
    from imagemarket.catalog.wiring import CatalogRoom
    from imagemarket.ingestion.wiring import IngestionRoom
    from imagemarket.operations.consistency import ConsistencyCheck
    from imagemarket.operations.dead_letters.details import ImageInspector
    from imagemarket.operations.dead_letters.remediation import Remediation
    from imagemarket.operations.dead_letters.service import DeadLetters
    from imagemarket.operations.retention import Retention
    from imagemarket.operations.schema_upgrade import SchemaUpgrade
    from imagemarket.platform.resources import Resources
    from imagemarket.search.wiring import SearchRoom


def expired_rows() -> dict[str, LiteralString]:
    """By table, the statement of its room that deletes what has expired."""
    from imagemarket.identity.retention import EXPIRED as ACCOUNTS
    from imagemarket.notifications.retention import EXPIRED as NOTIFICATIONS
    from imagemarket.operations.dead_letters.retention import EXPIRED as DEAD_LETTERS
    from imagemarket.platform.retention import EXPIRED as REQUESTS
    from imagemarket.search.retention import EXPIRED as SEARCHES

    return ACCOUNTS | NOTIFICATIONS | SEARCHES | DEAD_LETTERS | REQUESTS


class OperationsRoom:
    """Operations' services."""

    def __init__(
        self, resources: Resources, *, catalog: CatalogRoom, ingestion: IngestionRoom, search: SearchRoom
    ) -> None:
        self._resources = resources
        self._catalog = catalog
        self._ingestion = ingestion
        self._search = search

    @cached_property
    def settings(self) -> OperationsSettings:
        return OperationsSettings()

    @cached_property
    def schema_upgrade(self) -> SchemaUpgrade:
        from imagemarket.operations.schema_upgrade import SchemaUpgrade

        return SchemaUpgrade(
            dsn=self._resources.dsn,
            read_secret=self._resources.secret,
            role_secret_arns=self.settings.database_role_secret_arns.split(","),
            retention=self.retention,
        )

    @cached_property
    def retention(self) -> Retention:
        from imagemarket.operations.retention import Retention

        return Retention(self._resources.database, expired_rows())

    @cached_property
    def consistency_check(self) -> ConsistencyCheck:
        from imagemarket.operations.consistency import ConsistencyCheck

        return ConsistencyCheck(
            database=self._resources.database,
            originals=self._catalog.originals,
            work=self._catalog.work,
            renditions=self._catalog.renditions,
            documents=self._search.maintenance,
            compensation=self._ingestion.compensate_image,
            takedowns=self._catalog.takedowns,
            executions=self._ingestion.executions,
        )

    @cached_property
    def dead_letters(self) -> DeadLetters:
        from imagemarket.operations.dead_letters.queues import DeadQueues
        from imagemarket.operations.dead_letters.replays import Replays
        from imagemarket.operations.dead_letters.service import DeadLetters

        aws = self._resources.aws
        return DeadLetters(
            queues=DeadQueues(
                sqs=aws.client("sqs"),
                lambdas=aws.client("lambda"),
                events=aws.client("events"),
                prefix=f"imagemarket-{self._resources.settings.stage}",
            ),
            replays=Replays(self._resources.database),
            clock=self._resources.clock,
        )

    @cached_property
    def remediation(self) -> Remediation:
        from imagemarket.operations.dead_letters.remediation import Remediation

        return Remediation(self.dead_letters)

    @cached_property
    def image_inspector(self) -> ImageInspector:
        from imagemarket.operations.dead_letters.details import ImageInspector

        return ImageInspector(
            database=self._resources.database,
            step_functions=self._resources.aws.client("stepfunctions"),
            state_machine_arn=self._ingestion.settings.state_machine_arn,
        )
