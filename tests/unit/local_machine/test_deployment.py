"""What is told to the CDK."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from local import deployment
from local.deployment import deploy_command
from local.layout import Layout, LocalError


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


class CloudFormation:
    """An emulator with these stacks; `stuck` ones do not go."""

    def __init__(self, *stacks: str, stuck: bool = False) -> None:
        self.stacks = set(stacks)
        self._stuck = stuck

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803
        if StackName not in self.stacks:
            why = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": why}}, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName}]}

    def delete_stack(self, *, StackName: str) -> None:  # noqa: N803
        if not self._stuck:
            self.stacks.remove(StackName)

    def get_waiter(self, name: str) -> Any:
        assert name == "stack_delete_complete"
        return self

    def wait(self, *, StackName: str, WaiterConfig: dict[str, int]) -> None:  # noqa: N803
        assert WaiterConfig["Delay"] == 1
        if StackName in self.stacks:
            raise WaiterError("StackDeleteComplete", "Max attempts exceeded", {})


STATE = "imagemarket-local-state"
BEFORE = "imagemarket-local-application"


@pytest.mark.parametrize("stacks", [(STATE, BEFORE), (STATE, "imagemarket-local-edge"), ()])
def test_the_stack_of_an_older_clone_goes_and_what_outlives_a_deployment_stays(
    stacks: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = CloudFormation(*stacks)
    monkeypatch.setattr(deployment, "aws_client", lambda *_: emulator)
    deployment._remove_stack_of_before(Layout(made=tmp_path, state=tmp_path, port=8080), lambda text: None)
    assert emulator.stacks == set(stacks) - {BEFORE}


def test_a_stack_of_an_older_clone_that_does_not_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = CloudFormation(STATE, BEFORE, stuck=True)
    monkeypatch.setattr(deployment, "aws_client", lambda *_: emulator)
    with pytest.raises(LocalError, match="imagemarket-local-application of an older clone does not go"):
        deployment._remove_stack_of_before(Layout(made=tmp_path, state=tmp_path, port=8080), lambda text: None)
