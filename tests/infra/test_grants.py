"""What each function may do, and that it may do nothing else."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from cdk.foundation.assets import function_names
from imagemarket.platform.roles import DatabaseRole
from tests.infra.conftest import Deployment, readable
from tests.infra.grants.common import EVERY_DEAD_LETTER_QUEUE, EVERY_QUEUE, Grants

_NOT_SAID = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "logs:CreateLogStream", "logs:PutLogEvents"}


def _expected() -> dict[str, Grants]:
    """Of every function, from the module of its capability in `tests/infra/grants/`."""
    expected: dict[str, Grants] = {}
    for module in sorted((Path(__file__).parent / "grants").glob("*.py")):
        of_capability = getattr(importlib.import_module(f"tests.infra.grants.{module.stem}"), "EXPECTED", {})
        assert not expected.keys() & of_capability.keys(), module.stem
        expected |= of_capability
    return expected


EXPECTED = _expected()

_PLACES = {
    r"StorageOriginals\w+?(?:Arn\w*|\.Arn)}": "Originals",
    r"StorageWork\w+?(?:Arn\w*|\.Arn)}": "Work",
    r"StorageRenditions\w+?(?:Arn\w*|\.Arn)}": "Renditions",
    **{rf"Secrets{role.value.capitalize()}Login": role.value for role in DatabaseRole},
    r"secret:imagemarket-local-database-owner$": "Owner",
    r"SecretsSigningKey": "SigningKey",
    r"SecretsCursorKey": "CursorKey",
    r"EncodeText": "EncodeText",
    r":execution:imagemarket-local-ingest_image:\*$": "executions",
    r"EventsBus\w+?Arn": "Bus",
    r"DeadRuns": "DeadRuns",
    r":stateMachine:imagemarket-local-ingest_image$": "Machine",
    r":parameter/imagemarket/local/jwks$": "jwks",
    r":endpoint/imagemarket-local-analyse$": "analyse",
}


_QUEUE = re.compile(r"Queues([A-Z][a-zA-Z]*?)(Dead)?(?:Queue)?[0-9A-F]{8}")


def _place(resource: str) -> str:
    if resource == "*":
        return "*"
    if queue := _QUEUE.search(resource):
        return "".join(part or "" for part in queue.groups())
    (name,) = {name for pattern, name in _PLACES.items() if re.search(pattern, resource)}
    folder = re.search(r"}/(\w+)/\*$", resource)
    assert folder or not resource.endswith("*") or name == "executions", resource
    return f"{name}/{folder[1]}" if folder else name


def _named(grants: Grants, deployment: Deployment) -> Grants:
    """The queues that are meant by all of them."""
    deployed = [
        queue["Properties"]["QueueName"].removeprefix("imagemarket-local-")
        for queue in deployment.resources("AWS::SQS::Queue").values()
    ]
    queues = {"".join(map(str.capitalize, name.split("-"))) for name in deployed if not name.endswith("-dead")}
    meant = {EVERY_QUEUE: queues, EVERY_DEAD_LETTER_QUEUE: {f"{name}Dead" for name in queues} | {"DeadRuns"}}
    return {
        action: {each for place in places for each in meant.get(place, {place})} for action, places in grants.items()
    }


def test_every_function_is_a_capabilitys() -> None:
    assert sorted(EXPECTED) == function_names()


@pytest.mark.parametrize("function", function_names())
def test_a_function_may_do_just_what_it_does(function: str, deployment: Deployment) -> None:
    granted: Grants = {}
    for statement in deployment.statements(function):
        assert statement["effect"] == "Allow"
        for action in statement["actions"]:
            if action in _NOT_SAID:
                continue
            granted.setdefault(action, set()).update(_place(resource) for resource in statement["resources"])
    assert granted == _named(EXPECTED[function], deployment)


@pytest.mark.parametrize("function", function_names())
def test_nothing_is_granted_on_everything_but_tracing(function: str, deployment: Deployment) -> None:
    for statement in deployment.statements(function):
        assert not any("*" in action for action in statement["actions"])
        if "*" in statement["resources"]:
            # neither knows resources
            assert set(statement["actions"]) <= {
                *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
                "sqs:ListQueues",
            }
        if "s3:ListBucket" in statement["actions"]:
            (prefixes,) = statement["condition"]["StringLike"].values()
            assert all(re.fullmatch(r"[a-z]+/\*", prefix) for prefix in prefixes)


def test_the_state_machine_may_call_its_steps_alone(deployment: Deployment) -> None:
    (policy,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for name, policy in deployment.resources("AWS::IAM::Policy").items()
        if "SagaRole" in name
    )
    (calling,) = (statement for statement in policy if "lambda" in str(statement["Action"]))
    assert calling["Action"] == "lambda:InvokeFunction"
    called = {resource["Fn::GetAtt"][0] for resource in calling["Resource"]}
    assert len(called) == 7
    assert all(re.match(r"Ingestion(Inspect|Detect|Make|Embed|Publish|Compensate)", name) for name in called)
    others = {action for statement in policy if statement is not calling for action in statement["Action"]}
    assert {action.split(":")[0] for action in others} == {"logs", "xray"}


def test_whoever_has_the_duty_of_dead_letters_may_do_that_and_no_more(deployment: Deployment) -> None:
    (policy,) = deployment.resources("AWS::IAM::ManagedPolicy").values()
    assert policy["Properties"]["ManagedPolicyName"] == "imagemarket-local-dead-letters"
    granted: dict[str, list[str]] = {}
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for action in statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]:
            granted.setdefault(action, []).extend(readable(resource) for resource in resources)
    assert set(granted) == {
        *("sqs:ListQueues", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"),
        *("sqs:DeleteMessage", "sqs:SendMessage", "lambda:InvokeFunction", "events:ListTargetsByRule"),
        *("states:DescribeExecution", "states:GetExecutionHistory"),
        *("secretsmanager:GetSecretValue", "cloudformation:DescribeStacks"),
    }
    assert [action for action, resources in granted.items() if "*" in resources] == ["sqs:ListQueues"]
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
        assert all("Dead" in resource for resource in granted[action]), "no message is taken from a working queue"
    queues = deployment.resources("AWS::SQS::Queue")
    assert len(set(granted["sqs:SendMessage"])) == len(queues)
    scheduled = [
        r for r in deployment.resources("AWS::Events::Rule").values() if "ScheduleExpression" in r["Properties"]
    ]
    assert len(granted["lambda:InvokeFunction"]) == len(granted["events:ListTargetsByRule"]) == len(scheduled)
    (secret,) = granted["secretsmanager:GetSecretValue"]
    assert "SecretsOperatorLogin" in secret
    (execution,) = set(granted["states:DescribeExecution"])
    assert execution.endswith(":execution:imagemarket-local-ingest_image:*")
    assert len(granted["cloudformation:DescribeStacks"]) == 2
