"""Whether copies of pictures are found, distinct pictures let through, and how long a look-up takes among millions.

    ./market bench duplicates [--json FILE]

Recall and precision: every fourth sample photo is altered in each way and goes through both stages as an upload
does (perceptual hash, embeddings of the `lite` bundle, thumbnails compared point by point) against a catalogue
that holds all of them. A copy is found when it is refused or held for a person. The peer is the usual duplicate
check: `perceptual_hash` of the picture as it is, within 8 bits. Bursts are made from photos: the camera moves a
little, nearer things more than farther ones, the exposure wavers, the sensor's noise is another; they may be held
but never refused. Distinct photos are looked up against all the others.

Look-up: 5,000,000 fingerprints, two thirds random and one third within 12 bits of one another, in a PostgreSQL of
the run's own; the peer is an exact scan of the table. `MARKET_BENCH_DSN` names an empty database to use instead.
"""

from __future__ import annotations

import io
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

import numpy as np
import psycopg
from PIL import Image, ImageOps
from PIL.Image import Resampling

from benchmarks import report
from benchmarks.material import samples
from benchmarks.material.postgres import SERVER, own_database
from imagemarket.imaging import feature_matching
from imagemarket.imaging.hashes import orientations, perceptual_hash
from imagemarket.imaging.visible_watermark import draw_visible_watermark
from imagemarket.ingestion import fingerprints, near_duplicates
from imagemarket.ingestion.fingerprints import Verdict
from imagemarket.ingestion.repository.duplicates import lookalikes as find_lookalikes
from imagemarket.platform.database import Database
from imagemarket.schema import upgrade
from imagemarket.vision.analyser import Analyser
from local.layout import REPOSITORY
from sagemaker.builders.lite import build

EVERY = 4
FINGERPRINTS = 5_000_000
LOOK_UPS = 400
PEER_LOOK_UPS = 5
_BUNDLE = REPOSITORY / ".market" / "models" / "lite"
_RECALL_GOAL = 0.95
_P99_GOAL_MS = 20.0


# --- copies ----------------------------------------------------------------------------------------


