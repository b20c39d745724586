"""How much wear the unseen mark lives through, beside the libraries that hide bits in pictures.

    ./market bench watermark [--json FILE]

Every photo gets its visible mark first, as previews do, and then the unseen one of each method: 128 bits of an
image's id. Each marked photo is worn in many ways and read again. A reading counts when all 128 bits are right;
one bit in two is right by chance, which is what a picture from which our reader reads nothing is put down with.
The libraries cannot search for a copy's size, so for the attacks that only change it they are handed the picture
brought back to its own; ours is handed the worn picture. CPU is user and system time of this process.

False readings are counted over all photos without a mark. `invisible-watermark`'s third method, rivaGan, carries
32 bits: the first 32 of the id stand for all. Its two networks are run as its own module runs them, without the torch
that it shapes arrays with.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageOps
from PIL.Image import Resampling
from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.material import samples
from imagemarket.imaging.invisible_watermark import MOST_READINGS, embed_identity, read_identity
from imagemarket.imaging.visible_watermark import draw_visible_watermark

EVERY = 4
"""Of the photos, one in so many is worn; the libraries take seconds for each."""
_BITS = 128
_PSNR_GOAL = 42.0
_READ_GOAL = 0.95
_CPU_GOAL_MS = 100.0

Bits = np.ndarray


class Method(Protocol):
    """A way of hiding 128 bits in a picture, or the first of them."""

    name: str

    def embed(self, picture: Image.Image, bits: Bits) -> Image.Image: ...

    def read(self, picture: Image.Image) -> Bits | None:
        """The bits, or None where the method says that there are none."""
        ...


class Ours:
    """The mark of previews."""

    name = "imagemarket"

    def embed(self, picture: Image.Image, bits: Bits) -> Image.Image:
        return embed_identity(picture, uuid.UUID(bytes=np.packbits(bits).tobytes()))

    def read(self, picture: Image.Image) -> Bits | None:
        image_id = read_identity(picture).image_id
        if image_id is None:
            return None
        return np.unpackbits(np.frombuffer(uuid.UUID(image_id).bytes, dtype=np.uint8))


class InvisibleWatermark:
    """invisible-watermark's methods without a network, from their own modules: its package imports torch."""

    def __init__(self, method: str, module: str, maker: str) -> None:
        self.name = f"invisible-watermark {method}"
        found = importlib.util.find_spec("imwatermark")
        assert found is not None
        assert found.submodule_search_locations
        path = Path(found.submodule_search_locations[0]) / f"{module}.py"
        spec = importlib.util.spec_from_file_location(f"_imwatermark_{module}", path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        self._maker: Any = getattr(loaded, maker)

    def embed(self, picture: Image.Image, bits: Bits) -> Image.Image:
        return _from_bgr(self._maker(bits.tolist(), wmLen=_BITS).encode(_to_bgr(picture)))

    def read(self, picture: Image.Image) -> Bits | None:
        return np.array(self._maker(wmLen=_BITS).decode(_to_bgr(picture))).astype(np.uint8)


class RivaGan:
    """invisible-watermark's network (Zhang, Xu, Cuesta-Infante and Veeramachaneni, 2019), which hides 32 bits."""

    name = "invisible-watermark rivaGan"
    _BITS, _THRESHOLD = 32, 0.52

    def __init__(self) -> None:
        import onnxruntime

        found = importlib.util.find_spec("imwatermark")
        assert found is not None
        assert found.submodule_search_locations
        folder = Path(found.submodule_search_locations[0])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(folder / f"rivagan_{part}.onnx"), options)
            for part in ("encoder", "decoder")
        )

    def embed(self, picture: Image.Image, bits: Bits) -> Image.Image:
        fed = {"frame": _frame(picture), "data": bits[None, : self._BITS].astype(np.float32)}
        marked = np.clip(np.asarray(self._encoder.run(None, fed)[0])[0, :, 0], -1, 1)
        return _from_bgr(((marked.transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8))

    def read(self, picture: Image.Image) -> Bits | None:
        (told,) = np.asarray(self._decoder.run(None, {"frame": _frame(picture)})[0])
        return (told > self._THRESHOLD).astype(np.uint8)


def _frame(picture: Image.Image) -> np.ndarray:
    """(1, 3, 1, height, width), -1 to 1: a film of one picture."""
    return (_to_bgr(picture).astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None, :, None]


class BlindWatermark:
    """blind-watermark with its defaults, in this process."""

    name = "blind-watermark"

    def _mark(self) -> Any:
        from blind_watermark import WaterMark  # pyright: ignore[reportMissingImports] - from requirements/bench.txt

        return WaterMark(password_wm=1, password_img=1, processes=1)

    def embed(self, picture: Image.Image, bits: Bits) -> Image.Image:
        with contextlib.redirect_stdout(io.StringIO()):
            mark = self._mark()
            mark.read_img(img=_to_bgr(picture))
            mark.read_wm(bits.astype(bool).tolist(), mode="bit")
            return _from_bgr(mark.embed())

    def read(self, picture: Image.Image) -> Bits | None:
        with contextlib.redirect_stdout(io.StringIO()):
            return (self._mark().extract(embed_img=_to_bgr(picture), wm_shape=_BITS, mode="bit") > 0.5).astype(np.uint8)


def _to_bgr(picture: Image.Image) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture)[..., ::-1])


