"""Lambda layers from hash-pinned requirements, made by uv for Amazon Linux on ARM, without Docker.

A function carries `core` and what its own imports add to it; Lambda takes 250 MB unzipped of code and layers.
A stage that runs functions in this machine's Python has no layers: everything is in its environment.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.constructs.assets import REPOSITORY
from cdk.stages import Stage

LAYERS = REPOSITORY / "layers"
_BUILT = REPOSITORY / ".market" / "layers"
_PLATFORM = "aarch64-manylinux_2_28"  # Amazon Linux 2023 has glibc 2.34
"""What wheels must run on."""


def layer_names() -> list[str]:
    return sorted(path.parent.name for path in LAYERS.glob("*/requirements.in"))


def find_uv() -> str:
    """Path of uv, from the environment or from the one that `./market` made."""
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("uv") or str(REPOSITORY / ".market" / "boot" / "bin" / "uv")
    if not Path(found).exists():
        raise FileNotFoundError("uv was not found; pip install --require-hashes -r requirements/uv.txt")
    return found


def build_layer(name: str) -> Path:
    """The folder that becomes the layer, made anew only when its pinned requirements changed."""
    requirements = LAYERS / name / "requirements.txt"
    folder = _BUILT / f"{name}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    # fmt: off
    subprocess.run(
        [
            find_uv(), "pip", "install", "--quiet", "--target", str(draft / "python"),
            "--python-platform", _PLATFORM, "--python-version", "3.11", "--only-binary", ":all:",
            "--require-hashes", "--no-deps", "--requirements", str(requirements),
        ],
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
        self._made: dict[str, lambda_.LayerVersion] = {}

    def of(self, names: Iterable[str]) -> list[lambda_.LayerVersion]:
        """The named layers on top of `core`; none where functions run in this machine's Python."""
        if self._stage.interpreter is not None:
            return []
        return [self._layer(name) for name in ["core", *names]]

    def _layer(self, name: str) -> lambda_.LayerVersion:
        if name not in self._made:
            self._made[name] = lambda_.LayerVersion(
                self,
                name.capitalize(),
                description=f"imagemarket: layers/{name}/requirements.txt",
                code=lambda_.Code.from_asset(str(build_layer(name))),
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_11],
                compatible_architectures=[lambda_.Architecture.ARM_64],
            )
        return self._made[name]
