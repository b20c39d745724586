"""Objects in S3: presigned for clients, streamed to files for workers."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemarket.platform.aws import aws_errors
from imagemarket.platform.errors import DependencyRefused, DependencyUnavailable, NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DELETE_BATCH = 1000  # keys in one DeleteObjects call, the S3 limit
_DOWNLOAD_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    """What a HEAD tells about one version of an object."""

    key: str
    version_id: str | None
    size_bytes: int
    content_type: str
    etag: str


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, or the marker that a deletion left in its place."""

    key: str
    version_id: str
    is_current: bool
    is_marker: bool


@contextmanager
def _s3_errors() -> Iterator[None]:
    try:
        with aws_errors("The object store"):
            yield
    except DependencyRefused as refused:
        if refused.code in {"404", "NoSuchKey", "NoSuchVersion", "NotFound", "NoSuchUpload"}:
            raise NotFound("The stored object is not there.") from refused
        raise


class ObjectStore:
    """One bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> None:
        """Writes `data` under `key`; the same call twice leaves the same object."""
        extra: dict[str, Any] = {"CacheControl": cache_control} if cache_control else {}
        with _s3_errors():
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type, **extra)

    def get(self, key: str) -> bytes:
        """The whole object; for the small ones that pass between steps."""
        with _s3_errors():
            return self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> None:
        """Streams one version of an object (the newest when not named) to a file, by one GET.

        boto3's own `download_file` asks for the size first and from 8 MiB on fetches in ranges, which some stores
        answer with the whole object where a version is named. A checksum that the store keeps is compared by
        botocore. Raises `NotFound`, and `DependencyUnavailable` also when other bytes came than the store told of.
        """
        extra: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        with _s3_errors():
            answer = self._client.get_object(Bucket=self.bucket, Key=key, **extra)
            with closing(answer["Body"]) as body, path.open("wb") as file:
                shutil.copyfileobj(body, file, _DOWNLOAD_BLOCK)
                received = file.tell()
        if received != answer["ContentLength"]:
            raise DependencyUnavailable("The object store sent another number of bytes than it told of; try again.")

    def head(self, key: str, *, version_id: str | None = None) -> StoredObject:
        """Facts of an object's version (the newest when not named). Raises `NotFound`."""
        extra: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        with _s3_errors():
            answer = self._client.head_object(Bucket=self.bucket, Key=key, **extra)
        return StoredObject(
            key=key,
            version_id=answer.get("VersionId"),
            size_bytes=answer["ContentLength"],
            content_type=answer.get("ContentType", "application/octet-stream"),
            etag=answer["ETag"].strip('"'),
        )

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins with `prefix`."""
        with _s3_errors():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield entry.get("Key", "")

    def delete(self, keys: Iterable[str]) -> int:
        """Deletes the keys (those already gone included) and tells how many were named."""
        batch = [{"Key": key} for key in keys]
        for start in range(0, len(batch), _DELETE_BATCH):
            with _s3_errors():
                answer = self._client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": batch[start : start + _DELETE_BATCH], "Quiet": True},  # pyright: ignore[reportArgumentType]
                )
            if answer.get("Errors"):
                raise DependencyUnavailable("The object store did not delete every object; try again.")
        return len(batch)

    def list_versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version and deletion marker of every key that begins with `prefix`; those of a key in a row."""
        with _s3_errors():
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
                found = [
                    ObjectVersion(
                        entry.get("Key", ""), entry.get("VersionId", "null"), entry.get("IsLatest", False), is_marker
                    )
                    for entries, is_marker in ((page.get("Versions", []), False), (page.get("DeleteMarkers", []), True))
                    for entry in entries
                ]
                yield from sorted(found, key=lambda version: version.key)  # S3 tells the two kinds apart, not in turn

    def delete_version(self, key: str, version_id: str) -> None:
        """Deletes one version (or deletion marker) for good, so that the one below it is current again; fine when it
        is gone already."""
        with _s3_errors():
            self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)

    def tags(self, key: str, *, version_id: str | None = None) -> dict[str, str]:
        """The tags of one version of an object (the current one when not named). Raises `NotFound`."""
        extra: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        with _s3_errors():
            answer = self._client.get_object_tagging(Bucket=self.bucket, Key=key, **extra)
        return {tag.get("Key", ""): tag.get("Value", "") for tag in answer["TagSet"]}

    def tag(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        """Replaces the tags of one version of an object (the newest when not named). Raises `NotFound`."""
        extra: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        named = [{"Key": name, "Value": value} for name, value in tags.items()]
        with _s3_errors():
            self._client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging={"TagSet": named}, **extra)  # pyright: ignore[reportArgumentType]

    def copy(self, key: str, source: ObjectStore, source_key: str) -> None:
        """Copies an object of another bucket, with its type and headers, within the store. Raises `NotFound`."""
        with _s3_errors():
            self._client.copy_object(
                Bucket=self.bucket, Key=key, CopySource={"Bucket": source.bucket, "Key": source_key}
            )

    def presign_get(self, key: str, *, expires_in: int, download_name: str | None = None) -> str:
        """A URL that reads one object for `expires_in` seconds."""
        parameters: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        if download_name:
            parameters["ResponseContentDisposition"] = f'attachment; filename="{download_name}"'
        return self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_in)

    def presign_post(self, key: str, *, fields: Mapping[str, str], size_bytes: int, expires_in: int) -> dict[str, Any]:
        """A form that uploads exactly `size_bytes` bytes to exactly `key` with exactly `fields`."""
        conditions: list[Any] = [["content-length-range", size_bytes, size_bytes]]
        conditions += [{name: value} for name, value in fields.items()]
        return dict(
            self._client.generate_presigned_post(
                self.bucket, key, Fields=dict(fields), Conditions=conditions, ExpiresIn=expires_in
            )
        )

    def start_multipart(self, key: str, *, content_type: str) -> str:
        """Opens a multipart upload and returns its id."""
        with _s3_errors():
            return self._client.create_multipart_upload(Bucket=self.bucket, Key=key, ContentType=content_type)[
                "UploadId"
            ]

    def presign_part(self, key: str, upload_id: str, number: int, *, size_bytes: int, expires_in: int) -> str:
        """A URL that takes part `number` (from 1) of exactly `size_bytes` bytes by PUT."""
        return self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self.bucket,
                "Key": key,
                "UploadId": upload_id,
                "PartNumber": number,
                "ContentLength": size_bytes,
            },
            ExpiresIn=expires_in,
        )

    def list_parts(self, key: str, upload_id: str) -> list[tuple[int, str, int]]:
        """`(number, etag, size in bytes)` of each part that has arrived. Raises `NotFound`."""
        parts: list[tuple[int, str, int]] = []
        with _s3_errors():
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
            for page in pages:
                parts += [
                    (part.get("PartNumber", 0), part.get("ETag", ""), part.get("Size", 0))
                    for part in page.get("Parts", [])
                ]
        return parts

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> None:
        """Joins the parts `(number, etag)` into the object. Raises `NotFound` when it is closed."""
        with _s3_errors():
            self._client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in parts]},
            )

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Throws the parts away; fine when they are gone already."""
        try:
            with _s3_errors():
                self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except NotFound:
            return
