"""What `./market chaos` does beside the stack: events die of a database that is away, and everything is put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local import chaos
from local.chaos import Chaos
from local.layout import LocalError

URL = "http://aws/000000000000/imagemarket-local-uploads"
PICTURES = [("good", Path("1.jpg")), ("twin", Path("2.jpg"))]


class Room:
    """A cloud's database and queue, and what was done to them in order; `deaths` events die at each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, deaths: int) -> None:
        self.done: list[str] = []
        self.dead = 3
        self._deaths = deaths
        self._away = False
        self.visibility = "120"
        room = self

        class Layout:
            def outputs(self) -> dict[str, str]:
                return {"UploadsQueueUrl": URL}

        class Supervisor:
            def stop(self, part: str) -> None:
                room.done.append(f"stop {part}")
                room._away = True

            def start(self, part: str) -> None:
                room.done.append(f"start {part}")
                room._away = False

        class Cloud:
            layout = Layout()
            supervisor = Supervisor()

        class Client:
            def __init__(self, _: Any) -> None: ...

            def announce_once(self, path: Path, key: str) -> dict[str, Any]:
                room.done.append(f"announce {path}")
                return {"image_id": f"image of {path}"}

            def send(self, ticket: dict[str, Any], path: Path) -> None:
                room.done.append(f"send {path}")

            def close(self) -> None: ...

        self.chaos = object.__new__(Chaos)
        vars(self.chaos).update(_cloud=Cloud(), _part=lambda name: name)
        monkeypatch.setattr(chaos, "aws_client", lambda *_: self)
        monkeypatch.setattr(chaos, "_Patient", Client)
        monkeypatch.setattr(chaos.time, "sleep", lambda _: None)

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        if AttributeNames == ["VisibilityTimeout"]:
            return {"Attributes": {"VisibilityTimeout": self.visibility}}
        assert QueueUrl == f"{URL}-dead"
        if self._away:
            assert self.visibility == "1"
            self.dead += self._deaths
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.dead)}}

    def set_queue_attributes(self, *, QueueUrl: str, Attributes: dict[str, str]) -> None:  # noqa: N803
        assert QueueUrl == URL
        self.visibility = Attributes["VisibilityTimeout"]


def test_bytes_arrive_while_the_database_is_away_until_each_event_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch, deaths=1)
    sent = room.chaos.let_events_die(PICTURES)
    assert [(each.image_id, each.kind) for each in sent] == [("image of 1.jpg", "good"), ("image of 2.jpg", "twin")]
    assert room.done == [
        *("announce 1.jpg", "announce 2.jpg"),
        "stop postgres",
        *("send 1.jpg", "send 2.jpg"),
        "start postgres",
    ]
    assert (room.dead, room.visibility) == (5, "120")


def test_what_does_not_die_is_said_and_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch, deaths=0)
    monkeypatch.setattr(chaos, "_DEATH_PATIENCE_S", 0.0)
    with pytest.raises(LocalError, match="0 of 2 events died"):
        room.chaos.let_events_die(PICTURES)
    assert room.done[-1] == "start postgres"
    assert room.visibility == "120"
