"""CIFAR-10 in its official Python layout: https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009)."""

from __future__ import annotations

import io
import pickle
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import storage
from colorize_core.datasets.splits import split_of
from colorize_core.errors import InputError

if TYPE_CHECKING:
    import ray.data

_BATCHES = {**{f"data_batch_{i}": "train" for i in range(1, 6)}, "test_batch": "test"}
_VAL = 0.05  # fraction of the official training images held back for validation
_ALLOWED = {
    (module, name)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy")
    for name in ("_reconstruct", "ndarray", "dtype")
} | {("_codecs", "encode")}


class _ArraysOnly(pickle.Unpickler):
    """Builds arrays and plain values; a pickle that asks for anything else is refused before it runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"asks for {module}.{name}, which no CIFAR batch needs")
        return super().find_class(module, name)


def read_cifar10(source: str, splits: Collection[str]) -> ray.data.Dataset:
    """The batches in ``source`` (``cifar-10-batches-py``): 32x32, official test split, 5 % of the rest as val."""
    import ray.data

    if not storage.is_folder(source):
        raise InputError(f"no folder at {source}: need cifar-10-batches-py with data_batch_1 .. 5 and test_batch")
    files = [
        {"path": storage.join(storage.absolute(source), name), "name": name, "official": official}
        for name, official in _BATCHES.items()
        if official in splits or (official == "train" and "val" in splits)
    ]
    missing = [file["name"] for file in files if not storage.exists(file["path"])]
    if missing:
        raise InputError(f"{', '.join(missing)} not in {source}: need the official Python batches, unpacked")
    wanted = sorted(splits)
    return ray.data.from_items(files, override_num_blocks=len(files)).map_batches(
        _read_batch, batch_size=1, fn_kwargs={"splits": wanted}
    )


def load_batch(content: bytes, where: str) -> NDArray[np.uint8]:
    """Pixels uint8 [n, 32, 32, 3] of one pickled batch.

    Raises:
        InputError: the pickle is damaged, asks for code, or holds something else.
    """
    try:
        fields = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        data = fields[b"data"]
        if data.dtype != np.uint8:
            raise ValueError(f"pixels are {data.dtype}, not uint8")
        pixels: NDArray[np.uint8] = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return pixels
    except Exception as error:  # a damaged pickle fails in more ways than can be listed, MemoryError among them
        detail = str(error) or type(error).__name__
        raise InputError(f"{where} is not a CIFAR-10 batch ({detail}): fetch the archive again") from error


def _read_batch(batch: dict[str, Any], splits: list[str]) -> dict[str, Any]:
    path, name, official = batch["path"][0], batch["name"][0], batch["official"][0]
    rgb = load_batch(storage.read(path), path)
    ids = [f"{name}/{i:05d}" for i in range(len(rgb))]
    split = np.array([official if official == "test" else split_of(i, val=_VAL, test=0.0) for i in ids])
    keep = np.isin(split, splits)
    return {
        "id": np.array(ids)[keep],
        "split": split[keep],
        "rgb": np.ascontiguousarray(rgb[keep]),
        "reason": np.full(int(keep.sum()), ""),
    }
