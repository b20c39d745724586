"""Events through a bus, a rule and a queue of the emulator, as the stacks make them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from imagemarket.catalog.events import ImageListingChanged
from imagemarket.notifications.events import NotificationAdded
from imagemarket.platform.bus import SOURCE, EventBus
from imagemarket.platform.events import Envelope, Event, received
from imagemarket.platform.ids import new_id
from local.emulator import aws_client, emulator_part
from local.layout import Layout, free_port
from tests.fakes import message_with

pytestmark = pytest.mark.engines
BUS = "imagemarket-test"


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(made=tmp_path, state=tmp_path, port=free_port())
    part = emulator_part(layout)
    environment = os.environ | dict(part.environment)
    with subprocess.Popen([sys.executable, "-m", "local.durable_emulator"], env=environment, cwd=tmp_path) as process:
        try:
            deadline = time.monotonic() + 120
            while not part.ready():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield layout
        finally:
            process.kill()


def _listening(emulator: Layout, kind: type[Event]) -> str:
    """The address of a queue that a rule sends events of a type to."""
    events, sqs = aws_client(emulator, "events"), aws_client(emulator, "sqs")
    url = sqs.create_queue(QueueName=f"to-{kind.type_name()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": [SOURCE], "detail-type": [kind.type_name()]}
    events.put_rule(Name=kind.type_name(), EventBusName=BUS, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=kind.type_name(), EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _brought(emulator: Layout, url: str) -> list[dict[str, Any]]:
    answer = aws_client(emulator, "sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_each_listener_hears_of_its_own_types_alone(emulator: Layout) -> None:
    client = aws_client(emulator, "events")
    client.create_event_bus(Name=BUS)
    index, news = (_listening(emulator, kind) for kind in (ImageListingChanged, NotificationAdded))
    changed = [ImageListingChanged(image_id=new_id(), version=number) for number in range(12)]
    added = NotificationAdded(notification_id=new_id(), image_id=changed[0].image_id)
    sent = [Envelope.of(new_id(), event, datetime.now(UTC)) for event in (*changed, added)]
    assert EventBus(client, BUS).publish(sent) == set()

    messages = [*_brought(emulator, index), *_brought(emulator, index)]
    assert sorted(received(message, ImageListingChanged) for message in messages) == sorted(
        (envelope.id, event) for envelope, event in zip(sent, changed, strict=False)
    )
    assert messages[0].keys() == message_with(changed[0]).keys()
    (message,) = _brought(emulator, news)
    assert received(message, NotificationAdded) == (sent[-1].id, added)
    assert _brought(emulator, index) == []
