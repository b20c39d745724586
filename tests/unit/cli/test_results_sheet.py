"""`imagemarket search --open`: what the contact sheet shows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from imagemarket.cli import catalogue, results_sheet
from imagemarket.cli.app import app

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (450, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


def result(number: int) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "title": f"A picture with a very long title that cannot fit into its cell, number {number}",
        "score": 0.5,
        "renditions": [
            {
                "width": width,
                "height": width * 2 // 3,
                "format": form,
                "url": f"https://cdn.test/{number}/{width}.{form}",
            }
            for width in (150, 450)
            for form in ("avif", "jpeg", "webp")
        ],
    }


def test_every_result_has_its_cell_in_order() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return jpeg(COLOURS[int(url.split("/")[3])])

    sheet = results_sheet.draw([result(number) for number in range(3)], fetch)
    assert sorted(asked) == [f"https://cdn.test/{number}/450.jpeg" for number in range(3)]
    step = (sheet.width - 12) // 3
    for place, colour in enumerate(COLOURS):
        pixel = sheet.getpixel((12 + place * step + 150, 12 + 150))
        assert isinstance(pixel, tuple)
        assert all(abs(a - b) < 12 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("number", [0, 1, 5, 6, 100])
def test_the_sheet_grows_with_the_page(number: int) -> None:
    sheet = results_sheet.draw([result(place) for place in range(number)], lambda _: jpeg(COLOURS[0]))
    rows = max(1, -(-number // 5))
    assert sheet.height == rows * (300 + 44 + 12) + 12


@pytest.mark.parametrize("data", [b"", b"no picture", jpeg(COLOURS[0])[:200]])
def test_a_thumbnail_that_cannot_be_read_leaves_an_empty_cell(data: bytes) -> None:
    results_sheet.draw([result(0)], lambda _: data)


def test_without_a_screen_there_is_no_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert results_sheet.show(Path("sheet.png")) is False


def test_the_command_says_what_became_of_the_words_and_writes_the_sheet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = {
        "results": [{**result(0), "categories": [], "contributor": {"name": "Ada"}, "renditions": []}],
        "estimated_total": 1,
        "mode": "hybrid",
        "spelling": {"asked": "sunste", "searched": "sunset"},
        "interpreted": [{"words": "vertical", "parameter": "orientation", "value": "portrait", "effect": "filter"}],
        "degraded": [],
    }
    monkeypatch.setattr(catalogue.MarketClient, "get", lambda *_, **__: answer)
    path = tmp_path / "sheet.png"
    done = CliRunner().invoke(app, ["search", "vertical sunste", "--sheet", str(path)])
    assert done.exit_code == 0, done.output
    assert "sunset" in done.output
    assert "orientation portrait (filter)" in done.output
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
