"""What is told to the CDK."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import deployment
from local.deployment import deploy_command
from local.layout import Layout


def test_an_app_in_a_folder_with_spaces_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CDK hands what follows --app to a shell."""
    folder = tmp_path / "Käses Bücher und 'mehr'"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    command = deploy_command(Layout(made=folder, state=folder, port=8080), folder / "outputs.json")
    app = command[command.index("--app") + 1]
    assert app.endswith(" -m cdk.app")
    begun = subprocess.run(
        app.removesuffix("-m cdk.app") + "-c 'print(7)'", shell=True, capture_output=True, text=True, check=False
    )
    assert (begun.stdout, begun.stderr) == ("7\n", "")


def test_an_interrupt_while_the_deployment_is_being_started_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told between the start of the process and the wait for it."""
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen.__init__

    def interrupted(process: Any, *arguments: Any, **more: Any) -> None:
        start(process, *arguments, **more)
        started.append(process)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    layout = Layout(made=tmp_path, state=tmp_path, port=8080)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        deployment._cdk(["sleep", "600"], layout, tmp_path, dict(os.environ), lambda text: None)
    assert [process.returncode for process in started] == [-signal.SIGTERM]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
