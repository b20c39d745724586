"""`imagemarket dlq`: messages and jobs that failed each time, in any stage."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from imagemarket.cli.client import CliError
from imagemarket.cli.closed_pipe import DISK_FULL
from imagemarket.cli.stage import Stage, deployment
from imagemarket.cli.terminal import cell, confirm, counted, say
from imagemarket.platform.validation import shown

if TYPE_CHECKING:
    from imagemarket.operations.dead_letters.models import Choice, DeadMessage, Line, Report
    from imagemarket.operations.dead_letters.service import DeadLetters, QueueView

SOMETHING_LEFT = 3
"""Exit status when something was refused or failed, or when `list --fail-if-any` found dead letters."""

_TOLD_AT_MOST = 10
_ID_LETTERS = 36
"""Of a message's id, which SQS makes as a UUID."""

_MOST_OF_A_LINE = 8 * 1024**2
"""Bytes: a message of SQS has 1 MiB at most, each byte of which JSON may write with six."""

app = typer.Typer(
    name="dlq",
    help="Dead letters: messages that failed three times, and scheduled jobs that failed.\n\n"
    "Start with `list`, look at one with `show MESSAGE`, mend the cause, try `replay --dry-run`, then `replay`. "
    "What is beyond help is put into a file and removed by `purge`; `import` brings such a file back.\n\n"
    "Looking at messages hides them from others for a moment; nothing is lost if a command is interrupted.\n\n"
    "Exit status: 0 done, 1 an error, 2 wrong usage, 3 something was refused or failed "
    "(or there are dead letters, for `list --fail-if-any`), 130 interrupted.",
    no_args_is_help=True,
)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 30m, 2h or 3d")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    try:
        return timedelta(**{unit: int(found[1])})
    except (OverflowError, ValueError):  # also of more digits than are read
        raise typer.BadParameter(f"{shown(text)} is longer than any time that is counted") from None


