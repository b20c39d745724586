"""`./market chaos`: uploads through a local cloud whose parts are killed at random, and what became of each.

The cloud is one of its own (state folder `.market/chaos`, a port of its own), and only processes of that cloud are
killed, by pid. When all has ended, the bytes of the last pictures arrive while the database is away, until the events
that tell of them are dead letters. At the end everything is calm: every image must be approved, in review, or rejected
for cause, after at most one try more by its contributor and one replay of the dead letters, of which there must be
some; no file may be approved twice, every contributor must be told, and nothing may differ that `imagemarket verify
--repair` does not mend. (The emulator writes its queues down every few seconds and forgets what came after when it is
killed, which SQS does not: search documents whose message was lost are mended there.)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, LiteralString

import httpx
import psutil
from rich.table import Table

from imagemarket.platform.database import Database
from local.api_client import FINAL, ApiClient, Unexpected
from local.arguments import at_least, file_to_write
from local.cloud import Cloud
from local.demo.load import make_accounts
from local.emulator import aws_client, clear_scratch
from local.layout import REPOSITORY, Layout, LocalError, free_port
from local.pictures import paint_landscape
from local.postgres import dsn_of
from local.processes import Part
from local.progress import console, step

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_SIZE = (900, 600)
_BROKEN_OF_100 = 4
_TWINS_OF_100 = 4
_SENDERS = 3
_KILL_EVERY_S = (2.0, 7.0)
_KILLS_AT_LEAST = 10
_UPLOADS_PER_KILL = 3
"""It goes on until there was one for so many uploads."""
_VICTIMS = {"function": 10, "models": 3, "postgres": 2, "valkey": 2, "aws": 2}
"""How often each is killed, in proportion."""
_PATIENCE_S = 45 * 60.0
_DYING = 5
"""Uploads whose events die, of those asked for; half of them where fewer than ten are."""
_SEEN_AGAIN_AFTER_S = 1
"""Meanwhile an event that failed is tried again so soon: else three receives would take six minutes."""
_DEATH_PATIENCE_S = 300.0
_EXPECTED = {
    "good": {"approved", "pending_review", "rejected"},  # rejected where its twin was quicker
    "twin": {"approved", "pending_review", "rejected"},
    "broken": {"rejected"},
}
_CAUSE = {"good": "duplicate-image", "twin": "duplicate-image", "broken": "unreadable-image"}

_UNTOLD = " WHERE told_at IS NULL"
_DOUBLED = """
    SELECT count(*) AS n FROM (
        SELECT sha256 FROM images WHERE status = 'approved' GROUP BY sha256 HAVING count(*) > 1) twice
"""
_TOLD_OTHERWISE = """
    SELECT count(*) AS n FROM images i
     WHERE i.status <> 'processing' AND 'image.' || i.status IS DISTINCT FROM (
        SELECT type FROM notifications n WHERE n.image_id = i.id ORDER BY seq DESC LIMIT 1)
"""


@dataclass
class Sent:
    """One upload that the object store took."""

    image_id: str
    kind: str
    path: Path


@dataclass
class Outcome:
    """What happened."""

    killed: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    after_retry: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    retried_by_contributor: int = 0
    steps_tried_again: int = 0
    runs_replayed: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def run_chaos(arguments: Sequence[str]) -> int:
    """The command. Status 1 when an image did not end as it should."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="./market chaos",
        description="Upload pictures into a cloud of its own while parts of it are killed at random, and say what "
        "became of each. The exit status is 1 where one did not end as it should.",
    )
    parser.add_argument("--uploads", type=at_least(1), default=200, metavar="N", help="how many pictures (default 200)")
    parser.add_argument(
        "--seed", type=int, default=1, help="which pictures, and which kills in which order (default 1)"
    )
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="also write what happened into this file")
    chosen = parser.parse_args(arguments)
    made = REPOSITORY / ".market"
    cloud = Cloud(Layout(made=made, state=made / "chaos", port=free_port()))
    cloud.reset()
    try:
        cloud.up()
        make_accounts(cloud)
        outcome, sent = Chaos(cloud, chosen.seed).live_through(chosen.uploads)
    finally:
        cloud.down()
    _show(outcome, sent)
    if chosen.json:
        chosen.json.write_text(json.dumps(_rows(outcome, sent, chosen.seed), indent=2) + "\n", encoding="utf-8")
    return 1 if outcome.wrong else 0


