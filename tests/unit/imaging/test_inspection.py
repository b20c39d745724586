"""One decode: what it says of pictures, and what it says of files that are none."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from imagemarket.imaging.decoding import MASTER_LONG_EDGE
from imagemarket.imaging.errors import ImageTooLarge, ImageTooSmall, UnreadableImage, UnsupportedFormat
from imagemarket.imaging.hashes import COLOUR_NAMES, colour_name, perceptual_hash
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.metadata import read_description
from imagemarket.imaging.renditions import flattened, open_master
from local.pictures import paint_landscape
from local.raw_fixtures import write_dng
from tests.edge import MAKERS, make_edge_file, refusals_of, sample_files


def _pixel(master: bytes, at: tuple[int, int]) -> list[int]:
    return np.asarray(flattened(open_master(master)))[at[1], at[0]].tolist()


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    return paint_landscape(tmp_path / "landscape.jpg", seed=1, size=(1500, 1000))


def test_a_photo_is_described_and_scaled(landscape: Path) -> None:
    found = inspect(landscape)
    assert (found.format, found.width, found.height) == ("jpeg", 1500, 1000)
    assert open_master(found.master).size == (MASTER_LONG_EDGE, 667)
    with Image.open(io.BytesIO(found.model_input)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (450, 300))
    assert sum(colour.percentage for colour in found.palette) == pytest.approx(100)
    assert len(found.palette) == 5
    assert set(found.colours) <= set(COLOUR_NAMES)
    assert len(found.thumbhash) >= 20


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    found = inspect(paint_landscape(tmp_path / "small.jpg", seed=2, size=(300, 200)))
    assert open_master(found.master).size == (300, 200)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (120, 80), (20, 20, 20))
    upright.paste((250, 10, 10), (0, 0, 40, 30))  # red in the upper left corner
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that the camera's turn is undone by, inverted
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    found = inspect(tmp_path / "turned.jpg")
    assert (found.width, found.height) == (120, 80)
    red, green, _ = _pixel(found.master, (10, 10))
    assert red > 200 > green


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_pixel_layout_is_read(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (200, 100), (255, 255, 255, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 100, 100))
    kind = "tif" if mode in {"CMYK", "I;16"} else "png"
    if mode == "I;16":
        Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16)) * 257).save(tmp_path / "a.tif")
    else:
        flat = (
            picture
            if mode in {"RGBA", "LA"}
            else Image.alpha_composite(Image.new("RGBA", (200, 100), "white"), picture)
        )
        flat.convert(mode).save(tmp_path / f"a.{kind}")
    master = inspect(tmp_path / f"a.{kind}").master
    assert max(_pixel(master, (20, 50))) < 60
    assert min(_pixel(master, (180, 50))) > 200  # what is transparent shows white


def test_what_is_no_picture_is_refused_by_its_bytes(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"<svg/>", b"GIF89a" + bytes(60), b"MZ" + bytes(100), b"\xff\xd8"]):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(data)
        with pytest.raises(UnsupportedFormat, match="JPEG, PNG, TIFF or camera RAW"):
            inspect(path)


def test_a_file_cut_short_is_refused(landscape: Path) -> None:
    landscape.write_bytes(landscape.read_bytes()[:-20_000])
    with pytest.raises(UnreadableImage):
        inspect(landscape)


@pytest.mark.parametrize(
    "raw", [b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"\0\0\0\x18ftypcrx ", b"II*\0\x10\0\0\0CR\x02\0"]
)
def test_a_raw_file_without_a_picture_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(raw + bytes(4000))
    with pytest.raises(UnreadableImage):
        inspect(path)


def test_sides_out_of_bounds_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    Image.new("L", (63, 63)).save(tmp_path / "tiny.png")
    with pytest.raises(ImageTooSmall, match=r"63 by 63 .*64"):
        inspect(tmp_path / "tiny.png")
    header = io.BytesIO()
    Image.new("L", (1, 1)).save(header, "PNG")
    huge = bytearray(header.getvalue())
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    huge[29:33] = zlib.crc32(bytes(huge[12:29])).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(bytes(huge))
    with pytest.raises(ImageTooLarge, match=r"60000 by 60000 .*250 megapixels"):
        inspect(tmp_path / "huge.png")


def test_samples_too_deep_for_their_number_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    import pyvips

    # 16 megapixels of 25 floats each; compressed to nothing
    deep = pyvips.Image.black(4000, 4100, bands=25).cast("float")
    deep.write_to_file(str(tmp_path / "deep.tif"), compression="deflate")
    with pytest.raises(ImageTooLarge, match="100 bytes each"):
        inspect(tmp_path / "deep.tif")


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (100, 80), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedFormat, match="animation"):
        inspect(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("orientation", "red_at"), [(1, (0.1, 0.1)), (3, (0.9, 0.9)), (6, (0.9, 0.1)), (8, (0.1, 0.9))]
)
@pytest.mark.parametrize("sides", [(400, 300), (2400, 1600)])
def test_a_negative_is_developed_upright(
    tmp_path: Path, sides: tuple[int, int], orientation: int, red_at: tuple[float, float]
) -> None:
    width, height = sides
    scene = np.full((height, width, 3), 0.25)
    scene[: height // 4, : width // 4] = (0.8, 0.05, 0.05)
    found = inspect(write_dng(tmp_path / "a.jpg", scene, orientation=orientation))
    assert found.format == "dng"
    assert (found.width, found.height) == (sides if orientation in {1, 3} else sides[::-1])
    picture = open_master(found.master)
    assert max(picture.size) == min(MASTER_LONG_EDGE, max(sides))
    for across in (0.1, 0.9):
        for down in (0.1, 0.9):
            red, green, blue = _pixel(found.master, (int(across * picture.width), int(down * picture.height)))
            if (across, down) == red_at:
                assert red > 200 > 2 * max(green, blue)
            else:
                assert abs(red - green) < 8 > abs(green - blue)
    assert found.technical.model_dump(mode="json", exclude_none=True) == {
        "camera": "ACME Raw 1",
        "iso": 200,
        "exposure": "1/125",
        "aperture": 2.8,
    }
    assert not [secret for secret in (b"Jane", b"SN123") if secret in found.master + found.model_input]


@pytest.mark.parametrize(("orientation", "red_at"), [(1, (0.1, 0.1)), (6, (0.9, 0.1)), (8, (0.1, 0.9))])
@pytest.mark.parametrize("says_so_itself", [True, False])
def test_a_negative_that_cannot_be_read_shows_the_cameras_own_preview_and_says_so(
    tmp_path: Path, orientation: int, red_at: tuple[float, float], says_so_itself: bool
) -> None:
    shown = Image.new("RGB", (600, 400), (60, 90, 60))
    shown.paste((230, 20, 20), (0, 0, 150, 100))
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    shown.save(out, "JPEG", quality=95, exif=exif if says_so_itself else b"")
    path = write_dng(tmp_path / "a.dng", np.full((800, 1200, 3), 0.25), orientation=orientation, preview=out.getvalue())
    assert inspect(path).technical.decoded_from is None
    path.write_bytes(_stored_as(path.read_bytes(), 52_546))
    found = inspect(path)
    assert found.technical.decoded_from == "embedded preview"
    assert found.technical.camera == "ACME Raw 1"
    assert (found.width, found.height) == ((1200, 800) if orientation == 1 else (800, 1200))
    picture = open_master(found.master)
    assert max(picture.size) == 600
    red, green, _ = _pixel(found.master, (int(red_at[0] * picture.width), int(red_at[1] * picture.height)))
    assert red > 200 > 2 * green


def _stored_as(dng: bytes, compression: int) -> bytes:
    """As by a camera that is newer than LibRaw: whole, but in a way that it does not know (JPEG XL)."""
    plain, other = (struct.pack("<HHIHH", 259, 3, 1, number, 0) for number in (1, compression))
    assert dng.count(plain) == 1
    return dng.replace(plain, other)


@pytest.mark.parametrize(
    ("sides", "shown", "fits"),
    [
        ((1200, 800), (600, 400), True),
        ((1200, 800), (598, 398), False),
        ((1200, 800), (256, 192), False),
        ((120, 80), (64, 42), True),
        ((2400, 1600), (1000, 666), True),
        ((2400, 1600), (1600, 1066), True),
        ((2400, 1600), (990, 660), False),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_preview_far_smaller_than_the_picture_does_not_stand_for_it(
    tmp_path: Path, sides: tuple[int, int], shown: tuple[int, int], fits: bool, orientation: int
) -> None:
    out = io.BytesIO()
    Image.new("RGB", shown, "teal").save(out, "JPEG")
    pixels = np.full((*sides[::-1], 3), 0.25)
    path = write_dng(tmp_path / "a.dng", pixels, orientation=orientation, preview=out.getvalue())
    path.write_bytes(_stored_as(path.read_bytes(), 52_546))
    if fits:
        assert inspect(path).technical.decoded_from == "embedded preview"
    else:
        small = " by ".join(map(str, shown if orientation == 1 else shown[::-1]))
        with pytest.raises(UnreadableImage, match=f"preview of {small} is too small"):
            inspect(path)


def test_a_negative_without_data_or_preview_is_refused(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", np.full((800, 1200, 3), 0.25))
    path.write_bytes(_stored_as(path.read_bytes(), 52_546))
    with pytest.raises(UnreadableImage, match="no preview"):
        inspect(path)


@pytest.mark.parametrize("preview", [True, False])
def test_a_negative_that_is_cut_short_is_refused_even_with_a_preview(tmp_path: Path, preview: bool) -> None:
    shown = io.BytesIO()
    Image.new("RGB", (480, 320), "teal").save(shown, "JPEG")
    path = write_dng(tmp_path / "a.dng", np.full((800, 1200, 3), 0.25), preview=shown.getvalue() if preview else b"")
    path.write_bytes(path.read_bytes()[: -800 * 1200])
    with pytest.raises(UnreadableImage, match="beyond its end"):
        inspect(path)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_broken_or_foreign_colour_profile_is_passed_over(tmp_path: Path, mode: str) -> None:
    colour = {"RGB": (200, 100, 50), "L": 120, "CMYK": (0, 120, 190, 50)}[mode]
    for number, profile in enumerate((b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))):
        data = profile if isinstance(profile, bytes) else profile.tobytes()
        path = tmp_path / f"{number}.jpg"
        Image.new(mode, (100, 80), colour).save(path, icc_profile=data, quality=95)
        red, green, blue = _pixel(inspect(path).master, (50, 40))
        assert (red == green == blue) if mode == "L" else (red > green > blue)


def test_where_and_by_whom_a_picture_was_taken_stays_out(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x013B] = "ACME", "ACME One", "Jane Doe"
    exif.get_ifd(0x8769).update(
        {0x829A: 0.004, 0x829D: 2.8, 0x8827: 400, 0x9003: "2024:05:06 07:08:09", 0xA431: "SN123"}
    )
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    Image.new("RGB", (100, 80), "teal").save(tmp_path / "a.jpg", exif=exif)
    found = inspect(tmp_path / "a.jpg")
    assert found.technical.model_dump(mode="json", exclude_none=True) == {
        "camera": "ACME One",
        "iso": 400,
        "exposure": "1/250",
        "aperture": 2.8,
        "taken_at": "2024-05-06T07:08:09",
    }
    bare = io.BytesIO()
    open_master(found.master).save(bare, "TIFF")
    with Image.open(bare) as layout, Image.open(io.BytesIO(found.master)) as picture:
        assert dict(picture.getexif()) == dict(layout.getexif())  # how the pixels lie, and nothing else
        assert not picture.getexif().get_ifd(0x8825)
    with Image.open(io.BytesIO(found.model_input)) as picture:
        assert not dict(picture.getexif())
    for data in (found.master, found.model_input):
        for secret in (b"Jane", b"SN123", b"ACME"):
            assert secret not in data


def test_a_picture_looks_like_itself_after_scaling_and_recompression(landscape: Path, tmp_path: Path) -> None:
    original = inspect(landscape).phash
    with Image.open(landscape) as picture:
        picture.resize((640, 427)).save(tmp_path / "copy.jpg", quality=40)
    assert (original ^ inspect(tmp_path / "copy.jpg").phash).bit_count() <= 4
    others = [inspect(paint_landscape(tmp_path / f"{seed}.jpg", seed=seed)).phash for seed in range(10, 16)]
    assert all((original ^ other).bit_count() > 8 for other in others)


def test_a_plain_picture_has_a_hash_too() -> None:
    assert 0 <= perceptual_hash(Image.new("RGB", (64, 64), "white")) < 2**64


@pytest.mark.parametrize(
    ("hex_colour", "name"),
    [
        *[("#ff0000", "red"), ("#ffa500", "orange"), ("#ffff00", "yellow"), ("#228b22", "green"), ("#008080", "teal")],
        *[("#1e90ff", "blue"), ("#800080", "purple"), ("#ff69b4", "pink"), ("#8b4513", "brown"), ("#000000", "black")],
        *[("#ffffff", "white"), ("#808080", "grey"), ("#87ceeb", "blue"), ("#dc143c", "red"), ("#6b4423", "brown")],
        *[("#f5deb3", "beige"), ("#f5f5dc", "beige"), ("#d2b48c", "beige"), ("#fffff0", "white"), ("#c8c8c0", "grey")],
        *[("#000080", "navy"), ("#191970", "navy"), ("#003366", "navy"), ("#0000cd", "blue"), ("#4682b4", "blue")],
        *[("#00ffff", "cyan"), ("#40e0d0", "cyan"), ("#afeeee", "cyan"), ("#2f7f7f", "teal"), ("#5f9ea0", "teal")],
    ],
)
def test_colours_are_called_what_people_call_them(hex_colour: str, name: str) -> None:
    assert colour_name(hex_colour) == name


def test_what_a_file_says_of_itself_is_read_for_its_uploader(tmp_path: Path) -> None:
    xmp = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Red boats</rdf:li></rdf:Alt></dc:title>
    <dc:description><rdf:Alt><rdf:li xml:lang="x-default">Two red boats.</rdf:li></rdf:Alt></dc:description>
    <dc:subject><rdf:Bag><rdf:li>boat</rdf:li><rdf:li>red</rdf:li></rdf:Bag></dc:subject>
    </rdf:Description></rdf:RDF></x:xmpmeta>"""
    Image.new("RGB", (10, 10)).save(tmp_path / "a.jpg", xmp=xmp.encode())
    found = read_description(tmp_path / "a.jpg")
    assert (found.title, found.description, found.keywords) == ("Red boats", "Two red boats.", ("boat", "red"))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    assert read_description(tmp_path / "b.jpg").title is None


def test_a_text_bomb_beside_the_pixels_is_no_matter(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 2_000_000, zip=True)
    Image.new("RGB", (100, 100), "navy").save(tmp_path / "a.png", pnginfo=info)
    assert inspect(tmp_path / "a.png").format == "png"


@pytest.mark.parametrize("file", [*MAKERS, *sample_files()], ids=lambda file: str(getattr(file, "name", file))[:40])
def test_an_odd_or_hostile_file_is_read_or_refused_with_a_reason(file: str | Path, tmp_path: Path) -> None:
    path = file if isinstance(file, Path) else make_edge_file(file, tmp_path)
    refused = refusals_of(path)
    if refused:
        with pytest.raises(refused):
            inspect(path)
    else:
        assert inspect(path).width > 0