_Queue = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this queue, by the name that `list` shows, e.g. uploads.")
]
_Error = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only messages with this cause, as `list` spells it; repeat for more, or A,B."),
]
_Image = Annotated[UUID | None, typer.Option(metavar="ID", help="Only messages about this image.")]
_Contributor = Annotated[UUID | None, typer.Option(metavar="ID", help="Only messages about this contributor's images.")]
_Older = Annotated[
    timedelta | None,
    typer.Option(parser=_duration, metavar="TIME", help="Only messages sent longer ago than this: 90s, 30m, 2h, 3d."),
]
_Newer = Annotated[
    timedelta | None,
    typer.Option(parser=_duration, metavar="TIME", help="Only messages sent more recently than this: 90s, 30m, 2h."),
]
_Message = Annotated[str | None, typer.Option(metavar="ID", help="Only this message; its id's beginning is enough.")]
_All = Annotated[bool, typer.Option("--all", help="Every dead letter of the stage; needed when no filter is given.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]


def _choice(
    queue: str | None,
    error: list[str] | None,
    image: UUID | None,
    contributor: UUID | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    message: str | None = None,
) -> Choice:
    from imagemarket.operations.dead_letters.models import Choice

    return Choice(
        queue=queue,
        message=message,
        errors=frozenset(error or []),
        image=image,
        contributor=contributor,
        older_than=older_than,
        newer_than=newer_than,
    )


def _filtered(choice: Choice, *, all_: bool) -> None:
    """Nobody replays or removes everything by leaving something out."""
    if all_ == (choice != type(choice)()):
        raise typer.BadParameter("say which by a filter, or every one by --all (not both)")


def _begun(service: DeadLetters, beginning: str, choice: Choice) -> DeadMessage:
    """The one of the chosen messages whose id begins so. Raises `CliError` where there is none, or several."""
    begins = beginning.strip().lower()
    found = [each for view in service.look(choice) for each in view.messages if begins and each.id.startswith(begins)]
    if len(found) != 1:
        raise _not_named(beginning, choice, several=bool(found))
    return found[0]


def _check_found(report: Report, choice: Choice) -> None:
    """Raises `CliError` where a message was named and is not there."""
    if choice.message is not None and not report.lines:
        raise _not_named(choice.message, choice.model_copy(update={"message": None}))


def _not_named(message: str, choice: Choice, *, several: bool = False) -> CliError:
    filtered = " that the other filters leave" if choice != type(choice)() else ""
    return CliError(
        f"{shown(message)}: {'several ids begin like this' if several else f'no dead letter{filtered} has this id'};"
        " `list --messages` names them (a message that somebody else looks at is back in two minutes)"
    )


def _whole(service: DeadLetters, choice: Choice) -> Choice:
    """The choice with the whole id of a message of which the beginning was given."""
    if choice.message is None or len(choice.message) >= _ID_LETTERS:
        return choice.model_copy(update={"message": choice.message and choice.message.strip().lower()})
    others = choice.model_copy(update={"message": None})
    return choice.model_copy(update={"message": _begun(service, choice.message, others).id})


@contextmanager
def _dead_letters(stage: str) -> Iterator[DeadLetters]:
    """The service of a stage; what it and AWS refuse becomes one line."""
    from imagemarket.app import app

    with deployment(stage):
        yield app().operations.dead_letters


# --- looking -----------------------------------------------------------------------------------------


@app.command("list")
def list_(
    queue: _Queue = None,
    error: _Error = None,
    image: _Image = None,
    contributor: _Contributor = None,
    older_than: _Older = None,
    newer_than: _Newer = None,
    messages: Annotated[bool, typer.Option("--messages", help="Name each message instead of counting them.")] = False,
    fail_if_any: Annotated[bool, typer.Option(help="Exit with 3 when there is a dead letter; for monitoring.")] = False,
    as_json: _AsJson = False,
    stage: Stage = "local",
) -> None:
    """Every queue of dead letters: how many, since when, and why.

    A cause is the class of the error that the message failed with last. `Unrecorded` means that its consumer ended
    without a word: it ran out of time or memory, or had no database. `replayed` counts messages that were sent
    again and died again; `remediation` is the schedule that replays what may pass, at most twice each.
    """
    with _dead_letters(stage) as service:
        views = service.look(_choice(queue, error, image, contributor, older_than, newer_than))
    if as_json:
        typer.echo(json.dumps([_view_document(view, messages=messages) for view in views], indent=2))
    elif messages:
        _show_messages(views)
    else:
        _show_queues(views)
    if fail_if_any and any(view.messages for view in views):
        raise typer.Exit(SOMETHING_LEFT)


def _view_document(view: QueueView, *, messages: bool) -> dict[str, Any]:
    oldest = min((message.sent_at for message in view.messages), default=None)
    document: dict[str, Any] = {
        "queue": view.queue.name,
        "url": view.queue.url,
        "seen": len(view.messages),
        "held_by_others": view.queue.held,
        "oldest": oldest.isoformat() if oldest else None,
        "causes": dict(Counter(message.cause.error for message in view.messages).most_common()),
        "replayed": dict(Counter(message.replayed_by for message in view.messages if message.replays)),
    }
    if messages:
        document["messages"] = [message.model_dump(mode="json", exclude={"attributes"}) for message in view.messages]
    return document


def _show_queues(views: list[QueueView]) -> None:
    rows: list[tuple[str, ...]] = []
    for view in views:
        causes = Counter(message.cause.error for message in view.messages).most_common()
        first, *others = causes or [("", 0)]
        oldest = min((message.sent_at for message in view.messages), default=None)
        replayed = Counter(message.replayed_by for message in view.messages if message.replays)
        rows.append(
            (
                view.queue.name,
                str(len(view.messages)),
                _age(oldest) if oldest else "",
                f"{first[1]} {first[0]}" if first[1] else "",
                ", ".join(f"{number} by {who}" for who, number in replayed.most_common()),
                str(view.queue.held) if view.queue.held else "",
            )
        )
        rows += [("", "", "", f"{number} {error}", "", "") for error, number in others]
    _table(("queue", "dead", "oldest", "causes", "replayed", "held by others"), rows)


def _show_messages(views: list[QueueView]) -> None:
    _table(
        ("queue", "message", "age", "cause", "image", "replayed"),
        [
            (
                message.queue,
                message.id,
                _age(message.sent_at),
                message.cause.error,
                str(message.image_id or ""),
                f"{message.replays} (by {message.replayed_by})" if message.replays else "",
            )
            for view in views
            for message in sorted(view.messages, key=lambda message: message.sent_at)
        ],
    )


@app.command("show")
def show(
    message: Annotated[str, typer.Argument(help="The message's id, from `list --messages`; its beginning is enough.")],
    as_json: _AsJson = False,
    stage: Stage = "local",
) -> None:
    """One message: its content, why it failed, and how its image and that image's execution stand."""
    from imagemarket.app import app
    from imagemarket.operations.dead_letters.models import Choice

    with _dead_letters(stage) as service:
        chosen = _begun(service, message, Choice())
        image = app().operations.image_inspector.image(chosen.image_id) if chosen.image_id else None
    if as_json:
        document = chosen.model_dump(mode="json", exclude={"attributes"}) | {
            "attributes": {name: _attribute(given) for name, given in chosen.attributes.items()},
            "image": image.model_dump(mode="json") if image else None,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    _show_message(chosen)
    if chosen.image_id and image is None:
        say("")
        say("The image has no row: it was never announced, or its upload was given up.")
    if image is None:
        return
    say("")
    say(f"Image {image.image_id} of contributor {image.contributor_id}")
    say(f"  {image.title!r}: {image.status}, version {image.version}, changed {_age(image.updated_at)} ago")
    if image.rejection:
        say(f"  {image.rejection.get('code')}: {image.rejection.get('detail')}")
    for step in image.steps:
        why = f"  {step.error.get('error')}: {step.error.get('detail', '')}" if step.error else ""
        say(f"  {step.step:<18} {step.status} ({step.attempts})" + why)
    if image.execution:
        say(f"Execution {image.execution}: {image.execution_status}")
    for event in image.history:
        why = f"  {event.error or ''} {(event.cause or '')[:200]}".rstrip()
        say(f"  {event.at:%Y-%m-%d %H:%M:%S} {event.event}{why}")


def _attribute(given: dict[str, Any]) -> dict[str, Any]:
    """As `export` writes it: bytes in base64."""
    return {key: base64.b64encode(each).decode() if isinstance(each, bytes) else each for key, each in given.items()}


def _show_message(message: DeadMessage) -> None:
    say(f"Message {message.id} in {message.queue}, sent {_age(message.sent_at)} ago")
    cause = message.cause
    where = f" in {cause.function}" if cause.function else ""
    request = f", request {cause.request_id}" if cause.request_id else ""
    say(f"Cause: {cause.error}{where}{request}")
    say("  " + cause.detail.replace("\n", "\n  "), lines=True)
    if message.replays:
        say(f"Replayed: {message.replays} times, last by {message.replayed_by}; it died again")
    for name, attribute in message.attributes.items():
        say(f"Attribute {name}: {attribute.get('StringValue', '(bytes)')}")
    try:
        body = json.dumps(json.loads(message.body), indent=2)
    except (ValueError, RecursionError):  # no JSON, or nested deeper than anything of ours
        body = message.body
    say(f"Body:\n{body}", lines=True)


# --- acting ------------------------------------------------------------------------------------------


@app.command("replay")
def replay(
    queue: _Queue = None,
    error: _Error = None,
    image: _Image = None,
    contributor: _Contributor = None,
    older_than: _Older = None,
    newer_than: _Newer = None,
    message: _Message = None,
    all_: _All = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many messages.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="At most this many messages a second.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what was replayed before and died again; mend the cause first.")
    ] = False,
    as_json: _AsJson = False,
    stage: Stage = "local",
) -> None:
    """Send dead letters back to where they failed, with their attributes.

    A message that was replayed before and died again is refused (exit status 3) unless --force. An interrupted
    replay can simply be run again: every message is sent once and none is lost.
    """
    choice = _choice(queue, error, image, contributor, older_than, newer_than, message)
    _filtered(choice, all_=all_)
    with _dead_letters(stage) as service:
        choice = _whole(service, choice)
        with _progress("Replaying", service, choice, quiet=as_json or dry_run) as advance:
            report = service.replay(
                choice,
                replayed_by=os.environ.get("USER") or "admin",
                limit=limit,
                rate=rate,
                dry_run=dry_run,
                most_replays=None if force else 1,
                progress=advance,
            )
    _check_found(report, choice)
    _tell(report, as_json=as_json)


@app.command("purge")
def purge(
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the messages are kept; dead-letters-TIME.jsonl here by default."),
    ] = None,
    queue: _Queue = None,
    error: _Error = None,
    image: _Image = None,
    contributor: _Contributor = None,
    older_than: _Older = None,
    newer_than: _Newer = None,
    message: _Message = None,
    all_: _All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
    as_json: _AsJson = False,
    stage: Stage = "local",
) -> None:
    """Remove dead letters for good. Each is first written to a file, which `import` can bring back."""
    choice = _choice(queue, error, image, contributor, older_than, newer_than, message)
    _filtered(choice, all_=all_)
    with _dead_letters(stage) as service:
        choice = _whole(service, choice)
        number = sum(len(view.messages) for view in service.look(choice))
        if number and not yes:
            confirm(f"Remove {counted(number, 'dead letter')} of stage {stage}?")
        target = to or Path(f"dead-letters-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
        report = _purge(service, choice, target) if number else None
    if report is None:
        from imagemarket.operations.dead_letters.models import Report

        report = Report()
        _check_found(report, choice)
    elif report.lines and not as_json:
        say(f"They are in {target}.")
    _tell(report, as_json=as_json)


def _purge(service: DeadLetters, choice: Choice, target: Path) -> Report:
    with _new_file(target) as (file, flush):
        return service.purge(choice, file, flush=flush)


@app.command("export")
def export(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, or - for stdout.")],
    queue: _Queue = None,
    error: _Error = None,
    image: _Image = None,
    contributor: _Contributor = None,
    older_than: _Older = None,
    newer_than: _Newer = None,
    message: _Message = None,
    as_json: _AsJson = False,
    stage: Stage = "local",
) -> None:
    """Write dead letters to a file, a JSON document on each line; they stay where they are.

    With --json what was written is told as JSON; stdout, as -, carries the messages alone.
    """
    choice = _choice(queue, error, image, contributor, older_than, newer_than, message)
    if as_json and str(to) == "-":
        raise typer.BadParameter("--json tells what went into a file; - has JSON on every line already")
    with _dead_letters(stage) as service:
        choice = _whole(service, choice)
        if str(to) == "-":
            _check_found(service.export(choice, sys.stdout), choice)
            return
        with _whole_file(to) as file:
            report = service.export(choice, file)
    _check_found(report, choice)
    _tell(report, as_json=as_json)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `export` or `purge`, or - for stdin.")],
    as_json: _AsJson = False,
    stage: Stage = "local",
) -> None:
    """Bring messages of a file back among the dead letters, where `replay` can send them.

    What is there already is left alone, so an interrupted import can be run again.
    """
    with _lines_of(source) as lines:
        if not as_json and not any(line.strip() for line in lines):
            say(f"There is no dead letter in {source}.")
            return
        with _dead_letters(stage) as service:
            report = service.bring_back(lines)
    _tell(report, as_json=as_json)


