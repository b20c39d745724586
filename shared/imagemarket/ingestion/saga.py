"""The steps of the saga, each one use case: job in, small output out, safe to repeat.

Objects are written under keys that follow from the image and its content, rows by upsert, and what
a step finds is kept in its record, so any step may run twice and any delivery may come late.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.catalog import repository as catalog
from imagemarket.catalog.images import FAIL, PUBLISH, change_status
from imagemarket.catalog.keys import Folder, rendition_key
from imagemarket.catalog.models import ImageStatus
from imagemarket.imaging.errors import ImageRejected
from imagemarket.imaging.picture_faults import not_processable, picture_work
from imagemarket.ingestion import fingerprints
from imagemarket.ingestion.errors import DuplicateImage, JobSuperseded, OriginalMismatch
from imagemarket.ingestion.models import COMPENSATE, FailedStep, IngestionJob, Step, StepOutput, Suggestions
from imagemarket.ingestion.originals import let_original_expire, real_version
from imagemarket.ingestion.repository import duplicates, steps
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.ingestion.review import NSFW_REVIEW_FROM
from imagemarket.ingestion.step_runs import ENDED, StepRuns
from imagemarket.platform.database import Connection, Database
from imagemarket.platform.errors import DependencyUnavailable, error_classes
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.telemetry import count, logger

if TYPE_CHECKING:
    from imagemarket.imaging.models import Inspection, Rendition
    from imagemarket.imaging.sandbox import Inspector
    from imagemarket.imaging.xmp_rights import Rights
    from imagemarket.ingestion.near_duplicates import Findings, NearDuplicateDetector
    from imagemarket.vision.sagemaker import VisionEndpoint

_ACTOR = "ingestion"
_AI_CATEGORIES = 3
_IMMUTABLE = "public, max-age=31536000, immutable"
_MEDIA_TYPES = {"webp": "image/webp", "avif": "image/avif", "jpeg": "image/jpeg"}
_EXTENSIONS = {"webp": "webp", "avif": "avif", "jpeg": "jpg"}
_PARALLEL_PUTS = 6


def master_key(job: IngestionJob) -> str:
    """The lossless sRGB picture that every rendition is made from."""
    return f"{job.work_prefix}master.tif"


def model_input_key(job: IngestionJob) -> str:
    """The small JPEG that the model sees."""
    return f"{job.work_prefix}model-input.jpg"


def analysis_key(job: IngestionJob) -> str:
    """What the model said; too large for the saga's state."""
    return f"{job.work_prefix}analysis.json"


class InspectImage:
    """Decodes the original once, safely, and keeps what all other steps need."""

    def __init__(
        self,
        *,
        step_runs: StepRuns,
        database: Database,
        originals: ObjectStore,
        work: ObjectStore,
        inspector: Inspector,
    ) -> None:
        self._step_runs = step_runs
        self._database = database
        self._originals = originals
        self._work = work
        self._inspector = inspector

    def run(self, job: IngestionJob) -> StepOutput:
        """Raises a subclass of `ImageRejected` when the picture is at fault."""
        return self._step_runs.run_once(job, Step.INSPECT, lambda: self._inspect(job))

    def _inspect(self, job: IngestionJob) -> StepOutput:
        announced = repository.announced(self._database, job.image_id)
        assert announced is not None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "original"
            self._originals.download(job.key, path, version_id=real_version(job.version_id))
            size = path.stat().st_size
            if size != announced["announced_bytes"]:
                raise OriginalMismatch(
                    f"The file has {size} bytes and {announced['announced_bytes']} were announced; announce it again."
                )
            with picture_work(Step.INSPECT):
                inspection = self._inspector.inspect(path)
        if inspection.technical.decoded_from:
            logger.warning("the RAW data could not be read", decoded_from=inspection.technical.decoded_from)
        if announced["announced_sha256"] and bytes(announced["announced_sha256"]).hex() != inspection.sha256:
            raise OriginalMismatch("The file's sha256 is not the announced one; upload it again.")
        self._work.put(master_key(job), inspection.master, content_type="image/tiff")
        self._work.put(model_input_key(job), inspection.model_input, content_type="image/jpeg")
        return {**_facts(inspection), "file_size_bytes": size}