class Chaos:
    """One run of it."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self._cloud = cloud
        self._chance = random.Random(seed)  # noqa: S311 - a plan, no secret
        self._seed = seed
        self._outcome = Outcome()
        self._calm = threading.Event()
        layout = cloud.layout
        self._database = Database(lambda: dsn_of(layout.ports()["postgres"], layout.secret("postgres"), "imagemarket"))

    def live_through(self, uploads: int) -> tuple[Outcome, list[Sent]]:
        """Upload under fire, wait, replay once, judge."""
        try:
            with step("Pictures"):
                pictures = self._paint(uploads)
            killer = threading.Thread(target=self._kill_until_calm)
            dying = min(_DYING, max(1, uploads // 2))
            with step("Uploading while parts are killed") as say:
                killer.start()
                try:
                    with ThreadPoolExecutor(_SENDERS) as pool:
                        sent = list(pool.map(self._send, pictures[:-dying]))
                    wanted = max(_KILLS_AT_LEAST, uploads // _UPLOADS_PER_KILL)
                    while sum(self._outcome.killed.values()) < wanted:
                        time.sleep(1)
                    say(f"{len(sent)} uploads, {sum(self._outcome.killed.values())} kills")
                finally:
                    self._calm.set()
                    killer.join()
            self._mend_cloud()
            with step("Waiting for every image to end"):
                self._wait(sent)
            self._outcome.ended = self._statuses(sent)
            with step("Letting events die while the database is away"):
                sent += self.let_events_die(pictures[-dying:])
            with step("One replay of what failed"):
                self._replay_dead_letters()
                self._retry_failed(sent)
                self._wait(sent)
                self._wait_for_index()
            with step("Checking consistency, and repairing once"):
                self._outcome.mended = self._verify("--repair")
                self._wait(sent)
                self._wait_for_index()
                for kind, number in self._verify().items():
                    self._outcome.wrong.append(f"{number} differences of the kind {kind} are left")
            with step("Waiting until every contributor is told"):
                self._wait_for_news()
            self._judge(sent)
            return self._outcome, sent
        finally:
            self._database.close()

    # --- pictures --------------------------------------------------------------------------------

    def _paint(self, uploads: int) -> list[tuple[str, Path]]:
        """Painted hills, some of them cut short and some of them the same as another."""
        folder = self._cloud.layout.data / "chaos"
        folder.mkdir(parents=True, exist_ok=True)
        pictures: list[tuple[str, Path]] = []
        for number in range(uploads):
            path = folder / f"{number}.jpg"
            chance = self._chance.random() * 100
            good = [each for kind, each in pictures if kind == "good"]
            if chance < _TWINS_OF_100 and good:
                path.write_bytes(self._chance.choice(good).read_bytes())
                pictures.append(("twin", path))
                continue
            paint_landscape(path, seed=self._seed * 100_000 + number, size=_SIZE)
            if chance > 100 - _BROKEN_OF_100:
                data = path.read_bytes()
                path.write_bytes(data[: len(data) // 2])
                pictures.append(("broken", path))
            else:
                pictures.append(("good", path))
        return pictures

    def _send(self, picture: tuple[str, Path]) -> Sent:
        """Announce and send as a patient client does: with one idempotency key, until it is taken."""
        kind, path = picture
        key = str(uuid.uuid4())
        deadline = time.monotonic() + _PATIENCE_S
        with closing(_Patient(self._cloud)) as client:
            while True:
                try:
                    announced = client.announce_once(path, key)
                    client.send(announced, path)
                    return Sent(announced["image_id"], kind, path)
                except (httpx.HTTPError, Unexpected, OSError):
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(1)

    # --- kills -----------------------------------------------------------------------------------

    def _kill_until_calm(self) -> None:
        while not self._calm.wait(self._chance.uniform(*_KILL_EVERY_S)):
            victim = self._chance.choices(list(_VICTIMS), list(_VICTIMS.values()))[0]
            with suppress(psutil.Error, LocalError):
                if self._kill(victim):
                    self._outcome.killed[victim] += 1

    def _kill(self, victim: str) -> bool:
        supervisor = self._cloud.supervisor
        name = "aws" if victim == "function" else victim
        process = supervisor.process(name)
        if process is None:
            return False
        if victim == "function":
            children = process.children(recursive=True)
            functions = [each for each in children if "awslambdaric" in each.cmdline()]
            if not functions:
                return False
            self._chance.choice(functions).kill()
            return True
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs([process], timeout=5)
        time.sleep(self._chance.uniform(0, 3))  # it is missed for a while
        if victim == "aws":
            supervisor.sweep_strays()
            clear_scratch(self._cloud.layout)
        supervisor.start(self._part(victim))
        return True

    def _part(self, name: str) -> Part:
        return next(part for part in self._cloud.parts() if part.name == name)

    def _mend_cloud(self) -> None:
        for part in self._cloud.parts():
            self._cloud.supervisor.start(part)

    def let_events_die(self, pictures: Sequence[tuple[str, Path]]) -> list[Sent]:
        """Uploads whose bytes arrive while PostgreSQL is stopped, until the event of each is a dead letter.

        Raises `LocalError` when they do not die in their time.
        """
        cloud = self._cloud
        sqs, url = aws_client(cloud.layout, "sqs"), cloud.layout.outputs()["UploadsQueueUrl"]
        postgres = self._part("postgres")
        before = waiting_in(sqs, f"{url}-dead")
        with closing(_Patient(cloud)) as client, seen_again_after(sqs, url, _SEEN_AGAIN_AFTER_S):
            announced = [client.announce_once(path, str(uuid.uuid4())) for _, path in pictures]
            cloud.supervisor.stop(postgres)
            try:
                for ticket, (_, path) in zip(announced, pictures, strict=True):
                    client.send(ticket, path)
                deadline = time.monotonic() + _DEATH_PATIENCE_S
                while (dead := waiting_in(sqs, f"{url}-dead") - before) < len(pictures):
                    if time.monotonic() > deadline:
                        raise LocalError(f"{dead} of {len(pictures)} events died in {_DEATH_PATIENCE_S:.0f} seconds")
                    time.sleep(1)
            finally:
                cloud.supervisor.start(postgres)
        return [Sent(ticket["image_id"], kind, path) for ticket, (kind, path) in zip(announced, pictures, strict=True)]

    # --- waiting and replaying -------------------------------------------------------------------

    def _wait(self, sent: list[Sent]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(Exception):
                statuses = self._statuses(sent)
                if sum(statuses[status] for status in FINAL) == len(sent):
                    return
            time.sleep(3)

    def _statuses(self, sent: list[Sent]) -> Counter[str]:
        ids = [uuid.UUID(each.image_id) for each in sent]
        rows = self._database.fetch_all("SELECT id, status FROM images WHERE id = ANY(%s)", (ids,))
        found = Counter(row["status"] for row in rows)
        if missing := len(set(ids)) - len(rows):
            found["gone"] = missing
        return found

    def _replay_dead_letters(self) -> None:
        report = self._imagemarket("dlq", "replay", "--all", "--json")
        self._outcome.dead_letters.update(line["queue"] for line in report["messages"])
        self._outcome.wrong += [
            f"{line['queue']}: a dead letter was {line['outcome']}: {line['reason']}"
            for line in report["messages"]
            if line["outcome"] in {"refused", "failed"}
        ]

    def _retry_failed(self, sent: list[Sent]) -> None:
        """Each contributor whose image is `processing_failed` tries once more."""
        failed = self._database.fetch_all("SELECT id FROM images WHERE status = 'processing_failed'")
        by_id = {each.image_id: each for each in sent}
        with closing(_Patient(self._cloud)) as client:
            for row in failed:
                each = by_id[str(row["id"])]
                ticket = client.retry(each.image_id)
                self._outcome.retried_by_contributor += 1
                if ticket["upload"] is not None:
                    client.send(ticket, each.path)

    def _wait_for_index(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self._index_differences():
            time.sleep(2)

    def _wait_for_news(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._number("SELECT count(*) AS n FROM notifications" + _UNTOLD):
            time.sleep(2)

    def _number(self, query: LiteralString) -> int:
        row = self._database.fetch_one(query)
        assert row is not None
        return row["n"]

    def _index_differences(self) -> int:
        return self._number(
            "SELECT count(*) AS n FROM images i FULL JOIN (SELECT image_id FROM search_documents WHERE listed) d"
            " ON d.image_id = i.id WHERE (coalesce(i.status, '') = 'approved') <> (d.image_id IS NOT NULL)"
        )

    def _verify(self, *options: str) -> Counter[str]:
        """What `imagemarket verify` finds, by kind."""
        said = self._said("verify", "--json", *options)
        return Counter(json.loads(line)["kind"] for line in said.splitlines() if line.startswith('{"image_id"'))

    def _imagemarket(self, *arguments: str) -> Any:
        """What the product's own command prints as one JSON document."""
        return json.loads(self._said(*arguments))

    def _said(self, *arguments: str) -> str:
        environment = {**os.environ, **self._cloud.environment(), "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}"}
        command = [sys.executable, "-m", "imagemarket.cli", *arguments]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        if not done.stdout.strip() and done.returncode:
            raise LocalError(f"imagemarket {' '.join(arguments)} failed: {done.stderr[-500:]}")
        return done.stdout

    # --- judging ---------------------------------------------------------------------------------

    def _judge(self, sent: list[Sent]) -> None:
        outcome = self._outcome
        outcome.after_retry = self._statuses(sent)
        kinds = {uuid.UUID(each.image_id): each.kind for each in sent}
        rows = self._database.fetch_all("SELECT id, status, rejection ->> 'code' AS code FROM images")
        for row in rows:
            kind = kinds.get(row["id"])
            if kind is None:
                continue  # announced twice, because the answer was lost with the key's row
            if row["status"] not in _EXPECTED[kind]:
                outcome.wrong.append(f"{row['id']} ({kind}) is {row['status']} {row['code'] or ''}")
            elif row["status"] == "rejected" and row["code"] != _CAUSE[kind]:
                outcome.wrong.append(f"{row['id']} ({kind}) was rejected as {row['code']}")
        if not outcome.dead_letters:
            outcome.wrong.append("nothing was a dead letter, so the replay proved nothing")
        if gone := outcome.after_retry["gone"]:
            outcome.wrong.append(f"{gone} images are gone")
        for wrong, number in {
            "images that search shows wrongly": self._index_differences(),
            "files that were approved twice": self._number(_DOUBLED),
            "leases that are left": self._number(
                "SELECT count(*) AS n FROM processing_steps WHERE lease_until IS NOT NULL"
            ),
            "news that nobody was told": self._number("SELECT count(*) AS n FROM notifications" + _UNTOLD),
            "images whose contributor was told something else last": self._number(_TOLD_OTHERWISE),
            "dead letters that are left": sum(each["seen"] for each in self._imagemarket("dlq", "list", "--json")),
        }.items():
            if number:
                outcome.wrong.append(f"{number} {wrong}")
        counted = self._database.fetch_one(
            "SELECT (SELECT coalesce(sum(attempts - 1), 0) FROM processing_steps) AS again,"
            " (SELECT coalesce(sum(run - 1), 0) FROM uploads) AS runs"
        )
        assert counted is not None
        outcome.steps_tried_again = int(counted["again"])
        outcome.runs_replayed = int(counted["runs"]) - outcome.retried_by_contributor


