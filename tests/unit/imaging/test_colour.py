"""Right in colour and shape: what is decoded looks as another implementation says it does."""

from __future__ import annotations

import io
import itertools
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms, ImageOps

from imagemarket.imaging import decoding
from imagemarket.imaging.decoding import MASTER_LONG_EDGE, Decoded, decode
from imagemarket.imaging.errors import UnsupportedFormat
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.renditions import flattened, make_thumbnails, open_master
from imagemarket.imaging.watermark import make_watermarked
from local.pictures import paint_landscape
from tests.edge import MAKERS, make_edge_file, sample_files
from tests.unit.imaging.colour import SPACES, as_srgb, ciede2000, difference, grey_profile, rgb_profile, swatches
from tests.unit.imaging.tiffs import write_tiff

CMYK_PROFILE: bytes = pyvips.Image.profile_load("cmyk")  # the one that libvips carries; read here by LittleCMS
IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")


def _save(path: Path, pixels: np.ndarray, profile: bytes | None = None, **options: Any) -> Path:
    """By libvips: it writes what Pillow cannot (16 bits, floats, tiles, BigTIFF, CMYK)."""
    interpretation = options.pop("interpretation", None)
    picture = pyvips.Image.new_from_array(pixels)
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    deep = pixels.dtype == np.uint16
    kind = {1: "grey16" if deep else "b-w", 2: "grey16" if deep else "b-w"}.get(bands, "rgb16" if deep else "srgb")
    picture = picture.copy(interpretation=interpretation or ("scrgb" if pixels.dtype == np.float32 else kind))
    if profile:
        picture = picture.copy()
        picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)  # pyright: ignore[reportArgumentType]
    picture.write_to_file(str(path), **options)
    return path


def _alike(path: Path, reference: Image.Image, *, mean: float = 0.6, worst: float = 2.5) -> Decoded:
    decoded = decode(path)
    found = difference(flattened(decoded.picture), reference)
    assert found[0] < mean
    assert found[1] < worst
    return decoded


def test_the_distance_is_the_published_one() -> None:
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ]
    for one, other, expected in pairs:
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("space", sorted(SPACES))
@pytest.mark.parametrize("kind", ["8-bit JPEG", "8-bit PNG", "16-bit PNG", "8-bit TIFF", "16-bit TIFF", "float TIFF"])
def test_a_wide_space_comes_out_as_littlecms_says(tmp_path: Path, space: str, kind: str) -> None:
    pixels, profile = swatches(), rgb_profile(space)
    reference = as_srgb(Image.fromarray(pixels), profile)
    naive = difference(Image.fromarray(pixels), reference)
    assert naive[0] > 2  # what leaving the profile out would give
    depth, encoder = kind.split()
    stored = {"8-bit": pixels, "16-bit": pixels.astype(np.uint16) * 257, "float": pixels.astype(np.float32) / 255}[
        depth
    ]
    path = tmp_path / f"a.{encoder.lower()}"
    options = {"interpretation": "srgb"} if depth == "float" else {}
    if encoder == "JPEG":
        Image.fromarray(pixels).save(path, quality=98, subsampling=0, icc_profile=profile)
    else:
        _save(path, stored, profile, **options)
    _alike(path, reference, mean=1.0, worst=4.0 if space in {"ProPhoto", "linear sRGB"} else 2.5)


@pytest.mark.parametrize("kind", ["jpg", "tif"])
@pytest.mark.parametrize("embedded", [True, False])
def test_inks_come_out_as_littlecms_says(tmp_path: Path, kind: str, embedded: bool) -> None:
    inks = swatches(channels=4)
    inks[..., 3] //= 3
    picture = Image.fromarray(inks, "CMYK")
    path = tmp_path / f"a.{kind}"
    picture.save(path, quality=98, icc_profile=CMYK_PROFILE if embedded else None)
    _alike(path, as_srgb(picture, CMYK_PROFILE), mean=1.2, worst=5)