def _facts(inspection: Inspection) -> StepOutput:
    return {
        "format": inspection.format,
        "width": inspection.width,
        "height": inspection.height,
        "sha256": inspection.sha256,
        "phash": f"{inspection.phash:016x}",
        "thumbhash": inspection.thumbhash,
        "palette": [{"hex": colour.hex, "percentage": colour.percentage} for colour in inspection.palette],
        "colours": list(inspection.colours),
        "technical": inspection.technical.model_dump(mode="json", exclude_none=True),
        "suggestions": Suggestions.of(inspection.described).model_dump(exclude_defaults=True),
    }


def _needed(step_runs: StepRuns, job: IngestionJob, step: Step) -> StepOutput:
    output = step_runs.outputs(job).get(step)
    if output is None:
        raise DependencyUnavailable(f"The step {step.value} has no result yet.")
    return output


class DetectDuplicate:
    """Refuses a file that the catalogue has already, and tells what looks like the picture."""

    def __init__(self, *, step_runs: StepRuns, database: Database) -> None:
        self._step_runs = step_runs
        self._database = database

    def run(self, job: IngestionJob) -> StepOutput:
        """Raises `DuplicateImage` naming the earlier image in `duplicate_of`."""
        return self._step_runs.run_once(
            job, Step.DETECT_DUPLICATE, lambda: self._detect(job), undo=lambda: self._forget(job)
        )

    def _detect(self, job: IngestionJob) -> StepOutput:
        facts = _needed(self._step_runs, job, Step.INSPECT)
        fingerprint = fingerprints.Fingerprint(bytes.fromhex(facts["sha256"]), int(facts["phash"], 16))
        with self._database.transaction() as connection:
            claim = duplicates.claim(connection, job.image_id, fingerprint)
            if claim.same_file is not None:
                found = fingerprints.Evidence(
                    claim.same_file, fingerprints.FoundBy.SHA256, fingerprints.Verdict.CERTAIN
                )
                duplicates.keep_evidence(connection, job.image_id, [found])
        if claim.same_file is not None:
            count("Duplicates")
            raise DuplicateImage("The same file is in the catalogue already.", duplicate_of=str(claim.same_file))
        return {
            "lookalikes": [{"image_id": str(each.image_id), "distance": each.distance} for each in claim.lookalikes]
        }

    def _forget(self, job: IngestionJob) -> None:
        with self._database.transaction() as connection:
            duplicates.forget(connection, job.image_id)


class RightsOfImages:
    """What the renditions of an image say of its rights."""

    def __init__(self, *, database: Database, public_base_url: str) -> None:
        self._database = database
        self._public_base_url = public_base_url

    def of(self, image_id: UUID) -> Rights:
        """The contributor as the public knows them, the terms and the image's page."""
        from imagemarket.imaging.xmp_rights import Rights

        name = catalog.contributor_name(self._database, image_id)
        assert name is not None
        return Rights.of(name, image_id, base_url=self._public_base_url)


class MakeThumbnails:
    """The clean renditions: 150 and 450 px public, 1000 px private (decision 9)."""

    def __init__(
        self,
        *,
        step_runs: StepRuns,
        rights: RightsOfImages,
        work: ObjectStore,
        renditions: ObjectStore,
        originals: ObjectStore,
    ) -> None:
        self._step_runs = step_runs
        self._rights = rights
        self._work = work
        self._renditions = renditions
        self._originals = originals

    def run(self, job: IngestionJob) -> StepOutput:
        return self._step_runs.run_once(
            job, Step.MAKE_THUMBNAILS, lambda: self._make(job), undo=lambda: self._remove(job.image_id)
        )

    def _make(self, job: IngestionJob) -> StepOutput:
        from imagemarket.imaging.renditions import make_thumbnails

        master, rights = self._work.get(master_key(job)), self._rights.of(job.image_id)
        with picture_work(Step.MAKE_THUMBNAILS):
            made = make_thumbnails(master, rights)
        public = [rendition for rendition in made if rendition.kind != "clean"]
        private = [rendition for rendition in made if rendition.kind == "clean"]
        stored = _store(self._renditions, job.image_id, public) + _store(self._originals, job.image_id, private)
        return {"renditions": stored}

    def _remove(self, image_id: UUID) -> None:
        for store, folder in ((self._renditions, Folder.THUMBNAILS), (self._originals, Folder.CLEAN)):
            store.delete(store.list_keys(folder.of(image_id)))


