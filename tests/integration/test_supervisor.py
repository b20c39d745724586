"""The parts of the local cloud, started, killed, replaced and stopped, with a real Valkey as the part."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.layout import LOOPBACK, Layout, LocalError, free_port, port_is_free
from local.processes import MARK, Part, Supervisor
from local.valkey import valkey_part

pytestmark = pytest.mark.engines


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(made=tmp_path, state=tmp_path, port=free_port())
    found.data.mkdir()
    return found


@pytest.fixture
def part(layout: Layout) -> Part:
    return valkey_part(layout.data, free_port())


@pytest.fixture
def supervisor(layout: Layout, part: Part) -> Iterator[Supervisor]:
    found = Supervisor(layout)
    yield found
    found.stop(part)


def test_a_part_starts_once_and_stops_whole(supervisor: Supervisor, part: Part) -> None:
    assert supervisor.start(part) is True
    standing = supervisor.standing(part)
    assert standing.ready
    assert standing.pid is not None
    assert standing.memory_mib > 1
    assert supervisor.start(part) is False
    assert supervisor.standing(part).pid == standing.pid
    assert supervisor.stop(part) is True
    assert supervisor.stop(part) is False
    assert port_is_free(part.port)
    assert not psutil.pid_exists(standing.pid)


def test_a_killed_part_is_started_again(supervisor: Supervisor, part: Part) -> None:
    supervisor.start(part)
    killed = supervisor.standing(part).pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(killed)], timeout=5)
    assert supervisor.process(part.name) is None
    assert supervisor.start(part) is True
    assert supervisor.standing(part).ready


def test_a_part_of_another_version_is_replaced(supervisor: Supervisor, part: Part, tmp_path: Path) -> None:
    supervisor.start(part)
    before = supervisor.standing(part).pid
    changed = dataclasses.replace(part, environment={"CHANGED": "yes"})
    assert supervisor.start(changed) is True
    assert supervisor.standing(changed).pid != before


def test_a_taken_port_is_named_with_what_to_do(supervisor: Supervisor, part: Part) -> None:
    with (
        socket.create_server((LOOPBACK, part.port)),
        pytest.raises(LocalError, match=rf"port {part.port} .*MARKET_PORT"),
    ):
        supervisor.start(part)


def test_a_part_that_dies_at_once_says_its_last_words(supervisor: Supervisor, part: Part) -> None:
    dying = dataclasses.replace(part, command=[sys.executable, "-c", "raise SystemExit('no such engine')"])
    dying = dataclasses.replace(dying, ready=lambda: False)
    with pytest.raises(LocalError, match="no such engine"):
        supervisor.start(dying)


def test_a_pid_that_now_is_somebody_elses_is_left_alone(supervisor: Supervisor, part: Part, layout: Layout) -> None:
    layout.run.mkdir()
    (layout.run / f"{part.name}.json").write_text(f'{{"pid": {os.getpid()}, "create_time": 1.0}}')
    assert supervisor.process(part.name) is None
    assert supervisor.stop(part) is False


def test_what_outlived_its_part_is_swept_and_nothing_else(supervisor: Supervisor, part: Part, layout: Layout) -> None:
    supervisor.start(part)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    stray = subprocess.Popen(sleep, env=os.environ | {MARK: str(layout.state)})
    stranger = subprocess.Popen(sleep, env=os.environ | {MARK: str(layout.state / "another")})
    try:
        while psutil.Process(stray.pid).environ().get(MARK) is None:  # until it is no copy of this process any more
            time.sleep(0.01)
        assert supervisor.sweep_strays() == 1
        assert not psutil.pid_exists(stray.pid)
        assert stranger.poll() is None
        assert supervisor.standing(part).ready
    finally:
        for process in (stray, stranger):
            process.kill()
            process.wait(5)