def test_16_bit_inks(tmp_path: Path) -> None:
    inks = swatches(channels=4)
    path = _save(tmp_path / "a.tif", inks.astype(np.uint16) * 257, CMYK_PROFILE, interpretation="cmyk")
    _alike(path, as_srgb(Image.fromarray(inks, "CMYK"), CMYK_PROFILE), mean=1.2, worst=5)


def _told(profile: bytes, at: int, word: bytes) -> bytes:
    return profile[:at] + word + profile[at + len(word) :]


P3 = rgb_profile("Display P3")
FOREIGN = {
    "Lab": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    "XYZ": ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes(),
    "of other inks": _told(CMYK_PROFILE, 16, b"4CLR"),
    **{f"space {space}": _told(P3, 16, space.encode()) for space in ("Lab ", "XYZ ", "HSV ", "YCbr", "CMY ", "3CLR")},
    **{f"class {kind}": _told(P3, 12, kind.encode()) for kind in ("link", "abst", "nmcl")},
    "between RGB": _told(P3, 20, b"RGB "),
    "cut": P3[:18],
    "none": b"none",
}
ITS_OWN = {"RGB": P3, "L": grey_profile(1.0), "CMYK": CMYK_PROFILE}


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *itertools.product(["RGB", "L", "CMYK"], ["jpg", "tif", "large jpg", "masked tif"]),
        *itertools.product(["RGB", "L"], ["png", "float tif"]),
    ],
)
def test_a_profile_of_other_colours_than_the_pictures_is_passed_over(tmp_path: Path, mode: str, kind: str) -> None:
    channels = {"RGB": 3, "L": 1, "CMYK": 4}[mode]
    pixels = swatches(channels=channels + 2 * (kind == "masked tif"), size=(2400, 90) if "large" in kind else (96, 80))
    path = tmp_path / f"a.{kind[-3:]}"
    others = {f"of {name}": profile for name, profile in ITS_OWN.items() if name != mode}

    def decoded(profile: bytes | None) -> np.ndarray:
        if kind.endswith("tif"):
            stored = pixels.astype(np.float32) / 255 if kind == "float tif" else pixels
            _save(path, stored, profile, interpretation={"RGB": "srgb", "L": "b-w", "CMYK": "cmyk"}[mode])
        else:
            Image.fromarray(pixels.squeeze(), mode).save(path, quality=98, icc_profile=profile)
        return np.asarray(decode(path).picture)

    plain = decoded(None)
    for name, profile in {**FOREIGN, **others}.items():
        assert np.array_equal(decoded(profile), plain), name
    if mode != "CMYK":  # whose own is what stands for none
        assert not np.array_equal(decoded(ITS_OWN[mode]), plain)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_grey_with_a_profile(tmp_path: Path, gamma: float, depth: int, kind: str) -> None:
    grey = swatches(channels=1)[..., 0]
    profile = grey_profile(gamma)
    path = _save(tmp_path / f"a.{kind}", grey if depth == 8 else grey.astype(np.uint16) * 257, profile)
    _alike(path, as_srgb(Image.fromarray(grey), profile), mean=1.0, worst=3 if gamma > 1 else 8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_without_a_profile(tmp_path: Path, channels: int, kind: str) -> None:
    pixels = swatches(channels=channels)
    path = _save(tmp_path / f"a.{kind}", pixels.astype(np.uint16) * 257)
    reference = Image.fromarray(pixels.squeeze(), {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    decoded = _alike(path, flattened(reference.convert("RGBA")))
    assert decoded.picture.mode == ("RGBA" if channels in {2, 4} else "RGB")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_floats_are_linear_light(tmp_path: Path, channels: int) -> None:
    pixels = swatches(channels=channels)
    level = pixels.astype(np.float64) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    if channels == 4:
        linear[..., 3] = level[..., 3]
    stored = linear.astype(np.float32)
    stored[:4, :4] = [np.inf, 40.0, 1e38, 40.0][:channels]  # brighter than white
    reference = pixels.copy()
    reference[:4, :4] = 255
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    path = _save(tmp_path / "a.tif", stored)
    decoded = decode(path)
    expected = flattened(Image.fromarray(reference.squeeze(), mode).convert("RGBA"))
    corner = (8, 8, *decoded.picture.size)
    mean, worst = difference(flattened(decoded.picture).crop(corner), expected.crop(corner))
    assert mean < 0.6
    assert worst < 2.5
    assert flattened(decoded.picture).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("profile", [False, True])
def test_what_is_no_number_is_refused_by_name(
    tmp_path: Path, channels: int, profile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    floats = np.random.default_rng(4).random((300, 400, channels), dtype=np.float32)
    by = rgb_profile("Display P3") if profile and channels > 1 else None
    for edge in (1000, 60):
        monkeypatch.setattr(decoding, "MASTER_LONG_EDGE", edge)
        assert max(decode(_save(tmp_path / "a.tif", floats, by)).picture.size) == min(edge, 400)
        for at in ((0, 0, 0), (299, 399, channels - 1), (123, 45, 0)):
            broken = floats.copy()
            broken[at] = np.nan
            with pytest.raises(UnsupportedFormat, match="NaN"):
                decode(_save(tmp_path / "b.tif", broken, by))


def _without_tables(profile: bytes, *names: bytes) -> bytes:
    """With tags that nobody knows in their place."""
    changed = bytearray(profile)
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        if profile[entry : entry + 4] in names:
            changed[entry : entry + 3] = b"xxx"
    return bytes(changed)


@pytest.mark.parametrize("missing", [(b"A2B0",), (b"A2B1",), (b"A2B0", b"A2B1"), (b"A2B0", b"A2B1", b"A2B2")])
@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_inks_by_a_profile_without_some_of_its_tables_look_like_those_by_the_others(
    tmp_path: Path, missing: tuple[bytes, ...], kind: str
) -> None:
    picture = Image.fromarray(swatches(channels=4), "CMYK")
    whole: bytes = pyvips.Image.profile_load("cmyk")
    picture.save(tmp_path / f"a.{kind}", icc_profile=whole, quality=98)
    picture.save(tmp_path / f"b.{kind}", icc_profile=_without_tables(whole, *missing), quality=98)
    mean, _ = difference(decode(tmp_path / f"b.{kind}").picture, decode(tmp_path / f"a.{kind}").picture)
    assert mean < 6  # another intent than the perceptual has other tables


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("size", [(300, 200), (1006, 670)])
def test_every_orientation_as_pillow_turns_it(
    tmp_path: Path, orientation: int, kind: str, size: tuple[int, int]
) -> None:
    picture = Image.fromarray(swatches(size=size))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind}"
    picture.save(path, exif=exif, quality=98, subsampling=0)
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    reference = upright.copy()
    reference.thumbnail((MASTER_LONG_EDGE, MASTER_LONG_EDGE), Image.Resampling.LANCZOS, reducing_gap=None)
    decoded = _alike(path, reference, mean=1.0, worst=3)
    assert (decoded.width, decoded.height) == upright.size


def _see_through(size: tuple[int, int] = (240, 160)) -> Image.Image:
    """Colours fading out to the right; green where nothing is seen."""
    pixels = swatches(channels=4, size=size)
    pixels[..., 3] = np.linspace(255, 0, size[0])
    pixels[:, -20:, :3], pixels[:, -20:, 3] = (0, 255, 0), 0
    return Image.fromarray(pixels, "RGBA")


@pytest.mark.parametrize("how", ["png", "straight tif", "premultiplied tif", "palette png", "grey png"])
def test_what_can_be_seen_through_stays_so(tmp_path: Path, how: str) -> None:
    picture = _see_through()
    path = tmp_path / f"a.{how[-3:]}"
    if how == "straight tif":
        _save(path, np.asarray(picture))
    elif how == "premultiplied tif":
        write_tiff(path, np.asarray(picture.convert("RGBa")), fields={338: (3, [1])})
    elif how == "palette png":
        picture = picture.quantize(64, method=Image.Quantize.FASTOCTREE)
        picture.save(path)
        picture = picture.convert("RGBA")
    elif how == "grey png":
        picture = picture.convert("LA")
        picture.save(path)
        picture = picture.convert("RGBA")
    else:
        picture.save(path)
    decoded = _alike(path, flattened(picture), mean=1.0, worst=3)
    alpha = np.asarray(decoded.picture.getchannel("A"), dtype=int)
    assert np.abs(alpha - np.asarray(picture.getchannel("A"), dtype=int)).max() <= 2


def test_alpha_goes_into_webp_and_avif_and_white_into_jpeg(tmp_path: Path) -> None:
    _see_through((1500, 1000)).save(tmp_path / "a.png")
    found = inspect(tmp_path / "a.png")
    master = open_master(found.master)
    assert master.mode == "RGBA"
    for rendition in make_thumbnails(found.master):
        with Image.open(io.BytesIO(rendition.data)) as opened:
            assert opened.mode == ("RGB" if rendition.format == "jpeg" else "RGBA")
            if rendition.format != "jpeg":
                alpha = np.asarray(opened.getchannel("A"), dtype=int)
                assert abs(alpha[:, 0].mean() - 255) < 6
                assert alpha[:, -1].mean() < 6
            reference = flattened(master).resize(opened.size, Image.Resampling.LANCZOS)
            mean, _ = difference(flattened(opened.convert("RGBA")), reference)
            assert mean < 3.5, (rendition.format, rendition.long_edge)
    for rendition in make_watermarked(found.master, IMAGE_ID):
        with Image.open(io.BytesIO(rendition.data)) as opened:
            assert opened.mode == "RGB"
    with Image.open(io.BytesIO(found.model_input)) as seen:
        assert seen.getpixel((seen.width - 1, 5)) == pytest.approx((255, 255, 255), abs=8)


def test_an_alpha_that_hides_nothing_is_left_out(tmp_path: Path) -> None:
    Image.fromarray(swatches()).convert("RGBA").save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png").picture.mode == "RGB"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_further_channels_of_a_tiff_are_no_alpha(tmp_path: Path, mode: str) -> None:
    colours = swatches(channels=len(mode) if mode != "L" else 1)
    masks = swatches(channels=2, seed=9)
    path = tmp_path / "a.tif"
    interpretation = {"RGB": "srgb", "L": "b-w", "CMYK": "cmyk"}[mode]
    _save(path, np.concatenate([colours, masks], axis=2), interpretation=interpretation)
    _retag(path, 338, 0)
    reference = Image.fromarray(colours.squeeze(), mode)
    _alike(path, as_srgb(reference, CMYK_PROFILE) if mode == "CMYK" else reference.convert("RGB"), mean=1.2, worst=5)
    assert decode(path).picture.mode == "RGB"


def _retag(path: Path, tag: int, value: int) -> None:
    """Set every value of a field of shorts that lies within its directory entry."""
    data = bytearray(path.read_bytes())
    at = int.from_bytes(data[4:8], "little")
    for entry in range(at + 2, at + 2 + 12 * int.from_bytes(data[at : at + 2], "little"), 12):
        if int.from_bytes(data[entry : entry + 2], "little") == tag:
            data[entry + 8 : entry + 12] = value.to_bytes(2, "little") * 2
            path.write_bytes(data)
            return
    raise AssertionError(tag)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.tif", {"tile": True, "tile_width": 64, "tile_height": 64}),
        ("a.tif", {"bigtiff": True}),
        ("a.tif", {"bigtiff": True, "tile": True, "pyramid": True, "compression": "deflate"}),
        ("a.tif", {"compression": "lzw", "predictor": "horizontal"}),
        ("a.tif", {"compression": "packbits"}),
        ("a.tif", {"compression": "jpeg", "Q": 98}),
        ("a.png", {"interlace": True}),
        ("a.jpg", {"interlace": True, "Q": 98, "subsample_mode": "off"}),
        ("a.jpg", {"interlace": True, "Q": 98, "subsample_mode": "on"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else value,
)
@pytest.mark.parametrize("size", [(240, 160), (1210, 810)])
def test_every_way_of_laying_pixels_out(
    tmp_path: Path, name: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    pixels = swatches(size=size)
    reference = Image.fromarray(pixels)
    reference.thumbnail((MASTER_LONG_EDGE, MASTER_LONG_EDGE), Image.Resampling.LANCZOS, reducing_gap=None)
    decoded = _alike(_save(tmp_path / name, pixels, **options), reference, mean=1.2, worst=5)
    assert (decoded.width, decoded.height) == size


def test_a_palette(tmp_path: Path) -> None:
    picture = Image.fromarray(swatches()).quantize(32)
    picture.save(tmp_path / "a.png")
    _alike(tmp_path / "a.png", picture.convert("RGB"))
    picture.save(tmp_path / "a.tif")
    _alike(tmp_path / "a.tif", picture.convert("RGB"))


def test_planes_apart(tmp_path: Path) -> None:
    pixels = swatches()
    _alike(write_tiff(tmp_path / "a.tif", pixels, planar=2), Image.fromarray(pixels))


def test_the_first_of_many_pages(tmp_path: Path) -> None:
    pages = [Image.fromarray(swatches(seed=seed)) for seed in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    _alike(tmp_path / "a.tif", pages[0])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_few_greys(tmp_path: Path, bits: int, white_is_zero: bool) -> None:
    steps = 2**bits - 1
    grey = swatches(channels=1)[..., 0] // (256 // (steps + 1))
    write_tiff(tmp_path / "a.tif", grey, bits=bits, photometric=0 if white_is_zero else 1)
    shown = (steps - grey if white_is_zero else grey).astype(np.uint16) * 255 // steps
    _alike(tmp_path / "a.tif", Image.fromarray(shown.astype(np.uint8)).convert("RGB"))


def test_scaling_keeps_what_is_there(tmp_path: Path) -> None:
    paint_landscape(tmp_path / "a.jpg", seed=5, size=(2000, 1333))
    with Image.open(tmp_path / "a.jpg") as opened:
        reference = opened.resize((1000, 667), Image.Resampling.LANCZOS)
    _alike(tmp_path / "a.jpg", reference, mean=1.0, worst=4)


_LOOKED_AT = ("alpha-png", "cmyk__", "icc", "orientation", "tiff-16bit")


@pytest.mark.parametrize(
    "file",
    [
        *(name for name in MAKERS if name.startswith(_LOOKED_AT)),
        *(path for path in sample_files() if path.name.startswith(_LOOKED_AT)),
    ],
    ids=lambda file: str(getattr(file, "name", file))[:40],
)
def test_odd_files_look_as_pillow_and_littlecms_say(file: str | Path, tmp_path: Path) -> None:
    path = file if isinstance(file, Path) else make_edge_file(file, tmp_path)
    decoded = decode(path)
    with Image.open(path) as opened:
        profile = opened.info.get("icc_profile")
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
        if profile and picture.mode in {"RGB", "CMYK"}:
            picture = as_srgb(picture, profile)
    picture = flattened(picture.convert("RGBA" if "A" in picture.mode else "RGB"))
    picture = picture.resize(decoded.picture.size, Image.Resampling.LANCZOS)
    mean, worst = difference(flattened(decoded.picture), picture)
    assert mean < 1.2
    assert worst < 6
