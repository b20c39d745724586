"""Every kind of fault that lies beside the clone is tested by a module of its name."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def test_each_folder_of_faults_has_a_module(faults: Path) -> None:
    folders = {found.name for found in faults.iterdir() if found.is_dir()}
    assert len(folders) >= 15, folders
    modules = {found.stem.removeprefix("test_").replace("_", "-") for found in HERE.glob("test_*.py")}
    assert not folders - modules, f"no module tests these: {sorted(folders - modules)}"
