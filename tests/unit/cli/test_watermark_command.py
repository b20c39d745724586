"""`imagemarket watermark read`: what it says of a found file, and with which status it ends."""

from __future__ import annotations

import io
import json
import uuid
from functools import partial
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageOps
from typer.testing import CliRunner, Result

from imagemarket.cli import watermark
from imagemarket.cli.app import app
from imagemarket.cli.client import CliError, MarketClient
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.watermark import make_watermarked
from local.pictures import paint_landscape
from tests.textures import textured

IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")
API = "https://api.example.com"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = paint_landscape(tmp_path_factory.mktemp("original") / "a.jpg", seed=11)
    with Image.open(path) as painted:
        return _saved(textured(painted.convert("RGB"), 11), path)


@pytest.fixture(scope="module")
def preview(original: Path) -> Image.Image:
    made = make_watermarked(inspect(original).master, IMAGE_ID)
    with Image.open(io.BytesIO(next(each.data for each in made if each.format == "jpeg"))) as picture:
        return picture.convert("RGB")


@pytest.fixture
def copy(preview: Image.Image, tmp_path: Path) -> Path:
    """A whole copy in another size."""
    return _saved(preview.resize((preview.width // 2, preview.height // 2)), tmp_path / "copy.jpg")


@pytest.fixture
def tilted(preview: Image.Image, tmp_path: Path) -> Path:
    """A part that was turned by some degrees and stretched: nothing that is read blind."""
    part = preview.rotate(6, Image.Resampling.BICUBIC).crop((90, 90, preview.width - 90, preview.height - 90))
    return _saved(ImageOps.mirror(part.resize((700, 560), Image.Resampling.BICUBIC)), tmp_path / "tilted.jpg")


def _saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path, "JPEG", quality=85)
    return path


OTHER = uuid.UUID(int=1)


def _market(
    monkeypatch: pytest.MonkeyPatch, preview: Image.Image, *, shown: bool = True, alike: tuple[uuid.UUID, ...] = ()
) -> None:
    """A market of the preview's image and of another picture; `alike` is what a search by a picture finds."""
    other = Image.effect_noise(preview.size, 80).convert("RGB")

    def encoded(picture: Image.Image) -> bytes:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        return out.getvalue()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "media.example.com":
            assert "authorization" not in request.headers
            return httpx.Response(200, content=encoded(other if str(OTHER) in request.url.path else preview))
        if request.url.path == "/v1/search/by-image":
            assert request.headers["content-type"] == "image/jpeg"
            with Image.open(io.BytesIO(request.content)) as sent:
                assert max(sent.size) <= 1000
            assert dict(request.url.params) == {"limit": str(watermark.LOOKALIKES), "fields": "id", "min_score": "0"}
            return httpx.Response(200, json={"results": [{"id": str(each)} for each in alike]})
        if alike and request.url.path.endswith("/preview"):
            return httpx.Response(302, headers={"location": f"https://media.example.com{request.url.path}"})
        if not shown or str(IMAGE_ID) not in request.url.path:
            return httpx.Response(404, json={"type": f"{API}/problems/image-not-found", "detail": "No such image."})
        if request.url.path.endswith("/preview"):
            return httpx.Response(302, headers={"location": "https://media.example.com/p.jpg"})
        return httpx.Response(200, json={"title": "A hill", "contributor": {"id": "1", "name": "Ada"}, "tags": []})

    client = partial(MarketClient, transport=httpx.MockTransport(answer), sleep=lambda _: None)
    monkeypatch.setattr(watermark, "MarketClient", client)


@pytest.fixture(autouse=True)
def no_market(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKET_URL", raising=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["watermark", "read", *map(str, arguments)])


def test_says_whose_image_a_file_is(copy: Path) -> None:
    result = run(copy)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"image {IMAGE_ID}", "The copy has 50% of the preview's size."]


def test_asks_the_market_for_title_and_contributor(
    copy: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(monkeypatch, preview)
    assert "“A hill” by Ada" in run(copy, "--url", API).stdout
    found = json.loads(run(copy, "--url", API, "--json").stdout)
    assert found["image_id"] == str(IMAGE_ID)
    assert found["image"] == {"title": "A hill", "contributor": {"id": "1", "name": "Ada"}}
    assert (found["scale"], found["upright"]) == (0.5, True)


def test_an_image_that_the_market_no_longer_shows_is_still_named(
    copy: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(monkeypatch, preview, shown=False)
    result = run(copy, "--url", API)
    assert result.exit_code == 0
    assert str(IMAGE_ID) in result.stdout
    assert "does not show" in result.stdout


def test_a_picture_without_a_mark_ends_with_its_own_status(original: Path) -> None:
    result = run(original)
    assert (result.exit_code, result.stdout) == (watermark.NO_MARK, "")
    assert "No mark was found" in result.stderr


def test_a_tilted_copy_is_read_beside_what_it_comes_from(
    original: Path, tilted: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = run(tilted)
    assert alone.exit_code == watermark.NO_MARK
    assert "looks for its like in a market" in alone.stderr
    assert str(IMAGE_ID) in run(tilted, "--against", original).stdout
    _market(monkeypatch, preview)
    assert str(IMAGE_ID) in run(tilted, "--against", str(IMAGE_ID), "--url", API).stdout


def test_a_tilted_copy_is_read_without_knowing_whose_it_is(
    tilted: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(monkeypatch, preview, alike=(OTHER, IMAGE_ID))
    monkeypatch.setenv("MARKET_URL", API)
    assert run(tilted).stdout.splitlines() == [f"image {IMAGE_ID}", "“A hill” by Ada"]


def test_a_picture_without_a_mark_that_the_market_shows_is_named_as_such(
    original: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(monkeypatch, preview, alike=(OTHER, IMAGE_ID))
    result = run(original, "--url", API)
    assert result.exit_code == watermark.NO_MARK
    assert f"lies over image {IMAGE_ID}" in result.stderr


def test_a_picture_that_the_market_shows_nothing_like_is_said_to_be_none(
    tilted: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(monkeypatch, preview, alike=(OTHER,))
    result = run(tilted, "--url", API, "--json")
    assert result.exit_code == watermark.NO_MARK
    assert json.loads(result.stdout) == {"image_id": None, "lies_over": None}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--against", "nowhere.jpg"), "neither a file nor an image id"),
        (("--against", str(IMAGE_ID)), "say which market"),
        (("--against", str(uuid.UUID(int=1)), "--url", API), "No such image"),
    ],
)
def test_what_cannot_be_looked_at_is_said(
    copy: Path, preview: Image.Image, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    _market(monkeypatch, preview)
    error = run(copy, *arguments).exception
    assert isinstance(error, CliError)
    assert says in str(error)


def test_a_file_that_is_no_picture_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("notes")
    error = run(tmp_path / "notes.jpg").exception
    assert isinstance(error, CliError)
    assert "not a picture" in str(error)
