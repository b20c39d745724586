"""The ingestion use cases on a virtual clock, with a seeded plan of faults: one seed is one history.

Real are the use cases, the frame of the queues' consumers, what replays dead letters by itself and for people, the SQL
on a real PostgreSQL, and the definition of the state machine, which is interpreted.
Made up are time, the order of things, and what can go wrong: before, between and after each effect on a port a
process may be killed, be slow, be refused, or have its effect and lose the answer; events are lost, doubled, delayed
and overtaken; executions die, or are aborted. After `CALM_AFTER` seconds nothing goes wrong any more.

One thread works at a time and hands over at port calls alone, where the seed decides who goes on, so that a history
is the same each time it is run. A seed is that history in one world alone: any other order of calls, here or in the
product, makes another history of it. `world_digest` tells worlds apart, and stands beside each seed that is told.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Self, cast
from unittest.mock import patch
from uuid import UUID, uuid4

from imagemarket.identity.events import AccountMailRequested
from imagemarket.imaging.errors import UnreadableImage
from imagemarket.imaging.feature_matching import Comparison
from imagemarket.imaging.models import EmbeddedDescription, Inspection, PaletteColour, Rendition, TechnicalMetadata
from imagemarket.ingestion.endings import ExecutionEndings
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import FailedStep, IngestionJob, RetryRequest, UploadRequest
from imagemarket.ingestion.near_duplicates import NearDuplicateDetector
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
from imagemarket.notifications.delivery import Deliveries, WebhookWorker
from imagemarket.notifications.listener import LISTENS_TO as NEWS_LISTENS_TO
from imagemarket.notifications.models import MAILED_TYPES, NEWS_MAILS_PER_DAY, message_id
from imagemarket.notifications.ports import Mail
from imagemarket.notifications.sender import Answer
from imagemarket.notifications.service import Teller
from imagemarket.operations.dead_letters.models import Choice
from imagemarket.operations.dead_letters.queues import DeadQueues
from imagemarket.operations.dead_letters.remediation import Remediation
from imagemarket.operations.dead_letters.replays import Replays
from imagemarket.operations.dead_letters.service import DeadLetters
from imagemarket.platform.bus import EventBus
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable, MarketError
from imagemarket.platform.events import Event, received
from imagemarket.platform.handlers import batch_handler
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.ids import new_id
from imagemarket.platform.messages import FailureLog
from imagemarket.platform.objects import ObjectVersion
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.document import Removal
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from imagemarket.search.indexing.listener import LISTENS_TO as INDEX_LISTENS_TO
from imagemarket.search.request import Filters
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import AnalyseResponse, Analysis, Tag
from local.layout import REPOSITORY, digest_of
from tests.fakes import MemoryObjectStore, client_error, message_of
from tests.integration.rows import a_contributor
from tests.sqs import MAX_RECEIVES, MemorySqs, Message, record_of

DEFINITION = json.loads((REPOSITORY / "state_machines" / "ingest_image.asl.json").read_text(encoding="utf-8"))
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:simulated"

CALM_AFTER = 1800.0
"""Virtual seconds during which things go wrong."""
GIVE_UP_AFTER = 6 * 3600.0
STALLED_AFTER = 1500
VISIBILITY = 120.0
SWEEP_EVERY = 60.0
REMEDIATE_EVERY = 600.0
PREFIX = "imagemarket-sim"

Task = Callable[[], None]


@cache
def world_digest() -> str:
    """Which world a seed is a history of: twelve hex digits of this file, the library and the state machine."""
    return digest_of([Path(__file__), REPOSITORY / "shared" / "imagemarket", REPOSITORY / "state_machines"])[:12]


class Killed(BaseException):
    """A process is no more: whatever it still tries to do does not happen."""


class Stuck(AssertionError):
    """The history does not come to an end."""


@dataclass(frozen=True)
class Faults:
    """How likely each is, at each port call or event."""

    refuse: float
    kill: float
    lose_answer: float
    slow: float
    drop: float
    double: float
    delay: float
    repost: float
    die: float
    """An execution that nobody carries on, or that is aborted."""

    @classmethod
    def of(cls, chance: random.Random) -> Faults:
        """From quiet to wild."""
        wild = chance.choice([0.0, 0.2, 1.0, 1.0, 2.5])
        return cls(
            refuse=0.02 * wild,
            kill=0.012 * wild,
            lose_answer=0.012 * wild,
            slow=0.03 * wild,
            drop=0.1 * wild,
            double=0.15 * wild,
            delay=0.3 * wild,
            repost=0.1 * wild,
            die=0.03 * wild,
        )


# --- who works when ------------------------------------------------------------------------------


class _Thread:
    """One line of work. It runs while it holds the baton."""

    def __init__(self, work: Task) -> None:
        self.baton = _taken()
        self.work = work


def _taken() -> threading.Lock:
    """A lock that is held: whoever acquires it waits to be handed it."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Signal:
    """Something that lines of work wait for."""

    def __init__(self) -> None:
        self.waiting: list[_Thread] = []


class Scheduler:
    """Virtual time, and whose turn it is."""

    def __init__(self, chance: random.Random) -> None:
        self.now = 0.0
        self._chance = chance
        self._ready: list[_Thread] = []
        self._sleeping: list[tuple[float, int, _Thread]] = []
        self._numbers = count()
        self._back = _taken()
        self._parked: set[_Thread] = set()
        self._current: _Thread | None = None
        self.failure: BaseException | None = None
        self._dying = False
        self.undisturbed = 0
        """While above zero nobody else gets a turn: a transaction is open."""

    def spawn(self, work: Task, *, after: float = 0.0) -> None:
        thread = _Thread(work)
        if after > 0:
            heapq.heappush(self._sleeping, (self.now + after, next(self._numbers), thread))
        else:
            self._ready.append(thread)
        threading.Thread(target=self._live, args=(thread,), daemon=True).start()

    def _live(self, thread: _Thread) -> None:
        thread.baton.acquire()
        try:
            if not self._dying:
                thread.work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised where the history is run
            self.failure = self.failure or error
        self._back.release()

    def switch(self) -> None:
        """Lets the others have their turns."""
        thread = self._current
        if thread is None or self.undisturbed:
            return
        if not self._ready:
            return
        self._ready.append(thread)
        self._hand_back(thread)

    def sleep(self, seconds: float) -> None:
        thread = self._current
        if thread is None or self.undisturbed:
            return
        heapq.heappush(self._sleeping, (self.now + seconds, next(self._numbers), thread))
        self._hand_back(thread)

    def wait(self, signal: Signal) -> None:
        """Until the next `notify`, or until the history ends."""
        thread = self._current
        assert thread is not None
        signal.waiting.append(thread)
        self._parked.add(thread)
        self._hand_back(thread)

    def notify(self, signal: Signal) -> None:
        self._ready += signal.waiting
        self._parked -= set(signal.waiting)
        signal.waiting = []

    def _hand_back(self, thread: _Thread) -> None:
        self._back.release()
        thread.baton.acquire()
        if self._dying:
            raise Killed

    def step(self) -> bool:
        """Lets one line of work go on; False when none is left."""
        if not self._ready:
            if not self._sleeping:
                return False
            self.now = max(self.now, self._sleeping[0][0])
            while self._sleeping and self._sleeping[0][0] <= self.now:
                self._ready.append(heapq.heappop(self._sleeping)[2])
        thread = self._ready.pop(self._chance.randrange(len(self._ready)))
        self._current = thread
        thread.baton.release()
        self._back.acquire()
        self._current = None
        if self.failure is not None:
            raise self.failure
        return True

    def abandon(self) -> None:
        """Ends every line of work that is left, after the history has been judged."""
        left = [*self._ready, *(thread for _, _, thread in self._sleeping), *self._parked]
        self._ready, self._sleeping = [], []
        self._parked = set()
        self.undisturbed = 0
        self.failure = None
        for thread in left:
            self._current = thread
            self._dying = True
            thread.baton.release()
            self._back.acquire()

    @property
    def dying(self) -> bool:
        return self._dying


