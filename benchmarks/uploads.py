"""A contributor's folder uploaded for real, cut off twice: 30 photos of 8 to 40 MB, a TIFF, a RAW.

The first run is interrupted (SIGINT) while the TIFF's parts are under way, the second is killed (SIGKILL) with pictures
on their way, the third comes through. Runs against a local cloud of its own (state folder `.market/bench`). The photos
are those beside the clone (`../shared/samples/photos`), where they are, and painted ones otherwise, in camera size with
grain.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import report
from benchmarks.pipeline import own_stack
from imagemarket.ingestion import review
from imagemarket.platform.database import Database
from local.api_client import ApiClient, eventually
from local.demo.load import ACCOUNTS
from local.emulator import aws_client
from local.layout import REPOSITORY
from local.pictures import paint_landscape, paint_photo
from local.postgres import dsn_of
from local.raw_fixtures import write_dng

_PHOTOS = 30
_TIFF_SIZE = (8000, 6300)
"""151 MB, uncompressed."""
_SAMPLES = REPOSITORY.parent / "shared" / "samples" / "photos"
_PATIENCE_S = 1800


def _sources(scratch: Path) -> Iterator[Image.Image]:
    """Pictures that are no copies of one another: real ones first."""
    real = [*sorted(_SAMPLES.glob("captioned/*.jpg")), *sorted(_SAMPLES.glob("kodak/*.png"))][:_PHOTOS]
    painted = (paint_landscape(scratch / f"{seed}.jpg", seed=seed) for seed in range(_PHOTOS - len(real)))
    for path in [*real, *painted]:
        with Image.open(path) as picture:
            yield picture.convert("RGB")


def make_folder(folder: Path, scratch: Path) -> dict[str, int]:
    """Fill it; each file's bytes by its name. The TIFF comes first by name, so that it is under way from the start."""
    for number, source in enumerate(_sources(scratch)):
        share = number / (_PHOTOS - 1)
        megapixels, grain, quality = 15 + 27 * share, round(24 + 24 * share), round(95 + 2 * share)
        scale = (megapixels * 1e6 / (source.width * source.height)) ** 0.5
        size = (round(source.width * scale), round(source.height * scale))
        smooth = np.asarray(source.resize(size, Image.Resampling.BICUBIC), dtype=np.int16)
        noise = np.random.default_rng(number).integers(-grain, grain + 1, (*smooth.shape[:2], 1), dtype=np.int8)
        picture = Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))
        picture.save(folder / f"photo-{number:02}.jpg", quality=quality)
    paint_photo(folder / "a-scan.tif", seed=4711, size=_TIFF_SIZE)
    with Image.open(paint_landscape(scratch / "sensor.jpg", seed=4712, size=(4000, 3000))) as seen:
        write_dng(folder / "negative.dng", np.asarray(seen, dtype=np.float32) / 255)
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def run_uploader(
    client: ApiClient, folder: Path, journal: Path, *, until: Callable[[], bool] | None = None, by: int = signal.SIGINT
) -> tuple[int, str]:
    """Exit status and stdout of one run of the command; ended by the signal `by` as soon as `until` holds."""
    environment = os.environ | client.cloud.environment()
    environment |= {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'shared'}"}
    environment |= {"MARKET_PASSWORD": client.cloud.layout.secret("contributor")}
    command = [sys.executable, "-m", "imagemarket.cli", "upload", str(folder), "--as", ACCOUNTS["contributor"]]
    command += ["--journal", str(journal)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + _PATIENCE_S
        while until is not None and running.poll() is None:
            if until() or time.monotonic() > deadline:
                running.send_signal(by)
                break
            time.sleep(0.05)
        out, _ = running.communicate(timeout=_PATIENCE_S)
    return running.returncode, out


def entries(journal: Path) -> list[dict[str, Any]]:
    """The journal's whole lines so far."""
    if not journal.exists():
        return []
    lines = journal.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def measure() -> list[report.Row]:
    """All rows."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which children of a shell's background job ignore
    with tempfile.TemporaryDirectory() as place, own_stack() as client:
        folder, scratch, journal = Path(place) / "pictures", Path(place) / "scratch", Path(place) / "journal.jsonl"
        folder.mkdir()
        scratch.mkdir()
        sizes = make_folder(folder, scratch)
        print(f"{len(sizes)} files, {sum(sizes.values()) / 1e6:.0f} MB", file=sys.stderr)

        def parts_under_way() -> bool:
            return 2 <= max((len(entry["parts"]) for entry in entries(journal)), default=0) < 9

        def ten_are_sent() -> bool:
            return sum(entry["state"] == "sent" for entry in entries(journal)) >= 10

        began = time.monotonic()
        interrupted, _ = run_uploader(client, folder, journal, until=parts_under_way)
        parts_then = max(len(entry["parts"]) for entry in entries(journal))
        killed, _ = run_uploader(client, folder, journal, until=ten_are_sent, by=signal.SIGKILL)
        ended, table = run_uploader(client, folder, journal)
        seconds = time.monotonic() - began
        again, _ = run_uploader(client, folder, journal)
        rows = _images(client)
        print(table, file=sys.stderr)
        for row in rows:
            if row["status"] != "approved":
                print(f"{row['filename']}: {row['status']}, {row['rejection'] or row['review']}", file=sys.stderr)
        versions, open_uploads = _store(client)
    statuses = (interrupted, killed, ended, again)
    print(f"cut off with {parts_then} parts of the TIFF sent; exit statuses {statuses}", file=sys.stderr)
    wrong = sum(is_ != due for is_, due in zip(statuses, (130, -signal.SIGKILL, 0, 0), strict=True))
    images = Counter(row["filename"] for row in rows)
    through = sum(row["status"] in {"approved", "pending_review"} for row in rows)
    waiting = sum(row["status"] == "pending_review" for row in rows)
    what = f"of {len(sizes)} files ({sum(sizes.values()) / 1e6:.0f} MB) cut off twice"
    return [
        report.at_least(f"approved or waiting for a review, {what}", ours=through, unit="files", limit=len(sizes)),
        report.at_most("of them waiting for a review, a person's decision", ours=waiting, unit="files", limit=6),
        report.at_most("images made, for each file at most", ours=max(images.values()), unit="images", limit=1),
        report.at_most("versions of an original at most", ours=max(versions.values()), unit="versions", limit=1),
        report.at_most("uploads in parts that nobody ended", ours=open_uploads, unit="uploads", limit=0),
        report.at_most("runs that did not end as they had to", ours=wrong, unit="runs", limit=0),
        report.at_most("all three runs together", ours=seconds, unit="s", limit=_PATIENCE_S),
    ]


def _images(client: ApiClient) -> list[dict[str, Any]]:
    layout = client.cloud.layout
    database = Database(lambda: dsn_of(layout.ports()["postgres"], layout.secret("postgres"), "imagemarket"))
    try:
        unended = "SELECT 1 FROM images WHERE status = 'processing'"
        eventually(lambda: database.fetch_one(unended) is None, 60)
        rows = database.fetch_all(
            "SELECT i.id, u.filename, i.status, i.rejection FROM images i JOIN uploads u ON u.image_id = i.id"
            " ORDER BY u.filename"
        )
        return [row | {"review": [each.detail for each in review.reasons(database, row["id"])]} for row in rows]
    finally:
        database.close()


def _store(client: ApiClient) -> tuple[Counter[str], int]:
    """How many versions each original has, and how many uploads in parts are open."""
    s3, bucket = aws_client(client.cloud.layout, "s3"), client.cloud.layout.outputs()["OriginalsBucket"]
    versions: Counter[str] = Counter()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix="originals/"):
        versions.update(each["Key"] for each in page.get("Versions", []))
    return versions, len(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


if __name__ == "__main__":
    sys.exit(report.main(measure))
