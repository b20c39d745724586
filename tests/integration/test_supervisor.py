"""The parts of the local cloud, started, killed, replaced and stopped, with a real Valkey as the part."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from local.emulator import aws_client, clear_scratch, emulator_part, forget_unfinished
from local.layout import LOOPBACK, Layout, LocalError, free_port, port_is_free, write_private
from local.postgres import dsn_of, make_cluster, make_database, postgres_part
from local.processes import MARK, UNPRIVILEGED_ID, Part, Supervisor, mark_of, unprivileged
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
    supervisor.start(part)
    record = layout.run / f"{part.name}.json"
    known = json.loads(record.read_text())
    supervisor.stop(part)
    record.write_text(json.dumps({**known, "pid": os.getpid()}))
    assert supervisor.process(part.name) is None
    assert supervisor.stop(part) is False


@pytest.fixture
def waiting(layout: Layout) -> Iterator[tuple[Supervisor, Part]]:
    """A part that is up and shows what it was started with; Valkey overwrites that."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    part, supervisor = Part("waiting", "Waiting", free_port(), sleep, lambda: True), Supervisor(layout)
    supervisor.start(part)
    yield supervisor, part
    supervisor._started[part.name].kill()
    supervisor._reap(part.name)


def _copy(layout: Layout, at: Path) -> Layout:
    subprocess.run(["cp", "-a", str(layout.state), str(at)], check=True)
    return Layout(made=at, state=at, port=free_port())