class Process:
    """One invocation of a function: alive until it ends, is killed, or outlives its limit."""

    def __init__(self, world: World, seconds: float) -> None:
        self.world = world
        self.deadline = world.scheduler.now + seconds
        self.dead = False

    def check(self) -> None:
        if self.world.scheduler.dying or self.dead or self.world.scheduler.now > self.deadline:
            self.dead = True
            raise Killed


def port(process: Process, effect: Callable[[], Any]) -> Any:
    """One effect on the outer world, and all that can happen to it."""
    world = process.world
    process.check()
    world.scheduler.switch()
    process.check()
    if world.happens("slow"):
        world.scheduler.sleep(world.chance.choice([1.0, 10.0, 40.0, 130.0]))
        process.check()
    if world.happens("kill"):
        process.dead = True
        raise Killed
    if world.happens("refuse"):
        raise DependencyUnavailable("simulated: refused")
    result = effect()
    if world.happens("kill"):
        process.dead = True
        raise Killed
    if world.happens("lose_answer"):
        raise DependencyUnavailable("simulated: done, and the answer lost")
    return result


# --- ports ---------------------------------------------------------------------------------------


class SimulatedDatabase(Database):
    """The real one, with faults around each transaction; what is within it happens whole or not at all."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.role = DatabaseRole.INGESTION
        """As whom the process' function connects."""

    @contextmanager
    def _connected(self, *, autocommit: bool) -> Iterator[Any]:
        process, world = self._process, self._process.world
        port(process, lambda: None)
        committed = False
        world.scheduler.undisturbed += 1
        try:
            with world.truth.transaction() as connection:
                connection.execute("SELECT set_config('sim.now', %s, false)", (world.now().isoformat(),))
                connection.execute(f"SET LOCAL ROLE {self.role.login}")  # pyright: ignore[reportArgumentType, reportCallIssue]
                yield connection
            committed = True
        finally:
            world.scheduler.undisturbed -= 1
        if committed:
            port(process, lambda: None)


class SimulatedStore(MemoryObjectStore):
    """A bucket that all processes share, with faults around each call."""

    def __init__(self, process: Process, shared: MemoryObjectStore) -> None:
        self._process = process
        self._shared = shared
        self.bucket = shared.bucket

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> None:
        port(self._process, lambda: self._shared.put(key, data, content_type=content_type))

    def get(self, key: str) -> bytes:
        return port(self._process, lambda: self._shared.get(key))

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> None:
        port(self._process, lambda: self._shared.download(key, path, version_id=version_id))

    def head(self, key: str, *, version_id: str | None = None) -> Any:
        return port(self._process, lambda: self._shared.head(key, version_id=version_id))

    def list_keys(self, prefix: str) -> Iterator[str]:
        yield from port(self._process, lambda: list(self._shared.list_keys(prefix)))

    def delete(self, keys: Iterable[str]) -> int:
        return sum(port(self._process, lambda key=key: self._shared.delete([key])) for key in keys)

    def list_versions(self, prefix: str) -> Iterator[ObjectVersion]:
        yield from port(self._process, lambda: list(self._shared.list_versions(prefix)))

    def delete_version(self, key: str, version_id: str) -> None:
        port(self._process, lambda: self._shared.delete_version(key, version_id))

    def tags(self, key: str, *, version_id: str | None = None) -> dict[str, str]:
        return port(self._process, lambda: self._shared.tags(key, version_id=version_id))

    def tag(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        port(self._process, lambda: self._shared.tag(key, tags, version_id=version_id))

    def presign_post(self, key: str, *, fields: Mapping[str, str], size_bytes: int, expires_in: int) -> dict[str, Any]:
        return self._shared.presign_post(key, fields=fields, size_bytes=size_bytes, expires_in=expires_in)


class SimulatedEventsClient:
    """The bus as one process sees it, and the listeners' rules on it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """May refuse some of the entries, of which nobody hears then."""
        world = self._process.world
        return {"Entries": port(self._process, lambda: [self._put(world, entry) for entry in Entries])}

    @staticmethod
    def _put(world: World, entry: dict[str, Any]) -> dict[str, str]:
        if world.happens("refuse"):
            return {"ErrorCode": "ThrottlingException"}
        for queue, kinds in world.listeners:
            if entry["DetailType"] in {kind.type_name() for kind in kinds}:
                queue.send(message_of(entry))
        return {"EventId": str(uuid4())}


class SimulatedQueueClient:
    """A queue as one process sends to it."""

    def __init__(self, process: Process, queue: SimulatedQueue) -> None:
        self._process = process
        self._queue = queue

    def send(self, messages: Sequence[Mapping[str, Any]], *, delay_seconds: int = 0, **_: Any) -> None:
        for message in messages:
            port(self._process, lambda message=message: self._queue.send(dict(message), after=delay_seconds))


class SimulatedSqs(MemorySqs):
    """The queues as whoever looks at dead letters sees them; what is sent to a source is delivered."""

    def __init__(self, world: World) -> None:
        self._world = world
        sources = [f"{PREFIX}-{queue.name}" for queue in world.queues]
        super().__init__(*sources, *(f"{name}-dead" for name in sources))

    def bury(self, queue: SimulatedQueue, message: Message) -> None:
        """Of two deliveries of one message there is one dead letter."""
        dead = self.queues[self.url(f"{PREFIX}-{queue.name}-dead")]
        if message.id not in {each.id for each in dead}:
            dead.append(replace(message, receives=0, receipt="", visible_at=0.0))

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: dict[str, Any]) -> dict[str, str]:  # noqa: N803
        name = QueueUrl.rpartition("/")[2].removeprefix(f"{PREFIX}-")
        queue = next(queue for queue in self._world.queues if queue.name == name)
        return {"MessageId": queue.send(json.loads(MessageBody), attributes=MessageAttributes)}


class SimulatedSqsClient:
    """SQS for one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Any]:
        world = self._process.world

        def call(*arguments: Any, **named: Any) -> Any:
            def effect() -> Any:
                world.sqs.now = world.now().timestamp()
                return getattr(world.sqs, name)(*arguments, **named)

            return port(self._process, effect)

        return call