@dataclass(frozen=True)
class _Lines:
    """The lines of a file that can be gone through again, one at a time in memory."""

    name: str
    file: IO[bytes]
    start: int

    def __iter__(self) -> Iterator[str]:
        """Raises `CliError` for a line that no message can be."""
        self.file.seek(self.start)
        for number, line in enumerate(_bounded(self.name, self.file), start=1):
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise CliError(f"{self.name}: line {number} is no UTF-8, as a file of dead letters is") from None


@contextmanager
def _lines_of(source: Path) -> Iterator[_Lines]:
    """What cannot be gone through twice, as a pipe, is put into a file of its own until this ends."""
    with ExitStack() as stack:
        try:
            file = sys.stdin.buffer if str(source) == "-" else stack.enter_context(source.open("rb"))
        except OSError as problem:
            raise CliError(f"{source}: {problem.strerror}") from problem
        if file.seekable():
            yield _Lines(str(source), file, file.tell())
            return
        kept = stack.enter_context(tempfile.TemporaryFile())
        kept.writelines(_bounded(str(source), file))
        yield _Lines(str(source), kept, 0)


def _bounded(name: str, file: IO[bytes]) -> Iterator[bytes]:
    """Its lines. Raises `CliError` where it cannot be read, and for a line that is longer than any message's."""
    for number in count(1):
        try:
            line = file.readline(_MOST_OF_A_LINE + 1)
        except OSError as problem:
            raise CliError(f"{name}: {problem.strerror}") from problem
        if not line:
            return
        if len(line) > _MOST_OF_A_LINE and not line.endswith(b"\n"):
            raise CliError(
                f"{name}: line {number} has more than {_MOST_OF_A_LINE // 1024**2} MiB, and is no dead letter; "
                "nothing was imported"
            )
        yield line


