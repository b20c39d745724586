"""What each function may do, and that it may do nothing else."""

from __future__ import annotations

import re

import pytest

from cdk.constructs.assets import function_names
from tests.infra.conftest import Deployment

Grants = dict[str, set[str]]

_NOT_SAID = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "logs:CreateLogStream", "logs:PutLogEvents"}

DATABASE = {"secretsmanager:GetSecretValue": {"Database"}}
QUEUE_CONSUMER = {"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"}


def _consuming(queue: str) -> Grants:
    return {f"sqs:{action}": {queue} for action in QUEUE_CONSUMER}


EXPECTED: dict[str, Grants] = {
    "authorizer": {"ssm:GetParameter": {"jwks"}},
    "docs_api": {},
    "auth_api": {"secretsmanager:GetSecretValue": {"Database", "SigningKey"}, "ssm:GetParameter": {"jwks"}},
    "encode_text": {},
    "search_api": {
        "secretsmanager:GetSecretValue": {"Database", "CursorKey"},
        "lambda:InvokeFunction": {"EncodeText"},
    },
    "delivery_api": DATABASE | {"s3:GetObject": {"Originals/clean"}},
    "upload_api": DATABASE
    | {
        "s3:PutObject": {"Originals/originals"},
        "s3:GetObject": {"Originals/originals"},
        "s3:AbortMultipartUpload": {"Originals/originals"},
        "s3:ListMultipartUploadParts": {"Originals/originals"},
        "s3:ListBucket": {"Originals"},
    },
    "start_ingestion": DATABASE
    | {"s3:GetObject": {"Originals/originals"}, "s3:ListBucket": {"Originals"}, "states:StartExecution": {"Machine"}}
    | _consuming("Uploads"),
    "inspect_image": DATABASE
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:GetObjectVersion": {"Originals/originals"},
        "s3:PutObject": {"Work/work"},
    },
    "detect_duplicate": DATABASE,
    "make_thumbnails": DATABASE
    | {
        "s3:GetObject": {"Work/work"},
        "s3:PutObject": {"Renditions/thumbnails", "Originals/clean"},
        "s3:DeleteObject": {"Renditions/thumbnails", "Originals/clean"},
        "s3:ListBucket": {"Renditions", "Originals"},
    },
    "make_watermark": DATABASE
    | {
        "s3:GetObject": {"Work/work"},
        "s3:PutObject": {"Renditions/watermarked"},
        "s3:DeleteObject": {"Renditions/watermarked"},
        "s3:ListBucket": {"Renditions"},
    },
    "embed_and_tag": DATABASE
    | {"s3:GetObject": {"Work/work"}, "s3:PutObject": {"Work/work"}, "sagemaker:InvokeEndpoint": {"analyse"}},
    "publish_image": DATABASE | {"s3:GetObject": {"Work/work"}, "sqs:SendMessage": {"Index"}},
    "compensate_image": DATABASE
    | {
        "s3:DeleteObject": {"Renditions/thumbnails", "Renditions/watermarked", "Originals/clean", "Work/work"},
        "s3:ListBucket": {"Renditions", "Originals", "Work"},
    },
    "index_images": DATABASE | _consuming("Index"),
    "relay_outbox": DATABASE | {"sqs:SendMessage": {"Index", "DeadRuns"}},
    "run_maintenance": DATABASE | {"sqs:SendMessage": {"DeadRuns"}},
    "sweep_uploads": DATABASE
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:AbortMultipartUpload": {"Originals/originals"},
        "s3:ListBucket": {"Originals"},
        "states:StartExecution": {"Machine"},
        "sqs:SendMessage": {"DeadRuns"},
    },
    "migrate_database": DATABASE,
    "provision_keys": {
        "secretsmanager:GetSecretValue": {"SigningKey"},
        "secretsmanager:PutSecretValue": {"SigningKey"},
        "ssm:GetParameter": {"jwks"},
        "ssm:PutParameter": {"jwks"},
    },
}

_PLACES = {
    r"StorageOriginals\w+?(?:Arn\w*|\.Arn)}": "Originals",
    r"StorageWork\w+?(?:Arn\w*|\.Arn)}": "Work",
    r"StorageRenditions\w+?(?:Arn\w*|\.Arn)}": "Renditions",
    r"SecretsDatabase": "Database",
    r"SecretsSigningKey": "SigningKey",
    r"SecretsCursorKey": "CursorKey",
    r"EncodeText": "EncodeText",
    r"QueuesUploads": "Uploads",
    r"QueuesIndex": "Index",
    r"DeadRuns": "DeadRuns",
    r"SagaMachine": "Machine",
    r":parameter/imagemarket/local/jwks$": "jwks",
    r":endpoint/imagemarket-local-analyse$": "analyse",
}


def _place(resource: str) -> str:
    (name,) = {name for pattern, name in _PLACES.items() if re.search(pattern, resource)}
    folder = re.search(r"}/(\w+)/\*$", resource)
    assert folder or not resource.endswith("*"), resource
    return f"{name}/{folder[1]}" if folder else name


@pytest.mark.parametrize("function", function_names())
def test_a_function_may_do_just_what_it_does(function: str, deployment: Deployment) -> None:
    granted: Grants = {}
    for statement in deployment.statements(function):
        assert statement["effect"] == "Allow"
        for action in statement["actions"]:
            if action in _NOT_SAID:
                continue
            granted.setdefault(action, set()).update(_place(resource) for resource in statement["resources"])
    assert granted == EXPECTED[function]


@pytest.mark.parametrize("function", function_names())
def test_nothing_is_granted_on_everything_but_tracing(function: str, deployment: Deployment) -> None:
    for statement in deployment.statements(function):
        assert not any("*" in action for action in statement["actions"])
        if "*" in statement["resources"]:
            assert set(statement["actions"]) == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
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
    assert all(re.match(r"(Inspect|Detect|Make|Embed|Publish|Compensate)", name) for name in called)
    others = {action for statement in policy if statement is not calling for action in statement["Action"]}
    assert {action.split(":")[0] for action in others} == {"logs", "xray"}
