"""The Node tools and OpenSearch's jars, fetched by the real npm and Maven from registries that are of no use."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import local.opensearch
from local.layout import LOOPBACK, Layout, LocalError, free_port
from local.opensearch import install_opensearch, missing_tools
from local.processes import command_line, descendants
from local.tooling import install_node_tools, run_logged


@contextmanager
def _registry_that_never_answers() -> Iterator[int]:
    """Takes every connection and says nothing."""
    held: list[socket.socket] = []
    with socket.create_server((LOOPBACK, 0), backlog=64) as server:

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in held:
                each.close()


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    for name in ("npm_config_cache", "NPM_CONFIG_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return Layout(made=tmp_path, state=tmp_path, port=4711)


def _node_processes() -> list[list[str]]:
    words = [command_line(each) for each in descendants(psutil.Process())]
    return [each for each in words if any("npm" in word for word in each)]


@pytest.mark.skipif(shutil.which(str(Path(sys.executable).parent / "npm")) is None, reason="no npm beside this Python")
def test_a_registry_that_takes_connections_and_never_answers_is_given_up(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the time of five timeouts, and not of five for each package, fifteen side by side."""
    monkeypatch.setenv("npm_config_fetch_timeout", "1000")
    with _registry_that_never_answers() as port:
        monkeypatch.setenv("npm_config_registry", f"http://{LOOPBACK}:{port}")
        began = time.monotonic()
        with pytest.raises(LocalError, match=r"is a package registry in reach\?\) (came no further|failed)"):
            install_node_tools(layout)
    assert time.monotonic() - began < 40
    assert _node_processes() == []
    assert not (layout.node_modules.parent / "installed").exists()


@pytest.mark.skipif(shutil.which(str(Path(sys.executable).parent / "npm")) is None, reason="no npm beside this Python")
def test_a_registry_that_is_not_there_is_given_up(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", f"http://{LOOPBACK}:{free_port()}")
    began = time.monotonic()
    with pytest.raises(LocalError, match="is a package registry in reach"):
        install_node_tools(layout)
    assert time.monotonic() - began < 60
    assert _node_processes() == []


@pytest.mark.skipif(bool(missing_tools()), reason="no Maven here")
def test_maven_too_gives_up_what_takes_connections_and_never_answers(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local.opensearch, "_MAVEN_TIMEOUT_S", 1)
    settings = layout.state / ".m2" / "settings.xml"
    settings.parent.mkdir()
    with _registry_that_never_answers() as port:
        mirror = f"<id>m</id><mirrorOf>*</mirrorOf><url>http://{LOOPBACK}:{port}/</url>"
        settings.write_text(f"<settings><mirrors><mirror>{mirror}</mirror></mirrors></settings>")
        monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={layout.state}")
        began = time.monotonic()
        with pytest.raises(LocalError, match="fetching OpenSearch's jars"):
            install_opensearch(layout)
    assert time.monotonic() - began < 90


def _running(words: str) -> list[psutil.Process]:
    return [each for each in descendants(psutil.Process()) if words in command_line(each)]


def test_what_stalls_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 61 & echo begun; wait; echo on; wait"
    heard: list[str] = []
    with pytest.raises(LocalError, match="the test came no further and was ended"):
        run_logged(
            ["sh", "-c", script],
            tmp_path / "log",
            cwd=tmp_path,
            environment={"PATH": "/usr/bin:/bin"},
            what="the test",
            hear=heard.append,
            stalled=lambda: bool(heard),
        )
    assert heard[0] == "begun"
    assert _running("61") == []


def test_what_fails_or_ends_well_is_told_so(tmp_path: Path) -> None:
    for script, status in (("echo last words; exit 3", 3), ("kill -9 $$", -9)):
        with pytest.raises(LocalError, match=rf"failed \(status {status}\)"):
            run_logged(["sh", "-c", script], tmp_path / "log", cwd=tmp_path, environment={}, what="the test")
    run_logged(["true"], tmp_path / "log", cwd=tmp_path, environment={"PATH": "/usr/bin:/bin"}, what="the test")


def test_an_interrupt_takes_along_what_was_started(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(
            ["sh", "-c", "sleep 62 & echo begun; wait"],
            tmp_path / "log",
            cwd=tmp_path,
            environment={"PATH": "/usr/bin:/bin"},
            what="the test",
            hear=interrupt,
        )
    assert _running("62") == []
