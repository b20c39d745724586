"""Reading a PyTorch checkpoint without PyTorch, and without obeying it."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from sagemaker.builders.checkpoint import NotACheckpoint, read_checkpoint

_MAGIC = 0x1950A86A20F9469CFC6C


class _Storage:
    def __init__(self, kind: type, values: np.ndarray) -> None:
        self.kind = kind
        self.values = values


class _Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return sys.modules["torch._utils"].__dict__["_rebuild_tensor_v2"], self.arguments


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """As much of PyTorch as a pickler must find to write a checkpoint; gone before it is read."""

    def rebuild() -> None: ...

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    utils.__dict__["_rebuild_tensor_v2"] = rebuild
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        torch.__dict__[name] = type(name, (), {"__module__": "torch"})
    torch.__dict__["_utils"] = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def _write(path: Path, tensors: dict[str, Any], storages: list[_Storage], *, magic: int = _MAGIC) -> Path:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, _Storage):
                return "storage", obj.kind, str(storages.index(obj)), "cpu", len(obj.values), None
            return None

    out = io.BytesIO()
    for head in (magic, 1001, {"little_endian": True}):
        pickle.dump(head, out, protocol=2)
    state = OrderedDict(tensors)
    state._metadata = {"": {"version": 1}}  # pyright: ignore[reportAttributeAccessIssue]
    Pickler(out, protocol=2).dump(state)
    pickle.dump([str(number) for number in range(len(storages))], out, protocol=2)
    for storage in storages:
        out.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
    path.write_bytes(out.getvalue())
    return path


def test_reads_tensors_as_they_lie_in_their_storages(torch: ModuleType, tmp_path: Path) -> None:
    numbers = np.arange(24, dtype="<f4")
    floats, longs = _Storage(torch.FloatStorage, numbers), _Storage(torch.LongStorage, np.asarray([7], dtype="<i8"))
    path = _write(
        tmp_path / "weights.pth",
        {
            "plain": _Tensor(floats, 0, (2, 3, 4), (12, 4, 1)),
            "turned": _Tensor(floats, 0, (4, 6), (1, 4)),
            "later": _Tensor(floats, 20, (4,), (1,)),
            "count": _Tensor(longs, 0, (), ()),
        },
        [floats, longs],
    )
    read = read_checkpoint(path)
    np.testing.assert_array_equal(read["plain"], numbers.reshape(2, 3, 4))
    np.testing.assert_array_equal(read["turned"], numbers.reshape(6, 4).T)
    np.testing.assert_array_equal(read["later"], [20, 21, 22, 23])
    assert read["count"] == 7


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (25,), (1,)), (21, (4,), (1,)), (0, (2, 2), (24, 1)), (0, (4,), (-1,)), (-1, (4,), (1,)), (0, (4, 6), (1,))],
)
def test_refuses_a_tensor_beyond_its_storage(
    torch: ModuleType, tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    storage = _Storage(torch.FloatStorage, np.zeros(24, dtype="<f4"))
    path = _write(tmp_path / "weights.pth", {"t": _Tensor(storage, offset, shape, strides)}, [storage])
    with pytest.raises(NotACheckpoint, match="a tensor"):
        read_checkpoint(path)


class _Attack:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.victim),)


def test_runs_nothing_that_the_file_names(torch: ModuleType, tmp_path: Path) -> None:
    victim = tmp_path / "broken-in"
    path = _write(tmp_path / "weights.pth", {"t": _Attack(victim)}, [])
    with pytest.raises(NotACheckpoint, match="mkdir"):
        read_checkpoint(path)
    assert not victim.exists()


def test_refuses_other_kinds_of_storage(torch: ModuleType, tmp_path: Path) -> None:
    half = _Storage(torch.HalfStorage, np.zeros(4, dtype="<f2"))
    path = _write(tmp_path / "weights.pth", {"t": _Tensor(half, 0, (4,), (1,))}, [half])
    with pytest.raises(NotACheckpoint, match="HalfStorage"):
        read_checkpoint(path)


def test_refuses_what_is_no_checkpoint(torch: ModuleType, tmp_path: Path) -> None:
    storage = _Storage(torch.FloatStorage, np.zeros(4, dtype="<f4"))
    tensors = {"t": _Tensor(storage, 0, (4,), (1,))}
    other = _write(tmp_path / "other.pth", tensors, [storage], magic=1)
    cut = _write(tmp_path / "cut.pth", tensors, [storage])
    cut.write_bytes(cut.read_bytes()[:-1])
    empty = tmp_path / "empty.pth"
    empty.write_bytes(b"")
    for path in (other, cut, empty):
        with pytest.raises(NotACheckpoint):
            read_checkpoint(path)
