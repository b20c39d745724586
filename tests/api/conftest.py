from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagemarket.imaging.confinement import Inspector


@pytest.fixture(scope="session")
def decoder() -> Iterator[Inspector]:
    """A decoder's process, started by the first picture."""
    with Inspector() as decoder:
        yield decoder
