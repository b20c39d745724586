"""The bulk uploader's own process on the deployed stack, cut off in the middle of a file in parts and run again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from benchmarks.uploads import entries, run_uploader
from local.api_client import ApiClient
from local.emulator import aws_client
from local.pictures import paint_landscape, paint_photo

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_cut_off_within_a_file_in_parts_only_the_missing_ones_are_sent(
    market: ApiClient, tmp_path: Path, by: signal.Signals, status: int
) -> None:
    folder, journal = tmp_path / "pictures", tmp_path / "journal.jsonl"
    folder.mkdir()
    paint_photo(folder / "a-scan.tif", seed=910 + by, size=(6400, 5600))
    for number in range(3):
        paint_landscape(folder / f"{number}.jpg", seed=920 + 10 * by + number)

    def two_parts_are_sent() -> bool:
        return any(len(entry["parts"]) >= 2 for entry in entries(journal))

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    try:
        cut, _ = run_uploader(market, folder, journal, until=two_parts_are_sent, by=by)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert cut == status
    sent = max(len(entry["parts"]) for entry in entries(journal))
    assert 2 <= sent < 7, "it was cut off within the file"
    (kept,) = {entry["image_id"] for entry in entries(journal) if entry["parts"]}

    ended, table = run_uploader(market, folder, journal)
    assert ended == 0, table
    assert "4 files: 4 approved" in table
    assert [len(entry["parts"]) for entry in entries(journal) if entry["image_id"] == kept and entry["parts"]][-1] == 7
    images = {entry["image_id"] for entry in entries(journal) if entry["state"] == "ended"}
    assert kept in images
    layout = market.cloud.layout
    s3, bucket = aws_client(layout, "s3"), layout.outputs()["OriginalsBucket"]
    versions = [
        each["Key"]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix="originals/")
        for each in page.get("Versions", [])
        if any(image in each["Key"] for image in images)
    ]
    assert len(versions) == len(set(versions)) == 4
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")

    again, table = run_uploader(market, folder, journal)
    assert (again, "4 files: 4 approved" in table) == (0, True)
