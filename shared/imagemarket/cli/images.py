"""`imagemarket images`: pictures that need a person, straight in the deployment."""

from __future__ import annotations

import json
from getpass import getuser
from typing import Annotated
from uuid import UUID

import typer

from imagemarket.cli.catalogue import show
from imagemarket.cli.stage import Stage, deployment
from imagemarket.cli.terminal import confirm, say

app = typer.Typer(name="images", help="Pictures that need a person, straight in the deployment.", no_args_is_help=True)


@app.callback()
def images() -> None:
    """Pictures that need a person, straight in the deployment."""


Id = Annotated[UUID, typer.Argument(help="The image's id.")]
Reason = Annotated[str, typer.Option(help="Why; kept for good, and told to the contributor.")]
By = Annotated[str | None, typer.Option(help="Who; your name on this machine by default.")]


@app.command("takedown")
def takedown(image_id: Id, reason: Reason, by: By = None, stage: Stage = "local") -> None:
    """Withdraw a published image: its address answers 410, search and previews are without it within a minute.

    Its public renditions are put away until it is restored or deleted; the original and the clean renditions stay
    where licences find them.
    """
    from imagemarket.app import app

    with deployment(stage):
        app().catalog.takedowns.take_down(image_id, reason=reason, actor=by or getuser())
    say(f"{image_id} is taken down.")


@app.command("restore")
def restore(image_id: Id, reason: Reason, by: By = None, stage: Stage = "local") -> None:
    """Bring back an image that was taken down, with the status it had."""
    from imagemarket.app import app

    with deployment(stage):
        status = app().catalog.takedowns.restore(image_id, reason=reason, actor=by or getuser())
    say(f"{image_id} is {status.value} again.")


@app.command("delete")
def delete(
    image_id: Id,
    reason: Reason,
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    stage: Stage = "local",
) -> None:
    """Delete an image for good, up to a tombstone that answers 410; what licences need is kept."""
    from imagemarket.app import app

    if not yes:
        confirm(f"Delete {image_id} for good?")
    with deployment(stage):
        app().catalog.takedowns.delete(image_id, reason=reason, actor=by or getuser())
    say(f"{image_id} is deleted.")


@app.command("history")
def history(image_id: Id, stage: Stage = "local") -> None:
    """Show every change of an image's status: when, by whom and why."""
    from imagemarket.app import app

    with deployment(stage):
        rows = app().catalog.takedowns.history(image_id)
    if not rows:
        say("No change of this image's status is recorded.")
        return
    show(
        ("at", "action", "by", "reason", "from", "to"),
        [
            (
                row["at"].isoformat(timespec="seconds"),
                row["action"],
                row["actor"],
                row["reason"],
                row["status_before"],
                row["status_after"],
            )
            for row in rows
        ],
    )


@app.command("show")
def show_image(
    image_id: Id,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    stage: Stage = "local",
) -> None:
    """Show how an image stands and, where it was held or refused as a copy, what speaks for that.

    Of each earlier image: what brought the two together (distance in bits of the perceptual hashes, cosine of the
    embeddings), how many points of one lie in the other, and the share of details that are the same.
    """
    from imagemarket.app import app
    from imagemarket.ingestion import review

    with deployment(stage):
        found = review.dossier(app().resources.database, image_id)
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str))
        return
    evidence = found.pop("evidence")
    rejection = found.pop("rejection")
    for name, value in found.items():
        say(f"{name.replace('_', ' ')}: {'-' if value is None else value}")
    if rejection:
        say(f"rejection: {rejection['detail']} ({rejection['code']})")
    if not evidence:
        say("Nothing speaks for a copy.")
        return
    show(
        ("earlier image", "verdict", "found by", "bits", "cosine", "points", "same", "cells", "status", "contributor"),
        [
            (
                str(each["other_id"]),
                each["verdict"],
                each["found_by"].replace("_", " "),
                _told(each["distance"]),
                _told(each["cosine"], ".3f"),
                _told(each["inliers"]),
                _told(each["agreement"], ".0%"),
                _told(each["cells"]),
                each["status"],
                each["contributor"],
            )
            for each in evidence
        ],
    )


def _told(value: float | None, form: str = "") -> str:
    return "-" if value is None else format(value, form)


@app.command("stuck")
def stuck(
    settle: Annotated[bool, typer.Option("--settle", help="Do at once what the sweeper would do next.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    stage: Stage = "local",
) -> None:
    """Show images in processing that nothing carries on, how their executions stand, and what will be done.

    `resume` starts an execution that never was; `replay` starts the next run, which goes on after the steps that
    succeeded; `fail` states the reason. The sweeper does it by itself every few minutes.
    """
    from imagemarket.app import app

    with deployment(stage):
        found = app().ingestion.execution_sweeper.stuck()
        done = app().ingestion.execution_sweeper.run() if settle else None
    rows = [
        {
            "image_id": str(each.job.image_id),
            "run": each.job.run,
            "last_heard": each.last_heard.isoformat(timespec="seconds"),
            "execution": each.execution.value if each.execution else "none",
            "action": each.action,
        }
        for each in found
    ]
    if as_json:
        typer.echo(json.dumps({"stuck": rows, "done": done}, indent=2))
        return
    if rows:
        show(("image id", "run", "last heard", "execution", "action"), [tuple(map(str, row.values())) for row in rows])
    else:
        say("No image is stuck.")
    if done is not None:
        say(", ".join(f"{outcome.replace('_', ' ')}: {number}" for outcome, number in done.items()))
