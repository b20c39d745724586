"""Whose a found picture is, and why one is held: by the product's command line, against the deployed stack."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from local.api_client import ApiClient, Upload, eventually
from local.pictures import paint_landscape
from tests.stack.conftest import run_market
from tests.textures import textured

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = paint_landscape(tmp_path_factory.mktemp("original") / "ridge.jpg", seed=707)
    with Image.open(path) as painted:
        textured(painted.convert("RGB"), 707).save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def published(market: ApiClient, original: Path) -> Upload:
    uploaded = market.upload(original, title="A ridge that is looked for")
    assert uploaded.status["status"] == "approved", uploaded.status
    eventually(lambda: market.search(q="ridge that is looked for", mode="keyword")["results"])
    return uploaded


def test_a_found_picture_is_told_whose_it_is_without_naming_it(
    market: ApiClient, stack_environment: dict[str, str], published: Upload, tmp_path: Path
) -> None:
    """Turned by some degrees it is not read blind: a search by it finds what it is laid over."""
    preview = market.http.get(
        f"/v1/images/{published.image_id}/preview", headers={"accept": "image/jpeg"}, follow_redirects=True
    )
    with Image.open(io.BytesIO(preview.content)) as opened:
        tilted = opened.convert("RGB").rotate(5, Image.Resampling.BICUBIC)
    tilted.crop((60, 60, tilted.width - 60, tilted.height - 60)).save(tmp_path / "found.jpg", quality=85)
    read = run_market(stack_environment, "watermark", "read", str(tmp_path / "found.jpg"))
    assert read.returncode == 0, read.stdout + read.stderr
    assert f"image {published.image_id}" in read.stdout
    assert "A ridge that is looked for" in read.stdout


def test_why_a_picture_is_held_is_told_to_its_contributor_and_shown_to_the_staff(
    market: ApiClient, stack_environment: dict[str, str], original: Path, published: Upload, tmp_path: Path
) -> None:
    with Image.open(original) as opened:
        covered = opened.convert("RGB")
    draw = ImageDraw.Draw(covered)
    for top in range(0, covered.height, 260):  # another's bars over a fifth of it
        draw.rectangle((0, top, covered.width, top + 55), fill="white")
    covered.save(tmp_path / "covered.jpg", quality=90)
    held = market.upload(tmp_path / "covered.jpg")
    assert held.status["status"] == "pending_review", held.status
    (reason,) = [each for each in held.status["review"] if each["code"] == "probable-duplicate"]
    assert reason["duplicate_of"] == published.image_id
    shown = run_market(stack_environment, "images", "show", held.image_id, "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    evidence = json.loads(shown.stdout)["evidence"]
    assert [each["other_id"] for each in evidence if each["verdict"] == "probable"][:1] == [published.image_id]
