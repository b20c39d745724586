"""A random order that stays: the same for the same seed, in every engine.

Every image has a place on a circle, given by its id alone. A seed says where on the circle to begin and
in what order to show the `MAX_RESULTS` images that follow, so an engine needs nothing but an index by place.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

from imagemarket.search.engines.ports import Hit


def place_of(image_id: UUID) -> int:
    """Where the image stands on the circle: 31 bits, so that a signed 32-bit column holds them."""
    return int.from_bytes(blake2b(image_id.bytes, digest_size=4).digest(), "big") >> 1


def beginning_of(seed: int) -> int:
    """Where on the circle the order of a seed begins."""
    return int.from_bytes(blake2b(_bytes(seed), digest_size=4).digest(), "big") >> 1


def shuffled(hits: Sequence[Hit], seed: int) -> list[Hit]:
    """The hits in the order of the seed, whatever order they came in."""
    key = _bytes(seed)
    return sorted(hits, key=lambda hit: blake2b(hit.image_id.bytes, key=key, digest_size=8).digest())


def _bytes(seed: int) -> bytes:
    return seed.to_bytes(8, "big")
