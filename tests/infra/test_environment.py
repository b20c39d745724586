"""A function's environment is what its services read: no variable too few, none too many."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

import pytest

from cdk.foundation.assets import FUNCTIONS, LIBRARY, function_names
from imagemarket.platform.settings import Settings
from tests.infra.conftest import OWNER_SECRET, Deployment

Names = frozenset[str]


@cache
def _wiring() -> dict[str, tuple[Names, Names]]:
    """Of each function of the composition root: the settings it reads, and the others of its kind that it names."""
    module = ast.parse((LIBRARY / "wiring.py").read_text(encoding="utf-8"))
    bodies = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    return {
        name: (
            frozenset(
                node.attr
                for node in ast.walk(body)
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Call)
                and isinstance(node.value.func, ast.Name)
                and node.value.func.id == "settings"
            ),
            frozenset(
                node.id
                for node in ast.walk(body)
                if isinstance(node, ast.Name) and node.id in bodies and node.id != name
            ),
        )
        for name, body in bodies.items()
    }


def _services(folder: Path) -> set[str]:
    """What a folder takes from the composition root: `wiring.NAME` anywhere in it."""
    return {
        node.attr
        for source in folder.glob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wiring"
    }


def _settings_read(folder: Path) -> set[str]:
    seen: set[str] = set()
    waiting = _services(folder)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting |= _wiring()[name][1] - seen
    return {field for name in seen for field in _wiring()[name][0]}


@pytest.mark.parametrize("function", function_names())
def test_a_function_is_given_just_the_settings_that_its_services_read(function: str, deployment: Deployment) -> None:
    variables = set(deployment.functions()[function]["Environment"]["Variables"])
    given = {name.removeprefix("MARKET_").lower() for name in variables if name.startswith("MARKET_")}
    assert given == _settings_read(FUNCTIONS / function)
    assert {name for name in variables if not name.startswith("MARKET_")} == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_TRACE_DISABLED",
    }


def test_the_reading_of_the_composition_root_sees_through_several_floors() -> None:
    read = _settings_read(FUNCTIONS / "publish_image")
    assert {"database_secret_arn", "work_bucket", "index_queue_url", "stage"} <= read
    assert "signing_key_secret_arn" not in read


def test_the_stacks_tell_the_command_line_the_settings_that_its_services_read(deployment: Deployment) -> None:
    told = deployment.application["Outputs"]["CommandSettings"]["Value"]
    text = (
        told
        if isinstance(told, str)
        else "".join(part if isinstance(part, str) else "X" for part in told["Fn::Join"][1])
    )
    settings = json.loads(text)
    assert settings.keys() >= _settings_read(LIBRARY / "cli")
    assert settings.keys() <= Settings.model_fields.keys()
    assert all(isinstance(value, str) for value in settings.values())


def test_settings_are_read_in_the_composition_root_alone() -> None:
    """Whatever else read one would be missed by the comparison above."""
    readers = {
        str(source.relative_to(LIBRARY))
        for source in [*LIBRARY.rglob("*.py"), *FUNCTIONS.rglob("*.py")]
        if source.is_relative_to(LIBRARY)
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Settings"
    }
    assert readers == {"wiring.py"}


def test_no_secret_stands_in_an_environment(deployment: Deployment) -> None:
    for name, function in deployment.functions().items():
        for variable, value in function["Environment"]["Variables"].items():
            if {"SECRET", "KEY"} & set(variable.split("_")):
                assert variable.endswith(("_SECRET_ARN", "_SECRET_ARNS")), f"{name}: {variable}"
                named = value in {"", OWNER_SECRET} if isinstance(value, str) else True
                assert named, f"{name}: {variable} is a literal, not a reference"
