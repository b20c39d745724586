"""Dead letters in the deployed stack: died of real causes, and a replay that is killed again and again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from typing import Any

import pytest

from imagemarket.platform.database import Database
from imagemarket.platform.handlers import batch_handler
from imagemarket.platform.messages import FailureLog
from local.api_client import ApiClient, eventually
from local.cloud import Cloud
from local.emulator import aws_client
from local.layout import REPOSITORY
from local.postgres import dsn_of

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
_MESSAGES = 30
_KILLS = 5
_HOLD_SECONDS = 2
# The command line itself, but for how long a message is held: nobody wants to wait two minutes after each kill.
_PROGRAM = (
    f"from imagemarket.operations.dead_letters import hold; hold.HOLD_SECONDS = {_HOLD_SECONDS};"
    "from imagemarket.cli.__main__ import main; main()"
)


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, "dlq", *words]


def environment(cloud: Cloud) -> dict[str, str]:
    return os.environ | cloud.environment() | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}"}


def dlq(cloud: Cloud, *words: str) -> Any:
    done = subprocess.run(
        command(*words, "--json"), env=environment(cloud), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode in {0, 3}, done.stderr
    return json.loads(done.stdout)


def test_a_message_dies_of_a_cause_and_is_listed_with_it(market: ApiClient) -> None:
    layout = market.cloud.layout
    sqs, url = aws_client(layout, "sqs"), layout.outputs()["UploadsQueueUrl"]
    kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    try:
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"detail": {"object": {"key": "nowhere/at-all.jpg"}}}))
        eventually(lambda: _causes(market).get("InvalidRequest"), 60)
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=kept)
    report = dlq(market.cloud, "replay", "--error", "InvalidRequest", "--dry-run")
    assert report["counts"] == {"would_replay": 1}


def _causes(market: ApiClient) -> dict[str, int]:
    (uploads,) = [each for each in dlq(market.cloud, "list") if each["queue"] == "uploads"]
    return uploads["causes"]


def test_a_replay_killed_anywhere_loses_nothing_and_doubles_nothing(market: ApiClient) -> None:
    """Against the emulator's SQS, by SIGKILL; a pair of queues of its own, so that the messages can be counted."""
    layout = market.cloud.layout
    sqs = aws_client(layout, "sqs")
    name = f"imagemarket-local-probe{uuid.uuid4().hex[:6]}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})
    source = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    bodies = [f"message {number}" for number in range(_MESSAGES)]
    for body in bodies:
        sqs.send_message(QueueUrl=dead, MessageBody=body)
    queue = name.removeprefix("imagemarket-local-")
    replay = command("replay", "--queue", queue, "--rate", "10")
    chance = random.Random(7)
    at_work = 0
    for _ in range(_KILLS):
        process = subprocess.Popen(
            replay, env=environment(market.cloud), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before = _waiting(sqs, source)
        eventually(lambda before=before: _waiting(sqs, source) > before, 60, every_s=0.02)
        time.sleep(chance.uniform(0, 0.4))  # a message is sent each tenth of a second
        at_work += process.poll() is None
        process.kill()
        process.wait()
        time.sleep(_HOLD_SECONDS)  # what it held is seen again
    assert at_work == _KILLS, "a run that had ended was not interrupted"
    assert 0 < _waiting(sqs, dead) < _MESSAGES
    assert set(dlq(market.cloud, "replay", "--queue", queue)["counts"]) <= {"replayed", "finished"}
    assert not sqs.receive_message(QueueUrl=dead).get("Messages")

    database = Database(lambda: dsn_of(layout.ports()["postgres"], layout.secret("postgres"), "imagemarket"))
    journal, done = FailureLog(database), Counter[str]()
    consume = batch_handler(lambda record: done.update([record["body"]]), lambda: journal)
    while messages := sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        consume({"Records": [_record(message) for message in messages]}, None)
        for message in messages:
            sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
    database.close()
    for url in (source, dead):
        sqs.delete_queue(QueueUrl=url)
    assert done == Counter(bodies)


def _waiting(sqs: Any, url: str) -> int:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": {},
        "messageAttributes": {
            name: {"stringValue": each["StringValue"]} for name, each in message["MessageAttributes"].items()
        },
    }
