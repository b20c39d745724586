"""Dead letters on a real database and a queue in memory: causes, replays, interruptions, files, remediation."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.operations.dead_letters.models import UNRECORDED, Choice
from imagemarket.operations.dead_letters.queues import DeadQueues
from imagemarket.operations.dead_letters.remediation import Remediation
from imagemarket.operations.dead_letters.replays import Replays
from imagemarket.operations.dead_letters.service import DeadLetters
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable, InvalidRequest, NotFound
from imagemarket.platform.handlers import batch_handler, bulk_handler, scheduled
from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID, REPLAY_TOKEN, FailureLog
from imagemarket.platform.roles import DatabaseRole
from tests.api.events import LambdaContext
from tests.integration.rows import a_contributor, an_image
from tests.roles import InRole
from tests.sqs import MAX_RECEIVES, MemorySqs

pytestmark = pytest.mark.engines
UPLOADS, INDEX, JOBS = "imagemarket-test-uploads", "imagemarket-test-index", "imagemarket-test-schedules-dead"


class Lambdas:
    """Calls of functions, remembered."""

    def __init__(self) -> None:
        self.called: list[tuple[str, bytes]] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> Any:  # noqa: N803
        assert InvocationType == "Event"
        self.called.append((FunctionName, Payload))
        return {"ResponseMetadata": {"RequestId": "request-2"}}

    def list_targets_by_rule(self, *, Rule: str) -> Any:  # noqa: N803
        function = {"relay": "imagemarket-test-relay_outbox", "foreign": "somebody-elses"}[Rule]
        return {"Targets": [{"Arn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}"}]}


class Room:
    """A stage's dead letters."""

    def __init__(self, database: Database) -> None:
        from datetime import UTC, datetime

        self.sqs = MemorySqs(UPLOADS, f"{UPLOADS}-dead", INDEX, f"{INDEX}-dead", JOBS, "imagemarket-other-uploads-dead")
        self.lambdas = Lambdas()
        self.journal = FailureLog(InRole(database, DatabaseRole.INDEXER))
        self.replays = Replays(InRole(database, DatabaseRole.UPKEEP))
        self.clock = ManualClock(datetime.fromtimestamp(self.sqs.now, tz=UTC))
        self.slept: list[float] = []
        client: Any = self.sqs
        queues = DeadQueues(sqs=client, lambdas=self.lambdas, events=self.lambdas, prefix="imagemarket-test")
        self.service = DeadLetters(queues=queues, replays=self.replays, clock=self.clock, sleep=self.slept.append)

    def consume(self, work: Callable[[Any], None], queue: str = UPLOADS) -> None:
        self.sqs.deliver(queue, batch_handler(work, lambda: self.journal))

    def die(self, body: str, error: Exception, queue: str = UPLOADS, **attributes: Any) -> None:
        """A message that fails each time."""
        self.sqs.put(queue, body, **attributes)

        def fail(_: Any) -> None:
            raise error

        for _ in range(MAX_RECEIVES):
            self.consume(fail, queue)

    def wait(self, **time: float) -> None:
        by = timedelta(**time)
        self.clock.advance(by)
        self.sqs.now += by.total_seconds()

    def replay(self, choice: Choice | None = None, **how: Any) -> dict[str, int]:
        return self.service.replay(choice or Choice(), replayed_by="ann", **how).counts


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


def arrived(owner: UUID, image: UUID) -> str:
    return json.dumps({"detail": {"object": {"key": f"originals/{owner}/{image}.jpg"}}})


# --- causes


def test_every_queue_is_listed_with_its_causes_and_nothing_stays_hidden(room: Room) -> None:
    for number in range(12):
        room.die(f"a{number}", DependencyUnavailable("The store is not answering; try again."))
    room.die("b", ImageNotFound("No image was announced for this object."))
    room.die("c", ValueError("odd"), INDEX)
    views = {view.queue.name: view for view in room.service.look(Choice())}
    assert list(views) == ["index", "schedules", "uploads"], "of this stage alone"
    assert Counter(message.cause.error for message in views["uploads"].messages) == {
        "DependencyUnavailable": 12,
        "ImageNotFound": 1,
    }
    (odd,) = views["index"].messages
    assert (odd.cause.error, odd.cause.detail, odd.cause.receives) == ("ValueError", "odd", MAX_RECEIVES)
    assert room.sqs.visible(f"{UPLOADS}-dead") == 13
    assert room.sqs.visible(f"{INDEX}-dead") == 1


def test_no_queue_at_all_is_no_sign_of_health(room: Room) -> None:
    elsewhere: Any = room.sqs
    queues = DeadQueues(sqs=elsewhere, lambdas=room.lambdas, events=room.lambdas, prefix="imagemarket-launch")
    service = DeadLetters(queues=queues, replays=room.replays, clock=room.clock)
    with pytest.raises(NotFound, match="no queue of dead letters at all"):
        service.look(Choice())
    with pytest.raises(NotFound, match="no queue of dead letters at all"):
        service.replay(Choice(), replayed_by="ann")


