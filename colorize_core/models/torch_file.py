"""A reader for PyTorch files in the format before version 1.6, which needs no PyTorch.

A file holds five pickles (a magic number, the version, facts on the machine, the tensors by name, the keys of their
storages), then each storage: its number of elements in 8 bytes, and the elements.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensor(NamedTuple):
    storage: tuple[Any, ...]  # ("storage", its dtype, its key, the device, its number of elements)
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Reader(pickle.Unpickler):
    """An unpickler that builds only descriptions of tensors and plain values, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) in (("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2")):
            return lambda *arguments: _Tensor(*arguments[:4])
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"asks for {module}.{name}, which is not a tensor")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_tensors(path: str | Path) -> dict[str, NDArray[Any]]:
    """Reads the tensors of a state dict by name, in PyTorch's order of axes.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has another format, or is truncated.
    """
    with open(path, "rb") as file:
        try:
            if _Reader(file).load() != _MAGIC:
                raise ValueError("is not in the format that PyTorch used before 1.6")
            _version, _machine = _Reader(file).load(), _Reader(file).load()
            tensors: dict[str, _Tensor] = _Reader(file).load()
            keys: list[str] = _Reader(file).load()
        except (pickle.UnpicklingError, EOFError) as error:
            raise ValueError(f"is not a file of tensors: {error}") from error
        dtypes = {each.storage[2]: each.storage[1] for each in tensors.values()}
        storages = {key: _storage(file, dtypes[key]) for key in keys}
    return {name: _view(storages[each.storage[2]], each) for name, each in tensors.items()}


def _storage(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    size = int.from_bytes(file.read(8), "little") * dtype.itemsize
    content = file.read(size)
    if len(content) != size:
        raise ValueError("ends before its last tensor")
    return np.frombuffer(content, dtype)


def _view(storage: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    steps = list(zip(tensor.size, tensor.stride, strict=True))
    last = tensor.offset + sum((n - 1) * step for n, step in steps)
    if tensor.offset < 0 or last >= len(storage) or any(n < 1 or step < 0 for n, step in steps):
        raise ValueError("has a tensor outside its storage")
    strides = [step * storage.itemsize for step in tensor.stride]
    return as_strided(storage[tensor.offset :], tensor.size, strides).copy()
