"""The CDK app: `python -m cdk.app` writes the templates of the stage that the context names (`-c stage=local`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aws_cdk import App, Environment, Tags

from cdk.stacks.application import ApplicationStack
from cdk.stacks.state import StateStack
from cdk.stages.local import local_stage
from cdk.stages.model import Stage

STAGES: Mapping[str, Callable[[], Stage]] = {"local": local_stage}
"""The stages there are, each made when it is asked for."""


def build(app: App, stage: Stage) -> tuple[StateStack, ApplicationStack]:
    """The two stacks of a stage: what must outlive a deployment, and what can be deployed again any time."""
    where = Environment(account=stage.account, region=stage.region)
    state = StateStack(app, f"{stage.prefix}-state", stage=stage, env=where)
    application = ApplicationStack(app, f"{stage.prefix}-application", stage=stage, state=state, env=where)
    for name, value in {"application": "imagemarket", "stage": stage.name}.items():
        Tags.of(app).add(name, value)
    return state, application


def chosen_stage(app: App) -> Stage:
    """The stage that the context names, `local` when it names none."""
    name = app.node.try_get_context("stage") or "local"
    if name not in STAGES:
        raise SystemExit(f"There is no stage {name!r}; there is {', '.join(STAGES)}.")
    return STAGES[name]()


def main() -> None:
    """Write the templates of the chosen stage."""
    app = App()
    build(app, chosen_stage(app))
    app.synth()


if __name__ == "__main__":
    main()