class SimulatedReceiver:
    """A contributor's own server, which news is posted to: it is away, or takes it and its answer is lost."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        world = self._process.world
        try:
            port(self._process, lambda: world.received.append((headers["webhook-id"], json.loads(body))))
        except DependencyUnavailable as error:
            return Answer(1, error=error.detail)
        return Answer(1, status=200)


class SimulatedMailer:
    """Takes e-mail, if need be twice."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def send(self, mail: Mail) -> None:
        port(self._process, lambda: self._process.world.mails.append(mail))


class SimulatedStepFunctions:
    """Starts, describes and stops executions of the interpreted machine."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def start_execution(self, *, stateMachineArn: str, name: str, input: str, **_: Any) -> None:  # noqa: A002, N803
        port(self._process, lambda: self._process.world.start(name, json.loads(input)))

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return port(self._process, lambda: {"status": self._process.world.execution(executionArn).status})

    def get_execution_history(
        self,
        *,
        executionArn: str,  # noqa: N803
        reverseOrder: bool,  # noqa: N803
        maxResults: int,  # noqa: N803
    ) -> dict[str, Any]:
        world = self._process.world
        return port(self._process, lambda: {"events": [{"timestamp": world.execution(executionArn).heard}]})

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:  # noqa: N803
        port(self._process, lambda: self._process.world.execution(executionArn).end("ABORTED"))


class SimulatedEndpoint:
    """A model that sleeps, wakes up, and sees in each picture what its bytes say."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def analyse(self, jpegs: Sequence[bytes]) -> AnalyseResponse:
        world = self._process.world

        def look() -> AnalyseResponse:
            if not world.calm and world.scheduler.now < world.model_wakes_at:
                raise ModelNotReady("simulated: asleep")
            picture = json.loads(jpegs[0])
            return AnalyseResponse(
                model_version="simulated",
                analyses=[
                    Analysis(
                        embedding=_meaning(picture["content"]),
                        tags=[Tag(tag="thing", confidence=0.5)],
                        categories=["nature"],
                        nsfw_score=0.9 if picture["kind"] == "daring" else 0.0,
                        description="A thing.",
                        people=None,
                    )
                ],
            )

        return port(self._process, look)


def _meaning(content: str) -> list[float]:
    """A direction of its own for each content: those of two differ by some 90°."""
    numbers = random.Random(content)
    vector = [numbers.gauss(0, 1) for _ in range(768)]
    length = sum(each * each for each in vector) ** 0.5
    return [each / length for each in vector]


# --- queues and executions -----------------------------------------------------------------------


class SimulatedQueue:
    """At least once, in any order; after three receives a message is a dead letter."""

    def __init__(self, world: World, name: str, consumer: Callable[[Services, Any], None], seconds: float) -> None:
        self.name = name
        self._world = world
        self._consumer = consumer
        self._seconds = seconds
        self.waiting = 0

    @property
    def dead(self) -> list[str]:
        """The bodies of its dead letters."""
        return self._world.sqs.bodies(f"{PREFIX}-{self.name}-dead")

    def send(self, body: Any, *, attributes: Mapping[str, Any] | None = None, after: float = 0.0) -> str:
        """Puts a message in, perhaps twice, perhaps late; its id."""
        world = self._world
        message = Message(json.dumps(body), dict(attributes or {}), world.now().timestamp())
        copies = 2 if world.happens("double") else 1
        for _ in range(copies):
            late = world.happens("delay")
            self.waiting += 1
            world.scheduler.spawn(
                lambda: self._deliver(replace(message)),
                after=after + (world.chance.uniform(1, 400) if late else 0.5),
            )
        return message.id

    def _deliver(self, message: Message) -> None:
        message.receives += 1
        done: list[bool] = []

        def handle(services: Services) -> None:
            handler = batch_handler(
                lambda record: self._consumer(services, json.loads(record["body"])), lambda: services.journal
            )
            if not handler({"Records": [record_of(message)]}, None)["batchItemFailures"]:
                done.append(True)

        self._world.invoke(handle, self._seconds)
        if done:
            self.waiting -= 1
        elif message.receives >= MAX_RECEIVES:
            self.waiting -= 1
            self._world.sqs.bury(self, message)
        else:
            self._world.scheduler.spawn(lambda: self._deliver(message), after=VISIBILITY)


