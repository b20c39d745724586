"""An upload becomes searchable: through the deployed stack, as a contributor and a buyer go."""

from __future__ import annotations

import io
import json
import re
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagemarket.ingestion.models import MULTIPART_ABOVE_BYTES
from imagemarket.platform.database import Database
from local.api_client import ApiClient, eventually
from local.emulator import aws_client
from local.pictures import paint_landscape, paint_photo
from local.postgres import dsn_of
from tests.described import CREDIT, KEYWORD, TITLE, with_iptc
from tests.edge import MAKERS, make_edge_file, refusals_of, sample_files
from tests.stack.conftest import run_market
from tests.unit.vision.kit import photo

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def database(market: ApiClient):
    layout = market.cloud.layout
    found = Database(lambda: dsn_of(layout.ports()["postgres"], layout.secret("postgres"), "imagemarket"))
    yield found
    found.close()


_ON_THE_ROAD = {
    *("upload_api", "start_ingestion", "inspect_image", "make_thumbnails", "make_watermark", "detect_duplicate"),
    *("embed_and_tag", "publish_image", "index_images", "tell_contributors"),
}
"""Whoever has to do with an image until it is found and its contributor told."""


def test_an_upload_becomes_searchable(
    market: ApiClient, database: Database, stack_environment: dict[str, str], tmp_path: Path
) -> None:
    word = f"zephyr{uuid.uuid4().hex[:8]}"
    uploaded = market.upload(paint_landscape(tmp_path / "hills.jpg", seed=101), title=f"The {word} hills")
    assert uploaded.status["status"] == "approved", uploaded.status

    page = eventually(lambda: (found := market.search(q=word, mode="keyword"))["results"] and found)
    hit = page["results"][0]
    assert hit["id"] == uploaded.image_id
    assert {rendition["format"] for rendition in hit["renditions"]} == {"webp", "avif", "jpeg"}
    for rendition in hit["renditions"]:
        answer = market.http.get(rendition["url"])
        assert answer.status_code == 200, rendition
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert picture.size == (rendition["width"], rendition["height"])

    for accept, content_type in {
        "image/avif,*/*": "image/avif",
        "image/webp": "image/webp",
        "*/*": "image/jpeg",
    }.items():
        preview = market.http.get(f"/v1/images/{hit['id']}/preview", headers={"accept": accept}, follow_redirects=True)
        assert preview.status_code == 200
        assert preview.headers["content-type"] == content_type
        assert preview.history[0].status_code == 302

    row = database.fetch_one("SELECT request_id FROM uploads WHERE image_id = %s", (uploaded.image_id,))
    assert row is not None
    for about in (row["request_id"], uploaded.image_id):

        def told_by(about: str = about) -> set[str]:
            lines = run_market(stack_environment, "logs", "--request", about).stdout.splitlines()
            return {line.split()[1] for line in lines}

        eventually(lambda told_by=told_by: told_by() >= _ON_THE_ROAD, 150, every_s=1)

    detail = market.http.get(f"/v1/images/{hit['id']}").json()
    assert detail["title"] == f"The {word} hills"
    similar = market.http.get(f"/v1/images/{hit['id']}/similar").json()
    assert hit["id"] not in [each["id"] for each in similar["results"]]
    assert similar["degraded"] == []

    (thumbnail,) = (each for each in hit["renditions"] if each["format"] == "jpeg" and each["width"] == 450)
    with Image.open(io.BytesIO(market.http.get(thumbnail["url"]).content)) as picture:
        said = picture.info["xmp"].decode()
    for leads in (r'xmpRights:WebStatement="([^"]+)"', r"<plus:LicensorURL>([^<]+)<"):
        (url,) = re.findall(leads, said)
        answer = market.http.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), url
    assert f"The {word} hills" in answer.text
    assert market.http.get(f"/images/{uuid.uuid4()}").status_code == 404