def _encoded(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _decoded(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGB")


def _cut(picture: Image.Image, share: float, number: int) -> Image.Image:
    dice = random.Random(number)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = dice.randint(0, picture.width - width), dice.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _burst(picture: Image.Image, number: int) -> Image.Image:
    """The next frame of a burst: moved by some percent, with a parallax of 4 px (root mean square, of 1000)."""
    import cv2

    dice = np.random.default_rng(number)
    pixels = np.asarray(picture, dtype=np.float32)
    height, width = pixels.shape[:2]
    field = dice.normal(0, 0.004 * width, (5, 6, 2)).astype(np.float32)
    parallax = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    down, right = np.mgrid[0:height, 0:width].astype(np.float32)
    down, right = down - height / 2, right - width / 2
    angle, zoom = dice.normal(0, 0.01), 1 + dice.normal(0, 0.01)
    cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
    shift = dice.normal(0, 0.01 * width, 2)
    from_right = right * cosine - down * sine + width / 2 + shift[0] + parallax[..., 0]
    from_down = right * sine + down * cosine + height / 2 + shift[1] + parallax[..., 1]
    moved = cv2.remap(
        pixels,
        from_right.astype(np.float32),
        from_down.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    noisy = moved * (1 + dice.normal(0, 0.02)) + dice.normal(0, 3, pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


Alter = Callable[[Image.Image, int], Image.Image]
ATTACKS: dict[str, Alter] = {
    "recompressed (JPEG q40)": lambda picture, _: _decoded(_encoded(picture, 40)),
    "half size": lambda picture, _: picture.resize((picture.width // 2, picture.height // 2), Resampling.LANCZOS),
    "cropped by 10 %": lambda picture, number: _cut(picture, 0.9, number),
    "cropped by 30 %": lambda picture, number: _cut(picture, 0.7, number),
    "mirrored": lambda picture, _: ImageOps.mirror(picture),
    "turned by 90°": lambda picture, _: picture.rotate(90, expand=True),
    "under another's mark": lambda picture, number: draw_visible_watermark(picture, uuid.UUID(int=number)),
    "in a frame of 8 %": lambda picture, _: ImageOps.expand(picture, round(0.08 * picture.width), "white"),
    "mirrored, cropped by 10 %": lambda picture, number: _cut(ImageOps.mirror(picture), 0.9, number),
}


@dataclass(frozen=True)
class _Image:
    """What the two stages know of a picture."""

    phash: int
    features: tuple[feature_matching.Features, feature_matching.Features]
    embedding: np.ndarray


class _Catalogue:
    """All photos, and the two stages over them as the saga runs them."""

    def __init__(self, pictures: Sequence[Image.Image]) -> None:
        self._analyser = Analyser(_BUNDLE)
        self.images = [self.look(picture) for picture in pictures]
        self._embeddings = np.stack([image.embedding for image in self.images])
        self.compare_ms: list[float] = []

    def look(self, picture: Image.Image) -> _Image:
        small = picture.copy()
        small.thumbnail((feature_matching.COMPARED_LONG_EDGE, feature_matching.COMPARED_LONG_EDGE), Resampling.LANCZOS)
        seen = picture.copy()
        shrink = min(1.0, 300 / min(seen.size))
        seen = seen.resize(
            (max(1, round(seen.width * shrink)), max(1, round(seen.height * shrink))), Resampling.LANCZOS
        )
        return _Image(
            phash=perceptual_hash(picture),
            features=feature_matching.features(_encoded(small, 82)),
            embedding=np.asarray(self._analyser.analyse([_encoded(seen, 90)])[0].embedding),
        )

    def verdicts(self, image: _Image, *, without: int | None = None) -> dict[int, Verdict]:
        """What the stages say of each photo that they hold for the same picture."""
        cosines = self._embeddings @ image.embedding
        distances = {
            place: min((image.phash ^ laid).bit_count() for laid in orientations(other.phash))
            for place, other in enumerate(self.images)
            if place != without
        }
        lookalikes = {place for place, bits in distances.items() if bits <= fingerprints.PHASH_MAX_DISTANCE}
        order = [int(place) for place in np.argsort(-cosines) if place != without]
        near = [
            place for place in order[: near_duplicates.NEIGHBOURS] if cosines[place] >= near_duplicates.LEAST_COSINE
        ]
        found = {}
        for place in dict.fromkeys([*sorted(lookalikes), *near]):
            began = time.process_time()
            comparison = feature_matching.compare(image.features, self.images[place].features[0])
            self.compare_ms.append((time.process_time() - began) * 1000)
            distance = distances[place] if place in lookalikes else None
            verdict = near_duplicates.judge(comparison, distance, exposures_differ=False)
            if verdict is not None:
                found[place] = verdict
        return found


def _recall() -> Iterator[report.Row]:
    paths = samples.photos()
    if not paths:
        yield report.unmeasured("copies that are found", unit="share", goal="", reason=samples.NOT_HERE)
        return
    build(_BUNDLE)
    pictures = [samples.master(path) for path in paths]
    catalogue = _Catalogue(pictures)
    altered = range(0, len(pictures), EVERY)
    accused = wrongly = 0
    for name, alter in ATTACKS.items():
        found = refused = usual = 0
        for place in altered:
            copy = catalogue.look(alter(pictures[place], place))
            verdicts = catalogue.verdicts(copy)
            accused += len(verdicts)
            wrongly += len(verdicts) - (place in verdicts)
            found += place in verdicts
            refused += verdicts.get(place) is Verdict.CERTAIN
            usual += (copy.phash ^ catalogue.images[place].phash).bit_count() <= fingerprints.PHASH_MAX_DISTANCE
        of = len(altered)
        yield report.at_least(
            f"{name}: of {of} copies, found ({refused} refused, {found - refused} held)",
            ours=found / of,
            peer=usual / of,
            unit="share",
            limit=_RECALL_GOAL,
        )
    yield report.at_most(
        f"of {accused} accusations of copies, those of another picture", ours=wrongly, unit="", limit=0
    )
    bursts = [catalogue.verdicts(catalogue.look(_burst(pictures[place], place))).get(place) for place in altered]
    yield report.at_most(
        f"of {len(bursts)} bursts, refused ({bursts.count(Verdict.PROBABLE)} held, {bursts.count(None)} let through)",
        ours=bursts.count(Verdict.CERTAIN),
        unit="",
        limit=0,
    )
    distinct = [catalogue.verdicts(image, without=place) for place, image in enumerate(catalogue.images)]
    yield report.at_most(
        f"of {len(distinct)} distinct photos, refused ({sum(map(bool, distinct))} held)",
        ours=sum(Verdict.CERTAIN in verdicts.values() for verdicts in distinct),
        unit="",
        limit=0,
    )
    yield report.at_most(
        "CPU of comparing two pictures, median", ours=statistics.median(catalogue.compare_ms), unit="ms", limit=100
    )


# --- looking up ------------------------------------------------------------------------------------


def _hashes(dice: np.random.Generator, number: int) -> np.ndarray:
    """64-bit hashes as bigint: two thirds random, one third around some thousand of them."""
    hashes = dice.integers(0, 2**64, number, dtype=np.uint64)
    clustered = number // 3
    centres = dice.choice(hashes[clustered:], 5000)
    near = dice.choice(centres, clustered)
    for _ in range(12):
        near ^= np.uint64(1) << dice.integers(0, 64, clustered, dtype=np.uint64)
    hashes[:clustered] = near
    return hashes


def _load(database: Database, hashes: np.ndarray) -> None:
    """The fingerprints by COPY, without the images that they would belong to; indexes are built afterwards."""
    signed = hashes.view(np.int64).tolist()
    with database.transaction() as connection:
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'idx_fingerprints_laid_%'"
        ).fetchall()
        for index in indexes:
            connection.execute(cast("LiteralString", f"DROP INDEX {index['indexname']}"))
        connection.execute("ALTER TABLE image_fingerprints DROP CONSTRAINT image_fingerprints_image_id_fkey")
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY image_fingerprints (image_id, sha256, phash) FROM STDIN") as copy,
        ):
            for number, phash in enumerate(signed):
                copy.write(f"{uuid.UUID(int=number)}\t\\\\x{number:064x}\t{phash}\n")
        for index in indexes:
            connection.execute(index["indexdef"])


def _look_ups(rows: int) -> Iterator[report.Row]:
    dice = np.random.default_rng(20260101)
    with own_database(SERVER) as dsn:
        upgrade(dsn)
        database = Database(lambda: dsn, statement_timeout_ms=600_000)
        try:
            hashes = _hashes(dice, rows)
            _load(database, hashes)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE image_fingerprints")
            asker = uuid.UUID(int=2**128 - 1)
            # half of what is asked for is new, half lies a few bits beside something
            asked = dice.integers(0, 2**64, LOOK_UPS, dtype=np.uint64)
            asked[: LOOK_UPS // 2] = dice.choice(hashes, LOOK_UPS // 2) ^ np.uint64(1 << 40 | 1 << 13 | 1 << 2)
            asked = dice.permutation(asked)
            taken = []
            found = []
            for number, phash in enumerate([*asked[:50].tolist(), *asked.tolist()]):
                with database.transaction() as connection:
                    began = time.perf_counter()
                    answer = find_lookalikes(connection, asker, phash)
                    if number >= 50:
                        taken.append((time.perf_counter() - began) * 1000)
                        found.append(answer)
            scanned, right = [], 0
            for phash, answer in list(zip(asked.tolist(), found, strict=True))[:PEER_LOOK_UPS]:
                began = time.perf_counter()
                near = _scan(database, phash)
                scanned.append((time.perf_counter() - began) * 1000)
                right += [(each.distance, each.image_id) for each in answer] == near
        finally:
            database.close()
    size = f"{rows:,} hashes in eight ways to lay"
    peer = statistics.median(scanned)
    yield report.at_most(f"look-up among {size}: p50", ours=statistics.median(taken), unit="ms", limit=10, peer=peer)
    yield report.at_most(
        f"look-up among {size}: p99",
        ours=statistics.quantiles(taken, n=100)[98],
        unit="ms",
        limit=_P99_GOAL_MS,
        peer=peer,
    )
    yield report.at_least(
        f"of {PEER_LOOK_UPS} look-ups, those that agree with the scan",
        ours=right / PEER_LOOK_UPS,
        unit="share",
        limit=1,
    )


def _scan(database: Database, phash: int) -> list[tuple[int, uuid.UUID]]:
    """The nearest and their distances, by looking at every row."""
    laid = [fingerprints.signed(each) for each in orientations(phash)]
    least = f"least({', '.join('bit_count((phash # %s)::bit(64))' for _ in laid)})"
    rows = database.fetch_all(
        f"SELECT distance, image_id FROM"
        f" (SELECT image_id, {least}::int AS distance FROM image_fingerprints) AS all_of_them"
        f" WHERE distance <= {fingerprints.PHASH_MAX_DISTANCE}"
        f" ORDER BY distance, image_id LIMIT {fingerprints.MOST_LOOKALIKES}",
        laid,
    )
    return [(row["distance"], row["image_id"]) for row in rows]


def measure(fingerprints: int = FINGERPRINTS) -> list[report.Row]:
    """Recall by alteration, precision, and look-ups."""
    return [*_recall(), *_look_ups(fingerprints)]


if __name__ == "__main__":
    sys.exit(report.main(measure))
