"""Reads the weights out of a PyTorch checkpoint without PyTorch, and without running anything it says.

A checkpoint of the format before 1.6 is five pickles (magic number, protocol, machine, the tensors'
descriptions, the storages' keys) and then the storages' raw bytes in the order of the keys. A pickle
can name any function to call; here the few names that describe a tensor are known and every other is
refused, so a tampered file can end in an error and in nothing else.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class NotACheckpoint(Exception):
    """The file is not a checkpoint of plain tensors."""


@dataclass(frozen=True)
class _Tensor:
    key: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mapping(dict[str, Any]):
    """An `OrderedDict` whose attributes (PyTorch keeps module versions there) are left aside."""

    def __setstate__(self, _state: object) -> None: ...


def _tensor(storage: tuple[str, np.dtype[Any]], offset: int, shape: Any, strides: Any, *_rest: object) -> _Tensor:
    key, dtype = storage
    return _Tensor(key, dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        match module_name, global_name:
            case "collections", "OrderedDict":
                return _Mapping
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", name if name in _STORAGES:
                return name
        raise NotACheckpoint(f"it names {module_name}.{global_name}, which no tensor needs")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        match pid:
            case ("storage", str(storage), str(key), *_) if storage in _STORAGES:
                return key, _STORAGES[storage]
        raise NotACheckpoint(f"it refers to {str(pid)[:80]}, which is no storage")


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of the checkpoint at `path`, by name. Raises `NotACheckpoint`."""
    with path.open("rb") as file:
        try:
            return _read(file)
        except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
            raise NotACheckpoint(f"{path.name}: {error}") from error


def _read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    def load() -> Any:
        return _TensorUnpickler(file).load()

    if load() != _MAGIC or load() != _PROTOCOL:
        raise NotACheckpoint("it does not begin as a checkpoint does")
    if not load()["little_endian"]:
        raise NotACheckpoint("its numbers are big-endian")
    tensors: dict[str, _Tensor] = load()
    keys: list[str] = load()
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages: dict[str, NDArray[Any]] = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        size = count * dtypes[key].itemsize
        content = file.read(size)
        if len(content) != size:
            raise NotACheckpoint("it is cut off")
        storages[key] = np.frombuffer(content, dtype=dtypes[key])
    return {name: _view(storages[tensor.key], tensor) for name, tensor in tensors.items()}


def _view(storage: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    # A tensor may be a transposed view of its storage; one that reaches beyond it is refused.
    if len(tensor.shape) != len(tensor.strides) or min((tensor.offset, *tensor.shape, *tensor.strides)) < 0:
        raise NotACheckpoint("it describes a tensor that cannot be")
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape or last >= storage.size:
        raise NotACheckpoint("it describes a tensor beyond its storage")
    steps = [stride * storage.itemsize for stride in tensor.strides]
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, steps))