def test_a_message_whose_consumer_said_nothing_has_a_cause_too(room: Room) -> None:
    room.sqs.put(f"{UPLOADS}-dead", "killed")
    room.sqs.put(
        f"{UPLOADS}-dead",
        "undeliverable",
        ERROR_CODE={"DataType": "String", "StringValue": "NO_PERMISSIONS"},
        ERROR_MESSAGE={"DataType": "String", "StringValue": "not allowed"},
    )
    messages = room.service.look(Choice(queue="uploads"))[0].messages
    assert [message.cause.error for message in messages] == [UNRECORDED, "NO_PERMISSIONS"]


def test_a_reason_that_cannot_be_written_down_does_not_change_the_answer() -> None:
    class Broken(FailureLog):
        def __init__(self) -> None:
            pass

        def failed(self, failure: Any) -> None:
            raise DependencyUnavailable("no database")

    def fail(_: Any) -> None:
        raise ValueError("odd")

    event = {"Records": [{"messageId": "m", "body": "", "attributes": {}}]}
    answer = batch_handler(fail, Broken)(event, LambdaContext())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}


def test_a_failed_job_is_known_by_its_request(room: Room) -> None:
    def fail(_event: Any, _context: Any) -> dict[str, Any]:
        raise DependencyUnavailable("The database is not answering; try again.")

    with pytest.raises(DependencyUnavailable):
        scheduled(fail, lambda: room.journal)({}, LambdaContext(aws_request_id="request-1"))
    room.sqs.put(
        JOBS,
        json.dumps({"resources": ["arn:aws:events:us-east-1:000000000000:rule/relay"]}),
        RequestID={"DataType": "String", "StringValue": "request-1"},
        ErrorMessage={"DataType": "String", "StringValue": "The database is not answering; try again."},
    )
    (message,) = room.service.look(Choice(queue="schedules"))[0].messages
    assert message.cause.error == "DependencyUnavailable"
    assert room.replay() == {"replayed": 1}
    ((function, payload),) = room.lambdas.called
    assert function.endswith(":function:imagemarket-test-relay_outbox")
    assert json.loads(payload)["resources"]
    assert not room.sqs.bodies(JOBS)


@pytest.mark.parametrize("body", ['{"resources": ["arn:aws:events:us-east-1:0:rule/foreign"]}', "{}", "[", "[]", '"x"'])
def test_a_job_of_nobody_known_is_not_called(room: Room, body: str) -> None:
    room.sqs.put(JOBS, body)
    assert room.replay() == {"failed": 1}
    assert room.lambdas.called == []
    assert room.sqs.visible(JOBS) == 1


# --- replays


def test_a_replay_keeps_attributes_and_remembers_the_first_id(room: Room) -> None:
    kept = {"DataType": "Number", "StringValue": "7"}
    room.die("a", DependencyUnavailable("x"), Priority=kept)
    (dead,) = room.service.look(Choice(queue="uploads"))[0].messages
    assert room.replay() == {"replayed": 1}
    (message,) = room.sqs.queues[room.sqs.url(UPLOADS)]
    assert message.attributes["Priority"] == kept
    assert message.attributes[ORIGINAL_MESSAGE_ID]["StringValue"] == dead.id
    assert not room.sqs.bodies(f"{UPLOADS}-dead")
    done: list[str] = []
    room.consume(lambda record: done.append(record["body"]))
    assert done == ["a"]


