"""cdk-nag's AWS Solutions and Serverless rules; a finding that stands is acknowledged where it is, with its reason."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from cdk.foundation.assets import REPOSITORY
from cdk.stages.model import Stage
from tests.infra.conftest import new_app


def test_the_stage_follows_the_rules(stage: Stage, tmp_path: Path) -> None:
    """A careless bucket and a careless queue stand beside the stage's own: theirs are the only findings."""
    from aws_cdk import Validations
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs
    from cdk_nag import AwsSolutionsChecks, ServerlessChecks

    from cdk.app import build

    app = new_app(tmp_path)
    market = build(app, stage)
    s3.Bucket(market.state, "Careless")
    sqs.Queue(market.stack("operations"), "Careless")
    Validations.of(app).add_plugins(AwsSolutionsChecks(), ServerlessChecks())
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text(encoding="utf-8"))
    found = {
        (violation["ruleName"], place["constructPath"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for place in violation["violatingConstructs"]
    }
    bucket, queue = "imagemarket-local-state/Careless/Resource", "imagemarket-local-operations/Careless/Resource"
    assert found == {
        ("AwsSolutions-S1", bucket),
        ("AwsSolutions-S10", bucket),
        ("AwsSolutions-SQS3", queue),
        ("AwsSolutions-SQS4", queue),
        ("Serverless-SQSRedrivePolicy", queue),
    }


def test_every_finding_that_stands_has_a_reason() -> None:
    """Acknowledgements go through one module, which takes the reason as a sentence."""
    places = {"acknowledge": 2, "Accepted": 1}
    reasons: list[str] = []
    for source in (REPOSITORY / "cdk").rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        if source.name != "rules.py":
            assert "Acknowledgment" not in text, source.name
            assert "NagSuppressions" not in text, source.name
        reasons += [
            ast.unparse(node.args[places[node.func.id]])
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in places
        ]
    assert len(reasons) >= 8
    for reason in reasons:
        literal = re.sub(r"^f?['\"]|['\"]$", "", reason)
        assert literal == "not_rotated_because" or (len(literal.split()) >= 5 and literal.endswith(".")), reason