class MakeWatermark:
    """The public 1000 px preview, marked visibly and invisibly."""

    def __init__(
        self, *, step_runs: StepRuns, rights: RightsOfImages, work: ObjectStore, renditions: ObjectStore
    ) -> None:
        self._step_runs = step_runs
        self._rights = rights
        self._work = work
        self._renditions = renditions

    def run(self, job: IngestionJob) -> StepOutput:
        return self._step_runs.run_once(
            job, Step.MAKE_WATERMARK, lambda: self._make(job), undo=lambda: self._remove(job.image_id)
        )

    def _make(self, job: IngestionJob) -> StepOutput:
        from imagemarket.imaging.watermark import make_watermarked

        master, rights = self._work.get(master_key(job)), self._rights.of(job.image_id)
        with picture_work(Step.MAKE_WATERMARK):
            made = make_watermarked(master, job.image_id, rights)
        return {"renditions": _store(self._renditions, job.image_id, made)}

    def _remove(self, image_id: UUID) -> None:
        self._renditions.delete(self._renditions.list_keys(Folder.WATERMARKED.of(image_id)))


def _store(store: ObjectStore, image_id: UUID, made: Sequence[Rendition]) -> list[dict[str, Any]]:
    """Writes renditions side by side and returns what their rows need."""

    def put(rendition: Rendition) -> dict[str, Any]:
        key = rendition_key(
            rendition.kind,
            image_id,
            long_edge=rendition.long_edge,
            content_hash=rendition.content_hash,
            extension=_EXTENSIONS[rendition.format],
        )
        cache_control = None if rendition.kind == "clean" else _IMMUTABLE
        store.put(key, rendition.data, content_type=_MEDIA_TYPES[rendition.format], cache_control=cache_control)
        return {
            "kind": rendition.kind,
            "long_edge": rendition.long_edge,
            "format": rendition.format,
            "width": rendition.width,
            "height": rendition.height,
            "bytes": len(rendition.data),
            "key": key,
        }

    with ThreadPoolExecutor(_PARALLEL_PUTS) as pool:
        return list(pool.map(put, made))


class EmbedAndTag:
    """Asks the model what the picture shows."""

    def __init__(self, *, step_runs: StepRuns, work: ObjectStore, endpoint: VisionEndpoint) -> None:
        self._step_runs = step_runs
        self._work = work
        self._endpoint = endpoint

    def run(self, job: IngestionJob) -> StepOutput:
        """Raises `ModelNotReady`, which the state machine retries patiently."""
        return self._step_runs.run_once(job, Step.EMBED_AND_TAG, lambda: self._analyse(job))

    def _analyse(self, job: IngestionJob) -> StepOutput:
        from imagemarket.vision.models import Analysis, Refusal

        answer = self._endpoint.analyse([self._work.get(model_input_key(job))])
        analysis = answer.analyses[0]
        if isinstance(analysis, Refusal) and analysis.type == "ValidationError":
            logger.error("the model refuses the picture", reason=analysis.message)
            raise not_processable(Step.EMBED_AND_TAG)
        if not isinstance(analysis, Analysis):
            raise DependencyUnavailable(f"The model cannot look at the picture: {analysis.message}")
        self._work.put(analysis_key(job), analysis.model_dump_json().encode(), content_type="application/json")
        return {"model_version": answer.model_version, "nsfw_score": analysis.nsfw_score}


