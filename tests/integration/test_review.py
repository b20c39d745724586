"""Why an image is held: the staff sees what was measured, its contributor a safe part of it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.cli.app import app
from imagemarket.ingestion import review
from imagemarket.ingestion.fingerprints import Evidence, FoundBy, Verdict
from imagemarket.ingestion.repository import duplicates
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from tests.integration.rows import a_contributor, an_image
from tests.provided import provide

pytestmark = pytest.mark.engines

COPY = {"distance": 3, "inliers": 14, "agreement": 0.82, "cells": 31}


def _evidence(database: Database, image, *others) -> None:
    found = [Evidence(other, FoundBy.PERCEPTUAL_HASH, Verdict.PROBABLE, **COPY) for other in others]
    with database.transaction() as connection:
        duplicates.keep_evidence(connection, image, found)


def test_a_contributor_is_told_of_own_images_by_id_and_of_others_that_there_are_some(database: Database) -> None:
    ada, bob = a_contributor(database), a_contributor(database)
    own, theirs, more = an_image(database, ada), an_image(database, bob), an_image(database, bob)
    image = an_image(database, ada, status="pending_review", nsfw_score=0.4)
    _evidence(database, image, own, theirs, more)
    told = review.reasons(database, image)
    assert [(each.code, each.duplicate_of) for each in told] == [
        ("sensitive-content", None),
        ("probable-duplicate", own),
        ("probable-duplicate", None),
    ]
    said = json.dumps([each.model_dump(mode="json") for each in told])
    assert not any(str(each) in said for each in (theirs, more, bob))


def test_what_speaks_against_nothing_is_no_reason(database: Database) -> None:
    assert review.reasons(database, an_image(database, a_contributor(database), nsfw_score=0.09)) == []


def test_the_staff_sees_what_was_measured(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    provide("resources.database", database)
    monkeypatch.setenv("MARKET_DATABASE_SECRET_ARN", "given")
    ada, bob = a_contributor(database), a_contributor(database)
    other = an_image(database, bob, status="approved")
    image = an_image(database, ada, status="pending_review", nsfw_score=0.01)
    _evidence(database, image, other)
    shown = CliRunner().invoke(app, ["images", "show", str(image)])
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.output.splitlines() if str(other) in line]
    assert line.split() == [
        str(other), "probable", "perceptual", "hash", "3", "-", "14", "82%", "31", "approved", "Ada"
    ]  # fmt: skip
    assert "status: pending_review" in shown.output
    (told,) = json.loads(CliRunner().invoke(app, ["images", "show", str(image), "--json"]).output)["evidence"]
    assert {name: told[name] for name in COPY} == {**COPY, "agreement": pytest.approx(0.82)}
    assert told["other_id"] == str(other)

    clear = CliRunner().invoke(app, ["images", "show", str(other)])
    assert "Nothing speaks for a copy." in clear.output
    missing = CliRunner().invoke(app, ["images", "show", str(new_id())])
    assert (missing.exit_code, str(missing.exception)) == (1, "There is no such image.")
    with pytest.raises(ImageNotFound):
        review.dossier(database, new_id())
