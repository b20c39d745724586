"""The definition of `ingest_image`, read as Step Functions would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cdk.foundation.assets import FUNCTIONS
from cdk.foundation.saga import DEFINITION, THROTTLED, definition_for, steps_of
from cdk.stages.model import ThrottleRetry
from imagemarket.imaging.errors import ImageRejected
from imagemarket.ingestion.models import COMPENSATE, Step
from imagemarket.ingestion.step_runs import LEASE_SECONDS
from imagemarket.platform.errors import error_classes
from tests.infra.conftest import Deployment

Json = dict[str, Any]

ASL: Json = json.loads(DEFINITION.read_text(encoding="utf-8"))
AWS_ERRORS = re.compile(r"^(States|Lambda|Sandbox|Runtime)\.")


def _machines(machine: Json, caught: bool = False) -> Iterator[tuple[Json, bool]]:
    """The machine and those within its branches; and whether somebody above catches everything."""
    yield machine, caught
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            yield from _machines(branch, caught or _catches_all(state))


def _catches_all(state: Json) -> bool:
    return any("States.ALL" in catcher["ErrorEquals"] for catcher in state.get("Catch", []))


TASKS = {
    name: (state, _catches_all(state) or caught)
    for machine, caught in _machines(ASL)
    for name, state in machine["States"].items()
    if state["Type"] == "Task"
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_waits_its_turn_and_tries_again(name: str) -> None:
    state, _ = TASKS[name]
    retried = {error: retry for retry in state["Retry"] for error in retry["ErrorEquals"]}
    everything = retried.get("States.ALL")
    throttled = retried.get("Lambda.TooManyRequestsException", everything)
    assert throttled is not None
    assert throttled["MaxAttempts"] >= 8
    ended_without_a_word = ("Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError")
    unavailable = ("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException")
    for error in (*unavailable, *ended_without_a_word):
        assert error in retried or everything
    for retry in state["Retry"]:
        assert retry["BackoffRate"] >= 2
        assert retry["JitterStrategy"] == "FULL", "executions that failed together must not try again together"


@pytest.mark.parametrize("name", TASKS)
def test_a_failure_ends_in_compensation(name: str) -> None:
    _, caught = TASKS[name]
    assert caught or name == "Compensate"


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_not_waited_for_longer_than_its_function_takes(name: str, deployment: Deployment) -> None:
    state, _ = TASKS[name]
    (placeholder,) = steps_of(state["Parameters"]["FunctionName"])
    function = re.sub(r"(?<!^)(?=[A-Z])", "_", placeholder).lower()
    assert (FUNCTIONS / function / "handler.py").is_file()
    assert deployment.functions()[function]["Timeout"] < state["TimeoutSeconds"]


def test_what_is_retried_by_name_is_an_error_of_ours_that_says_so() -> None:
    retried = {error for state, _ in TASKS.values() for retry in state["Retry"] for error in retry["ErrorEquals"]}
    named = {error for error in retried if not AWS_ERRORS.match(error)}
    errors = {error.__name__: error for error in error_classes()}
    assert named == {"DependencyUnavailable", "ModelNotReady", "StepInProgress"}
    assert all(errors[name].retryable for name in named)


def _waits(retry: Json) -> list[float]:
    """Seconds at most before each further attempt; with full jitter half of it is to be expected."""
    return [
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** n, retry.get("MaxDelaySeconds", 3600))
        for n in range(retry["MaxAttempts"])
    ]


def _retry(name: str, error: str) -> Json:
    (retry,) = (r for r in TASKS[name][0]["Retry"] if error in r["ErrorEquals"])
    return retry


def test_a_model_that_wakes_up_is_waited_for_patiently_and_not_for_ever() -> None:
    waits = _waits(_retry("EmbedAndTag", "ModelNotReady"))
    assert sum(waits) / 2 >= 15 * 60
    assert sum(waits) < ASL["TimeoutSeconds"] - 15 * 60


STEPS = sorted(set(TASKS) - {"Compensate"})


@pytest.mark.parametrize("name", STEPS)
def test_network_and_throttling_are_tried_again_after_1_2_and_4_seconds(name: str) -> None:
    assert _waits(_retry(name, "DependencyUnavailable")) == [1, 2, 4]


@pytest.mark.parametrize("name", STEPS)
def test_a_bad_picture_is_never_tried_again(name: str) -> None:
    retried = {error for retry in TASKS[name][0]["Retry"] for error in retry["ErrorEquals"]}
    assert not retried & {error.__name__ for error in error_classes(ImageRejected)}
    assert "States.ALL" not in retried
    assert "States.TaskFailed" not in retried


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_lease_of_a_killed_delivery_is_waited_out(name: str, deployment: Deployment) -> None:
    """A lease lasts as long as the function that holds it may live, and no longer than the state waits for it."""
    function = re.sub(r"(?<!^)(?=[A-Z])", "_", steps_of(TASKS[name][0]["Parameters"]["FunctionName"]).pop()).lower()
    step = COMPENSATE if name == "Compensate" else Step(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
    lease = LEASE_SECONDS[step]
    assert deployment.functions()[function]["Timeout"] <= lease <= TASKS[name][0]["TimeoutSeconds"]
    retry = _retry(name, "States.ALL" if name == "Compensate" else "StepInProgress")
    assert sum(_waits(retry)) / 2 >= 2 * lease


def test_the_sweeper_is_more_patient_than_any_state(deployment: Deployment) -> None:
    """What an execution may be silent for: the longest wait for a busy function, or two attempts of a model that
    wakes up."""
    variables = deployment.functions()["sweep_uploads"]["Environment"]["Variables"]
    patience = int(variables["MARKET_STALLED_AFTER_SECONDS"])
    for name in STEPS:
        assert max(_waits(_retry(name, THROTTLED))) + LEASE_SECONDS[Step.INSPECT] < patience
    assert _retry("EmbedAndTag", "ModelNotReady")["MaxDelaySeconds"] + LEASE_SECONDS[Step.EMBED_AND_TAG] < patience


def test_every_state_is_reached_and_leads_on() -> None:
    for machine, _ in _machines(ASL):
        states = machine["States"]
        led_to = {machine["StartAt"]}
        for state in states.values():
            followers = {state.get("Next"), state.get("Default")}
            followers |= {c.get("Next") for c in [*state.get("Catch", []), *state.get("Choices", [])]}
            led_to |= followers - {None}
            assert followers - {None} or state.get("End") or state["Type"] in {"Succeed", "Fail"}
        assert led_to == set(states)


def test_the_state_is_the_job_alone() -> None:
    """Results are recorded by the steps: what passes through the machine stays small (256 KB is the limit)."""
    for name, (state, _) in TASKS.items():
        if name != "Compensate":
            assert state["ResultPath"] is None, name
        else:
            assert set(state["ResultSelector"]) == {"status.$"}


def test_the_definition_suits_standard_and_express() -> None:
    text = DEFINITION.read_text(encoding="utf-8")
    assert "waitForTaskToken" not in text
    assert ".sync" not in text
    assert '"QueryLanguage"' not in text, "JSONPath"
    for state, _ in TASKS.values():
        assert state["Resource"] == "arn:aws:states:::lambda:invoke"


def test_a_stage_may_wait_for_a_busy_function_in_its_own_way() -> None:
    told = definition_for(ThrottleRetry(error="Busy", seconds=2, attempts=99), json.dumps(ASL))
    for machine, _ in _machines(json.loads(told)):
        for name, state in machine["States"].items():
            if state["Type"] == "Task" and name != "Compensate":
                assert state["Retry"][0] == {
                    "ErrorEquals": [THROTTLED, "Busy"],
                    "IntervalSeconds": 2,
                    "BackoffRate": 1,
                    "MaxAttempts": 99,
                }
    assert json.loads(definition_for(None, json.dumps(ASL))) == ASL


def test_nothing_stands_open_in_what_is_deployed(deployment: Deployment) -> None:
    (machine,) = deployment.resources("AWS::StepFunctions::StateMachine").values()
    properties = machine["Properties"]
    definition = properties["DefinitionString"]
    assert isinstance(definition, str)
    substitutions = properties["DefinitionSubstitutions"]
    assert steps_of(definition) == set(substitutions)
    assert all("Fn::GetAtt" in value for value in substitutions.values())
    assert properties["StateMachineType"] == "STANDARD"
    assert properties["TracingConfiguration"] == {"Enabled": True}
    assert properties["LoggingConfiguration"]["Level"] == "ALL"
    assert properties["LoggingConfiguration"]["IncludeExecutionData"] is False