class PublishImage:
    """Decides the status and writes everything in one transaction."""

    def __init__(
        self,
        *,
        step_runs: StepRuns,
        database: Database,
        work: ObjectStore,
        relay: OutboxRelay,
        copies: NearDuplicateDetector,
    ) -> None:
        self._step_runs = step_runs
        self._database = database
        self._work = work
        self._relay = relay
        self._copies = copies

    def run(self, job: IngestionJob) -> StepOutput:
        """The image's status. What must be told is told after the commit; a schedule tells what a
        crash kept back.

        Raises:
            DuplicateImage: It is a copy of an earlier image, named in `duplicate_of`.
        """
        output = self._step_runs.run_once(job, Step.PUBLISH, lambda: self._publish(job))
        _send_news(self._relay)
        return output

    def _publish(self, job: IngestionJob) -> StepOutput:
        outputs = self._step_runs.outputs(job)
        missing = [step.value for step in Step if step is not Step.PUBLISH and step not in outputs]
        if missing:
            raise DependencyUnavailable(f"These steps have no result yet: {', '.join(missing)}.")
        model_version = outputs[Step.EMBED_AND_TAG]["model_version"]
        from imagemarket.vision.models import Analysis

        analysis = Analysis.model_validate_json(self._work.get(analysis_key(job)))
        lookalikes = tuple(
            fingerprints.Lookalike(UUID(each["image_id"]), each["distance"])
            for each in outputs[Step.DETECT_DUPLICATE]["lookalikes"]
        )
        while True:
            findings = self._refuse_copies(job, outputs, analysis.embedding, lookalikes)
            fit = analysis.nsfw_score < NSFW_REVIEW_FROM and not findings.evidence
            status = ImageStatus.APPROVED if fit else ImageStatus.PENDING_REVIEW
            with self._database.transaction() as connection:
                phash = int(outputs[Step.INSPECT]["phash"], 16)
                meanwhile = duplicates.published_meanwhile(connection, job.image_id, phash, findings.compared)
                if meanwhile:
                    lookalikes += meanwhile
                    continue
                change = change_status(
                    connection,
                    job.image_id,
                    PUBLISH,
                    status,
                    actor=_ACTOR,
                    reason="It passed every step." if fit else "It is held for review.",
                    columns=_columns(outputs[Step.INSPECT], analysis, model_version),
                )
                if change is None:
                    logger.info("the image has ended already")
                    return {"status": catalog.status(self._database, job.image_id) or "gone"}
                repository.write_suggestions(connection, job.image_id, outputs[Step.INSPECT].get("suggestions"))
                stored = outputs[Step.MAKE_THUMBNAILS]["renditions"] + outputs[Step.MAKE_WATERMARK]["renditions"]
                _write_details(connection, job.image_id, stored, analysis, model_version)
            count(f"Images.{status.value}")
            return {"status": status.value}

    def _refuse_copies(
        self,
        job: IngestionJob,
        outputs: dict[Step, StepOutput],
        embedding: Sequence[float],
        lookalikes: tuple[fingerprints.Lookalike, ...],
    ) -> Findings:
        """What speaks for a copy, for a person to decide. Raises `DuplicateImage` where it is certain."""
        from imagemarket.ingestion.near_duplicates import COMPARED, Subject

        findings = self._copies.find(
            Subject(
                image_id=job.image_id,
                thumbnail=next(
                    rendition["key"]
                    for rendition in outputs[Step.MAKE_THUMBNAILS]["renditions"]
                    if (rendition["kind"], rendition["long_edge"], rendition["format"]) == COMPARED
                ),
                lookalikes=lookalikes,
                embedding=embedding,
                model_version=outputs[Step.EMBED_AND_TAG]["model_version"],
                taken_at=outputs[Step.INSPECT]["technical"].get("taken_at"),
            )
        )
        if not findings.evidence:
            return findings
        with self._database.transaction() as connection:
            duplicates.keep_evidence(connection, job.image_id, findings.evidence)
        first = findings.evidence[0]
        if first.verdict is fingerprints.Verdict.CERTAIN:
            count("Duplicates")
            raise DuplicateImage(
                f"The picture is in the catalogue already: {first.inliers} points of it lie in an earlier image, and"
                f" {first.agreement:.0%} of their details are the same.",
                duplicate_of=str(first.other_id),
            )
        return findings


def _columns(facts: StepOutput, analysis: Any, model_version: str) -> dict[str, object]:
    """What the steps found, as the image's row has it."""
    return {
        **{name: facts[name] for name in ("format", "width", "height", "file_size_bytes", "thumbhash", "colours")},
        "sha256": bytes.fromhex(facts["sha256"]),
        "phash": fingerprints.signed(int(facts["phash"], 16)),
        "color_palette": facts["palette"],
        "technical_meta": facts["technical"],
        "nsfw_score": analysis.nsfw_score,
        "people": analysis.people,
        "ai_description": analysis.description,
        "model_version": model_version,
    }


def _write_details(
    connection: Connection,
    image_id: UUID,
    stored: list[dict[str, Any]],
    analysis: Any,
    model_version: str,
) -> None:
    catalog.write_renditions(connection, image_id, stored)
    catalog.add_model_words(
        connection,
        image_id,
        [(tag.tag, tag.confidence) for tag in analysis.tags],
        analysis.categories[:_AI_CATEGORIES],
    )
    # The first picture of all decides which model's vectors are compared; later only a re-embedding does.
    catalog.compare_vectors_of(connection, model_version, unless_decided=True)
    catalog.write_embeddings(connection, model_version, [(image_id, analysis.embedding)])


def _send_news(relay: OutboxRelay) -> None:
    """At once, rather than by the schedule a minute later, which makes up for it where this fails."""
    try:
        relay.drain()
    except DependencyUnavailable:
        logger.warning("the outbox waits for its schedule")


