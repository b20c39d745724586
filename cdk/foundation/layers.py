"""Lambda layers from hash-pinned requirements, made by uv for Amazon Linux on ARM, without Docker.

A function carries `core` and what its own imports add to it, as one layer with each package once: two that both hold
numpy would be two of the 250 MB that Lambda takes unzipped. Functions that need the same share it.
A stage that runs functions in this machine's Python has no layers: everything is in its environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.foundation.assets import REPOSITORY
from cdk.stages.model import Stage

LAYERS = REPOSITORY / "layers"
_MADE = REPOSITORY / ".market"
_PLATFORM = "aarch64-manylinux_2_28"  # Amazon Linux 2023 has glibc 2.34
"""What wheels must run on."""
_NO_WHEELS = ("pyvips",)
"""Published as source alone. It is Python all through where no headers of libvips are found to build with, and works
with the libvips of `pyvips-binary`."""


def find_uv() -> str:
    """Path of uv, from the environment or from the one that `./market` made."""
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("uv") or str(_MADE / "boot" / "bin" / "uv")
    if not Path(found).exists():
        raise FileNotFoundError("uv was not found; pip install --require-hashes -r requirements/uv.txt")
    return found


def with_core(names: Iterable[str]) -> tuple[str, ...]:
    """The folders of `layers/` whose packages a function carries that asks for these."""
    return ("core", *sorted(set(names)))


def build_layer(names: Sequence[str], built: Path = _MADE / "layers") -> Path:
    """The folder that becomes the layer of these folders of `layers/` together, made anew only when what they pin
    changed.

    Raises:
        subprocess.CalledProcessError: uv could not install: a package has no wheel for the platform, or another content
            than its hash says, or no registry is in reach.
    """
    pinned = [LAYERS / name / "requirements.txt" for name in names]
    content = hashlib.sha256(b"\0".join(requirements.read_bytes() for requirements in pinned)).hexdigest()
    folder = built / f"{'-'.join(names)}-{content[:16]}"
    if folder.is_dir():
        return folder
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    # fmt: off
    subprocess.run(
        [
            find_uv(), "pip", "install", "--quiet", "--target", str(draft / "python"),
            "--python-platform", _PLATFORM, "--python-version", "3.11", "--only-binary", ":all:",
            *(word for name in _NO_WHEELS for word in ("--no-binary", name)),
            "--require-hashes", "--no-deps",
            *(word for requirements in pinned for word in ("--requirements", str(requirements))),
        ],
        env={"UV_CACHE_DIR": str(_MADE / "cache" / "uv")} | os.environ | {"PKG_CONFIG_LIBDIR": str(draft / "nothing")},
        check=True,
    )
    # fmt: on
    for waste in [*draft.rglob("__pycache__"), *draft.rglob("tests"), draft / "python" / "bin"]:
        shutil.rmtree(waste, ignore_errors=True)
    draft.rename(folder)
    return folder


class Layers(Construct):
    """The layers of a stage, each made when the first function asks for it."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._made: dict[tuple[str, ...], lambda_.LayerVersion] = {}

    def of(self, names: Iterable[str]) -> list[lambda_.LayerVersion]:
        """The layer of `core` and these together; none where functions run in this machine's Python."""
        if self._stage.compute.interpreter is not None:
            return []
        return [self._layer(with_core(names))]

    def _layer(self, names: tuple[str, ...]) -> lambda_.LayerVersion:
        if names not in self._made:
            self._made[names] = lambda_.LayerVersion(
                self,
                "".join(name.capitalize() for name in names),
                description=f"imagemarket: what layers/ pins for {', '.join(names)}",
                code=lambda_.Code.from_asset(str(build_layer(names))),
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_11],
                compatible_architectures=[lambda_.Architecture.ARM_64],
            )
        return self._made[names]
