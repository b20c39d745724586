"""Dead letters: listed by cause, sent again once, put away in a file and brought back."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any

from imagemarket.operations.dead_letters.hold import Hold
from imagemarket.operations.dead_letters.models import Choice, DeadMessage, DeadQueue, Line, Outcome, Report
from imagemarket.operations.dead_letters.queues import DeadQueues
from imagemarket.operations.dead_letters.replays import Replays
from imagemarket.platform.aws import aws_errors
from imagemarket.platform.clock import Clock
from imagemarket.platform.errors import InvalidRequest, MarketError, NotFound
from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID, REPLAY_TOKEN
from imagemarket.platform.telemetry import logger

MOST_LOOKED_AT = 10_000
"""Messages of one queue that are looked at in one go."""

Progress = Callable[[Line], None]


@dataclass(frozen=True)
class QueueView:
    """A queue of dead letters and the messages seen in it."""

    queue: DeadQueue
    messages: list[DeadMessage]


def _nobody(_: Line) -> None:
    return


class DeadLetters:
    """Everything an administrator does with dead letters."""

    def __init__(
        self,
        *,
        queues: DeadQueues,
        replays: Replays,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._queues = queues
        self._replays = replays
        self._clock = clock
        self._sleep = sleep

    def queues(self, name: str | None = None) -> list[DeadQueue]:
        """All queues, or the named one. Raises `NotFound` for a name that no queue has, and where there is no queue
        at all: every deployment has some, so that none is no sign of health.
        """
        found = self._queues.all()
        if not found:
            raise NotFound("There is no queue of dead letters at all: is this stage deployed where you look?")
        if name is None:
            return found
        chosen = [queue for queue in found if queue.name == name]
        if not chosen:
            raise NotFound(f"There is no queue of dead letters {name!r}; there is {_listed(found)}.")
        return chosen

    def look(self, choice: Choice, *, most: int = MOST_LOOKED_AT) -> list[QueueView]:
        """The chosen messages of each queue; every message is seen again by others when this returns."""

        def view(queue: DeadQueue) -> QueueView:
            with self._hold(queue, most) as hold:
                return QueueView(queue, [each for each in self._messages(queue, hold) if self._is(choice, each)])

        queues = self.queues(choice.queue)
        with ThreadPoolExecutor(max_workers=max(1, min(4, len(queues)))) as pool:
            return list(pool.map(view, queues))

    def replay(
        self,
        choice: Choice,
        *,
        replayed_by: str,
        limit: int | None = None,
        rate: float | None = None,
        dry_run: bool = False,
        most_replays: int | None = 1,
        progress: Progress = _nobody,
    ) -> Report:
        """Sends chosen messages back to where they failed, with their attributes, and takes them out of the dead
        letters.

        At most `limit` messages, `rate` of them a second. A message that was replayed `most_replays` times already
        and died again is refused (None: never). Each is claimed in the journal before it is sent, and sent with
        the claim's token, so that a run that was interrupted anywhere can be followed by another: what was
        written down as sent is only removed, and what may have been sent is sent with the same token again, which
        its consumer drops.
        """
        report = Report()
        handled = 0

        def tell(line: Line) -> None:
            report.lines.append(line)
            progress(line)

        for queue in self.queues(choice.queue):
            with self._hold(queue) as hold:
                for message in self._messages(queue, hold):
                    if limit is not None and handled >= limit:
                        return report
                    if not self._is(choice, message):
                        continue
                    worn_out = most_replays is not None and message.replays >= most_replays
                    if dry_run or worn_out:
                        tell(_foretold(message, worn_out=worn_out))
                        handled += report.lines[-1].outcome == "would_replay"
                        continue
                    if rate is not None and handled:
                        self._sleep(1 / rate)
                        hold.renew()
                    tell(self._send_back(queue, hold, message, replayed_by))
                    handled += 1
        return report

    def _send_back(self, queue: DeadQueue, hold: Hold, message: DeadMessage, replayed_by: str) -> Line:
        try:
            claim = self._replays.claim(message, replayed_by=replayed_by)
            with aws_errors("AWS"):
                if claim.sent_as is not None:
                    hold.delete(message.id)
                    return _line(message, "finished", sent_as=claim.sent_as)
                origin = message.text(ORIGINAL_MESSAGE_ID) or message.id
                sent_as = self._queues.send_back(
                    queue, message, {REPLAY_TOKEN: str(claim.token), ORIGINAL_MESSAGE_ID: origin}
                )
                self._replays.sent(message.id, sent_as=sent_as)
                hold.delete(message.id)
        except MarketError as error:
            return _line(message, "failed", reason=error.detail)
        logger.info(
            "dead letter replayed",
            queue=queue.name,
            message_id=message.id,
            sent_as=sent_as,
            cause=message.cause.error,
            image_id=str(message.image_id) if message.image_id else None,
            replayed_by=replayed_by,
        )
        return _line(message, "replayed", sent_as=sent_as)

    # --- files -------------------------------------------------------------------------------------

    def export(self, choice: Choice, file: IO[str], *, progress: Progress = _nobody) -> Report:
        """Writes the chosen messages as JSON lines; they stay where they are."""
        report = Report()
        for view in self.look(choice):
            for message in view.messages:
                _write(file, message)
                report.lines.append(_line(message, "exported"))
                progress(report.lines[-1])
        return report

    def purge(
        self, choice: Choice, file: IO[str], *, flush: Callable[[], None], progress: Progress = _nobody
    ) -> Report:
        """Takes the chosen messages out for good; each is in `file`, and `flush` has made that certain, before it
        is deleted."""
        report = Report()
        for queue in self.queues(choice.queue):
            with self._hold(queue) as hold:
                chosen = [each for each in self._messages(queue, hold) if self._is(choice, each)]
                for message in chosen:
                    _write(file, message)
                flush()
                for message in chosen:
                    hold.renew()
                    hold.delete(message.id)
                    logger.info("dead letter purged", queue=queue.name, message_id=message.id)
                    report.lines.append(_line(message, "purged"))
                    progress(report.lines[-1])
        return report

    def bring_back(self, lines: Iterable[str], *, progress: Progress = _nobody) -> Report:
        """Puts exported messages back among the dead letters of their queues, under new ids that remember the old.

        What is there already is left alone, so an import that was interrupted can be repeated. `lines` is gone through
        twice, and none of it kept: raises `InvalidRequest` for a line that is no exported message, and `NotFound` for
        a queue that there is not, before anything is sent.
        """
        numbers = Counter(message.queue for message in _read(lines))
        queues = {name: self.queues(name)[0] for name in sorted(numbers)}
        there = {name: self._known(queue) for name, queue in queues.items()}
        report = Report()
        for message in islice(_read(lines), numbers.total()):  # a file may have grown meanwhile
            known = there[message.queue]
            origin = message.text(ORIGINAL_MESSAGE_ID) or message.id
            if {message.id, origin} & known:
                line = _line(message, "there")
            else:
                known.add(origin)
                sent_as = self._queues.send(queues[message.queue].url, message, {ORIGINAL_MESSAGE_ID: origin})
                line = _line(message, "imported", sent_as=sent_as)
            report.lines.append(line)
            progress(line)
        return report

    def _known(self, queue: DeadQueue) -> set[str]:
        """The ids of a queue's messages, and those that they had before they were brought back."""
        with self._hold(queue) as hold:
            return {
                known
                for each in self._messages(queue, hold)
                for known in (each.id, each.text(ORIGINAL_MESSAGE_ID))
                if known
            }

    # --- parts -------------------------------------------------------------------------------------

    def _hold(self, queue: DeadQueue, most: int = MOST_LOOKED_AT) -> Hold:
        return Hold(self._queues.sqs, queue.url, most=most)

    def _is(self, choice: Choice, message: DeadMessage) -> bool:
        return choice.matches(message, self._clock.now())

    def _messages(self, queue: DeadQueue, hold: Hold) -> Iterator[DeadMessage]:
        for batch in hold.batches():
            yield from self._replays.describe([_message(queue, raw) for raw in batch])