@contextmanager
def seen_again_after(sqs: SQSClient, url: str, seconds: int) -> Iterator[None]:
    """A queue shows what was received and not deleted again after so many seconds; afterwards as before."""
    name: Literal["VisibilityTimeout"] = "VisibilityTimeout"
    kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: str(seconds)})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: kept})


def waiting_in(sqs: SQSClient, url: str) -> int:
    """How many messages of a queue nobody holds."""
    name: Literal["ApproximateNumberOfMessages"] = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


class _Patient(ApiClient):
    """A client that signs in until it is let in, and says what it wants once."""

    def announce_once(self, path: Path, key: str) -> dict[str, Any]:
        """Announce under an idempotency key, so that trying again announces nothing more."""
        self.http.headers["Idempotency-Key"] = key
        return self.announce(path)

    def retry(self, image_id: str) -> dict[str, Any]:
        """Try again, as soon as the last run is cleaned up after."""
        deadline = time.monotonic() + 600
        while True:
            answer = self.http.post(f"/v1/images/{image_id}/retry", json={}, headers=self.headers("contributor"))
            if answer.status_code == 202:
                return answer.json()
            if answer.status_code != 409 or time.monotonic() > deadline:
                raise Unexpected(f"retry of {image_id} -> {answer.status_code}: {answer.text[:500]}")
            time.sleep(5)


