"""A function's environment is what its services read: no variable too few, none too many."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from cdk.foundation.assets import FUNCTIONS, LIBRARY, function_names
from imagemarket.app import App
from imagemarket.platform.resources import Resources
from imagemarket.platform.settings import RoomSettings, settings_classes
from tests.infra.conftest import OWNER_SECRET, Deployment

_SERVICE = re.compile(r"\bapp\(\)\.(\w+)\.(\w+)")
"""What a source takes from the app: a room's service."""

_ENGINES = (("postgres", "postgres"), ("opensearch", "opensearch"), ("postgres", "qdrant"))
"""What pictures are found with, by words and by meaning: every engine once."""

ReadBy = Callable[[Path], set[str]]


class _Aws:
    """Gives any client, which is asked for nothing while services are built, but for a secret that names a cluster."""

    def client(self, service: str, **_: Any) -> Any:
        import boto3

        if service == "secretsmanager":
            return self
        session: Any = boto3.Session("none", "none", region_name="us-east-1")
        return session.client(service)

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": json.dumps({"url": "https://127.0.0.1:1", "api_key": "none"})}


@pytest.fixture
def settings_read(monkeypatch: pytest.MonkeyPatch) -> ReadBy:
    """Builds all that a folder's sources take from the app, with each choice of search engines, and tells the settings
    that were read meanwhile."""
    fields = {name: field for each in settings_classes() for name, field in each.model_fields.items()}
    for name, field in fields.items():
        if field.default == "":
            monkeypatch.setenv(f"MARKET_{name.upper()}", "file:/nowhere" if name == "mail" else "http://127.0.0.1:1")
    seen: set[str] = set()
    found = RoomSettings.__getattribute__

    def read(self: RoomSettings, name: str) -> Any:
        if name in type(self).model_fields:
            seen.add(name)
        return found(self, name)

    def settings_read_by(folder: Path) -> set[str]:
        seen.clear()
        for keyword, vector in _ENGINES:
            with monkeypatch.context() as patched:
                patched.setenv("MARKET_KEYWORD_ENGINE", keyword)
                patched.setenv("MARKET_VECTOR_ENGINE", vector)
                app = App(Resources(aws=_Aws()))
                patched.setattr(RoomSettings, "__getattribute__", read)
                for room, service in _services(folder):
                    built = getattr(getattr(app, room), service)
                    if inspect.ismethod(built):
                        built()
        return set(seen)

    return settings_read_by


def _services(folder: Path) -> set[tuple[str, str]]:
    return {
        (room, service)
        for source in folder.glob("*.py")
        for room, service in _SERVICE.findall(source.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("function", function_names())
def test_a_function_is_given_just_the_settings_that_its_services_read(
    function: str, deployment: Deployment, settings_read: ReadBy
) -> None:
    variables = set(deployment.functions()[function]["Environment"]["Variables"])
    given = {name.removeprefix("MARKET_").lower() for name in variables if name.startswith("MARKET_")}
    assert given == settings_read(FUNCTIONS / function)
    assert {name for name in variables if not name.startswith("MARKET_")} == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_TRACE_DISABLED",
    }


def test_services_are_built_with_all_that_they_are_built_of(settings_read: ReadBy) -> None:
    read = settings_read(FUNCTIONS / "publish_image")
    assert {"database_secret_arn", "work_bucket", "event_bus", "stage"} <= read
    assert "signing_key_secret_arn" not in read


def test_the_stacks_tell_the_command_line_the_settings_that_its_services_read(
    deployment: Deployment, settings_read: ReadBy
) -> None:
    told = deployment.stacks["operations"]["Outputs"]["CommandSettings"]["Value"]
    text = (
        told
        if isinstance(told, str)
        else "".join(part if isinstance(part, str) else "X" for part in told["Fn::Join"][1])
    )
    settings = json.loads(text)
    assert settings.keys() >= settings_read(LIBRARY / "cli")
    assert settings.keys() <= {name for each in settings_classes() for name in each.model_fields}
    assert all(isinstance(value, str) for value in settings.values())


def test_a_folder_takes_from_the_app_what_the_comparison_sees() -> None:
    """Nothing keeps the app, a room or a setting under another name, where the comparison would not find it."""
    for source in [*FUNCTIONS.rglob("*.py"), *(LIBRARY / "cli").rglob("*.py")]:
        text = source.read_text(encoding="utf-8")
        if not re.search(r"\bimagemarket(\.| import )app\b", text):
            continue  # the command line has an app of its own, which reads no settings
        assert len(re.findall(r"\bapp\(\)", text)) == len(_SERVICE.findall(text)), source


def test_settings_are_read_where_services_are_built() -> None:
    """Whatever else read one would be missed by the comparison above."""
    names = "|".join(each.__name__ for each in settings_classes())
    readers = {
        str(source.relative_to(LIBRARY))
        for source in [*LIBRARY.rglob("*.py"), *FUNCTIONS.rglob("*.py")]
        if source.is_relative_to(LIBRARY) and re.search(rf"\b({names})\(\)", source.read_text(encoding="utf-8"))
    }
    assert {name.split("/")[-1] for name in readers} == {"wiring.py", "resources.py"}


def test_services_are_built_once() -> None:
    for room in ("vision", "identity", "catalog", "ingestion", "search", "notifications", "delivery", "operations"):
        assert isinstance(getattr(App, room), cached_property)


def test_no_secret_stands_in_an_environment(deployment: Deployment) -> None:
    for name, function in deployment.functions().items():
        for variable, value in function["Environment"]["Variables"].items():
            if {"SECRET", "KEY"} & set(variable.split("_")):
                assert variable.endswith(("_SECRET_ARN", "_SECRET_ARNS")), f"{name}: {variable}"
                named = value in {"", OWNER_SECRET} if isinstance(value, str) else True
                assert named, f"{name}: {variable} is a literal, not a reference"
