"""Reads Parquet files with a column of image files, as bytes or as a struct ``{bytes, path}``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.datasets import isolated_decode
from colorize_core.datasets.rows import BLACK, NO_LABEL, ReadPlan, RowBatch
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import ImageError, InputError, one_line, printable
from colorize_core.storage import parquet

_SPLIT_NAMES = {**{name: name for name in SPLITS}, "validation": "val", "valid": "val", "training": "train"}
_ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class _Columns:
    """Names of the columns to read; ``split`` is None if the files have no such column."""

    image: str
    labels: tuple[str, ...]
    split: str | None

    def __iter__(self) -> Iterator[str]:
        return iter([self.image, *self.labels, *([self.split] if self.split else [])])


def plan_parquet(source: str, rule: SplitRule) -> ReadPlan:
    """Lists the row groups of a Parquet file, or of a folder of Parquet files with one schema.

    The image column is found by ``parquet.image_column``. Integer columns ``label`` and ``*_label`` become labels. The
    id of a row is its file and its index there, as in ``part-0.parquet/00000017``. The split of a row is, in this order
    of preference: its value in the column ``split``; the split in the name of the file or folder
    (``test-00000.parquet``, ``test/0.parquet``); a hash of the id. If the data set has a validation split, no training
    rows are held back for another one.

    Raises:
        InputError: there is no file, no image column, a damaged file, or a file with other columns than the first.
    """
    where = storage.absolute(source)
    if storage.is_folder(where):
        entries = [entry for entry in storage.find(where) if entry.name.endswith(".parquet")]
    else:
        entries = list(storage.match(where)) if storage.exists(where) else []
    if not entries:
        raise InputError(f"no .parquet file at {source}: check the path")
    groups: list[partial[Iterator[RowBatch]]] = []
    columns = None
    own_val = any(_split_in_name(entry.name) == "val" for entry in entries)
    for entry in entries:
        file = parquet.open_path(entry.path)
        found = _columns(file.schema_arrow, entry.path)
        columns = columns or found
        if found != columns:
            raise InputError(
                f"{entry.path} has the columns {', '.join(found)}, but {entries[0].path} has {', '.join(columns)}: "
                "all files need the same columns"
            )
        own_val = own_val or (columns.split is not None and _has_val(file, columns.split, entry.path))
        name = printable(entry.name)
        first = 0
        for group in range(file.metadata.num_row_groups):
            if rows := file.metadata.row_group(group).num_rows:
                groups.append(partial(_read_group, entry.path, name, group, first, columns))
                first += rows
        if first != file.metadata.num_rows:
            rows = file.metadata.num_rows
            raise InputError(f"{entry.path} is damaged ({first} rows, but its header says {rows}): fetch it again")
    if not groups:
        raise InputError(f"no row in the .parquet files at {source}: check the path")
    if own_val:  # the data set has validation rows, so no training rows are held back
        rule = replace(rule, val=0.0)
    return ReadPlan([partial(read, rule=rule) for read in groups])


def _has_val(file: pq.ParquetFile, column: str, path: str) -> bool:
    try:
        return any(
            _SPLIT_NAMES.get(str(v).lower()) == "val"
            for b in file.iter_batches(columns=[column])
            for v in b[0].unique().to_pylist()
        )
    except Exception as error:  # damage raises many kinds of errors
        raise InputError(f"{path} is damaged ({one_line(error)}): fetch it again") from error


def _columns(schema: pa.Schema, path: str) -> _Columns:
    numbers = sorted(field.name for field in schema if pa.types.is_integer(field.type))
    return _Columns(
        image=parquet.image_column(schema, path),
        labels=tuple(name for name in numbers if name == "label" or name.endswith("_label")),
        split="split" if "split" in schema.names else None,
    )


def _read_group(path: str, name: str, group: int, first: int, columns: _Columns, rule: SplitRule) -> Iterator[RowBatch]:
    file = parquet.open_path(path)
    in_name = _split_in_name(name)
    at = first
    try:
        for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=list(columns)):
            rows = batch.to_pylist()
            ids = [f"{name}/{at + i:08d}" for i in range(len(rows))]
            at += len(rows)
            official = [_split_of(row[columns.split], path) if columns.split else in_name for row in rows]
            split = [
                rule.of_official(identity, published) if published else rule.of(identity)
                for identity, published in zip(ids, official, strict=True)
            ]
            wanted = [i for i, each in enumerate(split) if each in rule.wanted]
            yield _decode([rows[i] for i in wanted], [ids[i] for i in wanted], [split[i] for i in wanted], columns)
        if at - first != file.metadata.row_group(group).num_rows:
            raise ValueError(f"row group {group} has fewer rows than it says")
    except InputError:
        raise
    except Exception as error:  # damage raises many kinds of errors
        raise InputError(f"{path} is damaged ({one_line(error)}): fetch it again") from error


def _split_in_name(name: str) -> str | None:
    """Returns the split that a folder or the first word of the file name names; None if there is none."""
    *parts, base = name.lower().split("/")
    words = [*parts, re.split(r"[-_.]", base)[0]]
    return next((_SPLIT_NAMES[word] for word in words if word in _SPLIT_NAMES), None)


def _split_of(value: Any, path: str) -> str:
    split = _SPLIT_NAMES.get(str(value).lower())
    if split is None:
        raise InputError(f"{path} has a row of split {value!r}: need one of {', '.join(sorted(_SPLIT_NAMES))}")
    return split


def _decode(rows: list[dict[str, Any]], ids: list[str], split: list[str], columns: _Columns) -> RowBatch:
    images, errors = [], []
    for row in rows:
        value = row[columns.image]
        content = value.get("bytes") if isinstance(value, dict) else value
        try:
            images.append(isolated_decode.read_rgb(content or b""))
            errors.append(("", ""))
        except ImageError as error:
            images.append(BLACK)
            errors.append((error.reason, error.message))
    pairs = list(zip(rows, errors, strict=True))
    return RowBatch(
        id=ids,
        split=split,
        rgb=images,
        reason=[reason for reason, _ in errors],
        message=[message for _, message in errors],
        labels={
            name: np.array(
                [NO_LABEL if reason or row[name] is None else row[name] for row, (reason, _) in pairs], np.int64
            )
            for name in columns.labels
        },
    )
