"""The image tower, on pictures whose content is known."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from imagemarket.catalog.taxonomy import SLUGS
from imagemarket.vision.analyser import Analyser, UnreadableImage
from imagemarket.vision.models import EMBEDDING_DIMENSIONS, TAGS_PER_IMAGE, Analysis
from imagemarket.vision.text import TextEncoder
from tests.unit.vision.kit import jpeg, lite_bundle, photo

_ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(lite_bundle())


@pytest.fixture(scope="module")
def cat(analyser: Analyser) -> Analysis:
    return analyser.analyse([jpeg(photo("chelsea.png"))])[0]


def _tags(analysis: Analysis) -> dict[str, float]:
    return {tag.tag: tag.confidence for tag in analysis.tags}


def test_says_what_is_plainly_in_a_picture(analyser: Analyser, cat: Analysis) -> None:
    assert _tags(cat)["cat"] > 0.5
    assert cat.categories[0] == "animals"
    assert "cat" in cat.description
    coffee = analyser.analyse([jpeg(photo("coffee.png"))])[0]
    assert _tags(coffee)["cup"] > 0.3
    assert "food-drink" in coffee.categories
    astronaut = analyser.analyse([jpeg(photo("astronaut.png"))])[0]
    assert astronaut.people is True
    assert _tags(astronaut)["person"] >= 0.9
    assert "people" in astronaut.description


def test_an_analysis_is_whole(cat: Analysis) -> None:
    assert len(cat.embedding) == EMBEDDING_DIMENSIONS
    assert np.linalg.norm(cat.embedding) == pytest.approx(1)
    confidences = [tag.confidence for tag in cat.tags]
    assert len(cat.tags) == len(_tags(cat)) == TAGS_PER_IMAGE
    assert confidences == sorted(confidences, reverse=True)
    assert set(cat.categories) <= SLUGS
    assert cat.nsfw_score < 0.1
    assert cat.description[0].isupper()
    assert cat.description.endswith(".")
    assert cat.description.count(".") == 1


def test_that_nobody_is_there_is_said_where_nothing_speaks_for_anybody(analyser: Analyser, cat: Analysis) -> None:
    assert cat.people is False
    assert "person" not in _tags(cat)
    # Clothes and tools come with people, so without a face the answer is open.
    assert analyser.analyse([jpeg(photo("motorcycle_left.png"))])[0].people is None


def test_a_text_finds_its_picture(analyser: Analyser) -> None:
    names = ["chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "astronaut.png", "page.png"]
    pictures = np.asarray([a.embedding for a in analyser.analyse([jpeg(photo(name)) for name in names])])
    encoder = TextEncoder(lite_bundle())
    for text, name in (
        ("kitten", "chelsea.png"),
        ("espresso on a wooden table", "coffee.png"),
        ("launch of a rocket", "rocket.jpg"),
        ("motorbike in a garage", "motorcycle_left.png"),
        ("portrait of a person", "astronaut.png"),
    ):
        likeness = pictures @ np.asarray(encoder.encode(text))
        assert names[int(likeness.argmax())] == name, text


def test_a_picture_has_one_analysis(analyser: Analyser, cat: Analysis) -> None:
    """In whatever company it comes."""
    coffee, again = analyser.analyse([jpeg(photo("coffee.png")), jpeg(photo("chelsea.png"))])
    assert again == cat
    assert coffee != cat


def test_turns_a_picture_upright(analyser: Analyser, cat: Analysis) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    lying = photo("chelsea.png").transpose(Image.Transpose.ROTATE_90)
    turned = analyser.analyse([jpeg(lying, exif=exif)])[0]
    assert np.dot(turned.embedding, cat.embedding) > 0.97


def test_sees_no_colour_where_there_is_none(analyser: Analyser) -> None:
    grey = analyser.analyse([jpeg(photo("chelsea.png").convert("L"))])[0]
    assert _tags(grey)["black and white"] == 1
    assert _tags(grey)["cat"] > 0.2
    assert grey.description.endswith("mostly black and white.")


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3000, 2000), (260, 260)])
def test_looks_at_any_shape(analyser: Analyser, size: tuple[int, int]) -> None:
    analysis = analyser.analyse([jpeg(photo("coffee.png").resize(size))])[0]
    assert np.isfinite(analysis.embedding).all()
    assert len(analysis.tags) == TAGS_PER_IMAGE


def test_a_flat_picture_is_not_an_animal(analyser: Analyser) -> None:
    """A third of the classes are; a classifier at a loss must not sum them up."""
    flat = analyser.analyse([jpeg(Image.new("RGB", (300, 300), (90, 120, 200)))])[0]
    assert _tags(flat).get("animal", 0) < 0.3
    assert _tags(flat)["blue"] == 1


def test_other_colour_models_are_read(analyser: Analyser) -> None:
    analysis = analyser.analyse([jpeg(photo("chelsea.png").convert("CMYK"))])[0]
    assert _tags(analysis)["cat"] > 0.3


def _enlarged(width: int, height: int) -> bytes:
    """A JPEG that claims to be larger than it is."""
    content = bytearray(jpeg(Image.new("RGB", (8, 8))))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JPEG"),
        (b"\xff\xd8\xff", "no JPEG"),
        (_png(), "no JPEG"),
        (b"<svg/>", "no JPEG"),
        (jpeg(Image.effect_noise((400, 400), 50))[:2000], "cannot be decoded"),
        (_enlarged(60_000, 60_000), "pixels"),
        (_enlarged(9_000, 9_000), "pixels"),
    ],
)
def test_says_why_it_cannot_look(analyser: Analyser, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason):
        analyser.prepare(content)
