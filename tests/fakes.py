"""Fakes of ports, for tests alone. Each passes the contract tests of the real thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from imagemarket.platform.bus import EventBus
from imagemarket.platform.errors import NotFound
from imagemarket.platform.events import Envelope, Event
from imagemarket.platform.objects import ObjectStore, ObjectVersion, StoredObject
from imagemarket.platform.queue import Queue

_MARKER = "a deletion marker"


class MemoryObjectStore(ObjectStore):
    """A versioned bucket in memory."""

    def __init__(self, bucket: str = "memory") -> None:
        self.bucket = bucket
        self.versions: dict[str, list[tuple[str, bytes, str]]] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self._tags: dict[tuple[str, str], dict[str, str]] = {}
        self._numbers = count(1)

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> None:
        self.versions.setdefault(key, []).append((f"v{next(self._numbers)}", data, content_type))

    def _version(self, key: str, version_id: str | None = None) -> tuple[str, bytes, str]:
        for version in reversed(self.versions.get(key, [])):
            if version_id in {None, version[0]}:
                if version[2] == _MARKER:
                    break
                return version
        raise NotFound("The stored object is not there.")

    def get(self, key: str) -> bytes:
        return self._version(key)[1]

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> None:
        path.write_bytes(self._version(key, version_id)[1])

    def head(self, key: str, *, version_id: str | None = None) -> StoredObject:
        version, data, content_type = self._version(key, version_id)
        return StoredObject(key, version, len(data), content_type, hashlib.md5(data).hexdigest())

    def list_keys(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in self.versions if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> int:
        named = list(keys)
        for key in named:
            self.versions.pop(key, None)
        return len(named)

    def mark_deleted(self, key: str) -> None:
        """What a deletion without a version leaves in a versioned bucket."""
        self.put(key, b"", content_type=_MARKER)

    def list_versions(self, prefix: str) -> Iterator[ObjectVersion]:
        for key in sorted(key for key in self.versions if key.startswith(prefix)):
            newest_first = self.versions[key][::-1]
            for number, (version, _, content_type) in enumerate(newest_first):
                yield ObjectVersion(key, version, is_current=number == 0, is_marker=content_type == _MARKER)

    def delete_version(self, key: str, version_id: str) -> None:
        kept = [version for version in self.versions.get(key, []) if version[0] != version_id]
        if kept:
            self.versions[key] = kept
        else:
            self.versions.pop(key, None)

    def tags(self, key: str, *, version_id: str | None = None) -> dict[str, str]:
        return self._tags.get((key, self._version(key, version_id)[0]), {})

    def tag(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        self._tags[key, self._version(key, version_id)[0]] = dict(tags)

    def copy(self, key: str, source: ObjectStore, source_key: str) -> None:
        assert isinstance(source, MemoryObjectStore)
        _, data, content_type = source._version(source_key)
        self.put(key, data, content_type=content_type)

    def presign_get(self, key: str, *, expires_in: int, download_name: str | None = None) -> str:
        return f"https://{self.bucket}.test/{key}?X-Amz-Expires={expires_in}&X-Amz-Signature=0"

    def presign_post(self, key: str, *, fields: Mapping[str, str], size_bytes: int, expires_in: int) -> dict[str, Any]:
        return {"url": f"https://{self.bucket}.test/", "fields": {**fields, "key": key, "policy": str(size_bytes)}}

    def start_multipart(self, key: str, *, content_type: str) -> str:
        upload_id = f"upload-{next(self._numbers)}"
        self.uploads[upload_id] = (content_type, {})
        return upload_id

    def presign_part(self, key: str, upload_id: str, number: int, *, size_bytes: int, expires_in: int) -> str:
        return f"https://{self.bucket}.test/{key}?uploadId={upload_id}&partNumber={number}"

    def upload_part(self, upload_id: str, number: int, data: bytes) -> str:
        """What a client does with a presigned part."""
        self.uploads[upload_id][1][number] = data
        return f'"{hashlib.md5(data).hexdigest()}"'

    def _open_upload(self, upload_id: str) -> tuple[str, dict[int, bytes]]:
        if upload_id not in self.uploads:
            raise NotFound("The stored object is not there.")
        return self.uploads[upload_id]

    def list_parts(self, key: str, upload_id: str) -> list[tuple[int, str, int]]:
        parts = self._open_upload(upload_id)[1]
        return [(n, f'"{hashlib.md5(data).hexdigest()}"', len(data)) for n, data in sorted(parts.items())]

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> None:
        content_type, arrived = self._open_upload(upload_id)
        self.put(key, b"".join(arrived[number] for number, _ in parts), content_type=content_type)
        del self.uploads[upload_id]

    def abort_multipart(self, key: str, upload_id: str) -> None:
        self.uploads.pop(upload_id, None)


class MemoryEvents:
    """As much of EventBridge's client as `EventBus` calls; keeps the entries that it took. `broken` makes the next
    calls fail; an entry that `refuses` is true of is not taken."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.broken = False
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _: False

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        from botocore.exceptions import EndpointConnectionError

        if self.broken:
            raise EndpointConnectionError(endpoint_url="events")
        results: list[dict[str, str]] = []
        for entry in Entries:
            if self.refuses(entry):
                results.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"})
            else:
                self.entries.append(entry)
                results.append({"EventId": str(uuid4())})
        return {"FailedEntryCount": sum("ErrorCode" in each for each in results), "Entries": results}


