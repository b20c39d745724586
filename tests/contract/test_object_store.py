"""The object store against the emulator's S3, and the tests' store in memory against the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from imagemarket.platform.errors import NotFound
from imagemarket.platform.objects import ObjectStore
from local.emulator import aws_client, emulator_part
from local.layout import Layout
from local.processes import Supervisor
from tests.fakes import MemoryObjectStore

pytestmark = pytest.mark.engines
KEY = "originals/a/b.jpg"


@pytest.fixture(scope="module")
def supervisor(engine_room: Layout) -> Supervisor:
    return Supervisor(engine_room)


@pytest.fixture(scope="module")
def emulator(engine_room: Layout, supervisor: Supervisor) -> Iterator[Any]:
    part = emulator_part(engine_room)
    supervisor.start(part)
    yield aws_client(engine_room, "s3")
    supervisor.stop(part)


@pytest.fixture(params=["memory", "emulator"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """A versioned bucket."""
    if request.param == "memory":
        return MemoryObjectStore()
    client = request.getfixturevalue("emulator")
    bucket = f"b-{uuid4().hex}"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return ObjectStore(client, bucket)


def _put(store: ObjectStore, data: bytes, key: str = KEY) -> str:
    store.put(key, data, content_type="image/jpeg")
    version = store.head(key).version_id
    assert version
    return version


def test_versions_of_a_key_are_listed_in_a_row_and_one_is_current(store: ObjectStore) -> None:
    first, other, second = _put(store, b"1"), _put(store, b"x", "originals/a/c.jpg"), _put(store, b"2")
    found = list(store.list_versions("originals/a/"))
    assert [version.key for version in found] == [KEY, KEY, "originals/a/c.jpg"]
    assert {version.version_id: version.is_current for version in found} == {first: False, second: True, other: True}
    assert not any(version.is_marker for version in found)


def test_the_version_below_a_deleted_one_is_current_again(store: ObjectStore) -> None:
    first, second = _put(store, b"1"), _put(store, b"2")
    store.delete_version(KEY, second)
    assert (store.head(KEY).version_id, store.get(KEY)) == (first, b"1")
    store.delete_version(KEY, second)
    store.delete_version(KEY, first)
    assert list(store.list_versions("")) == []
    store.delete_version(KEY, first)
    with pytest.raises(NotFound):
        store.head(KEY)


def test_a_deletion_without_a_version_hides_the_object_under_a_marker(store: ObjectStore) -> None:
    first = _put(store, b"1")
    if isinstance(store, MemoryObjectStore):
        store.mark_deleted(KEY)
    else:
        store.delete([KEY])
    with pytest.raises(NotFound):
        store.head(KEY)
    assert store.head(KEY, version_id=first).size_bytes == 1
    (marker,) = (version for version in store.list_versions("originals/") if version.is_marker)
    assert marker.is_current
    store.delete_version(KEY, marker.version_id)
    assert store.head(KEY).version_id == first


def test_tags_belong_to_a_version(store: ObjectStore) -> None:
    first, second = _put(store, b"1"), _put(store, b"2")
    store.tag(KEY, {"state": "ended"}, version_id=first)
    assert store.tags(KEY, version_id=first) == {"state": "ended"}
    assert store.tags(KEY, version_id=second) == store.tags(KEY) == {}
    store.tag(KEY, {}, version_id=first)
    assert store.tags(KEY, version_id=first) == {}
    with pytest.raises(NotFound):
        store.tags("nothing/there.jpg")


def test_an_upload_in_parts_that_an_emulator_started_anew_forgot_is_not_found(
    emulator: Any, engine_room: Layout, supervisor: Supervisor
) -> None:
    """On which the API says that it has to be announced again; giving it up is fine."""
    bucket = f"b-{uuid4().hex}"
    emulator.create_bucket(Bucket=bucket)
    store = ObjectStore(emulator, bucket)
    upload_id = store.start_multipart(KEY, content_type="image/tiff")
    store._client.upload_part(Bucket=bucket, Key=KEY, UploadId=upload_id, PartNumber=1, Body=b"1")
    assert [(number, size) for number, _, size in store.list_parts(KEY, upload_id)] == [(1, 1)]
    part = emulator_part(engine_room)
    supervisor.stop(part)
    supervisor.start(part)
    with pytest.raises(NotFound):
        list(store.list_parts(KEY, upload_id))
    store.abort_multipart(KEY, upload_id)
