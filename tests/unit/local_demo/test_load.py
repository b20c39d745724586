"""The demo's upload: done once, gone on with where it was cut off, and its accounts told of in any case."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local.demo import load
from local.layout import Layout, LocalError


class Cloud:
    """As much of the local cloud as the demo touches; `ends` are the exit statuses of the uploads to come, `troubles`
    what making the accounts comes to."""

    def __init__(self, state: Path) -> None:
        self.layout = Layout(made=state, state=state, port=4711)
        self.ends: list[int | BaseException] = []
        self.troubles: list[BaseException] = []
        self.uploads: list[tuple[str, ...]] = []

    def command(self, _: Any, *arguments: str, password: str) -> int:
        assert password
        self.uploads.append(arguments)
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end

    def accounts(self, _: Any) -> None:
        if self.troubles:
            raise self.troubles.pop()


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    found = Cloud(tmp_path)
    monkeypatch.setattr(load, "_command", found.command)
    monkeypatch.setattr(load, "make_accounts", found.accounts)
    monkeypatch.setattr(load, "_demo_pictures", lambda *_: tmp_path / "demo")
    return found


def accounts_told(cloud: Cloud, said: str) -> bool:
    return all(email in said and cloud.layout.secret(role) in said for role, email in load.ACCOUNTS.items())


def test_it_is_loaded_once(cloud: Any) -> None:
    cloud.ends = [0]
    for _ in range(2):
        load.load_demo(cloud, None)
    (upload,) = cloud.uploads
    assert upload[-2:] == ("--journal", str(cloud.layout.data / "uploads.json"))


@pytest.mark.parametrize("end", [KeyboardInterrupt(), 1, 130, -9])
def test_cut_off_it_tells_the_accounts_and_the_next_up_goes_on(
    cloud: Any, capsys: pytest.CaptureFixture[str], end: Any
) -> None:
    cloud.ends = [end, 0]
    with pytest.raises(LocalError if isinstance(end, int) else KeyboardInterrupt):
        load.load_demo(cloud, None)
    assert accounts_told(cloud, capsys.readouterr().out)
    load.load_demo(cloud, None)
    assert len(cloud.uploads) == 2
    assert cloud.uploads[0] == cloud.uploads[1]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), LocalError("the API does not answer")])
def test_the_accounts_are_told_also_when_they_could_not_be_made(
    cloud: Any, capsys: pytest.CaptureFixture[str], trouble: BaseException
) -> None:
    cloud.troubles, cloud.ends = [trouble], [0]
    with pytest.raises(type(trouble)):
        load.load_demo(cloud, None)
    assert accounts_told(cloud, capsys.readouterr().out)
    assert cloud.uploads == []
    load.load_demo(cloud, None)
    assert len(cloud.uploads) == 1


def test_a_folder_of_ones_own_that_was_not_through_is_tried_again(cloud: Any, tmp_path: Path) -> None:
    cloud.ends = [1, 0]
    for _ in range(3):
        load.load_demo(cloud, tmp_path)
    assert len(cloud.uploads) == 2


def test_the_command_is_given_the_time_to_end_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child writes its word after Ctrl-C came to the parent alone."""
    # Where the tests run in a shell's background Ctrl-C is ignored, which children inherit.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    program = tmp_path / "child.py"
    word = tmp_path / "word"
    program.write_text(
        "import pathlib, time\n"
        f"word = pathlib.Path({str(word)!r})\n"
        "try:\n    word.write_text('begun')\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.5)\n    word.write_text('ended in order')\n"
    )

    class Environment:
        layout = Layout(made=tmp_path, state=tmp_path, port=4711)

        def environment(self) -> dict[str, str]:
            return {}

    launcher = tmp_path / "launcher"
    launcher.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(load.sys, "executable", str(launcher))

    def interrupt() -> None:
        while not word.exists() or not word.read_text():
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        load._command(Environment(), "upload", password="x")  # pyright: ignore[reportArgumentType]
    interrupting.join()
    signal.signal(signal.SIGINT, previous)
    assert word.read_text() == "ended in order"
