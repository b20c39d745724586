"""`imagemarket dlq` as a person and a script see it: words, JSON, exit statuses, files."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import resource
import stat
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from typer.testing import CliRunner, Result

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.cli.app import app
from imagemarket.cli.client import CliError
from imagemarket.cli.dead_letters import SOMETHING_LEFT
from imagemarket.ingestion.models import IngestionJob
from imagemarket.operations.dead_letters.details import ImageInspector
from imagemarket.operations.dead_letters.models import Choice, DeadMessage
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from tests.fakes import client_error
from tests.integration.rows import a_contributor, an_image
from tests.integration.test_dead_letters import UPLOADS, Room, arrived
from tests.provided import provide

pytestmark = pytest.mark.engines
Dlq = Callable[..., Result]


class NoExecutions:
    def __init__(self) -> None:
        self.asked_for: list[str] = []

    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803
        self.asked_for.append(executionArn)
        raise client_error("ExecutionDoesNotExist", "DescribeExecution")


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


@pytest.fixture
def dlq(room: Room, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Dlq:
    client: Any = NoExecutions()
    inspector = ImageInspector(database=database, step_functions=client, state_machine_arn="arn:stateMachine:x")
    provide("operations.dead_letters", room.service)
    provide("operations.image_inspector", inspector)
    for name in ("STAGE", "DATABASE_SECRET_ARN", "STATE_MACHINE_ARN"):
        monkeypatch.setenv(f"MARKET_{name}", "local")
    monkeypatch.chdir(tmp_path)
    return lambda *words, **more: CliRunner().invoke(app, ["dlq", *words], **more)


def test_an_empty_stage_is_said_to_be_empty(dlq: Dlq) -> None:
    listed = dlq("list", "--fail-if-any")
    assert listed.exit_code == 0
    assert "uploads" in listed.output
    replayed = dlq("replay", "--all")
    assert (replayed.exit_code, replayed.output) == (0, "No dead letter matches; `list` shows which there are.\n")
    assert dlq("purge", "--all").exit_code == 0
    assert list(Path.cwd().iterdir()) == []


def test_a_list_counts_causes_for_people_and_scripts(dlq: Dlq, room: Room) -> None:
    for _ in range(3):
        room.die("a", DependencyUnavailable("x"))
    room.die("b", ImageNotFound("y"))
    assert "3 DependencyUnavailable" in dlq("list").output
    document = {each["queue"]: each for each in json.loads(dlq("list", "--json").output)}
    assert document["uploads"]["causes"] == {"DependencyUnavailable": 3, "ImageNotFound": 1}
    assert document["uploads"]["seen"] == 4
    assert dlq("list", "--fail-if-any").exit_code == SOMETHING_LEFT
    assert dlq("list", "--fail-if-any", "--error", "Other").exit_code == 0
    messages = json.loads(dlq("list", "--messages", "--json", "--error", "ImageNotFound").output)
    assert [message["body"] for queue in messages for message in queue["messages"]] == ["b"]


def test_one_is_shown_with_its_image(dlq: Dlq, room: Room, database: Database) -> None:
    owner = a_contributor(database)
    image = an_image(database, owner, object_version="v1", title="Hills")
    room.die(arrived(owner, image), DependencyUnavailable("The store is not answering."))
    (message,) = room.service.look(_all())[2].messages
    shown = dlq("show", message.id[:8])
    assert shown.exit_code == 0
    for words in (
        "DependencyUnavailable",
        "The store is not answering.",
        "'Hills': processing",
        f"{image}-",
        "not kept",
    ):
        assert words in shown.output
    document = json.loads(dlq("show", message.id, "--json").output)
    assert document["image"]["contributor_id"] == str(owner)
    missing = dlq("show", "0000")
    assert missing.exit_code == 1


@pytest.mark.parametrize("words", [["replay"], ["purge", "--yes", "--to", "kept.jsonl"], ["export", "kept.jsonl"]])
def test_a_message_is_named_by_the_beginning_of_its_id_and_has_to_be_there(
    dlq: Dlq, room: Room, words: list[str]
) -> None:
    for body in ("a", "b"):
        room.die(body, DependencyUnavailable("x"))
    chosen, other = room.service.look(_all())[2].messages
    for wrong in ("", " ", "0000-none", "0" * 36, f"{chosen.id}0"):
        missing = dlq(*words, "--message", wrong)
        assert missing.exit_code == 1, missing.output
        assert "no dead letter has this id" in str(missing.exception)
    filtered = dlq(*words, "--message", chosen.id, "--error", "Other")
    assert filtered.exit_code == 1
    assert "no dead letter that the other filters leave has this id" in str(filtered.exception)
    beginning = next(chosen.id[:length] for length in range(1, 37) if not other.id.startswith(chosen.id[:length]))
    done = dlq(*words, "--message", beginning.upper(), "--json")
    assert (done.exit_code, [each["message_id"] for each in json.loads(done.stdout)["messages"]]) == (0, [chosen.id])


def test_several_ids_that_begin_as_named_are_none(dlq: Dlq, room: Room) -> None:
    for number in range(17):  # of 16 first letters
        room.die(str(number), DependencyUnavailable("x"))
    first = Counter(each.id[0] for each in room.service.look(_all())[2].messages).most_common(1)[0][0]
    refused = dlq("replay", "--message", first)
    assert refused.exit_code == 1
    assert "several ids begin like this" in str(refused.exception)
    assert room.sqs.visible(f"{UPLOADS}-dead") == 17


def test_a_body_nested_deeper_than_any_of_ours_is_shown_as_it_is(dlq: Dlq, room: Room) -> None:
    body = "[" * 100_000 + "]" * 100_000
    room.die(body, DependencyUnavailable("x"))
    (message,) = room.service.look(_all())[2].messages
    for words in (["show", message.id], ["show", message.id, "--json"], ["list", "--messages"]):
        shown = dlq(*words)
        assert shown.exit_code == 0, (words, shown.exception)
    assert body in dlq("show", message.id).output


def test_an_export_is_reported_in_words_or_as_json(dlq: Dlq, room: Room, tmp_path: Path) -> None:
    room.die("a", DependencyUnavailable("x"))
    report = json.loads(dlq("export", str(tmp_path / "one.jsonl"), "--json").output)
    assert report["counts"] == {"exported": 1}
    assert [line["error"] for line in report["messages"]] == ["DependencyUnavailable"]
    assert "1 written" in dlq("export", str(tmp_path / "two.jsonl")).output
    assert (tmp_path / "one.jsonl").read_text() == (tmp_path / "two.jsonl").read_text()
    refused = dlq("export", "-", "--json")
    assert (refused.exit_code, "JSON on every line" in " ".join(refused.output.split())) == (2, True)


@pytest.mark.parametrize("words", [("--queue", "nosuch"), ("--error", "Other")])
def test_an_export_of_nothing_leaves_its_file_to_the_next(dlq: Dlq, room: Room, words: tuple[str, ...]) -> None:
    room.die("a", DependencyUnavailable("x"))
    dlq("export", "kept.jsonl", *words)
    assert list(Path.cwd().iterdir()) == []
    assert dlq("export", "kept.jsonl").output == "1 written: 1 DependencyUnavailable\n"
    again = dlq("export", "kept.jsonl")
    assert (again.exit_code, "is there already" in str(again.exception)) == (1, True), "it is never written over"
    assert [(each.name, stat.S_IMODE(each.stat().st_mode)) for each in Path.cwd().iterdir()] == [("kept.jsonl", 0o600)]


@pytest.mark.parametrize("broken_off", [KeyboardInterrupt, DependencyUnavailable("x"), OSError(28, "No space left")])
def test_an_export_that_is_cut_off_leaves_no_file(
    dlq: Dlq, room: Room, monkeypatch: pytest.MonkeyPatch, broken_off: Any
) -> None:
    def export(_: Choice, file: IO[str]) -> None:
        file.write("{}\n" * 10_000)
        raise broken_off

    monkeypatch.setattr(room.service, "export", export)
    assert dlq("export", "kept.jsonl").exit_code != 0
    assert list(Path.cwd().iterdir()) == []


@contextmanager
def _disk_of(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("bodies", [["a"], ["a" * 50_000], ["a" * 50_000] * 3])
def test_an_export_that_the_disk_has_no_room_for_says_so_in_a_line_and_leaves_no_file(
    dlq: Dlq, room: Room, bodies: list[str]
) -> None:
    for body in bodies:
        room.die(body, DependencyUnavailable("x"))
    with _disk_of(10):
        done = dlq("export", "kept.jsonl")
    assert (done.exit_code, str(done.exception)) == (1, "kept.jsonl: File too large")
    assert isinstance(done.exception, CliError)
    assert list(Path.cwd().iterdir()) == []


def test_a_purge_that_the_disk_has_no_room_for_removes_nothing(dlq: Dlq, room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    with _disk_of(10):
        done = dlq("purge", "--all", "--to", "kept.jsonl", "--yes")
    assert (done.exit_code, str(done.exception)) == (1, "kept.jsonl: File too large")
    assert list(Path.cwd().iterdir()) == []
    assert room.sqs.bodies(f"{UPLOADS}-dead")


def test_a_purge_that_the_disk_has_room_for_the_beginning_of_leaves_whole_lines(
    dlq: Dlq, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.die("a", DependencyUnavailable("x"))
    purge = room.service.purge

    def full_then(choice: Choice, file: IO[str], *, flush: Callable[[], None]) -> None:
        purge(choice, file, flush=flush)
        file.write("half a line")
        file.flush()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room.service, "purge", full_then)
    done = dlq("purge", "--all", "--to", "kept.jsonl", "--yes")
    assert str(done.exception) == "kept.jsonl: No space left on device"
    assert dlq("import", "kept.jsonl").output == "1 brought back: 1 DependencyUnavailable\n"


def test_an_export_removes_what_a_killed_one_left_and_nothing_that_is_being_written(dlq: Dlq, room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    Path(".dead-letters-left.partial").write_text("{")
    Path(".dead-letters-link.partial").symlink_to("elsewhere")
    os.mkfifo(".dead-letters-pipe.partial")
    with Path(".dead-letters-busy.partial").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        assert dlq("export", "kept.jsonl").exit_code == 0
    assert {each.name for each in Path.cwd().iterdir()} == {
        "kept.jsonl",
        ".dead-letters-busy.partial",
        ".dead-letters-link.partial",
        ".dead-letters-pipe.partial",
    }


def test_an_export_writes_over_nothing_that_came_to_be_there_meanwhile(
    dlq: Dlq, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.die("a", DependencyUnavailable("x"))
    look = room.service.look

    def meanwhile(choice: Choice) -> Any:
        Path("kept.jsonl").write_text("another's")
        return look(choice)

    monkeypatch.setattr(room.service, "look", meanwhile)
    assert dlq("export", "kept.jsonl").exit_code == 1
    assert [(each.name, each.read_text()) for each in Path.cwd().iterdir()] == [("kept.jsonl", "another's")]


def test_a_purge_that_is_cut_off_keeps_what_may_be_nowhere_else(
    dlq: Dlq, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.die("a", DependencyUnavailable("x"))
    purge, purged = room.service.purge, []

    def cut_off(choice: Choice, file: IO[str], *, flush: Callable[[], None]) -> None:
        if purged:
            purge(choice, file, flush=flush)
        purged.append(choice)
        raise KeyboardInterrupt

    monkeypatch.setattr(room.service, "purge", cut_off)
    dlq("purge", "--all", "--to", "kept.jsonl", "--yes")
    assert not Path("kept.jsonl").exists(), "nothing was removed yet"
    dlq("purge", "--all", "--to", "kept.jsonl", "--yes")
    assert json.loads(Path("kept.jsonl").read_text())["body"] == "a"
    assert not room.sqs.bodies(f"{UPLOADS}-dead")


def _all() -> Any:
    return Choice()


def test_the_execution_of_the_latest_run_is_looked_at(database: Database) -> None:
    owner = a_contributor(database)
    image = an_image(database, owner, object_version="v1", run=3)
    client: Any = NoExecutions()
    ImageInspector(database=database, step_functions=client, state_machine_arn="arn:stateMachine:x").image(image)
    job = IngestionJob(image_id=image, contributor_id=owner, key="x", version_id="v1", run=3)
    assert client.asked_for == [f"arn:execution:x:{job.execution_name}"]
    assert job.execution_name.endswith("-3")


def test_a_replay_reports_and_its_status_says_what_is_left(dlq: Dlq, room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    dry = dlq("replay", "--all", "--dry-run", "--json")
    assert json.loads(dry.output)["counts"] == {"would_replay": 1}
    assert dlq("replay", "--error", "Other").output.startswith("No dead letter matches")
    done = dlq("replay", "--error", "dependencyunavailable", "--limit", "5", "--rate", "100")
    assert (done.exit_code, done.stdout) == (0, "1 replayed: 1 DependencyUnavailable\n")
    for _ in range(3):
        room.consume(_fail)
    refused = dlq("replay", "--all")
    assert refused.exit_code == SOMETHING_LEFT
    assert "replayed once already" in refused.output
    assert dlq("replay", "--all", "--force").exit_code == 0


def _fail(_: Any) -> None:
    raise DependencyUnavailable("x")


def test_a_purge_asks_and_keeps_what_it_removes(dlq: Dlq, room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    refused = dlq("purge", "--all", "--to", "kept.jsonl", input="n\n")
    assert refused.exit_code == 1
    assert room.sqs.visible(f"{UPLOADS}-dead") == 1
    assert not Path("kept.jsonl").exists()
    done = dlq("purge", "--all", "--to", "kept.jsonl", "--yes")
    assert done.exit_code == 0, done.output
    assert not room.sqs.bodies(f"{UPLOADS}-dead")
    assert stat.S_IMODE(Path("kept.jsonl").stat().st_mode) == 0o600
    room.die("b", DependencyUnavailable("x"))
    again = dlq("purge", "--all", "--to", "kept.jsonl", "--yes")
    assert again.exit_code == 1
    assert room.sqs.visible(f"{UPLOADS}-dead") == 1, "a file is never written over"
    back = dlq("import", "kept.jsonl")
    assert (back.exit_code, back.output) == (0, "1 brought back: 1 DependencyUnavailable\n")


@pytest.fixture
def kept(dlq: Dlq, room: Room) -> str:
    """A file of three messages that are dead no more."""
    for body in "abc":
        room.die(body, DependencyUnavailable("x"))
    assert dlq("purge", "--all", "--to", "kept.jsonl", "--yes").exit_code == 0
    return Path("kept.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("way", ["file", "fifo", "stdin"])
@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (b"x" * (8 * 2**20 + 1), "line 4 has more than 8 MiB, and is no dead letter; nothing was imported"),
        (b'{"body": "\xe9"}', "line 4 is no UTF-8"),
        (b"x" * (8 * 2**20), "Line 4 is not an exported dead letter; nothing was imported"),
    ],
)
def test_a_line_that_no_message_can_be_is_named_and_nothing_is_sent(
    dlq: Dlq, room: Room, kept: str, way: str, odd: bytes, said: str
) -> None:
    content = kept.encode() + odd + b"\n" + kept.encode()
    if way == "stdin":
        refused = dlq("import", "-", input=content)
    else:
        with _written("odd.jsonl", content, fifo=way == "fifo"):
            refused = dlq("import", "odd.jsonl")
    assert (refused.exit_code, said in f"{refused.output}{refused.exception}") == (1, True), refused.output
    assert not room.sqs.bodies(f"{UPLOADS}-dead")


@contextmanager
def _written(name: str, content: bytes, *, fifo: bool) -> Iterator[None]:
    """The file, or a pipe of this name that somebody writes it into as far as it is read."""
    if not fifo:
        Path(name).write_bytes(content)
        yield
        return
    os.mkfifo(name)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), Path(name).open("wb") as pipe:
            pipe.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    yield
    writer.join()


def test_a_pipe_is_imported_as_a_file_is(dlq: Dlq, kept: str) -> None:
    with _written("pipe", kept.encode(), fifo=True):
        assert dlq("import", "pipe").output == "3 brought back: 3 DependencyUnavailable\n"
    assert dlq("import", "kept.jsonl").output == "3 were there already: 3 DependencyUnavailable\n"


def test_a_file_without_an_end_is_not_read_to_it(dlq: Dlq) -> None:
    refused = dlq("import", "/dev/zero")
    assert (refused.exit_code, "line 1 has more than 8 MiB" in str(refused.exception)) == (1, True), refused.output


def test_an_import_holds_one_line_at_a_time(room: Room) -> None:
    """However long the file is: no message is there any more once the next one is read."""
    room.die("a", DependencyUnavailable("x"))
    file = io.StringIO()
    room.service.purge(Choice(), file, flush=lambda: None)
    document = json.loads(file.getvalue())
    held: list[weakref.ref[DeadMessage]] = []
    send = room.service._queues.send

    def sent(url: str, message: DeadMessage, *more: Any) -> str:
        assert sum(each() is not None for each in held) <= 1
        held.append(weakref.ref(message))
        return send(url, message, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room.service._queues, "send", sent)
        lines = [json.dumps({**document, "id": str(number)}) for number in range(20)]
        assert room.service.bring_back(lines).counts == {"imported": 20}


def test_an_export_can_be_piped(dlq: Dlq, room: Room) -> None:
    room.die("a", DependencyUnavailable("x"))
    piped = dlq("export", "-")
    assert json.loads(piped.output)["body"] == "a"
    assert dlq("import", "-", input=piped.output).output == "1 were there already: 1 DependencyUnavailable\n"


@pytest.mark.parametrize(
    "words",
    [
        *(("--older-than", "2 weeks"), ("--image", "x"), ("--limit", "0"), ("--what",)),
        # everything is only meant when it is said
        *((), ("--dry-run",), ("--all", "--queue", "uploads")),
    ],
)
def test_wrong_usage_is_told_apart(dlq: Dlq, words: tuple[str, ...]) -> None:
    assert dlq("replay", *words).exit_code == 2
