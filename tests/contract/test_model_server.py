"""The contract of the model endpoint, over real HTTP through the AWS client that the saga uses."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import httpx
import numpy as np
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from imagemarket.vision.analyser import UnreadableImage, View
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import JPEGS, MAX_BODY_BYTES, MAX_IMAGE_BYTES, MAX_IMAGES, Analysis, Refusal, Tag, pack
from imagemarket.vision.runtime import Device
from imagemarket.vision.sagemaker import VisionEndpoint
from imagemarket.vision.text import padded_unit
from local.layout import LOOPBACK, REPOSITORY, free_port
from sagemaker.server.app import configure, create_app
from sagemaker.server.metrics import Metrics
from tests.unit.vision.kit import jpeg, lite_bundle, photo


def _client(port: int) -> Any:
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30, max_pool_connections=40),
    )


def _endpoint(port: int) -> VisionEndpoint:
    return VisionEndpoint(_client(port), "vision")


# --- The server as it is started, with the real model ----------------------------------------------


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")])}


def _start(port: int, bundle: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sagemaker.server.app", "--port", str(port), "--bundle", str(bundle)]
    return subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ping").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the model server did not become ready")


@pytest.fixture(scope="module")
def real() -> Iterator[int]:
    port = free_port()
    process = _start(port, lite_bundle())
    try:
        _wait_until_ready(port)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_sees_pictures_in_the_order_of_the_request(real: int) -> None:
    cat, coffee = jpeg(photo("chelsea.png")), jpeg(photo("coffee.png"))
    answer = _endpoint(real).analyse([cat, coffee, cat])
    assert answer.model_version.startswith("lite-")
    assert 0.2 < (answer.alike_from or 0) < 0.7
    first, second, third = answer.analyses
    assert isinstance(first, Analysis)
    assert isinstance(second, Analysis)
    assert first == third
    assert first.tags[0].tag != second.tags[0].tag
    assert "animals" in first.categories
    assert "food-drink" in second.categories


def test_a_container_is_asked_without_the_path_of_the_endpoint(real: int) -> None:
    body = {"images": [base64.b64encode(jpeg(photo("chelsea.png"))).decode()]}
    answer = httpx.post(f"http://127.0.0.1:{real}/invocations", json=body, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["analyses"][0]["categories"] == ["animals"]


def test_ends_when_told_and_frees_its_port() -> None:
    port = free_port()
    process = _start(port, lite_bundle())
    _wait_until_ready(port)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode in {0, -signal.SIGTERM}
    assert b"Traceback" not in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/ping")


def test_without_a_bundle_it_says_so_and_ends(tmp_path: Path) -> None:
    process = _start(free_port(), tmp_path)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"there is no bundle.json" in said


# --- The server alone, with a model whose pace the test sets ---------------------------------------


class SlowModel:
    """Takes `{"shows": …}` for a picture, and looks at it only while `eyes` is set."""

    model_version = "slow-1"
    alike_from = None
    device: Device = "cpu"
    fell_back: str | None = None

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.warmed: list[int] = []
        self.eyes = threading.Event()
        self.eyes.set()
        self.looked: list[str] = []

    def prepare(self, jpeg: bytes) -> View:
        if jpeg == b"broken":
            raise UnreadableImage("it is broken")
        shown = np.frombuffer(jpeg, dtype=np.uint8)
        return View(views=shown, nsfw=shown, colours={}, surest_face=0)

    def warm_up(self, batch: int) -> None:
        self.warmed.append(batch)

    def look(self, views: Sequence[View]) -> list[Analysis]:
        assert self.eyes.wait(20)
        self.batches.append(len(views))
        return [self._look(view.views.tobytes().decode()) for view in views]

    def _look(self, shown: str) -> Analysis:
        if shown == "crash":
            raise RuntimeError("out of memory at 0x7f")
        self.looked.append(shown)
        return Analysis(
            embedding=padded_unit(np.ones(4, dtype=np.float32)),
            tags=[Tag(tag=shown, confidence=1)],
            categories=[],
            nsfw_score=0,
            description="A test.",
            people=None,
        )


@dataclass
class Served:
    port: int
    model: SlowModel
    failures: list[Exception]

    @property
    def endpoint(self) -> VisionEndpoint:
        return _endpoint(self.port)


@contextmanager
def _serve(load: Any, model: SlowModel, batch: int | None = None) -> Iterator[Served]:
    port = free_port()
    failures: list[Exception] = []
    server = uvicorn.Server(configure(create_app(load, failures.append, batch=batch), LOOPBACK, port))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Served(port, model, failures)
    finally:
        model.eyes.set()
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def served() -> Iterator[Served]:
    model = SlowModel()
    with _serve(lambda: model, model) as served:
        _wait_until_ready(served.port)
        yield served


def _post(served: Served, **request: Any) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{served.port}/invocations", **request)


def _shown(analysis: Analysis | Refusal) -> str:
    assert isinstance(analysis, Analysis)
    return analysis.tags[0].tag


def _coded(*pictures: bytes) -> dict[str, list[str]]:
    return {"images": [base64.b64encode(picture).decode() for picture in pictures]}


def test_while_it_loads_callers_are_told_to_come_again() -> None:
    loaded = threading.Event()
    model = SlowModel()

    def load() -> SlowModel:
        assert loaded.wait(20)
        return model

    with _serve(load, model) as served:
        assert httpx.get(f"http://127.0.0.1:{served.port}/ping").status_code == 503
        answer = _post(served, content=b"{}", headers={"content-type": "application/json"})
        assert (answer.status_code, int(answer.headers["retry-after"])) == (503, 5)
        with pytest.raises(ClientError) as caught:
            _client(served.port).invoke_endpoint(EndpointName="vision", ContentType="application/json", Body=b"{}")
        assert type(caught.value).__name__ == "ModelNotReadyException"
        with pytest.raises(ModelNotReady):
            served.endpoint.analyse([b"a"])
        loaded.set()
        _wait_until_ready(served.port)
        assert model.warmed == [4]
        assert served.endpoint.analyse([b"a"]).model_version == "slow-1"


@pytest.mark.parametrize("fell_back", [None, "no NVIDIA driver answers"])
def test_it_says_what_it_runs_on_and_what_it_fell_back_from(
    fell_back: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    model = SlowModel()
    model.fell_back = fell_back
    with caplog.at_level("WARNING"), _serve(lambda: model, model) as served:
        _wait_until_ready(served.port)
        answer = httpx.get(f"http://127.0.0.1:{served.port}/ping").json()
        figures = httpx.get(f"http://127.0.0.1:{served.port}/metrics").text
    assert answer == {"model_version": "slow-1", "device": "cpu", "fell_back": fell_back}
    assert 'imagemarket_device{device="cpu"} 1.0' in figures
    assert f"imagemarket_fell_back {float(fell_back is not None)}" in figures
    assert (str(fell_back) in caplog.text) == (fell_back is not None)


def test_falling_back_reaches_cloudwatch() -> None:
    metrics = Metrics(lambda: 0)
    metrics.say_device("cpu", fell_back=True)
    line = json.loads(metrics.log_line("slow-1"))
    assert line["FellBack"] == 1
    assert {"Name": "FellBack", "Unit": "Count"} in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]


def test_a_model_that_cannot_be_loaded_is_reported() -> None:
    def load() -> SlowModel:
        raise OSError("no such file")

    with _serve(load, SlowModel()) as served:
        while not served.failures:
            time.sleep(0.01)
        assert str(served.failures[0]) == "no such file"
        assert httpx.get(f"http://127.0.0.1:{served.port}/ping").status_code == 503


def test_a_connection_outlasts_what_callers_keep_unused(served: Served) -> None:
    """httpx lets go of one after 5 s: the server, were it the first, could close it under a request."""
    with closing(HTTPConnection(LOOPBACK, served.port, timeout=10)) as connection:
        connection.connect()
        first = connection.sock
        for pause in (5.5, 0):
            connection.request("GET", "/ping")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            assert connection.sock is first
            time.sleep(pause)


def test_a_full_request_is_answered_in_order(served: Served) -> None:
    asked = [f"picture {number}".encode() for number in range(MAX_IMAGES)]
    answer = served.endpoint.analyse(asked)
    assert [_shown(analysis).encode() for analysis in answer.analyses] == asked


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"images": []}, 400, "images"),
        (_coded(*[b"a"] * (MAX_IMAGES + 1)), 400, "images"),
        ({"images": ["YQ==", "not base64!"]}, 400, "images[1]"),
        ({"images": ["YQ==", 7]}, 400, "images[1]"),
        ({}, 400, "images"),
        ({"images": ["YQ=="], "colour": True}, 400, "colour"),
        ([], 400, "body"),
    ],
)
def test_a_bad_request_names_its_field(served: Served, body: Any, status: int, field: str) -> None:
    answer = _post(served, json=body)
    assert answer.status_code == status
    assert answer.json()["field"] == field
    assert answer.json()["message"]
    assert answer.headers["x-amzn-errortype"] == "ValidationError"
    assert served.model.looked == []


def test_a_picture_that_cannot_be_looked_at_leaves_the_others_their_answers(served: Served) -> None:
    first, second, third = served.endpoint.analyse([b"a", b"broken", b"c"]).analyses
    assert (_shown(first), _shown(third)) == ("a", "c")
    assert isinstance(second, Refusal)
    assert second.field == "images[1]"
    assert second.message == "images[1] cannot be looked at: it is broken."


def test_pictures_come_as_json_as_bytes_or_alone(served: Served) -> None:
    many = _post(served, content=pack([b"one", b"two"]), headers={"content-type": JPEGS})
    alone = _post(served, content=b"three", headers={"content-type": "image/jpeg"})
    assert [each["tags"][0]["tag"] for each in many.json()["analyses"]] == ["one", "two"]
    assert alone.json()["analyses"][0]["tags"][0]["tag"] == "three"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "images"),
        (pack([b"a"] * (MAX_IMAGES + 1)), 400, "images"),
        (pack([b"a", b"b"])[:-1], 400, "body"),
        (b"\0\0", 400, "body"),
        (b"\xff\xff\xff\xffa", 400, "body"),
        (pack([b"a", b"b" * (MAX_IMAGE_BYTES + 1)]), 413, "images[1]"),
    ],
)
def test_bytes_that_are_no_pictures_are_refused(served: Served, body: bytes, status: int, field: str) -> None:
    answer = _post(served, content=body, headers={"content-type": JPEGS})
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert served.model.looked == []


def test_other_bodies_are_refused(served: Served) -> None:
    header = {"content-type": "application/json"}
    assert _post(served, content=b"{", headers=header).json()["field"] == "body"
    assert _post(served, content=b"\xff\xfe", headers=header).json()["field"] == "body"
    assert _post(served, content=b"{}", headers={"content-type": "image/png"}).status_code == 415
    large = _post(served, content=b" " * (MAX_BODY_BYTES + 1), headers=header)
    assert (large.status_code, large.json()["field"]) == (413, "body")
    assert httpx.get(f"http://127.0.0.1:{served.port}/invocations").status_code == 405


def test_an_aws_client_raises_what_is_wrong_with_the_request(served: Served) -> None:
    with pytest.raises(ClientError) as caught:
        served.endpoint.analyse([b"a"] * (MAX_IMAGES + 1))
    assert type(caught.value).__name__ == "ValidationError"
    assert "1 to 32 can be sent" in str(caught.value)


def test_a_small_request_does_not_wait_for_the_end_of_a_large_one(served: Served) -> None:
    served.model.eyes.clear()
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(served.endpoint.analyse, [b"large"] * MAX_IMAGES)
        time.sleep(0.3)
        small = pool.submit(served.endpoint.analyse, [b"small"])
        time.sleep(0.3)
        served.model.eyes.set()
        large.result()
        small.result()
    assert served.model.looked.index("small") < 8


def test_more_than_can_be_answered_in_time_is_refused_and_later_taken(served: Served) -> None:
    served.model.eyes.clear()

    def ask() -> str:
        try:
            served.endpoint.analyse([b"a"] * MAX_IMAGES)
        except ModelNotReady:
            return "later"
        return "seen"

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        patience = time.monotonic() + 20  # the others may take their time to be sent
        while sum(future.done() for future in asked) < 2 and time.monotonic() < patience:
            time.sleep(0.05)
        refused = [future for future in asked if _ends(future)]
        served.model.eyes.set()
        answers = sorted(future.result() for future in asked)
    assert len(refused) == 2
    assert answers == ["later", "later", "seen", "seen"]
    assert ask() == "seen"


def _ends(future: Any) -> bool:
    from concurrent.futures import TimeoutError as Late

    try:
        future.result(1)
    except Late:
        return False
    return True


def test_who_has_gone_is_not_served(served: Served) -> None:
    served.model.eyes.clear()
    with pytest.raises(httpx.ReadTimeout):
        _post(served, json=_coded(*[b"gone"] * MAX_IMAGES), timeout=0.5)
    deadline = time.monotonic() + 20
    while "imagemarket_waiting 0.0" not in httpx.get(f"http://127.0.0.1:{served.port}/metrics").text:
        assert time.monotonic() < deadline, "nobody noticed that the caller has gone"
        time.sleep(0.05)
    served.model.eyes.set()
    assert _shown(served.endpoint.analyse([b"next"]).analyses[0]) == "next"
    assert served.model.looked.count("gone") < 8


def test_a_full_server_says_when_to_come_again(served: Served) -> None:
    served.model.eyes.clear()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(served.endpoint.analyse, [b"a"] * MAX_IMAGES)
        time.sleep(0.5)
        answer = _post(served, json=_coded(b"late"))
        served.model.eyes.set()
    assert answer.status_code == 429
    assert answer.headers["x-amzn-errortype"] == "ModelNotReadyException"
    assert int(answer.headers["retry-after"]) >= 1


def test_a_fault_of_the_model_stays_its_pictures_own_and_tells_nothing_of_its_inside(served: Served) -> None:
    answer = _post(served, json=_coded(b"good", b"crash", b"fine"))
    assert answer.status_code == 200
    first, second, third = answer.json()["analyses"]
    assert (first["tags"][0]["tag"], third["tags"][0]["tag"]) == ("good", "fine")
    assert second == {"type": "InternalFailure", "message": "The model failed on images[1].", "field": "images[1]"}
    assert "0x7f" not in answer.text
    assert _shown(served.endpoint.analyse([b"next"]).analyses[0]) == "next"


def test_requests_that_come_together_are_looked_at_together() -> None:
    model = SlowModel()
    with _serve(lambda: model, model, batch=32) as served:
        _wait_until_ready(served.port)
        model.eyes.clear()
        with ThreadPoolExecutor(24) as pool:
            asked = [pool.submit(served.endpoint.analyse, [f"{number}".encode()]) for number in range(24)]
            time.sleep(1.5)
            model.eyes.set()
            answers = [_shown(future.result().analyses[0]) for future in asked]
    assert answers == [str(number) for number in range(24)]
    assert max(model.batches) > 8
    assert sum(model.batches) == 24


def test_sixty_four_clients_lose_nothing_and_mix_nothing_up(served: Served) -> None:
    """Each asks eight times for one to three pictures of its own, as JSON or as bytes, and comes again when told to."""

    def client(number: int) -> int:
        refused = 0
        for turn in range(8):
            asked = [f"{number}-{turn}-{place}".encode() for place in range(1 + (number + turn) % 3)]
            headers = {"content-type": JPEGS if turn % 2 else "application/json"}
            body = pack(asked) if turn % 2 else json.dumps(_coded(*asked)).encode()
            while True:
                answer = connection.post("/invocations", content=body, headers=headers)
                if answer.status_code == 200:
                    break
                assert answer.status_code == 429, answer.text
                refused += 1
                time.sleep(0.05)
            shown = [each["tags"][0]["tag"].encode() for each in answer.json()["analyses"]]
            assert shown == asked
        return refused

    with httpx.Client(
        base_url=f"http://127.0.0.1:{served.port}", timeout=60, limits=httpx.Limits(max_connections=64)
    ) as connection:
        with ThreadPoolExecutor(64) as pool:
            refused = sum(pool.map(client, range(64)))
        figures = connection.get("/metrics").text
    asked = sum(1 + (number + turn) % 3 for number in range(64) for turn in range(8))
    assert f'imagemarket_pictures_total{{outcome="seen"}} {asked}.0' in figures
    assert f"imagemarket_batch_size_sum {asked}.0" in figures
    assert "imagemarket_waiting 0.0" in figures
    assert refused == 0 or f'imagemarket_requests_total{{status="429"}} {refused}.0' in figures


def test_told_to_end_it_answers_what_is_under_way() -> None:
    port = free_port()
    process = _start(port, lite_bundle())
    _wait_until_ready(port)
    cat = jpeg(photo("chelsea.png"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_endpoint(port).analyse, [cat] * 8)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        answer = asked.result(60)
    process.communicate(timeout=40)
    assert [isinstance(each, Analysis) for each in answer.analyses] == [True] * 8
    assert process.returncode in {0, -signal.SIGTERM}
