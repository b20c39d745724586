"""Building a bundle: once, whole, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from imagemarket.vision.bundle import NotABundle, read_manifest, verify
from sagemaker.builders import lite
from tests.unit.vision.kit import lite_bundle


def test_a_second_run_changes_nothing() -> None:
    folder = lite_bundle()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    manifest = lite.build(folder, lambda _line: None)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert manifest == read_manifest(folder)


def test_the_manifest_names_every_file_with_its_licence() -> None:
    folder = lite_bundle()
    manifest = read_manifest(folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert set(manifest.parts) | {"bundle.json"} == files
    assert all(part.licence and part.source for part in manifest.parts.values())
    assert manifest.model_version.startswith("lite-")


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(lite_bundle(), folder)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    tables = folder / "image/tables.npz"
    content = bytearray(tables.read_bytes())
    content[5000] ^= 1
    tables.write_bytes(content)
    with pytest.raises(NotABundle, match=r"tables\.npz is not the file"):
        verify(folder, manifest)
    tables.unlink()
    with pytest.raises(NotABundle, match=r"tables\.npz: No such file"):
        verify(folder, manifest)


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "bundle.json").write_text("an older one")

    def interrupted(work: Path, *_rest: Any) -> None:
        (work / "half").write_text("written")
        raise KeyboardInterrupt

    monkeypatch.setattr(lite, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lite.build(folder, lambda _line: None)
    assert (folder / "bundle.json").read_text() == "an older one"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["bundle"]


def test_a_new_bundle_takes_the_place_of_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "left over").write_text("of an older one")
    (tmp_path / ".bundle.new-killed").mkdir()
    manifest = read_manifest(lite_bundle())

    def write(work: Path, *_rest: Any) -> Any:
        shutil.copytree(lite_bundle(), work, dirs_exist_ok=True)
        return manifest

    monkeypatch.setattr(lite, "_write", write)
    monkeypatch.setattr(lite, "_check", lambda *_: None)
    assert lite.build(folder, lambda _line: None) == manifest
    verify(folder, read_manifest(folder))
    assert not (folder / "left over").exists()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["bundle"]
