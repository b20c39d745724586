"""What each function may do, and that it may do nothing else."""

from __future__ import annotations

import re

import pytest

from cdk.foundation.assets import function_names
from imagemarket.platform.roles import DatabaseRole
from tests.infra.conftest import Deployment, readable

Grants = dict[str, set[str]]

_NOT_SAID = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "logs:CreateLogStream", "logs:PutLogEvents"}


def _as(role: DatabaseRole, *secrets: str) -> Grants:
    """Leave to connect to the database in a role, and to read other secrets."""
    return {"secretsmanager:GetSecretValue": {role.value, *secrets}}


QUEUES = {"Uploads", "Index", "Notifications", "Webhooks", "Endings"}
DEAD = {f"{name}Dead" for name in QUEUES} | {"DeadRuns"}
QUEUE_CONSUMER = {"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"}


def _consuming(queue: str) -> Grants:
    return {f"sqs:{action}": {queue} for action in QUEUE_CONSUMER}


COMPENSATING: Grants = {
    "s3:DeleteObject": {"Renditions/thumbnails", "Renditions/watermarked", "Originals/clean", "Work/work"},
    "s3:PutObjectTagging": {"Originals/originals"},
    "s3:PutObjectVersionTagging": {"Originals/originals"},
    "s3:ListBucket": {"Renditions", "Originals", "Work"},
    "sqs:SendMessage": {"Index", "Notifications"},
}