class _Failed(Exception):
    """A state ended with an error."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.cause = cause


class _Over(Exception):
    """The execution has ended while a branch of it was still at work."""


@dataclass
class Execution:
    """One run of the interpreted definition."""

    world: World
    name: str
    job: dict[str, Any]
    status: str = "RUNNING"
    error: str | None = None
    silent: bool = False
    changed: Signal = field(default_factory=Signal)
    heard: datetime | None = None
    """When it last did anything."""

    def end(self, status: str, error: str | None = None) -> None:
        if self.status != "RUNNING":
            return
        self.status, self.error = status, error
        self.world.scheduler.notify(self.changed)
        if status != "SUCCEEDED":
            self.world.tell_ending(self)

    def run(self) -> None:
        world = self.world
        if world.happens("die"):
            fate = world.chance.choice(["silence", "abort", "time out"])
            if fate != "silence":
                status = "ABORTED" if fate == "abort" else "TIMED_OUT"
                world.scheduler.spawn(lambda: self.end(status), after=world.chance.uniform(0, 300))
            else:
                world.scheduler.spawn(self._fall_silent, after=world.chance.uniform(0, 60))
        try:
            self._machine(DEFINITION, dict(self.job), lambda: self.status == "RUNNING" and not self.silent)
        except _Over:
            return
        except _Failed as failed:
            if not self.silent:
                self.end("FAILED", failed.error)
            return
        if not self.silent:
            self.end("SUCCEEDED")

    def _fall_silent(self) -> None:
        """Nobody carries it on, and nobody says so."""
        self.silent = True
        self.world.scheduler.notify(self.changed)

    def _machine(self, machine: dict[str, Any], data: dict[str, Any], alive: Callable[[], bool]) -> dict[str, Any]:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            if not alive():
                raise _Over
            kind = state["Type"]
            if kind == "Succeed":
                return data
            if kind == "Fail":
                raise _Failed(state["Error"], state["Cause"])
            if kind == "Choice":
                name = self._choose(state, data)
                continue
            try:
                if kind == "Task":
                    self._task(name, state, data, alive)
                elif kind == "Parallel":
                    self._parallel(state, data, alive)
            except _Failed as failed:
                catcher = next((c for c in state.get("Catch", []) if "States.ALL" in c["ErrorEquals"]), None)
                if catcher is None:
                    raise
                data["error"] = {"Error": failed.error, "Cause": failed.cause}
                name = catcher["Next"]
                continue
            if state.get("End"):
                return data
            name = state["Next"]

    @staticmethod
    def _choose(state: dict[str, Any], data: dict[str, Any]) -> str:
        for choice in state["Choices"]:
            value: Any = data
            for part in choice["Variable"].removeprefix("$.").split("."):
                value = value[part]
            if value == choice["StringEquals"]:
                return choice["Next"]
        return state["Default"]

    def _parallel(self, state: dict[str, Any], data: dict[str, Any], alive: Callable[[], bool]) -> None:
        world = self.world
        results: list[None] = []
        failed: list[_Failed] = []

        def branch(machine: dict[str, Any]) -> None:
            try:
                self._machine(machine, dict(data), lambda: alive() and not failed)
            except _Failed as error:
                failed.append(error)
            except _Over:
                pass
            results.append(None)
            world.scheduler.notify(self.changed)

        for machine in state["Branches"]:
            world.scheduler.spawn(lambda machine=machine: branch(machine))
        while len(results) < len(state["Branches"]) and not failed and alive():
            world.scheduler.wait(self.changed)
        if failed:
            raise failed[0]
        if not alive():
            raise _Over

    def _task(self, name: str, state: dict[str, Any], data: dict[str, Any], alive: Callable[[], bool]) -> None:
        world = self.world
        attempts: dict[int, int] = {}
        while True:
            try:
                output = self._invoke(name, data)
            except _Failed as failed:
                for number, retry in enumerate(state["Retry"]):
                    if failed.error in retry["ErrorEquals"] or "States.ALL" in retry["ErrorEquals"]:
                        tried = attempts[number] = attempts.get(number, 0) + 1
                        if tried > retry["MaxAttempts"]:
                            raise
                        wait = retry["IntervalSeconds"] * retry["BackoffRate"] ** (tried - 1)
                        world.scheduler.sleep(world.chance.uniform(0, min(wait, retry.get("MaxDelaySeconds", 1e9))))
                        break
                else:
                    raise
                if not alive():
                    raise _Over from None
                continue
            if "ResultSelector" in state:
                data["outcome"] = {"status": output["status"]}
            return

    def _invoke(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Calls a function; when its answer is lost it is called again while the first call may still be at work."""
        world = self.world
        self.heard = world.now()
        ended: list[dict[str, Any] | _Failed] = []
        answered = Signal()
        job = IngestionJob.model_validate({**self.job, "execution": self.name})

        def work(services: Services) -> None:
            try:
                ended.append(services.step(name, job, data.get("error")))
            except Exception as error:  # noqa: BLE001 - as Lambda reports it
                ended.append(_Failed(type(error).__name__, str(error)))

        def function() -> None:
            world.invoke(work, STEP_SECONDS[name])
            if not ended:
                ended.append(_Failed("Lambda.Unknown", "it ended without a word"))
            world.scheduler.notify(answered)

        world.scheduler.spawn(function)
        lost = world.happens("lose_answer")
        while not ended and not lost:
            world.scheduler.wait(answered)
        if lost:
            raise _Failed("Lambda.SdkClientException", "simulated: the connection broke")
        (result,) = ended
        if isinstance(result, _Failed):
            raise result
        return result


STEP_SECONDS = {
    "Inspect": 110.0,
    "DetectDuplicate": 25.0,
    "MakeThumbnails": 110.0,
    "MakeWatermark": 110.0,
    "EmbedAndTag": 55.0,
    "Publish": 55.0,
    "Compensate": 55.0,
}


# --- the world -----------------------------------------------------------------------------------


class Services:
    """The use cases of one process, on its ports."""

    def __init__(self, process: Process) -> None:
        world = process.world
        self.database = SimulatedDatabase(process)
        self.originals = SimulatedStore(process, world.originals)
        self.work = SimulatedStore(process, world.work)
        self.renditions = SimulatedStore(process, world.renditions)
        self.executions = Executions(cast("Any", SimulatedStepFunctions(process)), MACHINE)
        self.relay = OutboxRelay(self.database, EventBus(SimulatedEventsClient(process), "simulated"))
        self.journal = FailureLog(self.database)
        self.dead_letters = DeadLetters(
            queues=DeadQueues(sqs=cast("Any", SimulatedSqsClient(process)), lambdas=None, events=None, prefix=PREFIX),
            replays=Replays(self.database),
            clock=cast("Any", world),
            sleep=world.scheduler.sleep,
        )
        self.deliveries = Deliveries(
            database=self.database,
            queue=cast("Any", SimulatedQueueClient(process, world.webhooks)),
            clock=cast("Any", world),
        )
        self.webhook_worker = WebhookWorker(
            database=self.database,
            deliveries=self.deliveries,
            sender=cast("Any", SimulatedReceiver(process)),
            clock=cast("Any", world),
        )
        self.teller = Teller(
            database=self.database,
            deliveries=self.deliveries,
            mailer=SimulatedMailer(process),
            clock=cast("Any", world),
            public_base_url="http://sim",
        )
        self.step_runs = StepRuns(self.database)
        self.compensation = CompensateImage(
            database=self.database,
            originals=self.originals,
            work=self.work,
            renditions=self.renditions,
            relay=self.relay,
        )
        self.starter = IngestionStarter(database=self.database, originals=self.originals, executions=self.executions)
        self._endpoint = cast("Any", SimulatedEndpoint(process))
        self._keys = IdempotencyKeys(self.database, cast("Any", world))
        self._rights = RightsOfImages(database=self.database, public_base_url="http://sim")
        vectors = PostgresSearch(self.database)
        self._copies = NearDuplicateDetector(
            database=self.database,
            renditions=self.renditions,
            nearest=lambda vector, version, limit: [
                (hit.image_id, hit.score) for hit in vectors.nearest(vector, version, Filters(safe=False), limit=limit)
            ],
        )

    def step(self, name: str, job: IngestionJob, error: dict[str, str] | None) -> dict[str, Any]:
        """What the function of a state does."""
        common: dict[str, Any] = {"step_runs": self.step_runs}
        made: dict[str, Any] = {"work": self.work, "renditions": self.renditions, "rights": self._rights}
        makers = {"DetectDuplicate", "MakeThumbnails", "MakeWatermark", "EmbedAndTag"}
        if name == "Inspect":
            self.database.role = DatabaseRole.DECODER
        elif name in makers:
            self.database.role = DatabaseRole.MAKER
        match name:
            case "Inspect":
                use = InspectImage(
                    database=self.database,
                    originals=self.originals,
                    work=self.work,
                    inspector=cast("Any", _Inspector()),
                    **common,
                )
            case "DetectDuplicate":
                use = DetectDuplicate(database=self.database, **common)
            case "MakeThumbnails":
                use = MakeThumbnails(originals=self.originals, **made, **common)
            case "MakeWatermark":
                use = MakeWatermark(**made, **common)
            case "EmbedAndTag":
                use = EmbedAndTag(work=self.work, endpoint=self._endpoint, **common)
            case "Publish":
                use = PublishImage(
                    database=self.database, work=self.work, relay=self.relay, copies=self._copies, **common
                )
            case _:
                return self.compensation.run(job, FailedStep.model_validate(error))
        return use.run(job)

    def uploads(self) -> Uploads:
        self.database.role = DatabaseRole.UPLOADER
        return Uploads(
            database=self.database, originals=self.originals, idempotency=self._keys, public_base_url="http://sim"
        )

    def retries(self) -> Retries:
        return Retries(
            uploads=self.uploads(),
            originals=self.originals,
            executions=self.executions,
            idempotency=self._keys,
        )

    def sweep(self) -> None:
        UploadSweeper(database=self.database, originals=self.originals, starter=self.starter).run()
        ExecutionSweeper(
            database=self.database,
            originals=self.originals,
            executions=self.executions,
            compensation=self.compensation,
            stalled_after_seconds=STALLED_AFTER,
        ).run()

    def indexer(self) -> Indexer:
        self.database.role = DatabaseRole.INDEXER
        return Indexer(DocumentBuilder(self.database), [PostgresSearch(self.database)])


