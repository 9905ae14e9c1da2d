"""Reads CIFAR-10 and CIFAR-100 as published: https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009).

A batch file holds up to 10,000 (CIFAR-100: 50,000) images of 32x32 pixels, each as three planes.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from colorize_core import storage
from colorize_core.datasets import official, pickles
from colorize_core.datasets.registry import DATASETS
from colorize_core.datasets.rows import ReadPlan, RowBatch
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, one_line
from colorize_core.storage import containers

_Batch = tuple[NDArray[np.uint8], dict[str, NDArray[np.int64]]]  # pixels [n, 32, 32, 3], and labels [n] by name
_PIXELS = 3 * 32 * 32
_ROWS_AT_ONCE = 2000  # 6 MB


@dataclass(frozen=True)
class _Layout:
    """A published form of a data set.

    Attributes:
        form: Python pickles or binary records.
        files: split of each batch file, by file name.
        labels: names of an image's labels, in the order of the binary records.
    """

    form: Literal["python", "binary"]
    files: dict[str, str]
    labels: tuple[str, ...]


_LABEL_KEYS = {"label": b"labels", "coarse_label": b"coarse_labels", "fine_label": b"fine_labels"}
_CLASSES = {"label": 10, "coarse_label": 20, "fine_label": 100}
_TEN = {**{f"data_batch_{i}": "train" for i in range(1, 6)}, "test_batch": "test"}
_CIFAR10 = (
    _Layout("python", _TEN, ("label",)),
    _Layout("binary", {f"{name}.bin": split for name, split in _TEN.items()}, ("label",)),
)
_CIFAR100 = (
    _Layout("python", {"train": "train", "test": "test"}, ("coarse_label", "fine_label")),
    _Layout("binary", {"train.bin": "train", "test.bin": "test"}, ("coarse_label", "fine_label")),
)


def plan_cifar10(source: str, rule: SplitRule) -> ReadPlan:
    """Lists CIFAR-10: a folder with the Python or the binary batches, a published archive, or ``official``.

    The id of an image is its batch and its index there, as in ``data_batch_1/00000``. Raises InputError.
    """
    return _plan(source, rule, "cifar10", _CIFAR10)


def plan_cifar100(source: str, rule: SplitRule) -> ReadPlan:
    """Lists CIFAR-100, like ``plan_cifar10``; ids are like ``train/00000``. Raises InputError."""
    return _plan(source, rule, "cifar100", _CIFAR100)


def _plan(source: str, rule: SplitRule, name: str, layouts: tuple[_Layout, ...]) -> ReadPlan:
    published = DATASETS[name].archive
    if published and source == official.SOURCE:
        return _plan(official.fetch(published), rule, name, layouts)
    where = storage.absolute(source)
    if storage.is_folder(where):
        found = {entry.name: entry.path for entry in storage.children(where)}
        archive = None
    elif where.lower().endswith((*containers.PACKED_TAR_SUFFIXES, *containers.TAR_SUFFIXES)) and storage.exists(where):
        found = {posixpath.basename(name): name for name in containers.tar_names(where)}
        archive = where
    else:
        raise InputError(f"no folder or .tar.gz file at {source}: need the batches of {name} as published")
    layout = max(layouts, key=lambda layout: len(found.keys() & layout.files.keys()))
    if missing := sorted(layout.files.keys() - found.keys()):
        raise InputError(f"{', '.join(missing)} not in {source}: need the Python or the binary batches of {name}")
    wanted = [file for file in layout.files if _is_wanted(layout, file, rule)]
    return ReadPlan([partial(_read, archive, found[file], file, layout, rule) for file in wanted])


def _is_wanted(layout: _Layout, file: str, rule: SplitRule) -> bool:
    split = layout.files[file]
    return split in rule.wanted or (split == "train" and "val" in rule.wanted)


def _read(archive: str | None, path: str, file: str, layout: _Layout, rule: SplitRule) -> Iterator[RowBatch]:
    batch, start = file.removesuffix(".bin"), 0
    for pixels, labels in _parts(archive, path, layout):
        ids = [f"{batch}/{i:05d}" for i in range(start, start + len(pixels))]
        start += len(pixels)
        split = [rule.of_official(identity, layout.files[file]) for identity in ids]
        rows = RowBatch.good(ids, split, np.ascontiguousarray(pixels), labels=labels)
        yield rows.where([name in rule.wanted for name in split])


def _parts(archive: str | None, path: str, layout: _Layout) -> Iterator[_Batch]:
    """Yields a batch file in parts of 2,000 images (6 MB). Only pickles and archives are read as a whole first."""
    if layout.form == "binary" and archive is None:
        size, offset = _ROWS_AT_ONCE * (len(layout.labels) + _PIXELS), 0
        while (content := storage.read_range(path, offset, size)) or not offset:
            yield load_binary(content, path, layout.labels)
            offset += size
        return
    where = f"{archive}: {path}" if archive else path
    with io.BytesIO(containers.read_from_tar(archive, path)) if archive else storage.open_file(path) as file:
        if layout.form == "binary":
            pixels, labels = load_binary(file.read(), where, layout.labels)
        else:
            pixels, labels = load_pickled(file, where, layout.labels)
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        yield pixels[part], {name: values[part] for name, values in labels.items()}


def load_pickled(file: IO[bytes], where: str, labels: tuple[str, ...]) -> _Batch:
    """Reads a batch of the Python version: pixels uint8 [n, 32, 32, 3], and labels int64 [n] by name.

    Raises:
        InputError: the pickle is damaged, would run code or holds something else, or a label is out of range.
    """
    try:
        fields = pickles.load(file)
        data = fields[b"data"].values
        if data.dtype != np.uint8 or data.shape[1:] != (_PIXELS,) or not len(data):
            raise ValueError(f"pixels are {data.dtype} {list(data.shape)}, not uint8 [n, {_PIXELS}]")
        pixels: NDArray[np.uint8] = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        found = {name: _integers(fields[_LABEL_KEYS[name]]) for name in labels}
        for name, values in found.items():
            if values.shape != (len(pixels),):
                raise ValueError(f"{len(pixels)} images, but {values.size} of {name}")
    except KeyError as error:
        raise InputError(f"{where} has no field {error}: need a batch as published") from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises many kinds, even MemoryError
        raise InputError(f"{where} is not a CIFAR batch ({one_line(error)[:200]}): fetch the archive again") from error
    _check_labels(found, where)
    return pixels, found


def load_binary(content: bytes, where: str, labels: tuple[str, ...]) -> _Batch:
    """Reads records of the binary version: pixels uint8 [n, 32, 32, 3], and labels int64 [n] by name.

    Raises:
        InputError: the content does not consist of whole records, or a label is out of range.
    """
    width = len(labels) + _PIXELS
    if not content or len(content) % width:
        raise InputError(f"{where} does not consist of whole records of {width} bytes: fetch the archive again")
    records = np.frombuffer(content, np.uint8).reshape(-1, width)
    found = {name: records[:, i].astype(np.int64) for i, name in enumerate(labels)}
    _check_labels(found, where)
    return records[:, len(labels) :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), found


def _check_labels(labels: Mapping[str, NDArray[np.int64]], where: str) -> None:
    for name, values in labels.items():
        wrong = values[(values < 0) | (values >= _CLASSES[name])]
        if len(wrong):
            raise InputError(f"{where} has a {name} of {wrong[0]}, need 0 to {_CLASSES[name] - 1}: the file is damaged")


def _integers(values: Any) -> NDArray[np.int64]:
    """Converts a batch's labels to int64 [n]; published batches have a list of integers. Raises ValueError."""
    if type(values) is pickles.Array:
        values = values.values.tolist()
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        raise ValueError("the labels are not a list of integers")
    return np.array(values, np.int64)