class MemoryBus(EventBus):
    """A bus in memory."""

    def __init__(self) -> None:
        self.client = MemoryEvents()
        super().__init__(self.client, "memory")

    def take(self, *kinds: type[Event]) -> list[dict[str, Any]]:
        """What the rule of a listener to `kinds` has sent to its queue since the last call; the rest is forgotten."""
        entries, self.client.entries = self.client.entries, []
        names = {kind.type_name() for kind in kinds}
        return [message_of(entry) for entry in entries if entry["DetailType"] in names]

    def heard(self, kind: type[Event]) -> list[Any]:
        """The events of a type that were published."""
        return [
            kind.model_validate(json.loads(entry["Detail"])["payload"])
            for entry in self.client.entries
            if entry["DetailType"] == kind.type_name()
        ]


def message_with(event: Event) -> dict[str, Any]:
    """The body of the message that a listener's queue brings of an event."""
    bus = MemoryBus()
    bus.publish([Envelope.of(uuid4(), event, datetime.now(UTC))])
    (message,) = bus.take(type(event))
    return message


def message_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the message that a rule makes of an entry, as the golden event has it."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": "123456789012",
        "time": entry["Time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-central-1",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


class MemoryQueue(Queue):
    """What was sent and not taken yet; a message with a delay is kept apart."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.delayed: list[tuple[int, dict[str, Any]]] = []

    def send(self, messages: Any, *, delay_seconds: int = 0) -> None:
        if delay_seconds:
            self.delayed += [(delay_seconds, dict(message)) for message in messages]
        else:
            self.messages += [dict(message) for message in messages]

    def take(self) -> list[dict[str, Any]]:
        taken, self.messages = self.messages, []
        return taken


class MemoryStepFunctions:
    """As much of Step Functions' client as `Executions` calls: each name starts once; `executions` holds statuses."""

    def __init__(self, state_machine_arn: str) -> None:
        self._prefix = state_machine_arn.replace(":stateMachine:", ":execution:") + ":"
        self.executions: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.trace_headers: dict[str, str | None] = {}
        self.last_events: dict[str, datetime] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str, traceHeader: str | None = None) -> None:  # noqa: A002, N803
        if name in self.executions:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.executions[name] = "RUNNING"
        self.inputs[name] = input
        self.trace_headers[name] = traceHeader

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return {"status": self.executions[self._name(executionArn)]}

    def get_execution_history(self, *, executionArn: str, reverseOrder: bool, maxResults: int) -> dict[str, Any]:  # noqa: N803
        last = self.last_events.get(self._name(executionArn))
        return {"events": [{"timestamp": last}] if last else []}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:  # noqa: N803
        name = self._name(executionArn)
        if self.executions[name] == "RUNNING":
            self.executions[name] = "ABORTED"

    def _name(self, arn: str) -> str:
        name = arn.removeprefix(self._prefix)
        if name not in self.executions:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        return name


def client_error(code: str, operation: str, message: str = "") -> Exception:
    """What boto3 raises where AWS refuses a call."""
    from botocore.exceptions import ClientError

    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # pyright: ignore[reportArgumentType]
        operation,
    )
