"""The stage model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from cdk.app import STAGES, chosen_stage
from cdk.stages.local import MissingVariable, local_stage
from cdk.stages.model import SearchEngines, Stage
from imagemarket.cli import stage as command
from tests.infra.conftest import ENVIRONMENT, Deployment, synthesize


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_the_launcher_did_not_say_is_named(name: str) -> None:
    with pytest.raises(MissingVariable, match=name):
        local_stage({key: value for key, value in ENVIRONMENT.items() if key != name})


def test_the_local_stage_is_on_this_machine_alone(stage: Stage) -> None:
    assert stage.edge.public_base_url == "http://127.0.0.1:18080"
    assert stage.edge.media_base_url == "http://127.0.0.1:18080/media"
    assert stage.account == "000000000000"


def _origins(deployment: Deployment) -> list[list[str]]:
    """The gateway's, then the buckets' that pages send pictures to."""
    (api,) = deployment.resources("AWS::ApiGatewayV2::Api").values()
    buckets = [
        bucket["Properties"].get("CorsConfiguration") for bucket in deployment.resources("AWS::S3::Bucket").values()
    ]
    rules = [rule for configuration in buckets if configuration for rule in configuration["CorsRules"]]
    return [api["Properties"]["CorsConfiguration"]["AllowOrigins"], *(rule["AllowedOrigins"] for rule in rules)]


def test_whoever_may_announce_a_picture_may_send_it(deployment: Deployment, stage: Stage, tmp_path: Path) -> None:
    """A page that may call the API may reach the buckets, too, that the API sends it to."""
    assert _origins(deployment) == [["*"]] * 3
    page = "https://www.example.com"
    narrowed = _origins(synthesize(replace(stage, edge=replace(stage.edge, origins=(page,))), tmp_path))
    assert narrowed == [[page], *[["http://127.0.0.1:18080", page]] * 2], "to a bucket the API's own origin is another"


def test_pictures_are_found_with_opensearch_where_the_launcher_started_one(stage: Stage) -> None:
    assert (stage.search.keyword, stage.search.vector, stage.search.layers) == ("postgres", "postgres", ())
    other = local_stage(ENVIRONMENT | {"MARKET_OPENSEARCH_URL": "http://127.0.0.1:19200"}).search
    assert (other.keyword, other.vector, other.opensearch_endpoint) == (
        "opensearch",
        "postgres",
        "http://127.0.0.1:19200",
    )
    assert other.layers == ("opensearch",)


def test_functions_that_search_may_reach_the_engines_of_their_stage(stage: Stage, tmp_path: Path) -> None:
    engines = SearchEngines(
        keyword="opensearch",
        vector="qdrant",
        opensearch_endpoint="https://abc.us-east-1.aoss.amazonaws.com",
        opensearch_arn="arn:aws:aoss:us-east-1:000000000000:collection/abc",
        qdrant_secret_arn="arn:aws:secretsmanager:us-east-1:000000000000:secret:qdrant-123456",
        qdrant_shards=4,
        qdrant_replicas=2,
    )
    deployment = synthesize(replace(stage, search=engines), tmp_path)
    for name, properties in deployment.functions().items():
        statements = deployment.statements(name)
        actions = {action: statement["resources"] for statement in statements for action in statement["actions"]}
        searches = name in {"search_api", "image_search_api", "index_images"}
        compares = searches or name == "publish_image"  # by meaning only
        assert actions.get("aoss:APIAccessAll") == ([engines.opensearch_arn] if searches else None), name
        secrets = {
            resource
            for statement in statements
            if "secretsmanager:GetSecretValue" in statement["actions"]
            for resource in statement["resources"]
        }
        assert (engines.qdrant_secret_arn in secrets) == compares, name
        variables = properties["Environment"]["Variables"]
        assert variables.get("MARKET_QDRANT_SHARDS") == ("4" if compares else None)
        assert variables.get("MARKET_KEYWORD_ENGINE") == ("opensearch" if searches else None)


def test_the_commands_offer_the_stages_that_there_are() -> None:
    _, option = get_args(command.Stage)
    assert list(STAGES) == ["local"], "then the help of --stage and docs/operations.md name the others too"
    assert "local is the only stage yet" in option.help


def test_an_unknown_stage_is_refused() -> None:
    from aws_cdk import App

    with pytest.raises(SystemExit, match="no stage 'moon'; there is local"):
        chosen_stage(App(context={"stage": "moon"}))
