from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

from imagemarket.catalog.taxonomy import SLUGS
from imagemarket.cli.pictures import PictureNotes, find_pictures
from imagemarket.imaging.hashes import perceptual_hash
from imagemarket.ingestion.fingerprints import PHASH_MAX_DISTANCE
from local.demo.canvas import GALLERY
from local.demo.content import draw, file_of, make_demo, notes
from local.demo.photos import PHOTOS
from local.layout import LocalError

NOTES = notes()
POSES = (None, *Image.Transpose)


@pytest.fixture(scope="module")
def heard() -> list[str]:
    return []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, heard: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder, heard.append)
    return folder


@pytest.mark.parametrize("name", NOTES)
def test_what_is_said_of_a_picture_can_be_uploaded(name: str) -> None:
    said = PictureNotes.model_validate(NOTES[name])
    assert said.title
    assert said.description
    assert said.credit
    assert said.tags
    assert len(set(said.tags)) == len(said.tags) >= 5
    assert said.categories
    assert set(said.categories) <= SLUGS
    assert said.image_type
    assert said.license_types


def test_every_picture_has_a_title_of_its_own() -> None:
    titles = {said["title"].lower() for said in NOTES.values()}
    assert len(titles) == len(NOTES) == len(GALLERY) + len(PHOTOS)


def test_the_folder_holds_every_picture_and_its_notes(demo: Path, heard: list[str]) -> None:
    assert json.loads((demo / "metadata.json").read_text(encoding="utf-8")) == NOTES
    pictures, passed_over = find_pictures([demo])
    assert passed_over == []
    assert {picture.name: picture.notes.title for picture in pictures} == {
        name: said["title"] for name, said in NOTES.items()
    }
    assert all(picture.problem is None for picture in pictures)
    assert heard[-1] == f"{len(NOTES)} of {len(NOTES)}"


def test_drawings_have_the_size_they_were_hung_with(demo: Path) -> None:
    for drawing in GALLERY:
        with Image.open(demo / file_of(drawing)) as made:
            assert (made.size, made.mode) == (drawing.size, "RGB"), drawing.name
        assert 1200 <= max(drawing.size) <= 1500


def test_both_lossless_and_lossy_drawings_are_made() -> None:
    assert {Path(file_of(drawing)).suffix for drawing in GALLERY} == {".jpg", ".png"}


def test_photos_keep_their_bytes(demo: Path) -> None:
    for photo in PHOTOS:
        assert (demo / photo.name).read_bytes() == photo.path().read_bytes()


def test_no_picture_is_taken_for_another_one_turned_or_mirrored(demo: Path) -> None:
    straight: dict[str, int] = {}
    posed: dict[str, list[int]] = {}
    for name in NOTES:
        with Image.open(demo / name) as made:
            # far more pixels than the hash looks at, and few enough to turn them quickly
            small = made.convert("L").resize((256, 256), Image.Resampling.BOX)
            straight[name] = perceptual_hash(made)
        posed[name] = [perceptual_hash(small if pose is None else small.transpose(pose)) for pose in POSES]
    near = {
        (one, other): distance
        for one, other in combinations(NOTES, 2)
        if (distance := min((straight[one] ^ hash_of).bit_count() for hash_of in (straight[other], *posed[other])))
        <= PHASH_MAX_DISTANCE
    }
    assert not near


def test_a_drawing_is_the_same_every_time() -> None:
    quick = next(drawing for drawing in GALLERY if drawing.name == "birthday-cake")
    assert draw(quick).tobytes() == draw(quick).tobytes()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.demo.photos.find_spec", lambda _: None)
    with pytest.raises(LocalError, match=r"requirements/models\.txt"):
        PHOTOS[0].path()
