"""What the log lines of a job and of its turns are found by."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from imagemarket.platform.handlers import scheduled
from imagemarket.platform.telemetry import log_context, logger
from local.layout import REPOSITORY


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    level = logger.log_level
    logger.setLevel("INFO")
    yield stream
    logger.setLevel(level)
    logger._logger.removeHandler(handler)


def test_a_line_is_about_the_turn_that_it_belongs_to(log: io.StringIO) -> None:
    def sweep(_event: Any, _context: Any) -> dict[str, Any]:
        for image in ("one", "two"):
            with log_context(image_id=image, request_id=None):
                logger.append_keys(request_id=f"of {image}")
                logger.info("turn")
        logger.info("between")
        logger.append_keys(image_id="left")
        return {"swept": 2}

    scheduled(sweep, lambda: pytest.fail("nothing failed"))({}, None)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line.get("image_id"), line.get("request_id")) for line in lines] == [
        ("turn", "one", "of one"),
        ("turn", "two", "of two"),
        ("between", None, None),
        ("job ended", None, None),
    ]
    assert lines[-1]["swept"] == 2


def test_a_job_that_fails_says_at_what(log: io.StringIO) -> None:
    def sweep(_event: Any, _context: Any) -> dict[str, Any]:
        with log_context(image_id="one"):
            raise RuntimeError("x")

    with pytest.raises(RuntimeError):
        scheduled(sweep, lambda: pytest.fail("it has no request"))({}, None)
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["message"], line["image_id"]) == ("job failed", "one")


@pytest.mark.parametrize(("disabled", "there"), [("true", False), ("false", True)])
def test_the_id_of_a_trace_is_logged_where_one_is_taken(disabled: str, there: bool) -> None:
    """The emulator hands one to functions too, and takes no trace."""
    program = """
from imagemarket.platform.telemetry import logger
logger.info("one")
logger.clear_state()
logger.append_keys(image_id="x")
logger.info("two")
"""
    traced = {"_X_AMZN_TRACE_ID": "Root=1-65f0a0a0-0123456789abcdef01234567", "POWERTOOLS_TRACE_DISABLED": disabled}
    paths = {"PYTHONPATH": str(REPOSITORY / "shared"), "POWERTOOLS_LOG_LEVEL": "INFO"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | traced | paths, capture_output=True, text=True, check=True
    )
    assert ["xray_trace_id" in json.loads(line) for line in done.stdout.splitlines()] == [there, there]
