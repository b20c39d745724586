"""The whole local cloud for the tests of this folder, brought up once by `./market up` on its own port and state."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.cloud import Cloud
from local.demo.load import ACCOUNTS
from local.layout import REPOSITORY, Layout, free_port
from tests.stack.pictures import paint_landscape

SAMPLES = REPOSITORY.parent / "shared" / "samples"
FINAL = {"approved", "rejected", "pending_review", "processing_failed"}


@dataclass(frozen=True)
class Upload:
    """One upload as its contributor sees it."""

    image_id: str
    status: dict[str, Any]


class Market:
    """The marketplace as people reach it: by HTTP through the front door."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.http = httpx.Client(base_url=cloud.layout.base_url, timeout=60, trust_env=False)
        self._tokens: dict[str, str] = {}

    def headers(self, email: str) -> dict[str, str]:
        if email not in self._tokens:
            role = next(role for role, known in ACCOUNTS.items() if known == email)
            body = {"email": email, "password": self.cloud.layout.secret(role)}
            answer = self.http.post("/v1/auth/login", json=body)
            assert answer.status_code == 200, answer.text
            self._tokens[email] = answer.json()["access_token"]
        return {"authorization": f"Bearer {self._tokens[email]}"}

    def announce(self, path: Path, **changed: Any) -> dict[str, Any]:
        """Ask for an upload of the file; the answer of the API."""
        data = path.read_bytes()
        body = {
            "title": path.stem.replace("_", " ")[:200],
            "categories": ["nature"],
            "tags": ["test"],
            "filename": f"{path.stem}.jpg",
            "size_bytes": len(data),
            "sha256": sha256(data).hexdigest(),
            "image_type": "photo",
            "license_types": ["standard"],
        } | changed
        answer = self.http.post("/v1/images/upload", json=body, headers=self.headers(ACCOUNTS["contributor"]))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def send(self, announced: dict[str, Any], path: Path) -> None:
        """Send the bytes where the API said, as a browser's form does."""
        upload = announced["upload"]
        sent = httpx.post(
            upload["url"],
            data=upload["fields"],
            files={"file": (path.name, path.read_bytes())},
            timeout=60,
            trust_env=False,
        )
        assert sent.status_code in {200, 201, 204}, sent.text

    def status(self, image_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/images/{image_id}/status", headers=self.headers(ACCOUNTS["contributor"]))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, image_id: str, patience_s: float = 120) -> dict[str, Any]:
        """The status once it is a final one."""
        return eventually(lambda: (found := self.status(image_id))["status"] in FINAL and found, patience_s)

    def upload(self, path: Path, **changed: Any) -> Upload:
        announced = self.announce(path, **changed)
        self.send(announced, path)
        return Upload(announced["image_id"], self.wait(announced["image_id"]))

    def search(self, **query: Any) -> dict[str, Any]:
        answer = self.http.get("/v1/search", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def eventually(probe: Callable[[], Any], patience_s: float = 60) -> Any:
    """What the probe gives once it is true; fails with its last answer when it never is."""
    deadline = time.monotonic() + patience_s
    last = None
    while time.monotonic() < deadline:
        last = probe()
        if last:
            return last
        time.sleep(0.25)
    raise AssertionError(f"not within {patience_s:.0f} s: {last!r}")


def run_market(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(REPOSITORY / "market"), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def stack_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"MARKET_STATE": str(tmp_path_factory.mktemp("stack")), "MARKET_PORT": str(free_port())}


@pytest.fixture(scope="session")
def market(stack_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    pictures = tmp_path_factory.mktemp("pictures")
    described = {}
    for seed, name in enumerate(("dawn", "dusk")):
        paint_landscape(pictures / f"{name}.jpg", seed=seed)
        described[f"{name}.jpg"] = {"title": f"Painted hills at {name}", "tags": ["hills", name]}
    (pictures / "metadata.json").write_text(json.dumps(described))
    layout = Layout(
        made=REPOSITORY / ".market",
        state=Path(stack_environment["MARKET_STATE"]).resolve(),
        port=int(stack_environment["MARKET_PORT"]),
    )
    up = run_market(stack_environment, "up", "--demo", str(pictures))
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield Market(Cloud(layout))
    finally:
        down = run_market(stack_environment, "down")
    assert down.returncode == 0, down.stdout + down.stderr
