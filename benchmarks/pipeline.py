"""The pipeline in figures: imaging, uploads to a searchable image, search, and what each API function's import costs.

Uploads run against a local cloud of their own (state folder `.market/bench`), brought up and stopped here.
"""

from __future__ import annotations

import base64
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks import imaging, pipeline_imports, pipeline_search, report
from local.api_client import ApiClient, eventually
from local.cloud import Cloud
from local.demo.load import make_accounts
from local.emulator import aws_client
from local.front_door import API_IN_FLIGHT, STATUS_IN_FLIGHT
from local.layout import LOOPBACK, REPOSITORY, Layout, free_port
from local.pictures import paint_photo

_PHOTOS = 30
_SIZE = (6300, 4200)
"""15 MB as a JPEG, the average upload of the specification."""


@contextmanager
def own_stack() -> Iterator[ApiClient]:
    """A local cloud with accounts and no pictures, stopped afterwards."""
    made = REPOSITORY / ".market"
    cloud = Cloud(Layout(made=made, state=made / "bench", port=free_port()))
    cloud.reset()
    try:
        cloud.up()
        make_accounts(cloud)
        with closing(ApiClient(cloud)) as client:
            yield client
    finally:
        cloud.down()


def _searchable(client: ApiClient, word: str) -> bool:
    return bool(client.search(q=word, mode="keyword", limit=1)["results"])


def _road(client: ApiClient, path: Path) -> dict[str, Any]:
    """Send one picture; seconds from its first byte to approved and to found by search."""
    word = f"w{uuid.uuid4().hex[:10]}"
    announced = client.announce(path, title=f"Hills {word}")
    began = time.monotonic()
    client.send(announced, path)
    status = client.wait(announced["image_id"], 300)["status"]
    approved = time.monotonic() - began
    if status == "approved":
        eventually(lambda: _searchable(client, word), 120)
    return {"status": status, "approved": approved, "searchable": time.monotonic() - began}


def _library_alone(client: ApiClient, path: Path) -> float:
    """The peer: the same work in one process, one step after the other, with no cloud around it. Seconds."""
    from imagemarket.imaging.inspection import inspect
    from imagemarket.imaging.renditions import make_thumbnails
    from imagemarket.imaging.watermark import make_watermarked

    began = time.monotonic()
    inspection = inspect(path)
    make_thumbnails(inspection.master)
    make_watermarked(inspection.master, uuid.uuid4())
    port = client.cloud.layout.ports()["models"]
    body = {"images": [base64.b64encode(inspection.model_input).decode()]}
    httpx.post(f"http://{LOOPBACK}:{port}/invocations", json=body, timeout=60, trust_env=False).raise_for_status()
    return time.monotonic() - began


def _function_processes(client: ApiClient) -> int:
    emulator = client.cloud.supervisor.process("aws")
    return len(emulator.children(recursive=True)) if emulator else 0


def _process_limit(client: ApiClient) -> int:
    """How many may stand: each function's own bound, and for each API call that the front door lets through its
    function and the authorizer. At most 48 of them work; the others stay warm for three minutes."""
    lambda_ = aws_client(client.cloud.layout, "lambda")
    names = [
        each["FunctionName"]
        for page in lambda_.get_paginator("list_functions").paginate()
        for each in page["Functions"]
    ]
    bounds = [
        lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0) for name in names
    ]
    return sum(bounds) + 2 * API_IN_FLIGHT + STATUS_IN_FLIGHT  # an image's status runs in a function with a bound


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def measure_uploads() -> list[report.Row]:
    """From the first byte sent to approved and searchable, one at a time and thirty at once."""
    with tempfile.TemporaryDirectory() as folder, own_stack() as client:
        painted = [paint_photo(Path(folder) / f"{seed}.jpg", seed=seed, size=_SIZE) for seed in range(2 * _PHOTOS + 2)]
        warm_up, single, together = painted[:2], painted[2 : 2 + _PHOTOS], painted[2 + _PHOTOS :]
        for path in warm_up:
            _road(client, path)
        alone = statistics.median(_library_alone(client, path) for path in single[:5])
        one_by_one = [_road(client, path) for path in single]
        peak = 0
        with ThreadPoolExecutor(_PHOTOS) as pool:
            running = [pool.submit(_road, client, path) for path in together]
            while not all(each.done() for each in running):
                peak = max(peak, _function_processes(client))
                time.sleep(0.2)
            at_once = [each.result() for each in running]
        limit = _process_limit(client)
        memory = sum(standing.memory_mib for standing in client.cloud.standings())
    singles = [each["searchable"] for each in one_by_one]
    crowd = [each["searchable"] for each in at_once]
    approved = sum(each["status"] == "approved" for each in [*one_by_one, *at_once])
    print(f"memory of the whole local cloud after it all: {memory:.0f} MiB", file=sys.stderr)
    one = f"one at a time ({_PHOTOS} photos of 26 MP and 15 MB), sent to searchable"
    many = f"{_PHOTOS} at once, sent to searchable"
    return [
        report.at_most(f"{one}: median", ours=statistics.median(singles), peer=alone, unit="s", limit=10),
        report.at_most(f"{one}: p95", ours=_p95(singles), unit="s", limit=15),
        report.at_most(f"{many}: median", ours=statistics.median(crowd), peer=alone * _PHOTOS, unit="s", limit=60),
        report.at_most(f"{many}: p95", ours=_p95(crowd), unit="s", limit=90),
        report.at_most("photos lost or not approved", ours=2 * _PHOTOS - approved, unit="photos", limit=0),
        report.at_most(f"function processes at most, {_PHOTOS} at once", ours=peak, unit="processes", limit=limit),
    ]


def measure() -> list[report.Row]:
    """All rows of the pipeline."""
    return [*imaging.measure(), *measure_uploads(), *pipeline_search.measure(), *pipeline_imports.measure()]


if __name__ == "__main__":
    sys.exit(report.main(measure))
