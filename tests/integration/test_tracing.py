"""What X-Ray is told of an invocation, as its daemon hears it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

_STEP = """
from imagemarket.platform.telemetry import saga_step

@saga_step
def handler(event, context):
    return {"secret": "answer"}

handler({"image_id": "0190c0de", "execution": "run-1"}, None)
"""


def _heard(monitored: socket.socket) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    monitored.settimeout(0.2)
    try:
        while True:
            heard.append(json.loads(monitored.recv(65536).split(b"\n", 1)[1]))
    except TimeoutError:
        return heard


def _run(**environment: str) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        subprocess.run(
            [sys.executable, "-c", _STEP],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            env=os.environ
            | {
                "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
                "LAMBDA_TASK_ROOT": "/var/task",
                "POWERTOOLS_SERVICE_NAME": "make_thumbnails",
                "POWERTOOLS_TRACE_DISABLED": "false",
                "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            }
            | environment,
        )
        return _heard(daemon)


def test_a_step_is_found_in_its_trace_by_its_image() -> None:
    (segment,) = _run()
    assert segment["name"] == "## handler"
    assert segment["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert segment["parent_id"] == "53995c3f42cd8ad8"
    assert segment["annotations"]["image_id"] == "0190c0de"
    assert segment["annotations"]["execution"] == "run-1"
    assert segment["annotations"]["Service"] == "make_thumbnails"
    assert "answer" not in json.dumps(segment)


def test_no_trace_is_taken_where_nobody_listens() -> None:
    assert _run(POWERTOOLS_TRACE_DISABLED="true") == []
