"""Reads and defines the prepared data sets that ``colorize prepare`` writes: square images of one size, uncompressed.

``<split>/part-00012-00.parquet`` has the columns ``id``, ``rgb`` (sRGB uint8 [size, size, 3], raw bytes, row by row),
``gray`` (uint8 [size, size]) if the data set has gray photographs, and the labels. ``dataset.json`` holds the settings
and the statistics.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from colorize_core import storage
from colorize_core.datasets.prepared_facts import DataSetFacts
from colorize_core.datasets.rows import Chunk, ReadPlan, RowBatch
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import InputError, one_line
from colorize_core.storage import parquet

FACTS = "dataset.json"
FORMAT = 1  # version of dataset.json: to be raised when older code would misread the shards
_PIXELS, _GRAY, _ID = "rgb", "gray", "id"
_ROWS_AT_ONCE = 256


def is_prepared(path: str) -> bool:
    """Returns True if a folder holds a finished prepared data set."""
    return storage.exists(storage.join(path, FACTS))


def read_facts(path: str) -> DataSetFacts:
    """Returns the content of ``dataset.json``. Raises InputError if it is missing, damaged or of another format."""
    try:
        facts: DataSetFacts = json.loads(storage.read(storage.join(path, FACTS)))
        if facts["format"] != FORMAT:
            raise InputError(f"{path} has format {facts['format']}, need {FORMAT}: update colorize, or prepare again")
        if facts["transform"]["size"] < 1 or not facts["images"] or {*facts["pair"]} != {"gray", "color_space"}:
            raise ValueError("size, images or pair settings are missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{FACTS} in {path} cannot be read ({one_line(error)}): prepare again") from error
    return facts


def plan_prepared(source: str, rule: SplitRule) -> ReadPlan:
    """Lists the shards of a prepared data set, which has its own split. Raises InputError if there is none."""
    where = storage.absolute(source)
    facts = read_facts(where)
    size = facts["transform"]["size"]
    chunks = find_shards(where, size, rule.wanted)
    if not chunks:
        splits = ", ".join(rule.wanted)
        raise InputError(
            f"{source} has no shards of split {splits}, but should have images {facts['images']}: prepare again"
        )
    return ReadPlan(chunks)


def find_shards(where: str, size: int, splits: Collection[str]) -> list[Chunk]:
    """Lists the shards of some splits, for images of ``size`` pixels per side."""
    return [
        partial(_read_shard, entry.path, split, size)
        for split in SPLITS
        if split in splits
        for entry in storage.children(storage.join(where, split))
        if entry.name.endswith(".parquet")
    ]


def shard(rows: RowBatch) -> pa.Table:
    """Converts the good rows of one split to a table; ``rgb`` must be [n, size, size, 3]."""
    columns = {_ID: pa.array(rows.id, pa.string()), _PIXELS: _raw(np.asarray(rows.rgb))}
    if rows.gray is not None:
        columns[_GRAY] = _raw(np.stack(rows.gray))
    return pa.table(columns | {name: pa.array(values) for name, values in rows.labels.items()})


def _read_shard(path: str, split: str, size: int) -> Iterator[RowBatch]:
    try:
        for batch in parquet.open_parquet(storage.open_file(path), path).iter_batches(_ROWS_AT_ONCE):
            columns = {name: batch.column(name) for name in batch.schema.names}
            ids = columns.pop(_ID).to_pylist()
            rgb = _pixels(columns.pop(_PIXELS), (size, size, 3))
            gray = _pixels(columns.pop(_GRAY), (size, size)) if _GRAY in columns else None
            labels: Mapping[str, NDArray[np.int64]] = {name: values.to_numpy() for name, values in columns.items()}
            yield RowBatch.good(ids, [split] * len(ids), rgb, labels=labels, gray=None if gray is None else list(gray))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:  # pyarrow raises OSError for damage, too
        raise InputError(f"{path} is damaged ({one_line(error)}): prepare again") from error


def _raw(pixels: NDArray[np.uint8]) -> pa.Array:
    width = int(np.prod(pixels.shape[1:]))
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(pixels), [None, pa.py_buffer(np.ascontiguousarray(pixels))]
    )


def _pixels(column: pa.Array, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    width = int(np.prod(shape))
    if column.type != pa.binary(width):
        raise ValueError(f"pixels are {column.type}, not {width} bytes")
    values = np.frombuffer(column.buffers()[1], np.uint8, count=len(column) * width, offset=column.offset * width)
    return values.reshape(len(column), *shape)