def _drain(services: Services) -> None:
    services.database.role = DatabaseRole.UPKEEP
    services.relay.drain()


def _wake(services: Services) -> None:
    services.database.role = DatabaseRole.UPKEEP
    services.deliveries.wake()


@dataclass
class Picture:
    """An upload and what its bytes are."""

    image_id: UUID
    contributor_id: UUID
    key: str
    kind: str
    content: str


class World:
    """One history."""

    def __init__(self, seed: int, truth: Database, *, sweeping: bool = True) -> None:
        """`truth` is a database with the schema, whose connections find `sim.now` before PostgreSQL's own. Without
        `sweeping` the safety net is missing."""
        self.seed = seed
        self._sweeping = sweeping
        self.truth = truth
        self.chance = random.Random(seed)
        self.faults = Faults.of(self.chance)
        self.scheduler = Scheduler(self.chance)
        self.originals, self.work, self.renditions = (MemoryObjectStore(name) for name in ("o", "w", "r"))
        self.executions: dict[str, Execution] = {}
        self.pictures: list[Picture] = []
        self.model_wakes_at = self.chance.choice([0.0, 0.0, 120.0, 600.0])
        self.arrivals = SimulatedQueue(self, "uploads", self._arrive, 20)
        self.index = SimulatedQueue(self, "index", self._index, 60)
        self.endings = SimulatedQueue(self, "endings", self._ended, 60)
        self.news = SimulatedQueue(self, "notifications", self._tell, 60)
        self.webhooks = SimulatedQueue(self, "webhooks", self._call, 30)
        self.sqs = SimulatedSqs(self)
        self.mails: list[Mail] = []
        self.received: list[tuple[str, dict[str, Any]]] = []
        """What came to the contributors' webhooks, by the id of its news."""
        self.remediated: Counter[str] = Counter()
        """What became of the dead letters that were replayed by the clock."""
        self._began = datetime.now(UTC)
        self._calm = False
        self.happened: Counter[str] = Counter()

    # --- time and chance

    def now(self) -> datetime:
        """Virtual time; also what `Clock` asks for."""
        return self._began + timedelta(seconds=self.scheduler.now)

    @property
    def calm(self) -> bool:
        return self._calm or self.scheduler.now > CALM_AFTER

    def happens(self, fault: str) -> bool:
        """Whether this goes wrong now; never when it is calm."""
        if self.calm or self.chance.random() >= getattr(self.faults, fault):
            return False
        self.happened[fault] += 1
        return True

    # --- what the cloud does

    def invoke(self, work: Callable[[Services], None], seconds: float) -> None:
        """Runs a function in a process of its own; its failures and its death stay in it."""
        process = Process(self, seconds)
        try:
            work(Services(process))
        except (Killed, MarketError):
            if self.scheduler.dying:
                raise Killed from None

    def start(self, name: str, job: dict[str, Any]) -> None:
        if name in self.executions:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        execution = self.executions[name] = Execution(self, name, job)
        self.scheduler.spawn(execution.run, after=0.1)

    def execution(self, arn: str) -> Execution:
        name = arn.rpartition(":")[2]
        if name not in self.executions:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        return self.executions[name]

    def tell_ending(self, execution: Execution) -> None:
        if self.happens("drop"):
            return
        self.endings.send(
            {
                "detail": {
                    "name": execution.name,
                    "status": execution.status,
                    "input": json.dumps(execution.job),
                    "error": execution.error,
                }
            }
        )

    @staticmethod
    def _arrive(services: Services, event: Any) -> None:
        services.starter.handle(event)

    @staticmethod
    def _ended(services: Services, event: Any) -> None:
        ExecutionEndings(services.compensation).handle(event)

    @staticmethod
    def _index(services: Services, message: Any) -> None:
        _, changed = received(message, *INDEX_LISTENS_TO)
        services.indexer().index([Removal(changed.image_id, changed.version)])

    @staticmethod
    def _tell(services: Services, message: Any) -> None:
        services.database.role = DatabaseRole.NOTIFIER
        event_id, event = received(message, *NEWS_LISTENS_TO)
        assert not isinstance(event, AccountMailRequested), "accounts are none of this world"
        services.teller.tell(event_id, event)

    @staticmethod
    def _call(services: Services, message: Any) -> None:
        services.database.role = DatabaseRole.NOTIFIER
        services.webhook_worker.handle(message)

    @property
    def listeners(self) -> tuple[tuple[SimulatedQueue, tuple[type[Event], ...]], ...]:
        """The rules on the bus."""
        return (self.index, INDEX_LISTENS_TO), (self.news, NEWS_LISTENS_TO)

    @property
    def queues(self) -> tuple[SimulatedQueue, ...]:
        return self.arrivals, self.endings, self.index, self.news, self.webhooks

    def _by_the_clock(self) -> None:
        if self._sweeping:
            self.invoke(lambda services: services.sweep(), 300)
            self.invoke(_wake, 50)
        self.invoke(_drain, 50)
        self.scheduler.spawn(self._by_the_clock, after=SWEEP_EVERY)

    def _remediate(self) -> None:
        def remediate(services: Services) -> None:
            services.database.role = DatabaseRole.UPKEEP
            self.remediated.update(Remediation(services.dead_letters).run())

        self.invoke(remediate, 300)
        self.scheduler.spawn(self._remediate, after=REMEDIATE_EVERY)

    # --- what people do

    def upload(self, contributor_id: UUID, kind: str, content: str, *, after: float) -> None:
        """A contributor announces a picture and sends its bytes some time later."""
        data = json.dumps({"kind": kind, "content": content}).encode()
        request = UploadRequest.model_validate(
            {
                "title": "A thing",
                "filename": "a.jpg",
                "content_type": "image/jpeg",
                "size_bytes": len(data),
                "image_type": "photo",
                "license_types": ["standard"],
                "tags": ["mine"],
            }
        )
        with self._a_person() as services:
            ticket = services.uploads().announce(contributor_id, request, idempotency_key=None)
        key = f"originals/{contributor_id}/{ticket.image_id}.jpg"
        picture = Picture(ticket.image_id, contributor_id, key, kind, content)
        self.pictures.append(picture)
        self.scheduler.spawn(lambda: self._send(picture, data), after=after + 0.01)

    def _send(self, picture: Picture, data: bytes) -> None:
        self.originals.put(picture.key, data, content_type="image/jpeg")
        self._tell_arrival(picture)
        if self.happens("repost"):  # a client whose answer was lost sends the form again
            self.scheduler.spawn(lambda: self._send_again(picture, data), after=self.chance.uniform(0, 900))

    def _tell_arrival(self, picture: Picture) -> None:
        version = self.originals.head(picture.key).version_id
        if not self.happens("drop"):
            self.arrivals.send({"detail": {"object": {"key": picture.key, "version-id": version}}})

    def _send_again(self, picture: Picture, data: bytes) -> None:
        self.originals.put(picture.key, data, content_type="image/jpeg")
        version = self.originals.head(picture.key).version_id
        self.arrivals.send({"detail": {"object": {"key": picture.key, "version-id": version}}})

    def retry(self, picture: Picture) -> None:
        """Its contributor tries again; may be refused as at any time."""
        with self._a_person() as services:
            services.retries().retry(picture.contributor_id, picture.image_id, RetryRequest(), idempotency_key=None)

    def replay_dead_letters(self) -> int:
        """Somebody sends every dead letter once more, also what died again after a replay; how many there were."""
        with self._a_person() as services:
            services.database.role = DatabaseRole.OPERATOR
            report = services.dead_letters.replay(Choice(), replayed_by="somebody", most_replays=None)
        wrong = [line for line in report.lines if line.outcome not in {"replayed", "finished"}]
        assert not wrong, f"{self}: {wrong}"
        return len(report.lines)

    def __str__(self) -> str:
        return f"seed {self.seed} of world {world_digest()}"

    @contextmanager
    def _a_person(self) -> Iterator[Services]:
        """Whoever was refused asks again: what is begun in person goes well in the end."""
        self._calm, before = True, self._calm
        try:
            yield Services(Process(self, 1e9))
        finally:
            self._calm = before

    # --- the history

    def open(self) -> UUID:
        """Sets the clock of the database, and by it what runs every minute. A contributor."""
        with self.truth.transaction() as connection:
            connection.execute("SELECT set_config('sim.now', %s, false)", (self.now().isoformat(),))
        self.scheduler.spawn(self._by_the_clock, after=SWEEP_EVERY)
        self.scheduler.spawn(self._remediate, after=REMEDIATE_EVERY)
        contributor = a_contributor(self.truth)
        with self.truth.transaction() as connection:
            connection.execute(
                "INSERT INTO webhook_endpoints (id, account_id, url, description, event_types, secret, verified_at)"
                " VALUES (%s, %s, 'https://receiver.test/', '', '{}', 'whsec_c2ltdWxhdGVk', now())",
                (new_id(), contributor),
            )
        return contributor

    def begin(self) -> None:
        """A few uploads of one contributor, in the first minutes."""
        contributor = self.open()
        for number in range(self.chance.randint(1, 3)):
            kind = self.chance.choice(["good", "good", "good", "daring", "broken", "twin"])
            twin = next((p for p in self.pictures if p.kind in {"good", "twin"}), None)
            content = twin.content if kind == "twin" and twin is not None else f"{self.seed}-{number}"
            self.upload(contributor, kind, content, after=self.chance.uniform(0, 200))

    def run_until_settled(self) -> None:
        """Goes on until every image has ended and nothing waits. Raises `Stuck`."""
        checked = -1.0
        while True:
            if self.scheduler.now - checked >= SWEEP_EVERY or checked < 0:
                checked = self.scheduler.now
                if self._is_settled():
                    return
                if self.scheduler.now > GIVE_UP_AFTER:
                    raise Stuck(f"{self}: not settled after {GIVE_UP_AFTER / 3600:g} hours: {self._unsettled()}")
            if not self.scheduler.step():
                raise Stuck(f"{self}: nothing left to do")

    def _is_settled(self) -> bool:
        if any(queue.waiting for queue in self.queues):
            return False
        # Whoever looks at dead letters and is interrupted hides them from others for a while.
        now = self.now().timestamp()
        if any(message.visible_at > now for dead in self.sqs.queues.values() for message in dead):
            return False
        if any(e.status == "RUNNING" and not e.silent for e in self.executions.values()):
            return False
        ids = [picture.image_id for picture in self.pictures]
        row = self.truth.fetch_one(
            "SELECT (SELECT count(*) FROM images WHERE id = ANY(%(ids)s) AND status = 'processing')"
            " + (SELECT count(*) FROM outbox WHERE subject = ANY(%(ids)s) AND dispatched_at IS NULL)"
            " + (SELECT count(*) FROM webhook_deliveries WHERE image_id = ANY(%(ids)s) AND status = 'pending')"
            " + (SELECT count(*) FROM processing_steps WHERE image_id = ANY(%(ids)s) AND lease_until IS NOT NULL)"
            " + (SELECT count(*) FROM images i WHERE id = ANY(%(ids)s) AND status IN ('rejected', 'processing_failed')"
            "     AND NOT EXISTS (SELECT 1 FROM processing_steps s WHERE s.image_id = i.id"
            "                      AND s.step = 'compensate' AND s.status = 'succeeded')) AS left",
            {"ids": ids},
        )
        assert row is not None
        return row["left"] == 0

    def _unsettled(self) -> str:
        ids = [picture.image_id for picture in self.pictures]
        rows = self.truth.fetch_all(
            "SELECT i.status, i.object_version, u.run, s.step, s.status AS was, s.lease_until FROM images i"
            " JOIN uploads u ON u.image_id = i.id"
            " LEFT JOIN processing_steps s ON s.image_id = i.id WHERE i.id = ANY(%s)",
            (ids,),
        )
        queues = [queue.waiting for queue in self.queues]
        running = [e.name for e in self.executions.values() if e.status == "RUNNING" and not e.silent]
        return "\n".join(map(str, [f"queues {queues}", f"running {running}", *(tuple(row.values()) for row in rows)]))

    def quieten(self) -> None:
        self._calm = True

    def close(self) -> None:
        """Ends what is left and forgets the history's rows."""
        self.scheduler.abandon()
        ids = [picture.image_id for picture in self.pictures]
        with self.truth.transaction() as connection:
            for statement in (
                "DELETE FROM images WHERE id = ANY(%s)",
                "DELETE FROM outbox WHERE subject = ANY(%s)",
                "DELETE FROM search_documents WHERE image_id = ANY(%s)",
            ):
                connection.execute(statement, (ids,))
            connection.execute("TRUNCATE webhook_endpoints, message_failures, message_replays CASCADE")


