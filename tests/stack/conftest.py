"""The whole local cloud for the tests of this folder, brought up once by `./market up` on its own port and state."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from local.api_client import ApiClient
from local.cloud import Cloud
from local.layout import REPOSITORY, Layout, free_port, port_is_free
from local.pictures import paint_landscape


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order in which they are written, whoever shuffles the rest: all share one cloud, and some stop or kill
    parts of it."""
    here = Path(__file__).parent
    places = [index for index, item in enumerate(items) if item.path.is_relative_to(here)]
    ordered = sorted((items[index] for index in places), key=lambda item: (item.path, item.reportinfo()[1], item.name))
    for index, item in zip(places, ordered, strict=True):
        items[index] = item


def run_market(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(REPOSITORY / "market"), *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def stack_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"MARKET_STATE": str(tmp_path_factory.mktemp("stack")), "MARKET_PORT": str(free_port())}


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of one's own instead of the demo's."""
    pictures = tmp_path_factory.mktemp("pictures")
    described = {}
    for seed, name in enumerate(("dawn", "dusk")):
        paint_landscape(pictures / f"{name}.jpg", seed=seed)
        described[f"{name}.jpg"] = {"title": f"Painted hills at {name}", "tags": ["hills", name]}
    (pictures / "metadata.json").write_text(json.dumps(described))
    return pictures


@pytest.fixture(scope="session")
def market(stack_environment: dict[str, str], demo_folder: Path) -> Iterator[ApiClient]:
    layout = Layout(
        made=REPOSITORY / ".market",
        state=Path(stack_environment["MARKET_STATE"]).resolve(),
        port=int(stack_environment["MARKET_PORT"]),
    )
    up = run_market(stack_environment, "up", "--demo", str(demo_folder))
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        with closing(ApiClient(Cloud(layout))) as client:
            yield client
    finally:
        down = run_market(stack_environment, "down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert Cloud(layout).supervisor.sweep_strays() == 0, "processes outlived ./market down"
    assert port_is_free(layout.port)
