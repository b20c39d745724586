"""The marketplace as people reach it, by HTTP through the front door; for tests and benchmarks of the whole stack."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from imagemarket.ingestion.models import CONTENT_TYPES
from local.cloud import Cloud
from local.demo.load import ACCOUNTS

FINAL = frozenset({"approved", "rejected", "pending_review", "processing_failed"})
"""Statuses that no longer change by themselves."""


class Unexpected(AssertionError):
    """The marketplace answered otherwise than it promises."""


def _expect(answer: httpx.Response, *statuses: int) -> httpx.Response:
    if answer.status_code not in statuses:
        raise Unexpected(f"{answer.request.method} {answer.request.url} -> {answer.status_code}: {answer.text[:2000]}")
    return answer


@dataclass(frozen=True)
class Upload:
    """One upload as its contributor sees it."""

    image_id: str
    status: dict[str, Any]


class ApiClient:
    """Signs in as the demo's people, uploads, waits and searches."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.http = httpx.Client(base_url=cloud.layout.base_url, timeout=60, trust_env=False)
        self._tokens: dict[str, str] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()

    def headers(self, role: str) -> dict[str, str]:
        """An `Authorization` header of the demo's contributor, buyer or admin."""
        if role not in self._tokens:
            body = {"email": ACCOUNTS[role], "password": self.cloud.layout.secret(role)}
            self._tokens[role] = _expect(self.http.post("/v1/auth/login", json=body), 200).json()["access_token"]
        return {"authorization": f"Bearer {self._tokens[role]}"}

    def sign_up(self, email: str) -> None:
        """Be a contributor of one's own from now on, in place of the demo's."""
        account = {"email": email, "password": secrets.token_urlsafe(12)}
        opened = {**account, "role": "contributor", "display_name": "ApiClient"}
        _expect(self.http.post("/v1/auth/register", json=opened), 201)
        self._tokens["contributor"] = _expect(self.http.post("/v1/auth/login", json=account), 200).json()[
            "access_token"
        ]

    def announce(self, path: Path, **changed: Any) -> dict[str, Any]:
        """Ask for an upload of the file; the answer of the API. Kinds that are not accepted claim to be JPEG."""
        data = path.read_bytes()
        extension = path.suffix.lower().removeprefix(".")
        extension = extension if extension in CONTENT_TYPES else "jpg"
        body = {
            "title": path.stem.replace("_", " ")[:200],
            "categories": ["nature"],
            "tags": ["test"],
            "filename": f"{path.stem}.{extension}",
            "content_type": CONTENT_TYPES[extension][0],
            "size_bytes": len(data),
            "sha256": sha256(data).hexdigest(),
            "image_type": "photo",
            "license_types": ["standard"],
        }
        answer = self.http.post("/v1/images/upload", json=body | changed, headers=self.headers("contributor"))
        return _expect(answer, 201).json()

    def send(self, announced: dict[str, Any], path: Path) -> None:
        """Send the bytes where the API said: as a browser's form does, or in parts."""
        upload = announced["upload"]
        if upload["method"] == "multipart":
            self._send_parts(upload, path)
            return
        files = {"file": (path.name, path.read_bytes())}
        _expect(
            httpx.post(upload["url"], data=upload["fields"], files=files, timeout=60, trust_env=False), 200, 201, 204
        )

    def _send_parts(self, upload: dict[str, Any], path: Path) -> None:
        parts = []
        with path.open("rb") as file:
            for part in upload["parts"]:
                sent = httpx.put(part["url"], content=file.read(upload["part_size"]), timeout=60, trust_env=False)
                parts.append({"number": part["number"], "etag": _expect(sent, 200).headers["etag"]})
        complete = self.http.post(upload["complete_url"], json={"parts": parts}, headers=self.headers("contributor"))
        _expect(complete, 200, 202, 204)

    def status(self, image_id: str) -> dict[str, Any]:
        """The status as the contributor sees it."""
        answer = self.http.get(f"/v1/images/{image_id}/status", headers=self.headers("contributor"))
        return _expect(answer, 200).json()

    def wait(self, image_id: str, patience_s: float = 120) -> dict[str, Any]:
        """The status once it is a final one."""
        return eventually(lambda: (found := self.status(image_id))["status"] in FINAL and found, patience_s)

    def upload(self, path: Path, **changed: Any) -> Upload:
        """Announce, send and wait."""
        announced = self.announce(path, **changed)
        self.send(announced, path)
        return Upload(announced["image_id"], self.wait(announced["image_id"]))

    def search(self, **query: Any) -> dict[str, Any]:
        """One page of results, after the seconds that a limit on requests asks for."""
        while (answer := self.http.get("/v1/search", params=query)).status_code == 429:
            time.sleep(int(answer.headers["retry-after"]))
        return _expect(answer, 200).json()


def eventually(probe: Callable[[], Any], patience_s: float = 60, *, every_s: float = 0.25) -> Any:
    """What the probe gives once it is true. Raises `Unexpected` with its last answer when it never is."""
    deadline = time.monotonic() + patience_s
    last = None
    while time.monotonic() < deadline:
        last = probe()
        if last:
            return last
        time.sleep(every_s)
    raise Unexpected(f"not within {patience_s:.0f} s: {last!r}")
