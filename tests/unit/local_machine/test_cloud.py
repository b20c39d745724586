"""The order of `up`: what is started, renewed and forgotten for what was found down."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

import local.cloud
import local.layout
from local.cloud import Cloud
from local.layout import Layout
from local.processes import Part


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A state of which nothing runs."""
    ports = itertools.count(9998)
    monkeypatch.setattr(local.layout, "free_port", lambda: next(ports))
    return Cloud(Layout(made=tmp_path, state=tmp_path, port=4711))


@pytest.mark.parametrize("engine", ["postgres", "opensearch"])
def test_every_part_that_is_no_way_to_the_functions_is_asked_by_them(
    cloud: Cloud, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is forgotten here where its address reaches functions in another way than all the others' do."""
    monkeypatch.setattr(local.cloud, "installed_folder", lambda layout: layout.made)
    cloud.layout.use_for_search(engine)
    asked = cloud.asked_by_functions()
    assert asked == {part.name for part in cloud.parts()} - {"aws", "front"}
    assert asked >= {"postgres", "valkey", "counters", "models"}
    assert ("opensearch" in asked) == (engine == "opensearch")


class _Machine:
    """Stands in for the machine that parts run on: what was down is started, the rest is up."""

    def __init__(self, cloud: Cloud, down: Collection[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        emulator = None if "aws" in down else "its process"
        monkeypatch.setattr(cloud.supervisor, "process", lambda name: emulator if name == "aws" else None)
        monkeypatch.setattr(cloud.supervisor, "start", lambda part: part.name in down)
        monkeypatch.setattr(cloud, "build_models", lambda: None)
        monkeypatch.setattr(local.cloud, "port_is_free", lambda _: True)
        for name in ("make_cluster", "make_database"):
            monkeypatch.setattr(local.cloud, name, lambda *_: None)
        monkeypatch.setattr(local.cloud, "install_node_tools", lambda *_: False)
        monkeypatch.setattr(local.cloud.deployment, "is_deployed", lambda _: True)
        for name in ("renew_functions", "forget_unfinished", "clear_scratch"):
            monkeypatch.setattr(local.cloud, name, self._noting(name))

    def _noting(self, name: str) -> Any:
        def note(*_: Any) -> int:
            self.did.append(name)
            return 0

        return note


@pytest.mark.parametrize("part", ["postgres", "valkey", "counters", "models"])
def test_functions_that_gave_a_part_up_are_renewed_when_it_is_back(
    cloud: Cloud, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _Machine(cloud, [part], monkeypatch)
    cloud._start_all()
    assert machine.did == ["renew_functions"]


def test_a_part_whose_port_is_taken_while_up_is_at_work_moves_and_the_front_door_does_not(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Machine(cloud, [], monkeypatch)
    chosen, taken, started = cloud.layout.ports(), set[int](), dict[str, Part]()

    def start(part: Part) -> bool:
        assert part.port == 4711 or part.port not in taken
        started[part.name] = part
        return True

    # by others: all while PostgreSQL's folder is made
    monkeypatch.setattr(local.cloud, "make_cluster", lambda *_: taken.update({*chosen.values(), 4711}))
    monkeypatch.setattr(local.cloud, "port_is_free", lambda port: port not in taken)
    monkeypatch.setattr(cloud.supervisor, "process", lambda _: None)
    monkeypatch.setattr(cloud.supervisor, "start", start)
    cloud._start_all()
    assert started["front"].port == 4711
    ports = cloud.layout.ports()
    assert {name: part.port for name, part in started.items() if name != "front"} == {
        name: port for name, port in ports.items() if name in started
    }
    assert not set(chosen.values()) & {part.port for part in started.values()}
    assert f":{ports['aws']}" in " ".join(started["front"].command)


def test_functions_that_nothing_was_away_from_are_left_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for down in ([], ["front"]):
        machine = _Machine(cloud, down, monkeypatch)
        cloud._start_all()
        assert machine.did == []


def test_an_emulator_that_is_down_has_no_functions_and_leaves_things_behind(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _Machine(cloud, ["aws", "postgres"], monkeypatch)
    cloud._start_all()
    assert machine.did == ["clear_scratch", "forget_unfinished"]
