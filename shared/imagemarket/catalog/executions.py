"""What the executions that make an image are called, for whoever starts them or looks for them."""

from __future__ import annotations

import hashlib
from uuid import UUID


def version_digest(version_id: str) -> str:
    """The version of an object as names can hold it: 16 hex digits of its sha256."""
    return hashlib.sha256(version_id.encode()).hexdigest()[:16]


def execution_name(image_id: UUID, version_id: str, run: int) -> str:
    """Follows from image, version and run (from 1), so that starting twice starts nothing the second time."""
    return f"{image_id}-{version_digest(version_id)}" + (f"-{run}" if run > 1 else "")
