"""The state machine and the code name the same things."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagemarket.imaging.errors import ImageRejected
from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.errors import error_classes

DEFINITION = json.loads(
    (Path(__file__).parents[3] / "state_machines" / "ingest_image.asl.json").read_text(encoding="utf-8")
)
SERVICE_TOKENS = ("States.", "Lambda.", "Sandbox.", "Runtime.")


def states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        for branch in state.get("Branches", []):
            yield from states(branch)


def test_every_error_token_names_a_class_of_the_tree() -> None:
    known = {error.__name__ for error in error_classes()}
    for name, state in states(DEFINITION):
        for rule in [*state.get("Retry", []), *state.get("Catch", [])]:
            for token in rule["ErrorEquals"]:
                assert token in known or token.startswith(SERVICE_TOKENS), f"{name} names {token}"


def test_a_refused_picture_is_never_tried_again() -> None:
    refused = {error.__name__ for error in error_classes(ImageRejected)}
    for name, state in states(DEFINITION):
        if name == "Compensate":
            continue
        for rule in state.get("Retry", []):
            assert not refused & set(rule["ErrorEquals"]), name
            assert "States.ALL" not in rule["ErrorEquals"], name


def test_every_retry_is_bounded_and_every_task_has_a_time_limit() -> None:
    for name, state in states(DEFINITION):
        if state["Type"] == "Task":
            assert state["TimeoutSeconds"] <= 120, name
            assert all(rule["MaxAttempts"] <= 60 for rule in state["Retry"]), name


def test_every_failure_ends_in_compensation() -> None:
    for name, state in DEFINITION["States"].items():
        if state["Type"] in {"Task", "Parallel"} and name != "Compensate":
            assert [rule["Next"] for rule in state["Catch"] if rule["ErrorEquals"] == ["States.ALL"]] == ["Compensate"]


def test_a_task_hands_over_exactly_the_job() -> None:
    passed = {name for name, field in IngestionJob.model_fields.items() if not field.exclude}
    for name, state in states(DEFINITION):
        if state["Type"] == "Task":
            handed = {field.removesuffix(".$") for field in state["Parameters"]["Payload"]}
            assert handed - {"error"} == passed, name