def test_a_message_that_dies_again_is_refused_unless_forced(room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    for force, expected in [(False, {"replayed": 1}), (False, {"refused": 1}), (True, {"replayed": 1})]:
        assert room.replay(most_replays=None if force else 1) == expected
        for _ in range(MAX_RECEIVES):
            room.consume(_fail)
    (message,) = room.service.look(Choice(queue="uploads"))[0].messages
    assert (message.replays, message.replayed_by) == (2, "ann")
    assert room.replay(dry_run=True) == {"refused": 1}
    assert room.replay(dry_run=True, most_replays=None) == {"would_replay": 1}
    assert room.sqs.visible(f"{UPLOADS}-dead") == 1


def _fail(_: Any) -> None:
    raise DependencyUnavailable("x")


def test_filters_choose(room: Room, database: Database) -> None:
    owner, other = a_contributor(database), a_contributor(database)
    mine, theirs = an_image(database, owner), an_image(database, other)
    room.die(arrived(owner, mine), DependencyUnavailable("x"))
    room.wait(hours=2)
    room.die(arrived(other, theirs), ImageNotFound("y"))
    room.die(json.dumps({"image_id": str(mine), "version": 3}), ValueError("z"), INDEX)
    room.sqs.put(f"{UPLOADS}-dead", "not even JSON")
    (any_message,) = room.service.look(Choice(queue="index"))[0].messages

    def found(**choice: Any) -> int:
        return sum(len(view.messages) for view in room.service.look(Choice(**choice)))

    assert found() == 4
    assert found(queue="uploads") == 3
    assert found(errors=frozenset({"ImageNotFound", "ValueError"})) == 2
    assert found(image=mine) == 2
    assert found(contributor=owner) == 2
    assert found(contributor=other) == 1
    assert found(older_than=timedelta(hours=1)) == 1
    assert found(newer_than=timedelta(hours=1)) == 3
    assert found(message=any_message.id) == 1
    assert found(image=mine, queue="index", newer_than=timedelta(hours=1)) == 1
    with pytest.raises(NotFound, match="there is index, schedules, uploads"):
        found(queue="upload")


def test_a_limit_and_a_rate_bound_a_replay(room: Room) -> None:
    for number in range(7):
        room.die(str(number), DependencyUnavailable("x"))
    assert room.replay(limit=4, rate=5) == {"replayed": 4}
    assert room.slept == [0.2] * 3
    assert room.sqs.visible(f"{UPLOADS}-dead") == 3, "those looked at and left are seen again"


def test_a_message_that_cannot_be_sent_stays(room: Room) -> None:
    nine: dict[str, Any] = {f"A{n}": {"DataType": "String", "StringValue": "1"} for n in range(9)}
    room.die("a", DependencyUnavailable("x"), **nine)
    assert room.replay() == {"failed": 1}
    assert room.sqs.visible(f"{UPLOADS}-dead") == 1


# --- interruptions


class Killed(BaseException):
    """The process is gone: whatever the code under test calls after it has no effect."""


@pytest.mark.parametrize("seed", range(12))
def test_a_replay_killed_anywhere_loses_nothing_and_doubles_nothing(room: Room, seed: int) -> None:
    chance = random.Random(seed)
    bodies = [f"message {number}" for number in range(25)]
    for body in bodies:
        room.sqs.put(f"{UPLOADS}-dead", body)
    done: Counter[str] = Counter()
    killed_at: list[str] = []
    dead = False

    def kill(call: str) -> None:
        nonlocal dead
        if not dead and chance.random() < 0.06:
            killed_at.append(call)
            dead = True
        if dead:
            raise Killed

    original = room.replays.sent

    def sent(message_id: str, *, sent_as: str) -> None:
        kill("before the journal")
        original(message_id, sent_as=sent_as)
        kill("after the journal")

    room.replays.sent = sent  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(200):
        room.sqs.before, dead = kill, False
        try:
            room.replay()
            break
        except Killed:
            room.sqs.before = lambda _: None
            room.wait(minutes=3)  # what the dead process held is seen again
            if chance.random() < 0.5:
                room.consume(lambda record: done.update([record["body"]]))
    else:
        pytest.fail("it never came through")
    room.sqs.before = lambda _: None
    room.consume(lambda record: done.update([record["body"]]))
    assert len(killed_at) >= 1, "a seed that kills nothing tests nothing"
    assert done == Counter(bodies)
    assert room.replay() == {}
    assert not room.sqs.bodies(f"{UPLOADS}-dead")


def test_the_double_of_a_replay_is_dropped_from_a_bulk_too(room: Room) -> None:
    room.sqs.put(f"{INDEX}-dead", "a")
    (message,) = room.service.look(Choice(queue="index"))[0].messages
    token = str(room.replays.claim(message, replayed_by="ann").token)
    for _ in range(2):
        room.sqs.put(INDEX, "a", **{REPLAY_TOKEN: {"DataType": "String", "StringValue": token}})
    room.sqs.put(INDEX, "b")
    done: list[str] = []

    def take(records: Sequence[dict[str, Any]]) -> list[str]:
        done.extend(record["body"] for record in records)
        return []

    handler = bulk_handler(take, lambda: room.journal)
    room.sqs.deliver(INDEX, handler)
    assert done == ["a", "b"]


def test_a_replay_that_fails_is_not_ticked_off(room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    room.replay()
    room.consume(_fail)
    done: list[str] = []
    room.consume(lambda record: done.append(record["body"]))
    assert done == ["a"]


def test_a_long_look_renews_what_it_holds(room: Room) -> None:
    from imagemarket.operations.dead_letters.hold import HOLD_SECONDS, Hold

    for number in range(30):
        room.sqs.put(f"{UPLOADS}-dead", str(number))
    client: Any = room.sqs
    seen: list[str] = []
    with Hold(client, room.sqs.url(f"{UPLOADS}-dead"), most=100, monotonic=lambda: room.sqs.now) as hold:
        for batch in hold.batches():
            seen += [message["Body"] for message in batch]
            room.sqs.now += HOLD_SECONDS * 0.8
    assert sorted(seen, key=int) == [str(number) for number in range(30)]
    assert room.sqs.visible(f"{UPLOADS}-dead") == 30


# --- files


def test_what_is_purged_is_in_the_file_and_can_come_back(room: Room, database: Database) -> None:
    owner = a_contributor(database)
    image = an_image(database, owner)
    blob = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    room.die(arrived(owner, image), DependencyUnavailable("x"))
    room.die("b", ValueError("y"))
    room.sqs.put(f"{INDEX}-dead", "c", Blob=blob)
    file, flushed = io.StringIO(), []
    report = room.service.purge(Choice(), file, flush=lambda: flushed.append(file.getvalue()))
    assert report.counts == {"purged": 3}
    assert len(file.getvalue().splitlines()) == 3
    assert not room.sqs.bodies(f"{UPLOADS}-dead") + room.sqs.bodies(f"{INDEX}-dead")

    lines = file.getvalue().splitlines()
    assert room.service.bring_back(lines[:2]).counts == {"imported": 2}
    assert room.service.bring_back(lines).counts == {"imported": 1, "there": 2}
    messages = [message for view in room.service.look(Choice()) for message in view.messages]
    assert sorted((message.body, message.cause.error) for message in messages) == sorted(
        [(arrived(owner, image), "DependencyUnavailable"), ("b", "ValueError"), ("c", UNRECORDED)]
    )
    (back,) = [message for message in messages if message.body == "c"]
    assert back.attributes["Blob"] == blob
    assert room.replay() == {"replayed": 3}


def test_a_message_that_was_sent_is_refused_after_an_import(room: Room) -> None:
    """Purged between the sending and the removing of an interrupted replay."""
    room.sqs.put(f"{UPLOADS}-dead", "a")
    (message,) = room.service.look(Choice(queue="uploads"))[0].messages
    room.replays.claim(message, replayed_by="ann")
    room.replays.sent(message.id, sent_as="elsewhere")
    file = io.StringIO()
    room.service.purge(Choice(), file, flush=lambda: None)
    room.service.bring_back(file.getvalue().splitlines())
    assert room.replay() == {"refused": 1}


def test_an_export_changes_nothing(room: Room) -> None:
    room.die("a", ValueError("x"))
    file = io.StringIO()
    assert room.service.export(Choice(), file).counts == {"exported": 1}
    assert room.sqs.visible(f"{UPLOADS}-dead") == 1
    assert room.service.bring_back(file.getvalue().splitlines()).counts == {"there": 1}


@pytest.mark.parametrize("line", ["x", "{}", '{"id": "1"}'])
def test_a_file_of_something_else_is_refused_before_anything_is_sent(room: Room, line: str) -> None:
    room.die("a", ValueError("x"))
    file = io.StringIO()
    room.service.purge(Choice(), file, flush=lambda: None)
    with pytest.raises(InvalidRequest, match="Line 2"):
        room.service.bring_back([file.getvalue(), line])
    assert not room.sqs.bodies(f"{UPLOADS}-dead")


# --- remediation


def test_what_may_pass_is_replayed_twice_and_then_left(room: Room) -> None:
    remediation = Remediation(room.service)
    room.die("passes", DependencyUnavailable("x"))
    room.die("does not", ImageNotFound("y"))
    assert remediation.run()["replayed"] == 0, "what broke has time to recover"
    for expected in ({"replayed": 1, "refused": 0}, {"replayed": 1, "refused": 0}, {"replayed": 0, "refused": 1}):
        room.wait(minutes=20)
        ran = remediation.run()
        assert {name: ran[name] for name in expected} == expected
        for _ in range(MAX_RECEIVES):
            room.consume(_fail)
    messages = room.service.look(Choice(queue="uploads"))[0].messages
    assert {(each.body, each.replays, each.replayed_by) for each in messages} == {
        ("passes", 2, "remediation"),
        ("does not", 0, None),
    }


def test_jobs_are_left_to_their_next_run(room: Room) -> None:
    room.sqs.put(JOBS, json.dumps({"resources": ["arn:aws:events:us-east-1:0:rule/relay"]}))
    room.wait(hours=1)
    assert Remediation(room.service).run() == {"replayed": 0, "finished": 0, "refused": 0, "failed": 0, "dead": 1}
    assert room.lambdas.called == []


def test_a_claim_is_the_same_for_whoever_asks(room: Room) -> None:
    room.sqs.put(f"{UPLOADS}-dead", str(uuid4()))
    (message,) = room.service.look(Choice(queue="uploads"))[0].messages
    assert room.replays.claim(message, replayed_by="ann") == room.replays.claim(message, replayed_by="bob")
