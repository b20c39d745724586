"""The CDK app: `python -m cdk.app` writes the templates of the stage that the context names (`-c stage=local`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aws_cdk import App, Tags

from cdk.capabilities.delivery import Delivery
from cdk.capabilities.docs import Docs
from cdk.capabilities.favourites import Favourites
from cdk.capabilities.gateway import Gateway
from cdk.capabilities.identity import Identity
from cdk.capabilities.image_search import ImageSearch
from cdk.capabilities.ingestion import Ingestion
from cdk.capabilities.notifications import Notifications
from cdk.capabilities.operations import Operations
from cdk.capabilities.pages import Pages
from cdk.capabilities.recovery import Recovery
from cdk.capabilities.schema import Schema
from cdk.capabilities.search import Search
from cdk.capabilities.uploads import Uploads
from cdk.foundation.capability import Capability
from cdk.foundation.market import Market
from cdk.stages.local import local_stage
from cdk.stages.model import Stage

STAGES: Mapping[str, Callable[[], Stage]] = {"local": local_stage}
"""The stages there are, each made when it is asked for."""

CAPABILITIES: tuple[type[Capability], ...] = (
    Schema,
    Search,
    ImageSearch,
    Notifications,
    Identity,
    Uploads,
    Ingestion,
    Recovery,
    Delivery,
    Favourites,
    Pages,
    Docs,
)
"""In this order: whoever has a queue is made before those who send to it."""

OVER_ALL = (Operations, Gateway)
"""Made last, since they look at the queues, schedules and functions of all the others."""


def build(app: App, stage: Stage) -> Market:
    """The stacks of a stage: what must outlive a deployment, and one for each group of capabilities."""
    market = Market(app, stage)
    for capability in (*CAPABILITIES, *OVER_ALL):
        capability(market)
    for name, value in {"application": "imagemarket", "stage": stage.name}.items():
        Tags.of(app).add(name, value)
    return market


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
