"""Which original is kept: the mark by which the bucket's lifecycle rule takes those of images that ended."""

from __future__ import annotations

from imagemarket.ingestion.models import ENDED_TAG, IngestionJob
from imagemarket.platform.errors import NotFound
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import logger


def real_version(version: str) -> str | None:
    """The version as S3 takes it: "null" is its name for one that was written before versioning was on."""
    return None if version == "null" else version


def let_original_expire(originals: ObjectStore, job: IngestionJob) -> None:
    """Marks the original of an image that did not make it, so that the lifecycle rule deletes it in time."""
    _mark(originals, job, ENDED_TAG)


def keep_original(originals: ObjectStore, job: IngestionJob) -> None:
    """Takes the mark off, before an image that ended goes on: a live image's original is never deleted by a rule."""
    _mark(originals, job, {})


def _mark(originals: ObjectStore, job: IngestionJob, tags: dict[str, str]) -> None:
    try:
        originals.tag(job.key, tags, version_id=real_version(job.version_id))
    except NotFound:
        logger.info("the original is gone already")