# --- the engines of the trade, replaced ----------------------------------------------------------


class _Inspector:
    """Takes a picture for what its bytes say."""

    def inspect(self, path: Path) -> Inspection:
        data = path.read_bytes()
        picture = json.loads(data)
        if picture["kind"] == "broken":
            raise UnreadableImage("It ends in the middle.")
        digest = hashlib.sha256(picture["content"].encode()).digest()
        return Inspection(
            format="jpeg",
            width=30,
            height=20,
            sha256=hashlib.sha256(data).hexdigest(),
            phash=int.from_bytes(digest[:8], "big"),
            thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI",
            palette=(PaletteColour("#102030", 100.0),),
            colours=("blue",),
            technical=TechnicalMetadata(),
            described=EmbeddedDescription(),
            master=data,
            model_input=data,
        )


def _rendition(kind: Any, long_edge: int, data: bytes, image_format: Any = "webp") -> Rendition:
    made = json.dumps({**json.loads(data), "as": [kind, long_edge]}).encode()
    return Rendition(kind, long_edge, long_edge, long_edge, image_format, made, hashlib.sha256(made).hexdigest()[:16])


def _features(picture: bytes) -> tuple[str, str]:
    content = json.loads(picture)["content"]
    return content, content


def _compare(copy: tuple[str, str], known: str) -> Comparison | None:
    return Comparison(inliers=200, agreement=1.0, cells=60) if known in copy else None


