"""`--stage`: every command that works on a deployment finds it by its stacks, or says in a sentence what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import typer
from botocore.exceptions import ClientError, NoCredentialsError
from typer.testing import CliRunner

from imagemarket.catalog.settings import CatalogSettings
from imagemarket.cli import stage as stage_module
from imagemarket.cli.app import app
from imagemarket.cli.client import CliError
from imagemarket.cli.stage import api_address, deployment, use_stage
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.settings import PlatformSettings
from local.layout import REPOSITORY

TOLD = {"database_secret_arn": "arn:db", "public_base_url": "https://api.example.com", "opensearch_endpoint": ""}
WITHOUT_A_DEPLOYMENT = {"contact-sheet", "models build"}


class CloudFormation:
    """Stacks of the stage `launch` alone."""

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803
        if StackName == "imagemarket-nobodys-operations":
            raise NoCredentialsError
        if StackName != "imagemarket-launch-operations":
            why = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": why}}, "DescribeStacks")
        outputs = [
            {"OutputKey": "ApiId", "OutputValue": "x"},
            {"OutputKey": "CommandSettings", "OutputValue": json.dumps(TOLD)},
        ]
        return {"Stacks": [{"Outputs": outputs}]}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of ours in the environment, before and after."""
    for name in [name for name in os.environ if name.startswith("MARKET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "client", lambda _: CloudFormation())
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(os, "environ", dict(os.environ))
        yield


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield " ".join([*path, name]), command


def test_every_command_that_works_on_a_deployment_takes_a_stage() -> None:
    without = {
        name
        for name, command in commands(typer.main.get_command(app))
        if "--stage" not in [option for parameter in command.params for option in parameter.opts]
    }
    assert without == WITHOUT_A_DEPLOYMENT


def test_a_stage_is_found_by_its_stacks() -> None:
    use_stage("launch")
    given = PlatformSettings()
    assert (given.stage, given.database_secret_arn) == ("launch", "arn:db")
    assert "MARKET_OPENSEARCH_ENDPOINT" not in os.environ


def test_what_is_set_for_this_stage_wins_and_nothing_is_looked_up() -> None:
    os.environ.update({"MARKET_STAGE": "growth", "MARKET_DATABASE_SECRET_ARN": "mine"})
    use_stage("growth")
    assert PlatformSettings().database_secret_arn == "mine"


def test_settings_of_another_stage_are_not_mixed_in() -> None:
    os.environ.update({"MARKET_STAGE": "local", "MARKET_DATABASE_SECRET_ARN": "mine", "MARKET_CACHE_URL": "local"})
    os.environ["MARKET_PASSWORD"] = "secret"
    use_stage("launch")
    assert os.environ["MARKET_DATABASE_SECRET_ARN"] == "arn:db"
    assert "MARKET_CACHE_URL" not in os.environ
    assert os.environ["MARKET_PASSWORD"] == "secret"


def test_this_machines_settings_are_no_other_stages_whatever_is_named_beside_them() -> None:
    """As after `eval "$(./market env)"`: with them the queues of another stage would be looked for here."""
    this_machines = {"MARKET_CLONE": "/clone", "MARKET_DATABASE_SECRET_ARN": "mine", "MARKET_URL": "http://here"}
    os.environ.update(this_machines | {"MARKET_STAGE": "launch"})
    assert api_address(None, "launch") == "https://api.example.com"
    use_stage("launch")
    assert (PlatformSettings().database_secret_arn, PlatformSettings().stage) == ("arn:db", "launch")
    os.environ.update(this_machines | {"MARKET_STAGE": "scale"})
    with pytest.raises(CliError, match="'scale' is not found"):
        use_stage("scale")


def test_a_stage_that_is_set_to_nothing_is_not_set() -> None:
    os.environ.update({"MARKET_STAGE": "", "MARKET_DATABASE_SECRET_ARN": "mine"})
    use_stage("local")
    assert PlatformSettings().stage == "local"


@pytest.mark.parametrize(("stage", "words"), [("local", "./market"), ("scale", "AWS_PROFILE")])
def test_a_stage_that_is_not_there_says_what_to_do(stage: str, words: str) -> None:
    with pytest.raises(CliError, match=words):
        use_stage(stage)


def test_a_stage_that_nobody_was_asked_for_is_not_said_to_be_missing() -> None:
    with pytest.raises(CliError, match=r"'nobodys' cannot be looked up .*credentials"):
        use_stage("nobodys")


@pytest.mark.parametrize("other", ["eu-west-1", None])
def test_the_region_is_read_as_by_the_aws_command(other: str | None) -> None:
    os.environ["AWS_REGION"] = "eu-central-1"
    if other:
        os.environ["AWS_DEFAULT_REGION"] = other
    assert api_address(None, "launch") == "https://api.example.com"
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_a_stage_of_an_older_release_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "SETTINGS_OUTPUT", "Unknown")
    with pytest.raises(CliError, match="deploy them again"):
        use_stage("launch")


def test_a_missing_setting_and_an_outage_are_one_line() -> None:
    with pytest.raises(CliError, match=r"MARKET_ORIGINALS_BUCKET is not set.*'launch'"), deployment("launch"):
        _ = CatalogSettings().originals_bucket
    with pytest.raises(CliError, match=r"^The store sleeps\.$"), deployment("launch"):
        raise DependencyUnavailable("The store sleeps.")


def test_the_api_is_where_it_is_said_to_be() -> None:
    assert api_address("http://here", "launch") == "http://here"
    assert api_address(None, "local") == "http://127.0.0.1:8080"
    assert api_address(None, "launch") == "https://api.example.com"
    os.environ["MARKET_URL"] = "http://there"
    assert api_address(None, "launch") == "http://there"
    os.environ["MARKET_STAGE"] = "local"
    assert api_address(None, "launch") == "https://api.example.com"


@pytest.mark.parametrize(
    "words",
    [
        *(["dlq", "list"], ["verify"], ["search", "verify"], ["search", "reindex"], ["images", "stuck"]),
        *(["images", "history", "01930000-0000-7000-8000-000000000001"], ["models", "list"]),
        ["users", "create-admin", "ada@example.com"],
    ],
)
def test_without_settings_a_command_says_a_sentence(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, CliError)
    assert "./market" in str(done.exception)


def test_the_command_itself_ends_with_a_line_and_no_traceback() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MARKET_")}
    done = subprocess.run(
        [sys.executable, "-m", "imagemarket.cli", "verify"],
        env=environment | {"PYTHONPATH": str(REPOSITORY / "shared")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("imagemarket: no settings are given")
    assert len(done.stderr.splitlines()) == 1