# --- telling -----------------------------------------------------------------------------------------


@contextmanager
def _new_file(path: Path) -> Iterator[tuple[IO[str], Callable[[], None]]]:
    """A new file, readable by its owner alone, since messages name people's pictures, and what makes certain that it
    holds what was written. All that was made certain of stays where this breaks off: it may be nowhere else. Without
    a line there is no file. Raises `CliError` where there cannot be one, and where the disk takes no more."""
    with _cannot_be_written(path):
        handle = _open_new(path)
    certain = 0

    def flush() -> None:
        nonlocal certain
        file.flush()
        os.fsync(handle)
        certain = os.fstat(handle).st_size

    try:
        with _until_full(path), os.fdopen(handle, "w", encoding="utf-8", closefd=False) as file:
            yield file, flush
            flush()
    finally:
        os.ftruncate(handle, certain)  # half a line would keep the others from being imported
        os.close(handle)
        if not certain:
            path.unlink()


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[str]]:
    """The same of a file that can be written again: it has its name when all is in it, and one of its own before."""
    with _cannot_be_written(path):
        if os.path.lexists(path):
            raise FileExistsError
        _remove_partials(path.parent)
        handle, partial = _open_partial(path.parent)
    try:
        with _until_full(path), os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            if partial.stat().st_size:
                with _cannot_be_written(path):
                    os.close(_open_new(path))  # a renaming alone would write over what came to be there meanwhile
                    partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


