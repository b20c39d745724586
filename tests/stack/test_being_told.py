"""A contributor hears of an upload through the deployed stack: by waiting, in the app, by mail and by a signed call."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from local.api_client import ApiClient, eventually
from local.pictures import paint_landscape
from tests.integration.receiver import receiving

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def test_an_upload_is_told_in_every_way(market: ApiClient, tmp_path: Path) -> None:
    path = paint_landscape(tmp_path / "told.jpg", seed=404)
    headers = market.headers("contributor")
    with receiving() as receiver:
        made = market.http.post("/v1/webhooks", json={"url": receiver.url}, headers=headers).json()
        receiver.secret = made["secret"]
        webhook = f"/v1/webhooks/{made['id']}"
        eventually(lambda: market.http.get(webhook, headers=headers).json()["state"] == "active", 60)
        first = market.announce(path)
        waited: list[str] = []

        def wait() -> None:
            status = "processing"
            while status == "processing":
                answer = market.http.get(
                    f"/v1/images/{first['image_id']}/status", params={"wait": 30}, headers=headers, timeout=40
                )
                status = answer.json()["status"]
                waited.append(status)
                time.sleep(int(answer.headers.get("retry-after", "0")))  # said until the bytes are there

        waiting = threading.Thread(target=wait)
        waiting.start()
        market.send(first, path)
        waiting.join()
        assert waited[-1] == "approved"
        assert market.wait(first["image_id"])["status"] == "approved"
        second = market.upload(path)
        assert second.status["status"] == "rejected"

        heard = eventually(lambda: len(receiver.heard) >= 2 and receiver.heard, 120)
        told = {document["data"]["image_id"]: document for _, document in heard}
        assert told[first["image_id"]]["type"] == "image.approved"
        assert told[second.image_id]["data"]["reason"]["code"] == "duplicate-image"
        log = market.http.get(f"{webhook}/deliveries", headers=headers).json()["items"]
        assert {delivery["status"] for delivery in log} == {"delivered"}
        assert market.http.delete(webhook, headers=headers).status_code == 204

    page = market.http.get("/v1/notifications", headers=headers).json()
    assert {first["image_id"], second.image_id} <= {each["image_id"] for each in page["items"]}
    assert page["unread_count"] >= 2
    mails = market.cloud.layout.state / "mail"
    eventually(lambda: any(second.image_id in mail.read_text(encoding="utf-8") for mail in mails.glob("*.eml")), 120)
