"""Files as PyTorch wrote them before 1.6, made here by hand: PyTorch itself is no dependency."""

from __future__ import annotations

import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from colorize_core.models import torch_file


class Storage:
    """What PyTorch's pickler replaces by a persistent id."""

    def __init__(self, kind: type, key: str, content: np.ndarray) -> None:
        self.id = ("storage", kind, key, "cpu", content.size)
        self.content = content


class Tensor:
    def __init__(self, storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.parts = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self) -> Any:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return value.id if isinstance(value, Storage) else None


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The names that such a file mentions."""
    names, utils = ModuleType("torch"), ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(names, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", names)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return names


def write(path: Path, tensors: dict[str, Tensor], magic: int = 0x1950A86A20F9469CFC6C) -> Path:
    storages = {tensor.parts[0].id[2]: tensor.parts[0] for tensor in tensors.values()}
    with path.open("wb") as file:
        for value in (magic, 1001, {"little_endian": True}, OrderedDict(tensors), list(storages)):
            Pickler(file, protocol=2).dump(value)
        for storage in storages.values():
            file.write(storage.content.size.to_bytes(8, "little") + storage.content.tobytes())
    return path


def test_reads_tensors_of_any_stride(tmp_path: Path, torch: ModuleType) -> None:
    values = np.arange(24, dtype="<f4")
    shared = Storage(torch.FloatStorage, "1", values)
    count = Storage(torch.LongStorage, "2", np.array([7], "<i8"))
    path = write(
        tmp_path / "a.pth",
        {
            "rows": Tensor(shared, 0, (2, 3, 4), (12, 4, 1)),
            "turned": Tensor(shared, 12, (4, 3), (1, 4)),
            "count": Tensor(count, 0, (), ()),
        },
    )
    read = torch_file.read_tensors(path)
    assert list(read) == ["rows", "turned", "count"]
    np.testing.assert_array_equal(read["rows"], values.reshape(2, 3, 4))
    np.testing.assert_array_equal(read["turned"], values[12:].reshape(3, 4).T)
    assert read["count"] == 7
    assert read["count"].dtype == np.int64


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, (2, 3, 4), (12, 4, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (3, 3), (-5, 6)),
        (0, (0,), (1,)),
        (24, (), ()),
    ],
)
def test_no_tensor_reaches_outside_its_storage(
    tmp_path: Path, torch: ModuleType, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    shared = Storage(torch.FloatStorage, "1", np.zeros(24, "<f4"))
    path = write(tmp_path / "a.pth", {"a": Tensor(shared, offset, size, stride)})
    with pytest.raises(ValueError, match="outside its storage"):
        torch_file.read_tensors(path)


def test_files_of_other_kinds_are_refused(tmp_path: Path, torch: ModuleType) -> None:
    tensor = {"a": Tensor(Storage(torch.FloatStorage, "1", np.zeros(4, "<f4")), 0, (4,), (1,))}
    whole = write(tmp_path / "whole.pth", tensor).read_bytes()
    (tmp_path / "short.pth").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="ends before"):
        torch_file.read_tensors(tmp_path / "short.pth")
    with pytest.raises(ValueError, match=r"PyTorch used before 1\.6"):
        torch_file.read_tensors(write(tmp_path / "magic.pth", tensor, magic=5))
    half = Tensor(Storage(torch.HalfStorage, "1", np.zeros(4, "<f2")), 0, (4,), (1,))
    with pytest.raises(ValueError, match=r"torch\.HalfStorage, which is not a tensor"):
        torch_file.read_tensors(write(tmp_path / "half.pth", {"a": half}))
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="not a file of tensors"):
        torch_file.read_tensors(tmp_path / "empty.pth")


def test_nothing_in_a_file_is_called(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "a.pth").write_bytes(pickle.dumps(Attack(), protocol=2))
    with pytest.raises(ValueError, match="not a tensor"):
        torch_file.read_tensors(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()