# --- telling -------------------------------------------------------------------------------------


def _show(outcome: Outcome, sent: list[Sent]) -> None:
    table = Table("what", "how many", box=None, header_style="bold")
    for kind, number in sorted(Counter(each.kind for each in sent).items()):
        table.add_row(f"uploads: {kind}", str(number))
    for victim, number in sorted(outcome.killed.items()):
        table.add_row(f"killed: {victim}", str(number))
    table.add_row("steps tried again", str(outcome.steps_tried_again))
    table.add_row("runs replayed by the sweeper", str(outcome.runs_replayed))
    for status, number in sorted(outcome.ended.items()):
        table.add_row(f"ended: {status}", str(number))
    for queue, number in sorted(outcome.dead_letters.items()):
        table.add_row(f"dead letters replayed: {queue}", str(number))
    table.add_row("tried again by their contributor", str(outcome.retried_by_contributor))
    for kind, number in sorted(outcome.mended.items()):
        table.add_row(f"mended by verify: {kind}", str(number))
    for status, number in sorted(outcome.after_retry.items()):
        table.add_row(f"after one replay: {status}", str(number))
    console.print(table)
    for each in outcome.wrong:
        console.print(f"[red]✗[/red] {each}")
    console.print("Not everything ended as it should." if outcome.wrong else "Everything ended as it should.")


def _rows(outcome: Outcome, sent: list[Sent], seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "uploads": Counter(each.kind for each in sent),
        "killed": outcome.killed,
        "steps_tried_again": outcome.steps_tried_again,
        "runs_replayed": outcome.runs_replayed,
        "ended": outcome.ended,
        "dead_letters_replayed": outcome.dead_letters,
        "tried_again_by_contributor": outcome.retried_by_contributor,
        "mended_by_verify": outcome.mended,
        "after_one_replay": outcome.after_retry,
        "wrong": outcome.wrong,
        "holds": not outcome.wrong,
    }