EXPECTED: dict[str, Grants] = {
    "authorizer": {"ssm:GetParameter": {"jwks"}},
    "docs_api": {},
    "auth_api": {
        **_as(DatabaseRole.IDENTITY, "SigningKey"),
        "ssm:GetParameter": {"jwks"},
        "sqs:SendMessage": {"Notifications"},
    },
    "encode_text": {},
    "search_api": {
        **_as(DatabaseRole.READER, "CursorKey"),
        "lambda:InvokeFunction": {"EncodeText"},
    },
    "picture_api": _as(DatabaseRole.READER)
    | {
        "s3:PutObject": {"Work/queries"},
        "s3:GetObject": {"Work/queries"},
        "s3:DeleteObject": {"Work/queries"},
        "s3:ListBucket": {"Work"},
        "sagemaker:InvokeEndpoint": {"analyse"},
    },
    "delivery_api": _as(DatabaseRole.READER) | {"s3:GetObject": {"Originals/clean"}},
    "upload_api": _as(DatabaseRole.UPLOADER)
    | {
        "s3:PutObject": {"Originals/originals"},
        "s3:GetObject": {"Originals/originals"},
        "s3:AbortMultipartUpload": {"Originals/originals"},
        "s3:ListMultipartUploadParts": {"Originals/originals"},
        "s3:GetObjectVersion": {"Originals/originals"},
        "s3:PutObjectTagging": {"Originals/originals"},
        "s3:PutObjectVersionTagging": {"Originals/originals"},
        "states:StartExecution": {"Machine"},
        "s3:ListBucket": {"Originals"},
    },
    "status_api": _as(DatabaseRole.UPLOADER),
    "image_pages": _as(DatabaseRole.READER),
    "start_ingestion": _as(DatabaseRole.INGESTION)
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:DeleteObjectVersion": {"Originals/originals"},
        "s3:ListBucket": {"Originals"},
        "states:StartExecution": {"Machine"},
    }
    | _consuming("Uploads"),
    "inspect_image": _as(DatabaseRole.DECODER)
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:GetObjectVersion": {"Originals/originals"},
        "s3:PutObject": {"Work/work"},
    },
    "detect_duplicate": _as(DatabaseRole.MAKER),
    "make_thumbnails": _as(DatabaseRole.MAKER)
    | {
        "s3:GetObject": {"Work/work"},
        "s3:PutObject": {"Renditions/thumbnails", "Originals/clean"},
        "s3:DeleteObject": {"Renditions/thumbnails", "Originals/clean"},
        "s3:ListBucket": {"Renditions", "Originals"},
    },
    "make_watermark": _as(DatabaseRole.MAKER)
    | {
        "s3:GetObject": {"Work/work"},
        "s3:PutObject": {"Renditions/watermarked"},
        "s3:DeleteObject": {"Renditions/watermarked"},
        "s3:ListBucket": {"Renditions"},
    },
    "embed_and_tag": _as(DatabaseRole.MAKER)
    | {"s3:GetObject": {"Work/work"}, "s3:PutObject": {"Work/work"}, "sagemaker:InvokeEndpoint": {"analyse"}},
    "publish_image": _as(DatabaseRole.INGESTION)
    | {
        "s3:GetObject": {"Work/work", "Renditions/thumbnails"},
        "s3:ListBucket": {"Renditions"},
        "sqs:SendMessage": {"Index", "Notifications"},
    },
    "compensate_image": _as(DatabaseRole.INGESTION) | COMPENSATING,
    "end_executions": _as(DatabaseRole.INGESTION) | COMPENSATING | _consuming("Endings"),
    "index_images": _as(DatabaseRole.INDEXER) | _consuming("Index"),
    "tell_contributors": _as(DatabaseRole.NOTIFIER) | {"sqs:SendMessage": {"Webhooks"}} | _consuming("Notifications"),
    "call_webhooks": _as(DatabaseRole.NOTIFIER) | {"sqs:SendMessage": {"Webhooks"}} | _consuming("Webhooks"),
    "notifications_api": _as(DatabaseRole.NOTIFIER) | {"sqs:SendMessage": {"Webhooks"}},
    "relay_outbox": _as(DatabaseRole.UPKEEP) | {"sqs:SendMessage": {"Index", "Notifications", "Webhooks", "DeadRuns"}},
    "gather_search_events": _as(DatabaseRole.INDEXER) | {"sqs:SendMessage": {"DeadRuns"}},
    "run_maintenance": _as(DatabaseRole.UPKEEP) | {"sqs:SendMessage": {"DeadRuns"}},
    "remediate_dead_letters": _as(DatabaseRole.UPKEEP)
    | {
        "sqs:ListQueues": {"*"},
        "sqs:GetQueueAttributes": {*QUEUES, *DEAD},
        **{f"sqs:{action}": DEAD for action in ("ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")},
        "sqs:SendMessage": {*QUEUES, "DeadRuns"},
    },
    "sweep_uploads": _as(DatabaseRole.INGESTION)
    | COMPENSATING
    | {
        "s3:GetObject": {"Originals/originals"},
        "s3:DeleteObjectVersion": {"Originals/originals"},
        "s3:AbortMultipartUpload": {"Originals/originals"},
        "states:StartExecution": {"Machine"},
        "states:DescribeExecution": {"executions"},
        "states:GetExecutionHistory": {"executions"},
        "states:StopExecution": {"executions"},
        "sqs:SendMessage": {"Index", "Notifications", "DeadRuns"},
    },
    "migrate_database": {"secretsmanager:GetSecretValue": {"Owner", *(role.value for role in DatabaseRole)}},
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
    **{rf"Secrets{role.value.capitalize()}Login": role.value for role in DatabaseRole},
    r"secret:imagemarket-local-database-owner$": "Owner",
    r"SecretsSigningKey": "SigningKey",
    r"SecretsCursorKey": "CursorKey",
    r"EncodeText": "EncodeText",
    **{rf"Queues{name}(?!Dead)": name for name in sorted(QUEUES)},
    **{rf"Queues{name}Dead": f"{name}Dead" for name in sorted(QUEUES)},
    r":execution:imagemarket-local-ingest_image:\*$": "executions",
    r"DeadRuns": "DeadRuns",
    r":stateMachine:imagemarket-local-ingest_image$": "Machine",
    r":parameter/imagemarket/local/jwks$": "jwks",
    r":endpoint/imagemarket-local-analyse$": "analyse",
}


def _place(resource: str) -> str:
    if resource == "*":
        return "*"
    (name,) = {name for pattern, name in _PLACES.items() if re.search(pattern, resource)}
    folder = re.search(r"}/(\w+)/\*$", resource)
    assert folder or not resource.endswith("*") or name == "executions", resource
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
