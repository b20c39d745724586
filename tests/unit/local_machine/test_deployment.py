"""What is told to the CDK."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