def _listed(queues: Sequence[DeadQueue]) -> str:
    return ", ".join(queue.name for queue in queues)


def _message(queue: DeadQueue, raw: dict[str, Any]) -> DeadMessage:
    return DeadMessage(
        id=raw["MessageId"],
        queue=queue.name,
        body=raw["Body"],
        attributes={
            name: {key: each[key] for key in ("DataType", "StringValue", "BinaryValue") if key in each}
            for name, each in raw.get("MessageAttributes", {}).items()
        },
        sent_at=datetime.fromtimestamp(int(raw["Attributes"]["SentTimestamp"]) / 1000, tz=UTC),
    )


def _line(message: DeadMessage, outcome: Outcome, *, reason: str | None = None, sent_as: str | None = None) -> Line:
    return Line(
        message_id=message.id,
        queue=message.queue,
        outcome=outcome,
        error=message.cause.error,
        image_id=message.image_id,
        reason=reason,
        sent_as=sent_as,
    )


def _foretold(message: DeadMessage, *, worn_out: bool) -> Line:
    if not worn_out:
        return _line(message, "would_replay")
    times = "once" if message.replays == 1 else f"{message.replays} times"
    return _line(message, "refused", reason=f"replayed {times} already (by {message.replayed_by}), and it died again")


def _write(file: IO[str], message: DeadMessage) -> None:
    document = message.model_dump(mode="python")
    for attribute in document["attributes"].values():
        if "BinaryValue" in attribute:
            attribute["BinaryValue"] = base64.b64encode(attribute["BinaryValue"]).decode()
    file.write(json.dumps(document, default=str, separators=(",", ":")) + "\n")


def _read(lines: Iterable[str]) -> Iterator[DeadMessage]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            message = DeadMessage.model_validate_json(line)
            for attribute in message.attributes.values():
                if "BinaryValue" in attribute:
                    attribute["BinaryValue"] = base64.b64decode(attribute["BinaryValue"], validate=True)
        except ValueError as error:  # pydantic's errors are of this kind
            raise InvalidRequest(f"Line {number} is not an exported dead letter; nothing was imported.") from error
        yield message