def test_a_copy_of_a_running_state_leaves_the_original_alone(
    waiting: tuple[Supervisor, Part], layout: Layout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    supervisor, part = waiting
    original = supervisor.process(part.name)
    copy = _copy(layout, tmp_path_factory.mktemp("elsewhere") / "copy")
    of_copy = Supervisor(copy)
    own = dataclasses.replace(part, port=free_port())
    assert (of_copy.process(part.name), of_copy.port(part.name), of_copy.moved()) == (None, None, False)
    assert of_copy.sweep_strays() == 0
    assert of_copy.stop(own) is False
    try:
        assert of_copy.start(own) is True
        assert of_copy.process(own.name) != original
        assert (supervisor.process(part.name), supervisor.sweep_strays()) == (original, 0)
    finally:
        of_copy.stop(own)
    assert supervisor.process(part.name) == original, "neither is stopped with the other"


def test_a_copy_in_the_place_of_the_original_leaves_it_alone_where_it_now_is(
    waiting: tuple[Supervisor, Part], layout: Layout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    supervisor, part = waiting
    original = supervisor.process(part.name)
    folder = tmp_path_factory.mktemp("elsewhere")
    copy = _copy(layout, folder / "copy")
    moved = layout.state.rename(folder / "original")
    copy.state.rename(layout.state)
    assert (supervisor.process(part.name), supervisor.sweep_strays()) == (None, 0)
    there = Supervisor(Layout(made=moved, state=moved, port=layout.port))
    assert (there.process(part.name), there.moved()) == (original, True)
    assert there.stop(part) is True


def test_what_ran_in_a_folder_that_was_removed_is_swept(waiting: tuple[Supervisor, Part], layout: Layout) -> None:
    """A clone whose `.market` was removed without a `down`."""
    supervisor, part = waiting
    stray = supervisor.process(part.name)
    assert stray is not None
    removed = layout.state.rename(layout.state.with_name("removed"))
    subprocess.run(["mkdir", str(layout.state)], check=True)  # before, so that it is another folder
    shutil.rmtree(removed)
    assert supervisor.process(part.name) is None
    assert supervisor.sweep_strays() == 1
    assert not psutil.pid_exists(stray.pid) or stray.status() == psutil.STATUS_ZOMBIE


def test_a_copy_of_the_folder_of_a_running_postgresql_comes_up_beside_it(
    layout: Layout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The copy holds the original's lock."""
    make_cluster(layout.data / "postgres", "secret")
    server = postgres_part(layout.data / "postgres", free_port(), "secret", {"shared_buffers": "16MB"})
    supervisor = Supervisor(layout)
    try:
        supervisor.start(server)
        copy = _copy(layout, tmp_path_factory.mktemp("elsewhere") / "copy")
        of_copy = Supervisor(copy)
        beside = postgres_part(copy.data / "postgres", free_port(), "secret", {"shared_buffers": "16MB"})
        try:
            assert of_copy.start(beside) is True
            assert supervisor.standing(server).ready
        finally:
            of_copy.stop(beside)
        assert supervisor.standing(server).ready
    finally:
        supervisor.stop(server)


def test_what_outlived_its_part_is_swept_and_nothing_else(supervisor: Supervisor, part: Part, layout: Layout) -> None:
    supervisor.start(part)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    stray = subprocess.Popen(sleep, env=os.environ | {MARK: mark_of(layout)})
    stranger = subprocess.Popen(sleep, env=os.environ | {MARK: f"0:1 {layout.state}"})
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


def test_a_refusal_that_passes_is_waited_out(supervisor: Supervisor, part: Part, tmp_path: Path) -> None:
    marker = tmp_path / "tried"
    once = f'[ -e {marker} ] || {{ touch {marker}; echo "FATAL: still in use"; exit 1; }}; exec "$@"'
    refused = dataclasses.replace(
        part, command=["sh", "-c", once, "sh", *part.command], passing_refusals=("still in use",)
    )
    assert supervisor.start(refused) is True
    assert marker.exists()
    assert supervisor.standing(refused).ready


def test_a_killed_postgresql_is_up_again_at_once(layout: Layout) -> None:
    """Its own processes are not gone yet, and where nobody reaps it neither is it itself."""
    folder = layout.data / "postgres"
    make_cluster(folder, "secret")
    server = postgres_part(folder, free_port(), "secret", {"shared_buffers": "16MB"})
    supervisor = Supervisor(layout)
    try:
        for _ in range(3):
            supervisor.start(server)
            with closing(psycopg.connect(dsn_of(server.port, "secret", "postgres"))) as busy:
                busy.execute("SELECT pg_backend_pid()")
                killed = supervisor.process(server.name)
                assert killed is not None
                killed.kill()  # a child of this process, so a zombie until somebody waits for it
                again = Supervisor(layout)
                assert again.start(server) is True
                assert again.standing(server).ready
            supervisor._reap(server.name)
            supervisor = again
    finally:
        supervisor.stop(server)


def test_what_a_part_writes_is_its_owners_alone(supervisor: Supervisor, part: Part, layout: Layout) -> None:
    writes = f"umask > {layout.data / 'umask'}"
    told = dataclasses.replace(part, command=["sh", "-c", f'{writes}; exec "$@"', "sh", *part.command])
    before = os.umask(0o022)
    try:
        supervisor.start(told)
    finally:
        os.umask(before)
    assert (layout.data / "umask").read_text().strip() == "0077"
    assert stat.S_IMODE(supervisor.log_path(part.name).stat().st_mode) == 0o600
    assert stat.S_IMODE((layout.run / f"{part.name}.json").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as another user only where root starts it")
def test_root_runs_postgresql_in_a_folder_that_root_alone_may_enter(tmp_path: Path) -> None:
    """The programs as well as the data: initdb looks for postgres beside itself by access(2)."""
    home = tmp_path / "home of root"
    home.mkdir(mode=0o700)
    program = home / "program"
    program.write_text('#!/bin/sh\nset -e\ntest "$(id -u)" != 0\nperl -e \'exit !-x $ARGV[0]\' "$0"\necho ran >"$1"\n')
    program.chmod(0o755)
    data = home / "data"
    data.mkdir()
    os.chown(data, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    subprocess.run(unprivileged([str(program), str(data / "out")]), check=True)
    assert (data / "out").read_text() == "ran\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as another user only where root starts it")
def test_root_lets_postgresql_write_what_is_its_own_alone(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir(mode=0o700)
    (others / "file").touch(mode=0o600)
    touch = unprivileged(["/usr/bin/touch", str(others / "file"), str(others / "new")])
    done = subprocess.run(touch, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert done.stderr.count("Permission denied") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as another user only where root starts it")
def test_root_makes_and_starts_a_database_in_a_folder_that_root_alone_may_enter(tmp_path: Path) -> None:
    home = tmp_path / "home of root"
    home.mkdir(mode=0o700)
    make_cluster(home / "data", "secret")
    port = free_port()
    supervisor = Supervisor(Layout(made=home, state=home, port=port))
    part = postgres_part(home / "data", port, "secret")
    try:
        supervisor.start(part)
        make_database(port, "secret", "other")
        pid = int((home / "data" / "postmaster.pid").read_text().split()[0])
        told = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert (told["Uid"].split()[0], int(told["CapEff"], 16)) == (str(UNPRIVILEGED_ID), 1 << 2)
    finally:
        supervisor.stop(part)


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as another user only where root starts it")
def test_where_another_user_cannot_run_it_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"as an ordinary user, or move the clone"):
        unprivileged([str(tmp_path / "none")])


def test_an_emulator_that_was_killed_in_a_first_deployment_begins_afresh(layout: Layout) -> None:
    """Half of what it had made may be written down: a bucket, say, whose stack is not. None of it is in the way."""
    part, supervisor = emulator_part(layout), Supervisor(layout)
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "originals"}}
    template = json.dumps({"Resources": {"Originals": bucket}})

    def deploy() -> None:
        client = aws_client(layout, "cloudformation")
        client.create_stack(StackName="storage", TemplateBody=template)
        while client.describe_stacks(StackName="storage")["Stacks"][0]["StackStatus"] != "CREATE_COMPLETE":
            time.sleep(0.05)
        aws_client(layout, "s3").put_object(Bucket="originals", Key="a.jpg", Body=b"bytes")

    def objects() -> list[str]:
        client = aws_client(layout, "s3")
        buckets = [each["Name"] for each in client.list_buckets()["Buckets"]]
        return [
            each["Key"]
            for name in buckets
            if name == "originals"
            for each in client.list_objects_v2(Bucket=name).get("Contents", [])
        ]

    def stacks() -> list[str]:
        told = aws_client(layout, "cloudformation").describe_stacks()["Stacks"]
        return [each["StackName"] for each in told]

    try:
        supervisor.start(part)
        deploy()
        process = supervisor.process(part.name)
        assert process is not None
        for each in [*process.children(recursive=True), process]:
            each.kill()
        process.wait(10)
        clear_scratch(layout)
        forget_unfinished(layout)
        supervisor.start(part)
        assert (stacks(), objects()) == ([], [])
        deploy()
        assert (stacks(), objects()) == (["storage"], ["a.jpg"])
        write_private(layout.outputs_file, "{}")  # as a deployment ends
        supervisor.stop(part)
        forget_unfinished(layout)
        supervisor.start(part)
        assert (stacks(), objects()) == (["storage"], ["a.jpg"])
    finally:
        supervisor.stop(part)
