"""Small inputs that the product once got wrong: a folder a kind beside the clone, each with a module of its name here.

`tests/faults/test_png_odd.py` tests what lies in `samples/faults/png-odd`: the fixture `folder` is that folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from local.layout import REPOSITORY

FAULTS = REPOSITORY.parent / "shared" / "samples" / "faults"


@pytest.fixture(scope="session")
def faults() -> Path:
    """The folder of all kinds; skips aloud in a clone without it."""
    if not FAULTS.is_dir():
        pytest.skip(f"THE FAULTS WERE NOT TESTED: {FAULTS} absent")
    return FAULTS


@pytest.fixture(scope="module")
def folder(faults: Path, request: pytest.FixtureRequest) -> Path:
    """The folder that the test's module is named after: test_png_odd.py -> png-odd."""
    found = faults / request.path.stem.removeprefix("test_").replace("_", "-")
    if not found.is_dir():
        pytest.skip(f"{found} absent")
    return found
