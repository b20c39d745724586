"""The templates of the local stage, written once for each test process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

os.environ.setdefault("JSII_NODE", str(Path(sys.executable).parent / "node"))
_DRAFTS = tempfile.mkdtemp(prefix="imagemarket-jsii-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
with patch.dict(os.environ, TMPDIR=_DRAFTS):  # there jsii leaves what it unpacks, where it is interrupted
    import aws_cdk  # noqa: F401 - starts it

    from cdk.foundation.assets import REPOSITORY
    from cdk.stages.local import local_stage
    from cdk.stages.model import Stage

if TYPE_CHECKING:
    from aws_cdk import App

Json = dict[str, Any]

OWNER_SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:imagemarket-local-database-owner"
ENVIRONMENT = {
    "MARKET_PYTHON": sys.executable,
    "MARKET_PORT": "18080",
    "MARKET_DATABASE_ADDRESS": "127.0.0.1:15432/imagemarket",
    "MARKET_DATABASE_OWNER_SECRET_ARN": OWNER_SECRET,
    "MARKET_VALKEY_URL": "valkey://127.0.0.1:16379/0",
    "MARKET_COUNTERS_URL": "valkey://127.0.0.1:16380/0",
    "MARKET_MODEL_BUNDLE": "/bundle",
    "MARKET_MAIL": "file:/mail",
}


@dataclass(frozen=True)
class Deployment:
    """What a synthesis wrote."""

    folder: Path
    stacks: dict[str, Json]
    """The template of each group."""

    @property
    def state(self) -> Json:
        return self.stacks["state"]

    def dependencies(self, group: str) -> set[str]:
        """The groups that are deployed before this one."""
        manifest = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        named = manifest["artifacts"][f"imagemarket-local-{group}"]["dependencies"]
        return {name.removeprefix("imagemarket-local-") for name in named if not name.endswith(".assets")}

    def resources(self, resource_type: str) -> dict[str, Json]:
        """All resources of a type in any stack, by `group/logical id`."""
        return {
            f"{stack}/{name}": resource
            for stack, template in self.stacks.items()
            for name, resource in template["Resources"].items()
            if resource["Type"] == resource_type
        }

    def functions(self) -> dict[str, Json]:
        """The properties of each function, by its name in the repository."""
        found = [resource["Properties"] for resource in self.resources("AWS::Lambda::Function").values()]
        return {properties["Handler"].split(".")[1]: properties for properties in found}

    def statements(self, function: str) -> list[Json]:
        """What a function's role may do; every reference is replaced by its name."""
        (role,) = (
            resource["Properties"]["Role"]["Fn::GetAtt"][0]
            for resource in self.resources("AWS::Lambda::Function").values()
            if resource["Properties"]["Handler"].split(".")[1] == function
        )
        return [
            {
                "effect": statement["Effect"],
                "actions": _listed(statement["Action"]),
                "resources": [readable(resource) for resource in _listed(statement["Resource"])],
                "condition": statement.get("Condition"),
            }
            for policy in self.resources("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"]["Roles"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def readable(value: Any) -> str:
    """An ARN with the logical ids where references stand: `{StorageOriginals...Arn}/clean/*`."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return separator.join(readable(part) for part in parts)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{{{name}.{attribute}}}"
        case {"Ref": name}:
            return f"{{{name}}}"
        case {"Fn::ImportValue": name}:
            return f"{{{name}}}"
    raise AssertionError(value)


def pytest_unconfigure() -> None:
    shutil.rmtree(_DRAFTS, ignore_errors=True)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes keep what Python compiled, so that each package is compiled once and not for every function."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session")
def stage() -> Stage:
    return local_stage(ENVIRONMENT)


def new_app(folder: Path) -> App:
    """An app with the context that the command line reads from `cdk.json`."""
    from aws_cdk import App

    context = json.loads((REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
    return App(outdir=str(folder), context=context)


def synthesize(stage: Stage, folder: Path) -> Deployment:
    """Writes the templates of a stage."""
    from cdk.app import build

    app = new_app(folder)
    stacks = build(app, stage).stacks
    app.synth()
    templates = {group: folder / f"{stack.stack_name}.template.json" for group, stack in stacks.items()}
    return Deployment(
        folder, {group: json.loads(path.read_text(encoding="utf-8")) for group, path in templates.items()}
    )


@pytest.fixture(scope="session")
def deployment(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return synthesize(stage, tmp_path_factory.mktemp("assembly"))
