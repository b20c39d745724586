"""Hostile files by the thousand: does every one end in a picture or in a refusal that says why?

    python -m benchmarks.imaging_fuzz [--cases N] [--seed S] [--samples DIR] [--keep DIR] [--json FILE]

Each case is a small picture of a kind that the decoder accepts, damaged by a few mutations: bytes flipped, set to
extremes, cut out, doubled or moved, the file cut short, two files spliced, and numbers in headers set to what
programs trip over. Case `i` of a seed is always the same file, so `--seed S --first i --cases 1` makes it again.

Cases run in worker processes under limits on memory; one that dies or takes longer than `SECONDS` is a finding, as
is any exception that is no refusal, and memory that goes on growing. `--keep` writes the files that were findings.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import io
import multiprocessing
import multiprocessing.connection
import os
import random
import resource
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import report
from imagemarket.imaging.sandbox import ADDRESS_SPACE_BYTES, ONE_THREAD

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

CASES = 20_000
SECONDS = 20.0
"""More than any of these small files can need on a busy machine."""
HELD_GROWTH_LIMIT_MB, RESIDENT_GROWTH_LIMIT_MB = 1.0, 12.0
"""Of a worker, from the second quarter of its cases to the last: medians, since what arithmetic lets a lying header
ask for comes and goes. In the first quarter libraries are loaded. A leak is in what malloc has given out; what the
process has beyond that is free, and wavers with the order of the sizes that were asked for."""
_CASES_TO_JUDGE = 200
"""A worker that ends earlier says nothing about growth."""
_SEED_BYTES_MAX = 150_000
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@lru_cache(maxsize=1)
def generated() -> tuple[bytes, ...]:
    """Small pictures of every kind, with the metadata that parsers of metadata read."""
    import numpy as np
    from PIL import Image, ImageCms

    across, down = np.meshgrid(np.linspace(0, 255, 96), np.linspace(0, 255, 72))
    plane = np.stack([across, down, (across + down) / 2], axis=-1).astype(np.uint8)
    colours = Image.fromarray(plane)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "ACME", 6
    exif.get_ifd(0x8769).update({0x829A: 0.004, 0x829D: 2.8, 0x8827: 400, 0x9003: "2024:05:06 07:08:09"})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made: list[bytes] = []

    def save(picture: Image.Image, encoder: str, **options: Any) -> None:
        out = io.BytesIO()
        picture.save(out, encoder, **options)
        made.append(out.getvalue())

    for options in ({}, {"progressive": True}, {"subsampling": 0, "quality": 30}, {"restart_marker_blocks": 2}):
        save(colours, "JPEG", exif=exif, icc_profile=profile, **options)
    save(colours.convert("CMYK"), "JPEG")
    save(colours.convert("L"), "JPEG", comment=b"grey")
    see_through = colours.copy()
    see_through.putalpha(Image.fromarray(plane[..., 0]))
    for picture in (colours, see_through, colours.convert("L"), colours.quantize(16), colours.convert("1")):
        save(picture, "PNG", exif=exif, icc_profile=profile)
    save(Image.fromarray(plane[..., 0].astype(np.uint16) * 257), "PNG")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        save(colours, "TIFF", compression=compression, exif=exif, icc_profile=profile)
    save(colours.convert("1"), "TIFF", compression="group4")
    save(colours.convert("CMYK"), "TIFF")
    save(colours, "TIFF", save_all=True, append_images=[colours.rotate(90)])
    save(see_through, "TIFF", big_tiff=True)
    made.extend(_by_libvips(plane))
    made.extend(_negatives(plane))
    return tuple(made)


def _by_libvips(plane: Any) -> Iterator[bytes]:
    import pyvips

    picture = pyvips.Image.new_from_array(plane)
    yield picture.pngsave_buffer(interlace=True)
    yield picture.tiffsave_buffer(tile=True, tile_width=16, tile_height=16, compression="deflate")
    yield picture.tiffsave_buffer(tile=True, tile_width=32, tile_height=32, pyramid=True, subifd=True)
    yield (picture / 255).copy(interpretation="scrgb").tiffsave_buffer()


def _negatives(plane: Any) -> Iterator[bytes]:
    from local.raw_fixtures import RAW_KINDS, write_dng, write_raw, write_tiled_dng

    scene = plane[:, :56] / 255
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        yield write_dng(path, plane / 255, orientation=6).read_bytes()
        for kind in RAW_KINDS:
            yield write_raw(path, kind, scene).read_bytes()
        for compressed in (True, False):
            write_tiled_dng(path, scene, tile=32, compressed=compressed)
            yield path.read_bytes()


def seeds(samples: Path | None = None) -> tuple[bytes, ...]:
    """What is mutated: the generated pictures, and the small ones of a folder of samples."""
    found = sorted(path for path in samples.rglob("*") if path.is_file()) if samples else []
    return (*generated(), *(path.read_bytes() for path in found if path.stat().st_size <= _SEED_BYTES_MAX))


def mutated(number: int, seed: int, sources: Sequence[bytes]) -> bytes:
    """Case `number` of a seed."""
    chance = random.Random(f"{seed}/{number}")
    data = bytearray(sources[chance.randrange(len(sources))])
    for _ in range(chance.choice((1, 1, 2, 3, 6, 12))):
        _MUTATIONS[chance.randrange(len(_MUTATIONS))](data, chance, sources)
        if not data:
            break
    return bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    """Headers are where numbers lie: half of the mutations go there."""
    return chance.randrange(min(len(data), 600)) if chance.random() < 0.5 else chance.randrange(len(data))


def _flip(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    data[_place(data, chance)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _number(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at, order, code = _place(data, chance), chance.choice("<>"), chance.choice("HI")
    value = chance.choice(_INTERESTING) & (0xFFFF if code == "H" else 0xFFFFFFFF)
    written = struct.pack(order + code, value)
    data[at : at + len(written)] = written


def _cut(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    del data[_place(data, chance) :]


def _drop(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, chance)
    del data[at : at + chance.randrange(1, 64)]


def _double(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at, size = _place(data, chance), chance.randrange(1, 512)
    data[at:at] = data[at : at + size] * chance.choice((1, 2, 20))


def _move(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    start, end, size = _place(data, chance), _place(data, chance), chance.randrange(1, 64)
    data[end : end + size] = data[start : start + size]


def _splice(data: bytearray, chance: random.Random, sources: Sequence[bytes]) -> None:
    other = sources[chance.randrange(len(sources))]
    at = _place(data, chance)
    data[at:] = other[min(at, len(other)) :]


def _noise(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at, size = _place(data, chance), chance.randrange(1, 200)
    data[at : at + size] = chance.randbytes(size)


_MUTATIONS: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    *(_flip, _byte, _number, _cut, _drop, _double, _move, _splice, _noise),
)


# --- running them ----------------------------------------------------------------------------------


class Memory(NamedTuple):
    """Of a worker, in MB."""

    held: float
    """What malloc has given out and not got back."""
    resident: float


@dataclass
class Findings:
    """What became of the cases."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    """By "picture", the refusal's class, or what kind of finding."""
    found: list[tuple[int, str]] = field(default_factory=list)
    """Cases that ended in neither a picture nor a refusal, and how."""
    memory: list[list[Memory]] = field(default_factory=list)
    """Of each worker, after each of its cases."""
    slowest: tuple[float, int] = (0.0, -1)

    def quarters(self) -> list[list[Memory]]:
        """The median memory of each worker in each quarter of its cases, where it had enough of them."""
        return [
            [_median(curve[len(curve) * part // 4 : len(curve) * (part + 1) // 4]) for part in range(4)]
            for curve in self.memory
            if len(curve) >= _CASES_TO_JUDGE
        ]


def _median(memory: Sequence[Memory]) -> Memory:
    return Memory(
        held=statistics.median(each.held for each in memory),
        resident=statistics.median(each.resident for each in memory),
    )


def look(data: bytes, folder: Path) -> str:
    """ "picture", or the class of the refusal; whatever else is raised is a finding."""
    from imagemarket.imaging.errors import ImageRejected
    from imagemarket.imaging.inspection import inspect
    from imagemarket.imaging.renditions import open_master

    path = folder / "case"
    path.write_bytes(data)
    try:
        found = inspect(path)
    except ImageRejected as error:
        return type(error).__name__
    open_master(found.master)
    return "picture"


def _work(channel: multiprocessing.connection.Connection, seed: int, sources: tuple[bytes, ...]) -> None:
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process
    os.dup2(sys.stderr.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        while (number := channel.recv()) is not None:
            try:
                outcome = look(mutated(number, seed, sources), Path(folder))
            except MemoryError:
                outcome = "finding: MemoryError"
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                outcome = f"finding: {type(error).__name__}: {str(error)[:200]}"
            channel.send((outcome, _memory()))


class _MallocCounts(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def _memory() -> Memory:
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _MallocCounts
    counts = mallinfo()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return Memory((counts.uordblks + counts.hblkhd) / 1e6, resident / 1e6)


@contextlib.contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= added
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


class _Worker:
    def __init__(self, seed: int, sources: tuple[bytes, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        ends: tuple[Any, Any] = context.Pipe()
        self.channel, other = ends
        self.process: BaseProcess = context.Process(target=_work, args=(other, seed, sources), daemon=True)
        with _environment(ONE_THREAD):  # malloc reads its own before anything of ours runs
            self.process.start()
        other.close()
        self.number: int | None = None
        self.began = 0.0
        self.memory: list[Memory] = []

    def give(self, number: int) -> None:
        self.number, self.began = number, time.monotonic()
        self.channel.send(number)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.channel.send(None)
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.channel.close()


def fuzz(*, cases: int, seed: int, first: int = 0, samples: Path | None = None, workers: int = 2) -> Findings:
    """Run cases `first` to `first + cases` in worker processes."""
    sources, findings = seeds(samples), Findings()
    waiting = iter(range(first, first + cases))
    running: dict[Any, _Worker] = {}

    def next_case(worker: _Worker) -> None:
        number = next(waiting, None)
        if number is None:
            worker.end()
        else:
            running[worker.channel] = worker
            worker.give(number)

    def start() -> None:
        worker = _Worker(seed, sources)
        findings.memory.append(worker.memory)
        next_case(worker)

    for _ in range(workers):
        start()
    while running:
        for channel in multiprocessing.connection.wait(list(running), timeout=1.0):
            worker = running.pop(channel)
            assert worker.number is not None
            taken = time.monotonic() - worker.began
            try:
                outcome, memory = worker.channel.recv()
            except EOFError:
                worker.process.join()
                _note(findings, worker.number, f"finding: died with status {worker.process.exitcode}")
                worker.end()
                start()
                continue
            worker.memory.append(memory)
            if len(worker.memory) > 1:  # the first has the imports in it
                findings.slowest = max(findings.slowest, (taken, worker.number))
            _note(findings, worker.number, outcome)
            next_case(worker)
        for worker in [each for each in running.values() if time.monotonic() - each.began > SECONDS]:
            assert worker.number is not None
            del running[worker.channel]
            worker.process.kill()
            _note(findings, worker.number, f"finding: longer than {SECONDS:g} s")
            worker.end()
            start()
    return findings


def _note(findings: Findings, number: int, outcome: str) -> None:
    findings.outcomes[outcome.split(":", maxsplit=1)[0] if outcome.startswith("finding") else outcome] += 1
    if outcome.startswith("finding"):
        findings.found.append((number, outcome.removeprefix("finding: ")))


def measure(options: argparse.Namespace) -> list[report.Row]:
    """The cases of the command line."""
    findings = fuzz(cases=options.cases, seed=options.seed, first=options.first, samples=options.samples)
    print(f"seed {options.seed}: {dict(findings.outcomes.most_common())}", file=sys.stderr)
    print(f"slowest: case {findings.slowest[1]}, {findings.slowest[0]:.2f} s", file=sys.stderr)
    for number, what in findings.found:
        print(f"case {number}: {what}", file=sys.stderr)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            data = mutated(number, options.seed, seeds(options.samples))
            (options.keep / f"{options.seed}-{number}").write_bytes(data)
    of = f"{options.cases:,} mutated files"
    rows = [
        report.at_most(
            f"{of}: crashes, hangs and errors that are no refusal", ours=len(findings.found), unit="cases", limit=0
        )
    ]
    quarters = findings.quarters()
    for name, limit in (("held", HELD_GROWTH_LIMIT_MB), ("resident", RESIDENT_GROWTH_LIMIT_MB)):
        claim = f"{of}: growth of a worker's {name} memory from the second quarter of its cases to the last"
        curves = [[getattr(memory, name) for memory in worker] for worker in quarters]
        for curve in curves:
            print(f"{name}, quarter by quarter: {', '.join(f'{mb:.1f}' for mb in curve)} MB", file=sys.stderr)
        if curves:
            grown = max(last - second for _, second, _, last in curves)
            rows.append(report.at_most(claim, ours=grown, unit="MB", limit=limit))
        else:
            reason = f"no worker had {_CASES_TO_JUDGE} cases"
            rows.append(report.unmeasured(claim, unit="MB", goal=f"≤ {limit:g}", reason=reason))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="Hostile files by the thousand.")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--samples", type=Path, help="a folder whose small files are mutated as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the files of findings here")
    report.add_json_option(parser)
    options = parser.parse_args(arguments)
    return report.finish(measure(options), options.json)


if __name__ == "__main__":
    sys.exit(main())
