"""The migrations are one chain: each follows the one before, and none has another's number."""

from __future__ import annotations

import shutil
from pathlib import Path

from alembic.script import ScriptDirectory

from imagemarket import schema


def test_the_revisions_may_lie_under_a_percent_sign(tmp_path: Path) -> None:
    folder = shutil.copytree(Path(schema.__file__).parent, tmp_path / "50% off (100%)" / "schema")
    assert ScriptDirectory.from_config(schema.configuration(folder)).get_heads()


def test_the_migrations_are_one_chain() -> None:
    scripts = ScriptDirectory(str(next(iter(schema.__path__))))
    chain = list(scripts.walk_revisions())  # a number that is there twice warns, which is an error here
    assert len(scripts.get_heads()) == 1
    assert all(each.revision == Path(each.path).name[:4] for each in chain)
