"""Uploads, the steps of the saga, and what carries on an image that nothing carries on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagemarket.ingestion.settings import IngestionSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagemarket.catalog.wiring import CatalogRoom
    from imagemarket.imaging.sandbox import Inspector
    from imagemarket.ingestion.endings import ExecutionEndings
    from imagemarket.ingestion.executions import Executions
    from imagemarket.ingestion.near_duplicates import NearDuplicateDetector, NearestImages
    from imagemarket.ingestion.progress import ProgressOfImages
    from imagemarket.ingestion.retries import Retries
    from imagemarket.ingestion.saga import (
        CompensateImage,
        DetectDuplicate,
        EmbedAndTag,
        InspectImage,
        MakeThumbnails,
        MakeWatermark,
        PublishImage,
        RightsOfImages,
    )
    from imagemarket.ingestion.starter import IngestionStarter
    from imagemarket.ingestion.step_runs import StepRuns
    from imagemarket.ingestion.sweeper import ExecutionSweeper, UploadSweeper
    from imagemarket.ingestion.uploads import Uploads
    from imagemarket.platform.resources import Resources
    from imagemarket.vision.wiring import VisionRoom


class IngestionRoom:
    """Ingestion's services."""

    def __init__(
        self, resources: Resources, *, catalog: CatalogRoom, vision: VisionRoom, nearest: Callable[[], NearestImages]
    ) -> None:
        """`nearest` gives what finds the images nearest to a vector; it is asked for where copies are looked for."""
        self._resources = resources
        self._catalog = catalog
        self._vision = vision
        self._nearest = nearest

    @cached_property
    def settings(self) -> IngestionSettings:
        return IngestionSettings()

    # --- uploads

    @cached_property
    def uploads(self) -> Uploads:
        from imagemarket.ingestion.allowances import UploadAllowance
        from imagemarket.ingestion.uploads import Uploads

        return Uploads(
            database=self._resources.database,
            originals=self._catalog.originals,
            idempotency=self._resources.idempotency,
            public_base_url=self._resources.public_base_url,
            allowance=UploadAllowance(self.settings.open_uploads, self.settings.announced_gib_a_day),
        )

    @cached_property
    def progress(self) -> ProgressOfImages:
        from imagemarket.ingestion.progress import WAITS_OF_AN_ACCOUNT, ProgressOfImages
        from imagemarket.platform.leases import Leases

        counters = self._resources.counters
        return ProgressOfImages(
            database=self._resources.database,
            waits=Leases(lambda: counters, "waits", most=WAITS_OF_AN_ACCOUNT),
            waits_of_all=Leases(lambda: counters, "waits of all", most=self.settings.requests_held),
        )

    @cached_property
    def retries(self) -> Retries:
        from imagemarket.ingestion.retries import Retries

        return Retries(
            uploads=self.uploads,
            originals=self._catalog.originals,
            executions=self.executions,
            idempotency=self._resources.idempotency,
        )

    # --- executions

    @cached_property
    def executions(self) -> Executions:
        from imagemarket.ingestion.executions import Executions
        from imagemarket.platform.aws import in_its_own_trace

        client = self._resources.aws.client("stepfunctions")
        client.meta.events.register("before-send.sfn.StartExecution", in_its_own_trace)
        return Executions(client, self.settings.state_machine_arn)

    @cached_property
    def starter(self) -> IngestionStarter:
        from imagemarket.ingestion.starter import IngestionStarter

        return IngestionStarter(
            database=self._resources.database, originals=self._catalog.originals, executions=self.executions
        )

    @cached_property
    def upload_sweeper(self) -> UploadSweeper:
        from imagemarket.ingestion.sweeper import UploadSweeper

        return UploadSweeper(database=self._resources.database, originals=self._catalog.originals, starter=self.starter)

    @cached_property
    def execution_sweeper(self) -> ExecutionSweeper:
        from imagemarket.ingestion.sweeper import ExecutionSweeper

        return ExecutionSweeper(
            database=self._resources.database,
            originals=self._catalog.originals,
            executions=self.executions,
            compensation=self.compensate_image,
            stalled_after_seconds=self.settings.stalled_after_seconds,
        )

    @cached_property
    def endings(self) -> ExecutionEndings:
        from imagemarket.ingestion.endings import ExecutionEndings

        return ExecutionEndings(self.compensate_image)

    # --- steps of the saga

    @cached_property
    def _step_runs(self) -> StepRuns:
        from imagemarket.ingestion.step_runs import StepRuns

        return StepRuns(self._resources.database)

    @cached_property
    def _inspector(self) -> Inspector:
        import atexit

        from imagemarket.imaging.sandbox import DECODE_SECONDS, Inspector

        confined = Inspector(seconds=DECODE_SECONDS)
        atexit.register(confined.close)
        return confined

    @cached_property
    def inspect_image(self) -> InspectImage:
        from imagemarket.ingestion.saga import InspectImage

        return InspectImage(
            step_runs=self._step_runs,
            database=self._resources.database,
            originals=self._catalog.originals,
            work=self._catalog.work,
            inspector=self._inspector,
        )

    @cached_property
    def detect_duplicate(self) -> DetectDuplicate:
        from imagemarket.ingestion.saga import DetectDuplicate

        return DetectDuplicate(step_runs=self._step_runs, database=self._resources.database)

    @cached_property
    def _rights(self) -> RightsOfImages:
        from imagemarket.ingestion.saga import RightsOfImages

        return RightsOfImages(database=self._resources.database, public_base_url=self._resources.public_base_url)

    @cached_property
    def make_thumbnails(self) -> MakeThumbnails:
        from imagemarket.ingestion.saga import MakeThumbnails

        return MakeThumbnails(
            step_runs=self._step_runs,
            rights=self._rights,
            work=self._catalog.work,
            renditions=self._catalog.renditions,
            originals=self._catalog.originals,
        )

    @cached_property
    def make_watermark(self) -> MakeWatermark:
        from imagemarket.ingestion.saga import MakeWatermark

        return MakeWatermark(
            step_runs=self._step_runs,
            rights=self._rights,
            work=self._catalog.work,
            renditions=self._catalog.renditions,
        )

    @cached_property
    def embed_and_tag(self) -> EmbedAndTag:
        from imagemarket.ingestion.saga import EmbedAndTag

        return EmbedAndTag(step_runs=self._step_runs, work=self._catalog.work, endpoint=self._vision.endpoint)

    @cached_property
    def _copies(self) -> NearDuplicateDetector:
        from imagemarket.ingestion.near_duplicates import NearDuplicateDetector

        return NearDuplicateDetector(
            database=self._resources.database, renditions=self._catalog.renditions, nearest=self._nearest()
        )

    @cached_property
    def publish_image(self) -> PublishImage:
        from imagemarket.ingestion.saga import PublishImage

        return PublishImage(
            step_runs=self._step_runs,
            database=self._resources.database,
            work=self._catalog.work,
            relay=self._resources.outbox_relay,
            copies=self._copies,
        )

    @cached_property
    def compensate_image(self) -> CompensateImage:
        from imagemarket.ingestion.saga import CompensateImage

        return CompensateImage(
            database=self._resources.database,
            originals=self._catalog.originals,
            work=self._catalog.work,
            renditions=self._catalog.renditions,
            relay=self._resources.outbox_relay,
        )