@pytest.mark.parametrize(
    ("name", "size", "at_least"),
    [("stock.jpg", (6000, 4000), 12_000_000), ("scan.tif", (6400, 5600), 100 * 1024 * 1024 + 1)],
)
def test_a_file_of_stock_size_comes_through(
    market: ApiClient, tmp_path: Path, name: str, size: tuple[int, int], at_least: int
) -> None:
    """A photo above what boto3 fetches in one piece, and a TIFF that is sent in parts."""
    path = paint_photo(tmp_path / name, seed=606 + len(name), size=size)
    assert path.stat().st_size >= at_least
    announced = market.announce(path)
    assert announced["upload"]["method"] == ("multipart" if at_least > MULTIPART_ABOVE_BYTES else "POST")
    market.send(announced, path)
    status = market.wait(announced["image_id"], 300)
    assert status["status"] == "approved", status
    shown = market.http.get(f"/v1/images/{announced['image_id']}").json()
    assert (shown["width"], shown["height"]) == size


def test_a_picture_is_found_by_its_meaning(market: ApiClient) -> None:
    """Through the function that encodes texts; the first search waits for it to start, and may be served without.

    Painted hills are near no words by the bundle's own measure, so the floor is the query's: above nothing.
    """
    page = eventually(
        lambda: (found := market.search(q="the sky", mode="semantic", min_score=0))["mode"] == "semantic" and found
    )
    assert not page["degraded"]
    assert page["results"]
    assert page["results"] == sorted(page["results"], key=lambda hit: -hit["score"])


def test_a_word_finds_what_is_close_and_a_made_up_one_nothing(market: ApiClient, tmp_path: Path) -> None:
    """By the bundle's own measure of what is close. A picture's title says nothing of it."""
    photo("chelsea.png").resize((1804, 1200)).save(tmp_path / "pet.jpg", quality=92)
    uploaded = market.upload(tmp_path / "pet.jpg", title="At home in the afternoon")
    assert uploaded.status["status"] == "approved", uploaded.status

    def found(word: str, mode: str) -> dict[str, Any]:
        page = eventually(lambda: (page := market.search(q=word, mode=mode))["degraded"] == [] and page, 150, every_s=5)
        assert page["mode"] == mode
        return page

    def kitten() -> list[str]:
        return [hit["id"] for hit in found("kitten", "semantic")["results"]]

    assert eventually(lambda: uploaded.image_id in kitten(), 150, every_s=5)
    assert not any(hit["title"].startswith("Painted hills") for hit in found("kitten", "semantic")["results"])
    for mode in ("keyword", "semantic", "hybrid"):
        page = found("xkqzvw", mode)
        assert page["results"] == [], mode
        assert page["estimated_total"] == 0, mode
        assert not any(each["count"] for counts in page["facets"].values() for each in counts), mode


def test_who_looks_at_a_picture_makes_it_popular(market: ApiClient, tmp_path: Path) -> None:
    """By the look's way alone: the stream, the schedule that gathers it, the index."""
    word = f"zephyr{uuid.uuid4().hex[:8]}"
    first, second = (
        market.upload(paint_landscape(tmp_path / f"{seed}.jpg", seed=seed), title=f"{word} {seed}").image_id
        for seed in (707, 708)
    )

    def order() -> list[str]:
        page = market.search(q=word, mode="keyword", sort="popular")
        return [hit["id"] for hit in page["results"]]

    eventually(lambda: order() == [second, first], 180, every_s=5)  # nobody looked: the newer comes first
    assert market.http.get(f"/v1/images/{first}").status_code == 200
    eventually(lambda: order() == [first, second], 360, every_s=5)  # two schedules of a minute, a page kept for two


def test_the_demo_is_there(market: ApiClient) -> None:
    page = eventually(lambda: (found := market.search(q="painted hills"))["estimated_total"] >= 2 and found)
    assert {"Painted hills at dawn", "Painted hills at dusk"} <= {hit["title"] for hit in page["results"]}