class _InTurn:
    """A pool of one, in the caller's own thread: who goes first is the seed's to decide."""

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return iter([work(item) for item in items])


class _NoMetrics:
    """Nobody looks at the metrics of a history."""

    metric_set: dict[str, Any] = {}  # noqa: RUF012 - nothing is ever put in

    def add_metric(self, **_: Any) -> None: ...


@contextmanager
def simulated_engines() -> Iterator[None]:
    """Decoding and encoding replaced by what is quick, so that ten thousand histories are a matter of minutes."""
    with ExitStack() as stack:
        for target, replacement in {
            "imagemarket.imaging.renditions.make_thumbnails": lambda data, *_: [
                _rendition("thumbnail", 450, data, "jpeg"),
                _rendition("clean", 1000, data),
            ],
            "imagemarket.imaging.feature_matching.features": _features,
            "imagemarket.imaging.feature_matching.compare": _compare,
            "imagemarket.imaging.watermark.make_watermarked": lambda data, *_: [_rendition("preview", 1000, data)],
            "imagemarket.ingestion.saga.ThreadPoolExecutor": _InTurn,
            "imagemarket.platform.telemetry.metrics": _NoMetrics,
        }.items():
            stack.enter_context(patch(target, replacement))
        yield


def virtual_time(dsn: str) -> Database:
    """A database whose `now()` and `clock_timestamp()` are the history's."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS sim")
        connection.execute("GRANT USAGE ON SCHEMA sim TO PUBLIC")
        for name in ("now", "clock_timestamp"):
            connection.execute(
                f"CREATE OR REPLACE FUNCTION sim.{name}() RETURNS timestamptz LANGUAGE sql STABLE"  # pyright: ignore[reportArgumentType]
                " AS $$ SELECT current_setting('sim.now')::timestamptz $$"
            )
        connection.execute("SET synchronous_commit = off")
        database = connection.info.dbname
        connection.execute(
            f'ALTER DATABASE "{database}" SET search_path = sim, pg_catalog, public'  # pyright: ignore[reportArgumentType, reportCallIssue]
        )
    return Database(lambda: dsn, max_connections=1, statement_timeout_ms=10_000)


# --- what must hold ------------------------------------------------------------------------------


@dataclass
class History:
    """What became of one seed."""

    seed: int
    statuses: dict[str, int] = field(default_factory=dict)
    replayed: int = 0
    """Dead letters that somebody replayed in the end, and images that their contributor tried again."""
    remediated: int = 0
    """Dead letters that were replayed by the clock."""
    virtual_seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    """How often what went wrong."""


EXPECTED = {
    "good": {"approved", "rejected"},  # the latter where a twin came first
    "twin": {"approved", "rejected"},
    "daring": {"pending_review"},
    "broken": {"rejected"},
}


_NEWS_OF_IMAGE = "SELECT id FROM notifications WHERE image_id = %s ORDER BY seq"


def _news_by_image(world: World) -> dict[UUID, list[str]]:
    """The ids of the news that the webhook heard of each image, in the order in which it heard of each first."""
    heard: dict[UUID, list[str]] = {picture.image_id: [] for picture in world.pictures}
    for news, body in world.received:
        of_image = heard[UUID(body["data"]["image_id"])]
        if news not in of_image:
            of_image.append(news)
    return heard


def check(world: World) -> dict[UUID, str]:
    """The invariants of a settled world. Returns the statuses."""
    seed = str(world)
    ids = [picture.image_id for picture in world.pictures]
    truth = world.truth

    def column(sql: str) -> list[Any]:
        return [next(iter(row.values())) for row in truth.fetch_all(sql, (ids,))]

    statuses = {
        row["id"]: row["status"] for row in truth.fetch_all("SELECT id, status FROM images WHERE id = ANY(%s)", (ids,))
    }
    assert set(statuses) == set(ids), f"{seed}: an accepted upload is gone"
    for picture in world.pictures:
        status = statuses[picture.image_id]
        assert status in EXPECTED[picture.kind] | {"processing_failed"}, f"{seed}: {picture.kind} is {status}"
    live = {image for image, status in statuses.items() if status in {"approved", "pending_review"}}
    approved = {image for image, status in statuses.items() if status == "approved"}

    contents = [p.content for p in world.pictures if p.image_id in approved]
    assert len(contents) == len(set(contents)), f"{seed}: the same picture twice"
    refused_twins = [p for p in world.pictures if p.kind in {"good", "twin"} and statuses[p.image_id] == "rejected"]
    for picture in refused_twins:
        others = [statuses[p.image_id] for p in world.pictures if p.content == picture.content and p is not picture]
        assert {"approved", "processing_failed"} & set(others), (
            f"{seed}: refused as a duplicate, the others are {others}"
        )

    keys = set(column("SELECT key FROM image_renditions WHERE image_id = ANY(%s)"))
    stored = {
        key
        for store in (world.renditions, world.originals)
        for key in store.versions
        if not key.startswith("originals/")
    }
    assert stored == keys, f"{seed}: orphans {sorted(stored - keys)}, missing {sorted(keys - stored)}"
    assert len(keys) == 3 * len(live), f"{seed}: renditions of {len(live)} images: {sorted(keys)}"
    left = {UUID(key.split("/")[1]) for key in world.work.versions}
    assert left <= live, f"{seed}: work objects of ended images {left - live}"
    assert {picture.key for picture in world.pictures} <= set(world.originals.versions), f"{seed}: an original is gone"

    for row in truth.fetch_all("SELECT s3_original_key AS key, object_version FROM images WHERE id = ANY(%s)", (ids,)):
        current = world.originals.head(row["key"]).version_id
        assert current == row["object_version"], f"{seed}: {current} lies above the original {row['object_version']}"

    fingerprints = set(column("SELECT image_id FROM image_fingerprints WHERE image_id = ANY(%s)"))
    assert fingerprints == live, f"{seed}: fingerprints {fingerprints ^ live}"
    embeddings = column("SELECT image_id FROM image_embeddings WHERE image_id = ANY(%s)")
    assert sorted(embeddings) == sorted(live), f"{seed}: embeddings"
    tags = set(column("SELECT image_id FROM image_tags WHERE source = 'ai' AND image_id = ANY(%s)"))
    assert tags == live, f"{seed}: tags of the model's"

    listed = set(column("SELECT image_id FROM search_documents WHERE listed AND image_id = ANY(%s)"))
    assert listed == approved, f"{seed}: search shows {listed ^ approved} wrongly"
    news: dict[UUID, list[str]] = {image: [] for image in ids}
    for row in truth.fetch_all(
        "SELECT image_id, type, told_at, mailed_at, id FROM notifications WHERE image_id = ANY(%s) ORDER BY seq", (ids,)
    ):
        news[row["image_id"]].append(row["type"])
        assert row["told_at"], f"{seed}: {row['type']} was not told"
        if row["type"] in MAILED_TYPES:
            mailed = any(str(row["id"]) in mail.message_id for mail in world.mails)
            if row["mailed_at"]:
                assert mailed, f"{seed}: a mail is lost"
            else:
                sent = truth.fetch_all(
                    "SELECT at FROM mails_sent WHERE purpose = 'news' AND user_id ="
                    " (SELECT contributor_id FROM images WHERE id = %s)",
                    (row["image_id"],),
                )
                assert len(sent) >= NEWS_MAILS_PER_DAY, f"{seed}: {row['type']} was not mailed, nor waits for a digest"
    for image, types in news.items():
        assert types, f"{seed}: nothing was told of an image"
        assert types[-1] == f"image.{statuses[image]}", f"{seed}: {types} was told of what is {statuses[image]}"
        assert set(types[:-1]) <= {"image.processing_failed"}, f"{seed}: contradictory news {types}"
    for image, sent in _news_by_image(world).items():
        told = [message_id(row["id"]) for row in truth.fetch_all(_NEWS_OF_IMAGE, (image,))]
        assert sent == told, f"{seed}: the webhook heard {sent} of {told}"
    unheard = column("SELECT status FROM webhook_deliveries WHERE image_id = ANY(%s) AND status <> 'delivered'")
    assert unheard == [], f"{seed}: deliveries {unheard}"
    leases = column("SELECT step FROM processing_steps WHERE lease_until IS NOT NULL AND image_id = ANY(%s)")
    assert leases == [], f"{seed}: leases left {leases}"
    undone = column(
        "SELECT s.step FROM processing_steps s JOIN images i ON i.id = s.image_id WHERE s.status = 'running'"
        " AND i.id = ANY(%s)"
    )
    assert undone == [], f"{seed}: still said to be running: {undone}"
    return statuses


def settle_and_heal(world: World) -> tuple[dict[UUID, str], int]:
    """Lets it come to rest and checks the invariants, before and after all that failed was tried once more without
    faults. The statuses, and how much was tried. Raises AssertionError."""
    world.run_until_settled()
    world.quieten()
    # A dead letter is replayed once, as a person does, and must not come back.
    replayed = world.replay_dead_letters()
    world.scheduler.spawn(lambda: None, after=SWEEP_EVERY)
    world.run_until_settled()
    dead = [body for queue in world.queues for body in queue.dead]
    assert dead == [], f"{world}: still dead after a replay: {dead}"
    statuses = check(world)
    for picture in world.pictures:
        if statuses[picture.image_id] == "processing_failed":
            replayed += 1
            world.retry(picture)
    world.scheduler.spawn(lambda: None, after=SWEEP_EVERY)
    world.run_until_settled()
    statuses = check(world)
    failed = [image for image, status in statuses.items() if status == "processing_failed"]
    assert not failed, f"{world}: a replay without faults did not heal {failed}"
    return statuses, replayed


def live_through(seed: int, truth: Database, *, sweeping: bool = True) -> History:
    """Runs one history: faults, then calm; the invariants; then one replay of everything that failed, after which
    nothing may be failed any more. Raises AssertionError with the seed."""
    world = World(seed, truth, sweeping=sweeping)
    history = History(seed)
    try:
        with simulated_engines():
            world.begin()
            statuses, history.replayed = settle_and_heal(world)
            for status in statuses.values():
                history.statuses[status] = history.statuses.get(status, 0) + 1
            history.virtual_seconds = world.scheduler.now
            history.faults = dict(world.happened)
            history.remediated = world.remediated["replayed"]
            return history
    finally:
        world.close()