class CompensateImage:
    """Ends an image that did not make it: states the reason, removes what the steps made.

    The original stays for the contributor's retry, tagged so that a lifecycle rule takes it after
    `RETRY_WINDOW_DAYS`. Safe to repeat: it is a step with a record of its own.
    """

    def __init__(
        self,
        *,
        database: Database,
        originals: ObjectStore,
        work: ObjectStore,
        renditions: ObjectStore,
        relay: OutboxRelay,
    ) -> None:
        self._step_runs = StepRuns(database)
        self._database = database
        self._originals = originals
        self._work = work
        self._renditions = renditions
        self._relay = relay

    def run(self, job: IngestionJob, failure: FailedStep) -> StepOutput:
        """`{"status"}` of the image: `rejected` when the picture is at fault, else
        `processing_failed`. The status comes first, so that a step still under way notices.

        An image that is published, or goes on in another run, is left alone. Raises `StepInProgress`
        while another delivery of the same is at work.
        """
        try:
            output = self._step_runs.run_once(job, COMPENSATE, lambda: self._compensate(job, failure))
            _send_news(self._relay)
            return output
        except JobSuperseded:
            self._step_runs.reconcile(job.image_id)
            status = catalog.status(self._database, job.image_id) or "gone"
            logger.info("nothing to compensate", status=status)
            return {"status": status}

    def again(self, job: IngestionJob) -> StepOutput:
        """Removes once more what an ended image must not have, after deliveries that were killed behind the back of
        its compensation. The leases that told of them are given back."""
        self._step_runs.reset(job, COMPENSATE)
        return self.run(job, FailedStep())

    def _compensate(self, job: IngestionJob, failure: FailedStep) -> StepOutput:
        status, began = self._end(job, failure)
        if status not in ENDED:
            # A publication that was thought dead has come through, or another run has begun: nothing was compensated.
            raise JobSuperseded("The image has gone on meanwhile.")
        self._remove_objects(job)
        let_original_expire(self._originals, job)
        with self._database.transaction() as connection:
            steps.end_leases(connection, job.image_id, over_by=began)
        return {"status": status.value}

    def _remove_objects(self, job: IngestionJob) -> None:
        for store, folder in (
            (self._renditions, Folder.THUMBNAILS),
            (self._renditions, Folder.WATERMARKED),
            (self._originals, Folder.CLEAN),
            (self._work, Folder.WORK),
        ):
            store.delete(store.list_keys(folder.of(job.image_id)))

    def _end(self, job: IngestionJob, failure: FailedStep) -> tuple[ImageStatus, datetime]:
        """The image's status from now on, and the time: leases that were over by then belong to the dead."""
        rejections = {error.__name__: error for error in error_classes(ImageRejected)}
        status = ImageStatus.REJECTED if failure.Error in rejections else ImageStatus.PROCESSING_FAILED
        with self._database.transaction() as connection:
            recorded = steps.first_failure(connection, job.image_id, failure.Error)
            if status is ImageStatus.REJECTED:
                reason = recorded or {
                    "code": rejections[failure.Error].slug,
                    "detail": rejections[failure.Error].title,
                }
            else:
                reason = {
                    "code": "processing-failed",
                    "detail": "Processing failed on our side; your file is kept and can be processed again.",
                    "cause": failure.Error,
                }
            image = repository.lock(connection, job.image_id)
            if image is None:
                raise JobSuperseded("The image is gone.")
            change = image["run"] == job.run and change_status(
                connection,
                job.image_id,
                FAIL,
                status,
                actor=_ACTOR,
                reason=str(reason["detail"]),
                columns={"rejection": reason},
            )
            ended = status if change else ImageStatus(image["status"])
            if ended in ENDED:
                _forget(connection, job.image_id)
                steps.interrupt(connection, job.image_id, {"error": failure.Error, "code": "interrupted"})
        if change:
            count(f"Images.{ended.value}")
        logger.info("image ended", status=ended.value, cause=failure.Error)
        return ended, image["began"]


def _forget(connection: Connection, image_id: UUID) -> None:
    """Takes the rows away that the steps wrote; what the contributor said stays."""
    duplicates.forget(connection, image_id)
    catalog.forget_made(connection, image_id)


def forget_deleted(connection: Connection, image_id: UUID) -> None:
    """Deletes what ingestion keeps of an image that is deleted: its fingerprint, so that the same picture may be
    uploaded again, and who made it, as its file has it."""
    duplicates.forget(connection, image_id)
    repository.write_suggestions(connection, image_id, None)
    steps.forget_suggestions(connection, image_id)