def test_the_same_event_ten_times_and_an_older_one_give_one_image(
    market: ApiClient, database: Database, tmp_path: Path
) -> None:
    path = paint_landscape(tmp_path / "once.jpg", seed=202)
    announced = market.announce(path)
    market.send(announced, path)
    first = market.wait(announced["image_id"])
    assert first["status"] == "approved"

    layout = market.cloud.layout
    outputs = layout.outputs()
    s3, sqs, states = (aws_client(layout, name) for name in ("s3", "sqs", "stepfunctions"))
    key = announced["upload"]["fields"]["key"]
    current = s3.head_object(Bucket=outputs["OriginalsBucket"], Key=key)
    versions = [current["VersionId"]] * 10
    # a second version of the same object, announced after and then before the first
    s3.put_object(Bucket=outputs["OriginalsBucket"], Key=key, Body=path.read_bytes() + b"\0")
    newer = s3.head_object(Bucket=outputs["OriginalsBucket"], Key=key)["VersionId"]
    versions = [newer, *versions, newer]
    for version in versions:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "000000000000",
            "time": "2026-01-01T00:00:00Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:s3:::{outputs['OriginalsBucket']}"],
            "detail": {
                "version": "0",
                "bucket": {"name": outputs["OriginalsBucket"]},
                "object": {"key": key, "size": path.stat().st_size, "version-id": version},
                "request-id": "test",
                "reason": "PutObject",
            },
        }
        sqs.send_message(QueueUrl=outputs["UploadsQueueUrl"], MessageBody=json.dumps(event))

    def drained() -> bool:
        counts = sqs.get_queue_attributes(
            QueueUrl=outputs["UploadsQueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return all(value == "0" for value in counts.values())

    eventually(drained, 90)
    left = s3.list_object_versions(Bucket=outputs["OriginalsBucket"], Prefix=key)
    assert [version["VersionId"] for version in left["Versions"]] == [current["VersionId"]]
    image = uuid.UUID(announced["image_id"])
    executions = [
        execution
        for page in states.get_paginator("list_executions").paginate(stateMachineArn=outputs["StateMachineArn"])
        for execution in page["executions"]
        if image.hex in execution["name"].replace("-", "")
    ]
    assert len(executions) == 1, executions
    assert market.wait(announced["image_id"]) == first

    def rows(table: str, column: str = "image_id") -> int:
        found = database.fetch_one(f"SELECT count(*) AS number FROM {table} WHERE {column} = %s", (image,))
        assert found is not None
        return found["number"]

    assert rows("images", "id") == 1
    assert rows("image_embeddings") == 1
    assert rows("image_renditions") == 12
    assert eventually(lambda: rows("search_documents") == 1)


def test_what_a_file_says_of_itself_is_suggested_to_its_contributor(market: ApiClient, tmp_path: Path) -> None:
    path = paint_landscape(tmp_path / "described.jpg", seed=407)
    fields = ((TITLE, b"Painted hills"), (KEYWORD, b"hills"), (KEYWORD, b"painting"), (CREDIT, b"Ada / House"))
    path.write_bytes(with_iptc(path.read_bytes(), *fields))
    ended = market.upload(path, title="As it was announced").status
    assert (ended["status"], ended["title"]) == ("approved", "As it was announced"), ended
    told = ended["suggestions"]
    assert (told["title"], told["keywords"], told["credit"]) == ("Painted hills", ["hills", "painting"], "Ada / House")


def test_a_form_posted_twice_gives_one_image_whose_original_is_current_and_intact(
    market: ApiClient, database: Database, tmp_path: Path
) -> None:
    path = paint_landscape(tmp_path / "posted.jpg", seed=405)
    announced = market.announce(path)
    market.send(announced, path)
    market.send(announced, path)  # as a client does whose answer was lost
    ended = market.wait(announced["image_id"])
    assert ended["status"] == "approved", ended
    market.send(announced, path)
    key = announced["upload"]["fields"]["key"]
    pinned = database.fetch_one("SELECT object_version FROM images WHERE id = %s", (announced["image_id"],))
    assert pinned is not None
    outputs = market.cloud.layout.outputs()
    s3 = aws_client(market.cloud.layout, "s3")

    def is_current() -> bool:
        return s3.head_object(Bucket=outputs["OriginalsBucket"], Key=key)["VersionId"] == pinned["object_version"]

    eventually(is_current, 60)
    assert s3.get_object(Bucket=outputs["OriginalsBucket"], Key=key)["Body"].read() == path.read_bytes()
    assert market.wait(announced["image_id"])["status"] == "approved"


def test_bytes_that_arrive_after_an_abort_are_deleted(market: ApiClient, tmp_path: Path) -> None:
    path = paint_landscape(tmp_path / "aborted.jpg", seed=406)
    announced = market.announce(path)
    url = f"/v1/images/{announced['image_id']}/upload"
    assert market.http.delete(url, headers=market.headers("contributor")).status_code == 204
    market.send(announced, path)
    bucket = market.cloud.layout.outputs()["OriginalsBucket"]
    s3, key = aws_client(market.cloud.layout, "s3"), announced["upload"]["fields"]["key"]
    eventually(lambda: not s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions"), 60)


def test_the_same_picture_twice_is_refused_and_named_to_its_own_contributor(market: ApiClient, tmp_path: Path) -> None:
    path = paint_landscape(tmp_path / "twice.jpg", seed=303)
    first = market.upload(path)
    assert first.status["status"] == "approved"
    with Image.open(path) as picture:
        picture.resize((1280, 854)).save(tmp_path / "again.jpg", quality=60)
    second = market.upload(tmp_path / "again.jpg")
    assert second.status["status"] == "rejected"
    assert second.status["rejection"]["code"] == "duplicate-image"
    assert second.status["rejection"]["duplicate_of"] == first.image_id


def test_every_odd_or_hostile_file_is_taken_or_refused_as_it_should_be(market: ApiClient, tmp_path: Path) -> None:
    """Small ones made here, and those beside the clone where they are; of an account that may have its mails of the
    day used up by their refusals."""
    with closing(ApiClient(market.cloud)) as odd:
        odd.sign_up("odd@example.com")
        _take_or_refuse(odd, tmp_path)


def _take_or_refuse(market: ApiClient, tmp_path: Path) -> None:
    files = [*(make_edge_file(name, tmp_path) for name in MAKERS), *sample_files()]
    announced = {path: market.announce(path) for path in files}
    for path, answer in announced.items():
        market.send(answer, path)
    ended = {path: market.wait(answer["image_id"], 300) for path, answer in announced.items()}
    for path, status in ended.items():
        codes = {refusal.slug for refusal in refusals_of(path)}
        if codes:
            assert status["status"] == "rejected", (path.name, status)
            assert status["rejection"]["code"] in codes, (path.name, status)
            assert len(status["rejection"]["detail"]) > 20, (path.name, status)
        elif status["status"] == "rejected":  # some show the same
            assert status["rejection"]["code"] == "duplicate-image", (path.name, status)
        else:
            assert status["status"] in {"approved", "pending_review"}, (path.name, status)


def test_what_was_killed_is_repaired_by_the_next_up(
    market: ApiClient, stack_environment: dict[str, str], demo_folder: Path, tmp_path: Path
) -> None:
    """A `kill -9` of every part but the front door; nothing that was there is lost, and work goes on."""
    layout = market.cloud.layout
    before = market.search(q="painted hills", limit=37)["estimated_total"]  # a page that nobody asked for before
    killed = [market.cloud.supervisor.process(name) for name in ("postgres", "valkey", "models", "aws")]
    for process in killed:
        assert process is not None
        process.kill()
    assert market.http.get("/v1/search", params={"q": "hills"}).status_code == 503
    up = run_market(stack_environment, "up", "--demo", str(demo_folder))
    assert up.returncode == 0, up.stdout + up.stderr
    assert all(standing.ready for standing in market.cloud.standings())
    assert market.search(q="painted hills", limit=37)["estimated_total"] >= before
    outputs = layout.outputs()
    assert aws_client(layout, "s3").list_objects_v2(Bucket=outputs["OriginalsBucket"])["KeyCount"] > 0
    uploaded = market.upload(paint_landscape(tmp_path / "after.jpg", seed=505))
    assert uploaded.status["status"] == "approved", uploaded.status