_PARTIAL = ".dead-letters-", ".partial"


def _open_partial(folder: Path) -> tuple[int, Path]:
    """Locked while it is written, so that it is known for one that a killed export left afterwards."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=_PARTIAL[0], suffix=_PARTIAL[1])
        with suppress(OSError):  # of a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # another export removed it before it was locked


def _remove_partials(folder: Path) -> None:
    for path in folder.glob("*".join(_PARTIAL)):
        with suppress(OSError):  # another user's, or one that is being written
            handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(handle)


def _open_new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


@contextmanager
def _cannot_be_written(path: Path) -> Iterator[None]:
    """Raises `CliError` that says why."""
    try:
        yield
    except FileExistsError:
        raise CliError(f"{path} is there already; name another file") from None
    except OSError as problem:
        raise CliError(f"{path}: {problem.strerror}") from problem


@contextmanager
def _until_full(path: Path) -> Iterator[None]:
    """Raises `CliError` where the disk takes no more of the file."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in DISK_FULL or problem.filename is not None:
            raise
        raise CliError(f"{path}: {problem.strerror}") from problem


@contextmanager
def _progress(title: str, service: DeadLetters, choice: Choice, *, quiet: bool) -> Iterator[Callable[[Line], None]]:
    """A bar on stderr while there is somebody to watch it."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(queue.waiting for queue in service.queues(choice.queue))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda _: bar.advance(task)


_SAID = {
    "replayed": "replayed",
    "finished": "had been sent by an interrupted replay, now removed",
    "would_replay": "would be replayed",
    "refused": "refused",
    "failed": "failed and are still there",
    "purged": "removed",
    "exported": "written",
    "imported": "brought back",
    "there": "were there already",
}


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        document = {"counts": report.counts, "messages": [line.model_dump(mode="json") for line in report.lines]}
        typer.echo(json.dumps(document, indent=2))
    else:
        if not report.lines:
            say("No dead letter matches; `list` shows which there are.")
        for outcome, number in report.counts.items():
            causes = Counter(line.error for line in report.lines if line.outcome == outcome).most_common()
            say(f"{number} {_SAID[outcome]}: " + ", ".join(f"{count} {error}" for error, count in causes))
        told = [line for line in report.lines if line.reason]
        for line in told[:_TOLD_AT_MOST]:
            say(f"  {line.queue} {line.message_id} {line.error}: {line.reason}", err=True)
        if len(told) > _TOLD_AT_MOST:
            say(f"  and {len(told) - _TOLD_AT_MOST} more; --json names each", err=True)
        if report.counts.get("replayed"):
            say("Whether that helped, `list` says when they have been tried three times.", err=True)
        if report.counts.get("refused"):
            say("Refused messages are replayed with --force; look at one with `show` first.", err=True)
    if not report.clean:
        raise typer.Exit(SOMETHING_LEFT)


def _age(moment: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*(cell(each) for each in row))
    console = Console()
    console = console if console.is_terminal and console.width >= 100 else Console(width=160)
    console.print(table)
