"""What the templates promise, resource by resource."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import pytest

from cdk.foundation.api import routes
from cdk.foundation.assets import FUNCTIONS, function_names
from functions.docs_api.handler import handler as answer_for_the_rest
from imagemarket.ingestion.models import ENDED_TAG, RETRY_WINDOW_DAYS
from imagemarket.notifications.models import ACCOUNT_IN_FLIGHT, SHARED_IN_FLIGHT
from imagemarket.platform.roles import DatabaseRole
from local.emulator_memory import MOST_PROCESSES
from local.front_door import STATUS_IN_FLIGHT
from local.layout import REPOSITORY
from tests.api.events import LambdaContext, http_event
from tests.infra.conftest import Deployment, readable

ROUTES = routes()


def test_every_function_of_the_repository_is_deployed(deployment: Deployment) -> None:
    assert sorted(deployment.functions()) == function_names()


@pytest.mark.parametrize("function", function_names())
def test_a_function_is_traced_logged_and_bounded(function: str, deployment: Deployment) -> None:
    properties = deployment.functions()[function]
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert 5 <= properties["Timeout"] <= 600
    assert 256 <= properties["MemorySize"] <= 3008
    (group,) = (
        resource["Properties"]
        for name, resource in deployment.resources("AWS::Logs::LogGroup").items()
        if name.endswith(f"/{properties['LoggingConfig']['LogGroup']['Ref']}")
    )
    assert group["RetentionInDays"] == 7


def test_every_log_group_forgets(deployment: Deployment) -> None:
    groups = deployment.resources("AWS::Logs::LogGroup")
    assert len(groups) == len(function_names()) + 2  # the saga's, the gateway's
    assert all("RetentionInDays" in group["Properties"] for group in groups.values())


def test_work_that_nobody_waits_for_leaves_room_for_the_api(deployment: Deployment) -> None:
    reserved = {name: f.get("ReservedConcurrentExecutions") for name, f in deployment.functions().items()}
    assert reserved.pop("status_api") == STATUS_IN_FLIGHT, "who waits for an image takes none of the others' places"
    held = deployment.functions()["status_api"]["Environment"]["Variables"]["MARKET_REQUESTS_HELD"]
    assert int(held) <= STATUS_IN_FLIGHT - 2, "and leaves some for those who do not wait"
    assert sum(number or 0 for number in reserved.values()) <= MOST_PROCESSES - 12
    waited_for = {name for name in reserved if name.endswith("_api")} | {"authorizer", "image_pages"}
    assert all(reserved[name] is None for name in waited_for)
    steps = {"inspect_image", "make_thumbnails", "make_watermark", "embed_and_tag", "publish_image"}
    assert all(reserved[name] for name in steps)


def test_every_bucket_is_private_encrypted_and_reached_by_tls_alone(deployment: Deployment) -> None:
    buckets = deployment.resources("AWS::S3::Bucket")
    assert len(buckets) == 4
    for name, bucket in buckets.items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert "BucketEncryption" in properties, name
        assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name
        statements = [
            statement
            for policy in deployment.resources("AWS::S3::BucketPolicy").values()
            if policy["Properties"]["Bucket"] == {"Ref": name.split("/")[1]}
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]
        assert any(
            statement["Effect"] == "Deny"
            and statement["Action"] == "s3:*"
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in statements
        ), name
        assert not any(statement["Effect"] == "Allow" and statement["Principal"] == "*" for statement in statements)


def _bucket(deployment: Deployment, part: str) -> dict[str, Any]:
    (found,) = (b["Properties"] for name, b in deployment.resources("AWS::S3::Bucket").items() if part in name)
    return found


def test_originals_keep_versions_and_tell_eventbridge(deployment: Deployment) -> None:
    originals = _bucket(deployment, "Originals")
    assert originals["VersioningConfiguration"] == {"Status": "Enabled"}
    assert originals["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    (cors,) = originals["CorsConfiguration"]["CorsRules"]
    assert sorted(cors["AllowedMethods"]) == ["GET", "POST", "PUT"]
    assert (cors["AllowedHeaders"], cors["ExposedHeaders"]) == (["*"], ["ETag"])
    kept = [rule for rule in originals["LifecycleConfiguration"]["Rules"] if "TagFilters" not in rule]
    assert not any("ExpirationInDays" in rule for rule in kept)


def test_no_rule_deletes_a_version_that_a_live_image_names(deployment: Deployment) -> None:
    """Which version that is, only the image's row knows: a form may be posted twice."""
    deleting = [
        rule
        for rule in _bucket(deployment, "Originals")["LifecycleConfiguration"]["Rules"]
        if {"ExpirationInDays", "ExpirationDate", "NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays"}
        & set(rule)
    ]
    assert deleting
    for rule in deleting:
        prefix = rule.get("Prefix", "")
        reaches_originals = "originals/".startswith(prefix) or prefix.startswith("originals/")
        marked = {tag["Key"]: tag["Value"] for tag in rule.get("TagFilters", [])} == ENDED_TAG
        assert marked or not reaches_originals, rule["Id"]