def _from_bgr(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)[..., ::-1].copy())


# --- wear ------------------------------------------------------------------------------------------

Wear = Callable[[Image.Image, random.Random], Image.Image]


@dataclass(frozen=True)
class Attack:
    """A way in which copies differ from previews."""

    name: str
    wear: Wear
    only_size: bool = False
    """It changes nothing but the size (and what an encoder takes): the libraries get the picture back in its own."""
    promised: bool = True


def _encoded(picture: Image.Image, form: str, quality: int = 80) -> Image.Image:
    out = io.BytesIO()
    picture.save(out, form, quality=quality)
    with Image.open(out) as opened:
        return opened.convert("RGB")


def _scaled(picture: Image.Image, by: float) -> Image.Image:
    return picture.resize((round(picture.width * by), round(picture.height * by)), Resampling.LANCZOS)


def _cut(picture: Image.Image, share: float, dice: random.Random) -> Image.Image:
    """The share of each side, from anywhere."""
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = dice.randint(0, picture.width - width), dice.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _tilted(picture: Image.Image) -> Image.Image:
    return _encoded(picture.rotate(4, Resampling.BICUBIC), "JPEG", 85)


ATTACKS = (
    Attack("as published (JPEG q82)", lambda picture, _: _encoded(picture, "JPEG", 82)),
    Attack("JPEG q50", lambda picture, _: _encoded(picture, "JPEG", 50)),
    Attack("JPEG q30", lambda picture, _: _encoded(picture, "JPEG", 30), promised=False),
    Attack("WebP q60", lambda picture, _: _encoded(picture, "WEBP", 60)),
    Attack("half size", lambda picture, _: _scaled(picture, 0.5), only_size=True),
    Attack("half size, JPEG q80", lambda picture, _: _encoded(_scaled(picture, 0.5), "JPEG", 80), only_size=True),
    Attack("0.73 of the size", lambda picture, _: _scaled(picture, 0.73), only_size=True),
    Attack("0.73, JPEG q80", lambda picture, _: _encoded(_scaled(picture, 0.73), "JPEG", 80), only_size=True),
    Attack("10 % off each side", lambda picture, dice: _cut(picture, 0.9, dice)),
    Attack("10 % off, JPEG q80", lambda picture, dice: _encoded(_cut(picture, 0.9, dice), "JPEG", 80)),
    Attack("10 % off, 0.73, JPEG q80", lambda picture, dice: _encoded(_scaled(_cut(picture, 0.9, dice), 0.73), "JPEG")),
    Attack("half of each side", lambda picture, dice: _cut(picture, 0.5, dice), promised=False),
    Attack("mirrored, JPEG q80", lambda picture, _: _encoded(ImageOps.mirror(picture), "JPEG", 80)),
    Attack("turned by 90°", lambda picture, _: picture.rotate(90, expand=True)),
)  # fmt: skip


# --- measuring -------------------------------------------------------------------------------------


@dataclass
class Record:
    """What one method did to all photos."""

    psnr: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    embed_ms: list[float] = field(default_factory=list)
    read_ms: list[float] = field(default_factory=list)
    right: dict[str, list[float]] = field(default_factory=dict)
    """For each attack and photo, the share of bits that came back."""

    def rate(self, attack: str) -> float:
        return float(np.mean([share == 1 for share in self.right[attack]]))

    def accuracy(self, attack: str) -> float:
        return float(np.mean(self.right[attack]))


