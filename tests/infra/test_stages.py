"""The stage model."""

from __future__ import annotations

import pytest

from cdk.app import chosen_stage
from cdk.stages import MissingVariable, Stage, local_stage
from tests.infra.conftest import ENVIRONMENT, PASSWORD


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_the_launcher_did_not_say_is_named(name: str) -> None:
    with pytest.raises(MissingVariable, match=name):
        local_stage({key: value for key, value in ENVIRONMENT.items() if key != name})


def test_a_stage_does_not_print_its_password(stage: Stage) -> None:
    assert PASSWORD not in repr(stage)


def test_the_local_stage_is_on_this_machine_alone(stage: Stage) -> None:
    assert stage.public_base_url == "http://127.0.0.1:18080"
    assert stage.media_base_url == "http://127.0.0.1:18080/media"
    assert stage.account == "000000000000"


def test_an_unknown_stage_is_refused() -> None:
    from aws_cdk import App

    with pytest.raises(SystemExit, match="no stage 'moon'; there is local"):
        chosen_stage(App(context={"stage": "moon"}))