def test_what_passes_between_steps_is_gone_after_a_week(deployment: Deployment) -> None:
    rules = _bucket(deployment, "Work")["LifecycleConfiguration"]["Rules"]
    assert {rule.get("Prefix", ""): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule} == {
        "": 7,
        "queries/": 1,
    }


def test_parts_of_uploads_never_finished_are_gone_after_a_day(deployment: Deployment) -> None:
    for name, bucket in deployment.resources("AWS::S3::Bucket").items():
        rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        days = [r["AbortIncompleteMultipartUpload"] for r in rules if "AbortIncompleteMultipartUpload" in r]
        assert days == [{"DaysAfterInitiation": 1}], name


def test_every_queue_has_dead_letters_and_hides_a_message_six_times_as_long_as_work_takes(
    deployment: Deployment,
) -> None:
    queues = {name: queue["Properties"] for name, queue in deployment.resources("AWS::SQS::Queue").items()}
    working = {name: q for name, q in queues.items() if not q["QueueName"].endswith("-dead")}
    names = {queue["QueueName"].removeprefix("imagemarket-local-") for queue in working.values()}
    assert names >= {"uploads", "index", "notifications", "webhooks", "endings"}
    functions = {
        name.split("/")[1]: function["Properties"]
        for name, function in deployment.resources("AWS::Lambda::Function").items()
    }
    mappings = [each["Properties"] for each in deployment.resources("AWS::Lambda::EventSourceMapping").values()]
    for name, queue in working.items():
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
        (limit,) = (
            functions[mapping["FunctionName"]["Ref"]]["Timeout"]
            for mapping in mappings
            if re.search(rf"GetAtt{name.split('/')[1]}Arn", readable(mapping["EventSourceArn"]))
        )
        assert queue["VisibilityTimeout"] >= 6 * limit
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    dead = [queue for queue in queues.values() if queue["QueueName"].endswith("-dead")]
    assert len(dead) == len(working) + 1  # and the scheduled jobs
    assert all(queue["MessageRetentionPeriod"] == 14 * 86400 for queue in dead)


def test_queues_are_reached_by_tls_alone(deployment: Deployment) -> None:
    guarded = {
        readable(queue)
        for policy in deployment.resources("AWS::SQS::QueuePolicy").values()
        if any(
            statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        )
        for queue in policy["Properties"]["Queues"]
    }
    assert len(guarded) == len(deployment.resources("AWS::SQS::Queue"))