def psnr(one: Image.Image, other: Image.Image) -> float:
    error = np.square(np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Structural similarity with Wang's window (Gaussian, 1.5) and constants, mean of the three colours."""
    import cv2

    a, b = (np.asarray(picture, dtype=np.float64) for picture in (one, other))

    def blurred(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mean_a, mean_b = blurred(a), blurred(b)
    variance_a, variance_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean())


def _milliseconds(job: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    done = job()
    return done, (time.process_time() - began) * 1000


def _measured(method: Method, marked: Sequence[tuple[Image.Image, Bits]]) -> Record:
    record = Record()
    for number, (picture, bits) in enumerate(marked):
        hidden, taken = _milliseconds(partial(method.embed, picture, bits))
        record.embed_ms.append(taken)
        record.psnr.append(psnr(picture, hidden))
        record.ssim.append(ssim(picture, hidden))
        for attack in ATTACKS:
            worn = attack.wear(hidden, random.Random(number))
            if attack.only_size and not isinstance(method, Ours):
                worn = worn.resize(picture.size, Resampling.LANCZOS)
            read, taken = _milliseconds(partial(method.read, worn))
            if attack is ATTACKS[0]:
                record.read_ms.append(taken)
            record.right.setdefault(attack.name, []).append(
                0.5 if read is None else float((read == bits[: len(read)]).mean())
            )
    return record


def _peers() -> list[Method]:
    if importlib.util.find_spec("imwatermark") is None or importlib.util.find_spec("blind_watermark") is None:
        return []
    return [
        InvisibleWatermark("dwtDct", "maxDct", "EmbedMaxDct"),
        InvisibleWatermark("dwtDctSvd", "dwtDctSvd", "EmbedDwtDctSvd"),
        RivaGan(),
        BlindWatermark(),
    ]


def _print(records: dict[str, Record]) -> None:
    table = Table("attack", *records, title="read whole / share of bits", show_edge=False)
    for attack in ATTACKS:
        cells = [f"{each.rate(attack.name):.0%} / {each.accuracy(attack.name):.3f}" for each in records.values()]
        table.add_row(attack.name + ("" if attack.promised else " *"), *cells)
    kept: list[tuple[str, Callable[[Record], str]]] = [
        ("PSNR, dB: least, median", lambda each: f"{min(each.psnr):.1f}, {statistics.median(each.psnr):.1f}"),
        ("SSIM: least, median", lambda each: f"{min(each.ssim):.3f}, {statistics.median(each.ssim):.3f}"),
        ("CPU to embed, ms", lambda each: f"{statistics.median(each.embed_ms):.0f}"),
        ("CPU to read a whole copy, ms", lambda each: f"{statistics.median(each.read_ms):.0f}"),
    ]
    table.add_section()
    for name, say in kept:
        table.add_row(name, *(say(each) for each in records.values()))
    console = Console()
    Console(width=max(console.width, 150)).print(table)
    print("* beyond what is promised")


def _beside(marked: Sequence[tuple[Image.Image, Bits]], clean: Sequence[Image.Image]) -> tuple[float, float]:
    """Share of photos turned by 4 degrees that are read when laid over their preview, and over the clean picture."""
    from imagemarket.imaging.feature_matching import align

    method, read = Ours(), [0, 0]
    for (picture, bits), original in zip(marked, clean, strict=True):
        preview = method.embed(picture, bits)
        for place, known in enumerate((preview, original)):
            laid = align(_tilted(preview), known)
            found = None if laid is None else method.read(laid)
            read[place] += found is not None and bool((found == bits).all())
    return read[0] / len(marked), read[1] / len(marked)


def _unknown(marked: Sequence[tuple[Image.Image, Bits]], among: Sequence[Image.Image]) -> float:
    """Share of photos turned by 4 degrees that are read without being told whose they are: laid over the nearest by
    embedding of `among`, which holds the marked photos' previews first."""
    from benchmarks.retrieval import BUNDLE
    from imagemarket.cli.watermark import LOOKALIKES
    from imagemarket.imaging.feature_matching import align
    from imagemarket.vision.analyser import Analyser
    from sagemaker.builders.lite import build

    build(BUNDLE)
    analyser, method = Analyser(BUNDLE, device="cpu"), Ours()

    def vectors(pictures: Sequence[Image.Image]) -> np.ndarray:
        inputs = []
        for picture in pictures:
            small = picture.copy()
            small.thumbnail((450, 450), Resampling.LANCZOS)
            out = io.BytesIO()
            small.save(out, "JPEG", quality=90)
            inputs.append(out.getvalue())
        return np.array([analyser.analyse([jpeg])[0].embedding for jpeg in inputs])

    previews = [method.embed(picture, bits) for picture, bits in marked]
    worn = [_tilted(preview) for preview in previews]
    likeness = vectors(worn) @ vectors(among).T
    read = 0
    for place, (_, bits) in enumerate(marked):
        for near in np.argsort(-likeness[place])[:LOOKALIKES].tolist():
            laid = align(worn[place], previews[near] if near < len(previews) else among[near])
            found = None if laid is None else method.read(laid)
            if found is not None:
                read += bool((found == bits).all())
                break
    return read / len(marked)


def measure() -> list[report.Row]:
    """Read rates by attack, how unseen the mark is, false readings, and CPU."""
    paths = samples.photos()
    if not paths:
        return [report.unmeasured("the unseen mark", unit="share", goal="", reason=samples.NOT_HERE)]
    return list(_rows(paths))


def _rows(paths: Sequence[Path]) -> Iterator[report.Row]:
    dice = random.Random(20260101)
    clean = [samples.master(path) for path in paths]
    worn = clean[::EVERY]
    marked = []
    for picture in worn:
        bits = np.frombuffer(dice.randbytes(_BITS // 8), dtype=np.uint8)
        marked.append((draw_visible_watermark(picture, uuid.UUID(bytes=bits.tobytes())), np.unpackbits(bits)))
    Ours().embed(*marked[0])  # imports, tables
    records = {method.name: _measured(method, marked) for method in [Ours(), *_peers()]}
    _print(records)

    ours, *peers = records.values()
    of_photos = f"{len(marked)} photos"
    for attack in ATTACKS:
        yield report.at_least(
            f"{attack.name}: of {of_photos}, read whole" + ("" if attack.promised else " (not promised)"),
            ours=ours.rate(attack.name),
            peer=max((each.rate(attack.name) for each in peers), default=None),
            unit="share",
            limit=_READ_GOAL if attack.promised else 0.0,
        )
    for known, rate, goal in zip(("preview", "clean original"), _beside(marked, worn), (_READ_GOAL, 0.9), strict=True):
        yield report.at_least(
            f"turned by 4°, laid over the {known}: of {of_photos}, read whole", ours=rate, unit="share", limit=goal
        )
    rest = [picture for number, picture in enumerate(clean) if number % EVERY]
    yield report.at_least(
        f"turned by 4°, not told whose, looked for among {len(clean)}: of {of_photos}, read whole",
        ours=_unknown(marked, [*worn, *rest]),
        unit="share",
        limit=0.9,
    )
    yield report.at_least(
        "PSNR of the mark, the least",
        ours=min(ours.psnr),
        peer=max((min(each.psnr) for each in peers), default=None),
        unit="dB",
        limit=_PSNR_GOAL,
    )
    yield report.at_least(
        "SSIM of the mark, median",
        ours=statistics.median(ours.ssim),
        peer=max((statistics.median(each.ssim) for each in peers), default=None),
        unit="",
        limit=0.95,
    )
    yield report.at_most(
        "CPU to embed, median",
        ours=statistics.median(ours.embed_ms),
        peer=min((statistics.median(each.embed_ms) for each in peers), default=None),
        unit="ms",
        limit=_CPU_GOAL_MS,
    )
    readings = [_milliseconds(partial(read_identity, picture)) for picture in clean]
    yield report.at_most(
        f"false readings of {len(clean)} photos without a mark",
        ours=sum(reading.image_id is not None for reading, _ in readings),
        unit="",
        limit=0,
    )
    yield report.at_most(
        f"false readings expected of one photo ({MOST_READINGS} readings, a check of 32 bits)",
        ours=MOST_READINGS / 2**32,
        unit="",
        limit=1e-6,
    )
    yield report.at_most(
        "CPU to find that there is no mark, median",
        ours=statistics.median(taken for _, taken in readings),
        unit="ms",
        limit=10_000,
    )
    if not peers:
        yield report.unmeasured(
            "the libraries", unit="share", goal="", reason="requirements/bench.txt is not installed: run ./market bench"
        )


if __name__ == "__main__":
    sys.exit(report.main(measure))
