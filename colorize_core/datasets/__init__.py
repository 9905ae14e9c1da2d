"""Data sets as rows {id str, split 'train'|'val'|'test', rgb uint8 [H, W, 3], reason str}.

A row that cannot be read has an empty ``rgb`` [0, 0, 3] and its ``reason``; a good row has reason ''. A new data set is
one reader function and one line in ``READERS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from colorize_core.errors import InputError

if TYPE_CHECKING:
    import ray.data

Reader = Callable[[str, Collection[str]], "ray.data.Dataset"]

SPLITS = ("train", "val", "test")
READERS = {
    "cifar10": "colorize_core.datasets.cifar:read_cifar10",
    "folder": "colorize_core.datasets.folder:read_folder",
}


def source_of(data: str) -> str:
    """The place in ``DATASET:SOURCE``."""
    return data.partition(":")[2]


def read(data: str, splits: Collection[str] = SPLITS) -> ray.data.Dataset:
    """Lazy Ray data set of the wanted splits of ``DATASET:SOURCE``, as in ``cifar10:/data/cifar-10-batches-py``.

    Raises:
        InputError: the data set is unknown, or nothing usable is at the source.
    """
    name, colon, source = data.partition(":")
    if not colon or name not in READERS:
        raise InputError(f"DATA {data!r} is not DATASET:SOURCE; DATASET is one of {', '.join(sorted(READERS))}")
    module, function = READERS[name].split(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader(source, splits)