def test_consumers_give_back_single_messages_and_run_few_at_a_time(deployment: Deployment) -> None:
    mappings = deployment.resources("AWS::Lambda::EventSourceMapping").values()
    at_once: list[int] = []
    for mapping in mappings:
        assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        at_once.append(mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"])
    *others, webhooks = sorted(at_once)
    assert len(others) >= 4
    assert (set(others), webhooks) == ({2}, 4), "webhooks wait for strangers"
    assert max(at_once) > ACCOUNT_IN_FLIGHT, "no account's receivers take all that there are"
    assert max(at_once) >= 2 * SHARED_IN_FLIGHT, "half are left to those who answer quickly"


def _rule(deployment: Deployment, source: str) -> dict[str, Any]:
    (rule,) = (
        rule["Properties"]
        for rule in deployment.resources("AWS::Events::Rule").values()
        if rule["Properties"].get("EventPattern", {}).get("source") == [source]
    )
    return rule


def test_an_execution_that_ended_badly_is_told_to_the_endings_queue(deployment: Deployment) -> None:
    rule = _rule(deployment, "aws.states")
    pattern = rule["EventPattern"]
    assert pattern["detail-type"] == ["Step Functions Execution Status Change"]
    (machine,) = pattern["detail"]["stateMachineArn"]
    (deployed,) = deployment.resources("AWS::StepFunctions::StateMachine").values()
    assert readable(machine).endswith(f":stateMachine:{deployed['Properties']['StateMachineName']}")
    assert pattern["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    (target,) = rule["Targets"]
    assert "QueuesEndings" in readable(target["Arn"])
    assert "QueuesEndingsDead" in readable(target["DeadLetterConfig"]["Arn"])


def test_originals_of_pictures_that_did_not_make_it_are_kept_for_the_retry_window(deployment: Deployment) -> None:
    rules = _bucket(deployment, "Originals")["LifecycleConfiguration"]["Rules"]
    (rule,) = (rule for rule in rules if "ExpirationInDays" in rule)
    assert {tag["Key"]: tag["Value"] for tag in rule["TagFilters"]} == ENDED_TAG
    assert rule["ExpirationInDays"] == RETRY_WINDOW_DAYS
    assert rule["Prefix"] == "originals/"


def test_an_original_that_arrives_is_told_to_the_uploads_queue(deployment: Deployment) -> None:
    rule = _rule(deployment, "aws.s3")
    pattern = rule["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["object"] == {"key": [{"prefix": "originals/"}]}
    (target,) = rule["Targets"]
    assert "QueuesUploads" in readable(target["Arn"])
    assert "QueuesUploadsDead" in readable(target["DeadLetterConfig"]["Arn"])


def _bus_rules(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The rules on the event bus, by logical id."""
    return {
        name.split("/")[1]: rule["Properties"]
        for name, rule in deployment.resources("AWS::Events::Rule").items()
        if "EventBusName" in rule["Properties"]
    }


def test_a_listener_has_a_rule_and_a_queue_of_its_own(deployment: Deployment) -> None:
    (bus,) = (name.split("/")[1] for name in deployment.resources("AWS::Events::EventBus"))
    rules = _bus_rules(deployment)
    heard: dict[str, list[str]] = {}
    for rule in rules.values():
        assert rule["EventBusName"] == {"Ref": bus}
        assert rule["EventPattern"]["source"] == ["imagemarket"]
        (target,) = rule["Targets"]
        queue = re.fullmatch(r"{Queues(\w+?)[0-9A-F]{8}\.Arn}", readable(target["Arn"]))
        assert queue
        assert f"Queues{queue[1]}Dead" in readable(target["DeadLetterConfig"]["Arn"])
        assert set(target) == {"Arn", "DeadLetterConfig", "Id", "RetryPolicy"}, "it brings the event as it is"
        assert queue[1] not in heard
        heard[queue[1]] = sorted(rule["EventPattern"]["detail-type"])
    library = REPOSITORY / "shared"
    listeners = (
        importlib.import_module(".".join(path.relative_to(library).with_suffix("").parts))
        for path in library.rglob("listener.py")
    )
    wanted = [sorted(kind.type_name() for kind in listener.LISTENS_TO) for listener in listeners]
    assert sorted(heard.values()) == sorted(wanted)
    assert heard["Index"] == ["ImageListingChanged"]


def test_a_queue_and_its_dead_letters_take_events_from_its_own_rule_alone(deployment: Deployment) -> None:
    for name, rule in _bus_rules(deployment).items():
        (target,) = rule["Targets"]
        for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
            (statements,) = (
                policy["Properties"]["PolicyDocument"]["Statement"]
                for policy in deployment.resources("AWS::SQS::QueuePolicy").values()
                if policy["Properties"]["Queues"] == [{"Ref": arn["Fn::GetAtt"][0]}]
            )
            (let_in,) = (statement for statement in statements if statement["Effect"] == "Allow")
            assert let_in["Principal"] == {"Service": "events.amazonaws.com"}
            assert let_in["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [name, "Arn"]}}}


def test_no_producer_sends_to_a_listeners_queue(deployment: Deployment) -> None:
    """But for the clock, which wakes the sender of digests, and remediation, which sends dead letters back."""
    listeners = [
        readable(target["Arn"]).strip("{}").partition(".")[0]
        for rule in _bus_rules(deployment).values()
        for target in rule["Targets"]
    ]
    publishing: set[str] = set()
    sending: set[str] = set()
    for function in function_names():
        for statement in deployment.statements(function):
            if "events:PutEvents" in statement["actions"]:
                publishing.add(function)
            if "sqs:SendMessage" in statement["actions"] and any(
                queue in resource for queue in listeners for resource in statement["resources"]
            ):
                sending.add(function)
    assert publishing >= {"publish_image", "compensate_image", "relay_outbox", "auth_api"}
    assert sending == {"relay_outbox", "remediate_dead_letters"}


def test_jobs_run_by_the_clock(deployment: Deployment) -> None:
    schedules = {
        re.sub(r"Function.*", "", readable(rule["Properties"]["Targets"][0]["Arn"])): rule["Properties"][
            "ScheduleExpression"
        ]
        for rule in deployment.resources("AWS::Events::Rule").values()
        if "ScheduleExpression" in rule["Properties"]
    }
    assert schedules == {
        "{OperationsRelayOutbox": "rate(1 minute)",
        "{OperationsRemediateDeadLetters": "rate(10 minutes)",
        "{RecoverySweepUploads": "rate(1 minute)",
        "{SearchCollectSearchEvents": "rate(1 minute)",
        "{OperationsRunMaintenance": "cron(20 3 * * ? *)",
    }


# --- the API


def _openapi() -> dict[tuple[str, str], dict[str, Any]]:
    document = json.loads((FUNCTIONS / "docs_api" / "openapi.json").read_text(encoding="utf-8"))
    methods = {"get", "post", "put", "patch", "delete"}
    return {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in methods
    }


def test_the_gateway_routes_what_the_document_describes() -> None:
    pages = {("GET", "/images/{image_id}"), ("GET", "/terms")}  # for people, so in no document of the API
    assert {(r.method, r.path) for r in ROUTES} - pages == set(_openapi())
    assert pages <= {(r.method, r.path) for r in ROUTES}
    for route in ROUTES:
        described = _openapi().get((route.method, route.path), {})
        assert list(route.roles) == described.get("x-roles", []), route.path


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_who_answers_for_the_rest_knows_every_line(route: Any) -> None:
    path = re.sub(r"\{\w+\}", "x", route.path)
    answer = answer_for_the_rest(http_event("TRACE", path), LambdaContext())
    assert (answer["statusCode"], set(route.methods) <= set(answer["headers"]["allow"].split(", "))) == (405, True)
    slashed = answer_for_the_rest(http_event(route.method, f"{path}/"), LambdaContext())
    assert (slashed["statusCode"], slashed["headers"]["location"]) == (308, path)


def test_the_authorizer_stands_before_every_route_that_asks_for_a_token(deployment: Deployment) -> None:
    described = {f"{method} {path}" for (method, path), operation in _openapi().items() if operation.get("security")}
    made = [route["Properties"] for route in deployment.resources("AWS::ApiGatewayV2::Route").values()]
    guarded = {route["RouteKey"] for route in made if route["AuthorizationType"] == "CUSTOM"}
    assert guarded == described | {f"HEAD {key.removeprefix('GET ')}" for key in described if key.startswith("GET ")}
    assert all("AuthorizerId" in route for route in made if route["RouteKey"] in guarded)
    listed = {f"{method} {route.path}" for route in ROUTES for method in route.methods}
    assert {route["RouteKey"] for route in made} == listed | {"$default"}


def test_head_goes_where_get_goes(deployment: Deployment) -> None:
    made = [route["Properties"] for route in deployment.resources("AWS::ApiGatewayV2::Route").values()]
    guards = {route["RouteKey"]: route["AuthorizationType"] for route in made}
    gets = [key for key in guards if key.startswith("GET ")]
    assert gets
    assert all(guards[key.replace("GET", "HEAD", 1)] == guards[key] for key in gets)


def test_pages_of_other_origins_may_call(deployment: Deployment) -> None:
    """Preflights go to the `$default` route, since no other takes OPTIONS: no authorizer stands in their way."""
    (api,) = deployment.resources("AWS::ApiGatewayV2::Api").values()
    allowed = api["Properties"]["CorsConfiguration"]
    assert allowed["AllowOrigins"] == ["*"]
    assert set(allowed["AllowMethods"]) == {route.method for route in ROUTES} | {"HEAD"}
    assert {"authorization", "content-type", "idempotency-key", "if-none-match"} <= set(allowed["AllowHeaders"])
    told = {"etag", "link", "location", "retry-after", "x-request-id", "apigw-requestid", "ratelimit"}
    assert told <= set(allowed["ExposeHeaders"])
    assert not allowed.get("AllowCredentials")
    made = [route["Properties"] for route in deployment.resources("AWS::ApiGatewayV2::Route").values()]
    assert not [route["RouteKey"] for route in made if route["RouteKey"].startswith(("OPTIONS ", "ANY "))]
    (rest,) = (route for route in made if route["RouteKey"] == "$default")
    assert rest["AuthorizationType"] == "NONE"


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_a_route_leads_to_the_function_that_serves_it(route: Any) -> None:
    assert f'"{route.path}"' in (FUNCTIONS / route.function / "routes.py").read_text(encoding="utf-8")


def test_the_authorizer_answers_simply_and_is_asked_again_after_a_minute(deployment: Deployment) -> None:
    (authorizer,) = deployment.resources("AWS::ApiGatewayV2::Authorizer").values()
    properties = authorizer["Properties"]
    assert properties["AuthorizerPayloadFormatVersion"] == "2.0"
    assert properties["EnableSimpleResponses"] is True
    assert properties["IdentitySource"] == ["$request.header.Authorization"]
    assert properties["AuthorizerResultTtlInSeconds"] == 60


def test_the_gateway_limits_and_logs_without_what_callers_keep_secret(deployment: Deployment) -> None:
    (gateway,) = deployment.resources("AWS::ApiGatewayV2::Stage").values()
    properties = gateway["Properties"]
    assert properties["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 400, "ThrottlingRateLimit": 200}
    line = json.loads(properties["AccessLogSettings"]["Format"])
    assert {"request_id", "route", "status", "milliseconds", "account_id"} <= set(line)
    assert not any(word in str(line).lower() for word in ("header", "authorization", "path", "querystring"))


# --- deployment


def test_nobody_is_served_before_there_is_a_schema_and_a_key(deployment: Deployment) -> None:
    ((gateway_name, gateway),) = deployment.resources("AWS::ApiGatewayV2::Stage").items()
    (keys,) = deployment.resources("Custom::SigningKeys")
    assert keys.split("/")[0] == gateway_name.split("/")[0]
    assert keys.split("/")[1] in gateway["DependsOn"]
    (schema,) = deployment.resources("Custom::DatabaseSchema")
    assert schema.split("/")[0] in deployment.dependencies(gateway_name.split("/")[0])


def test_a_deployment_step_waits_for_its_role_and_is_not_waited_for_all_day(deployment: Deployment) -> None:
    for kind, role in {
        "Custom::DatabaseSchema": "SchemaMigrateDatabase",
        "Custom::SigningKeys": "IdentityProvisionKeys",
    }.items():
        (resource,) = deployment.resources(kind).values()
        assert any(name.startswith(f"{role}RoleDefaultPolicy") for name in resource["DependsOn"])
        assert int(resource["Properties"]["ServiceTimeout"]) <= 660


def test_migrations_run_again_when_a_revision_changes(deployment: Deployment) -> None:
    (resource,) = deployment.resources("Custom::DatabaseSchema").values()
    assert re.fullmatch(r"[0-9a-f]{20}", resource["Properties"]["Revisions"])


def test_no_template_holds_the_value_of_a_secret(deployment: Deployment) -> None:
    secrets = deployment.resources("AWS::SecretsManager::Secret")
    assert len(secrets) == len(DatabaseRole) + 2
    for name, secret in secrets.items():
        properties = secret["Properties"]
        assert "SecretString" not in properties, name
        assert properties["GenerateSecretString"]["PasswordLength"] >= 32, name
    for kind, template in deployment.stacks.items():
        text = json.dumps(template)
        for holder in ("{{resolve:", '"SecretString"', "postgresql://"):
            assert holder not in text, f"{holder} in {kind}"


def test_each_role_of_the_database_has_a_login_of_its_own(deployment: Deployment) -> None:
    templates = [
        json.loads(secret["Properties"]["GenerateSecretString"]["SecretStringTemplate"])
        for secret in deployment.resources("AWS::SecretsManager::Secret").values()
        if "SecretStringTemplate" in secret["Properties"]["GenerateSecretString"]
    ]
    assert sorted(template["username"] for template in templates) == sorted(role.login for role in DatabaseRole)


def test_the_launcher_is_told_what_it_asks_for(deployment: Deployment) -> None:
    outputs = {name for template in deployment.stacks.values() for name in template.get("Outputs", ())}
    assert outputs >= {
        *("ApiUrl", "ApiId", "OriginalsBucket", "WorkBucket", "RenditionsBucket", "StateMachineArn"),
        *("UploadsQueueUrl", "IndexQueueUrl", "DatabaseSecretArn", "SigningKeySecretArn", "JwksParameter"),
    }


def test_nothing_that_the_emulator_lacks_is_deployed(deployment: Deployment) -> None:
    types = {resource["Type"] for template in deployment.stacks.values() for resource in template["Resources"].values()}
    lacking = ("SageMaker", "OpenSearchServerless", "ApplicationAutoScaling", "CloudFront", "Budgets", "CloudTrail")
    assert not [name for name in types if any(word in name for word in lacking)]
    assert "Custom::S3BucketNotifications" not in types
    assert "Custom::S3AutoDeleteObjects" not in types
    assert "Custom::AWS" not in types


def test_a_stack_is_deployed_after_what_it_stands_on(deployment: Deployment) -> None:
    assert deployment.dependencies("state") == set()
    assert deployment.dependencies("schema") == {"state"}
    others = set(deployment.stacks) - {"state", "schema", "edge"}
    assert others == {"search", "engagement", "ingestion", "operations"}
    for group in others:
        assert deployment.dependencies(group) == {"state", "schema"}, group
    assert deployment.dependencies("edge") == {"state", "schema"} | others, "no route before its function"


def test_the_documentation_lists_the_groups(deployment: Deployment) -> None:
    page = (REPOSITORY / "docs" / "how-it-works.md").read_text(encoding="utf-8").partition("## How it is deployed")[2]
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", page, flags=re.MULTILINE)
    listed = {group: set(re.findall(r"`(\w+)`", after)) for group, after in rows}
    listed["edge"] = set(deployment.stacks) - {"edge"}  # all others
    assert listed == {group: deployment.dependencies(group) for group in deployment.stacks}


def test_no_group_refers_to_another(deployment: Deployment) -> None:
    """CloudFormation lets nothing go that another stack imports: a function would stay for its route's sake, and the
    route, which is deployed later, for its function's."""
    imported = {
        name
        for template in deployment.stacks.values()
        for name in re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(template))
    }
    assert imported
    assert {name.partition(":")[0] for name in imported} == {"imagemarket-local-state"}


def test_a_stack_is_far_below_what_cloudformation_takes(deployment: Deployment) -> None:
    for group, template in deployment.stacks.items():
        assert len(template["Resources"]) <= 250, f"{group}: CloudFormation stops at 500"
        assert len(json.dumps(template)) <= 500_000, f"{group}: CloudFormation stops at 1,000,000 bytes"


def test_what_runs_by_the_clock_may_send_its_dead_letters(deployment: Deployment) -> None:
    """The queue's policy names the schedules, which lie in other stacks."""
    (policy,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for name, policy in deployment.resources("AWS::SQS::QueuePolicy").items()
        if "DeadRuns" in name
    )
    let_in = [
        readable(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
        for statement in policy
        if statement["Effect"] == "Allow"
    ]
    rules = [rule["Properties"] for rule in deployment.resources("AWS::Events::Rule").values()]
    schedules = [rule for rule in rules if "ScheduleExpression" in rule]
    assert sorted(arn.rpartition(":rule/")[2] for arn in let_in) == sorted(rule["Name"] for rule in schedules)
    for rule in schedules:
        (target,) = rule["Targets"]
        dead = readable(target["DeadLetterConfig"]["Arn"])
        assert dead.endswith(":000000000000:imagemarket-local-schedules-dead")


# --- watching


def test_the_dashboard_shows_every_panel_and_queue(deployment: Deployment) -> None:
    from imagemarket.platform.metrics import PANELS

    (dashboard,) = deployment.resources("AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    for panel in PANELS:
        assert panel.title in body
        for series in panel.series:
            assert series.metric.removesuffix(".*") in body
    queues = deployment.resources("AWS::SQS::Queue").values()
    sources = [each for each in queues if "RedrivePolicy" in each["Properties"]]
    assert sources
    assert body.count("ApproximateAgeOfOldestMessage") == len(sources)


def test_a_dead_letter_raises_an_alarm(deployment: Deployment) -> None:
    dead = [
        q for q in deployment.resources("AWS::SQS::Queue").values() if q["Properties"]["QueueName"].endswith("-dead")
    ]
    alarms = [
        alarm["Properties"]
        for alarm in deployment.resources("AWS::CloudWatch::Alarm").values()
        if "dead-letters" in alarm["Properties"]["AlarmName"]
    ]
    assert len(alarms) == len(dead)
    for alarm in alarms:
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_every_alarm_is_told_to_the_topic_of_its_stage_when_it_goes_off_and_when_it_is_over(
    deployment: Deployment,
) -> None:
    ((name, topic),) = deployment.resources("AWS::SNS::Topic").items()
    assert topic["Properties"]["TopicName"] == "imagemarket-local-alarms"
    reference = "{" + name.removeprefix("state/") + "}"
    exported = {
        readable(output["Value"]): output["Export"]["Name"]
        for output in deployment.state["Outputs"].values()
        if "Export" in output
    }
    arn = "{" + exported[reference] + "}"
    alarms = deployment.resources("AWS::CloudWatch::Alarm").values()
    assert alarms
    for alarm in alarms:
        properties = alarm["Properties"]
        assert [readable(action) for action in properties["AlarmActions"]] == [arn], properties["AlarmName"]
        assert [readable(action) for action in properties["OKActions"]] == [arn], properties["AlarmName"]
        assert properties.get("ActionsEnabled", True)


def test_alarms_of_the_stage_may_publish_to_its_topic_and_nobody_may_without_tls(deployment: Deployment) -> None:
    ((name, _),) = deployment.resources("AWS::SNS::Topic").items()
    topic = {"Ref": name.removeprefix("state/")}
    (policy,) = deployment.resources("AWS::SNS::TopicPolicy").values()
    assert policy["Properties"]["Topics"] == [topic]
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    assert all((s["Action"], s["Resource"]) == ("sns:Publish", topic) for s in statements)
    (allowed,) = (s for s in statements if s["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    (source,) = allowed["Condition"]["ArnLike"].values()
    pattern = readable(source).partition(":cloudwatch:")[2]
    assert pattern == "us-east-1:000000000000:alarm:imagemarket-local-*"
    (denied,) = (s for s in statements if s["Effect"] == "Deny")
    assert denied["Principal"] == {"AWS": "*"}
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_alarm_has_its_entry_in_the_runbook_and_every_entry_its_alarm(deployment: Deployment) -> None:
    runbook = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8").partition("## Alarms")[2]
    entries = set(re.findall(r"^### `([a-z-]+)`$", runbook, flags=re.MULTILINE))
    alarms = [alarm["Properties"] for alarm in deployment.resources("AWS::CloudWatch::Alarm").values()]
    named = {alarm["AlarmDescription"].rpartition("#")[2] for alarm in alarms}
    assert named == entries
    for alarm in alarms:
        assert alarm["AlarmName"].startswith(f"imagemarket-local-{alarm['AlarmDescription'].rpartition('#')[2]}")


def test_what_is_watched_is_written_by_some_function(deployment: Deployment) -> None:
    from imagemarket.platform.metrics import NAMESPACE, PANELS

    source = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("shared/imagemarket", "functions")
        for file in (REPOSITORY / folder).rglob("*.py")
    )
    written = re.findall(r"\b(?:count|duration)\(\s*f?\"([^\"]+)\"", source)
    exact = {name for name in written if "{" not in name}
    families = {name.partition("{")[0] for name in written if "{" in name}

    alarms = [alarm["Properties"] for alarm in deployment.resources("AWS::CloudWatch::Alarm").values()]
    alarming = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == NAMESPACE}
    watched = alarming | {series.metric.removesuffix("*") for panel in PANELS for series in panel.series}
    assert len(alarming) > 3
    unwritten = {name for name in watched if name not in exact and not any(map(name.startswith, families))}
    assert unwritten == set()
