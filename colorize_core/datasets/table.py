"""Parquet files with a column of images: bytes of image files, plain or as ``{bytes, path}``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.datasets.rows import BLACK, NO_LABEL, Chunk, Plan, Rows
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import ImageError, InputError, one_line, printable
from colorize_core.images import decode

_IMAGE_COLUMNS = ("image", "img", "jpeg", "jpg", "png", "picture", "photo", "bytes", "content")
_SPLIT_NAMES = {**{name: name for name in SPLITS}, "validation": "val", "valid": "val", "training": "train"}
_ROWS_AT_ONCE = 64


def plan_parquet(source: str, rule: SplitRule) -> Plan:
    """A Parquet file, or a folder of them with one schema.

    The image column is ``image`` or one with a like name, else the only binary one. Integer columns named label, or
    that end in _label, are kept. A ``split`` column decides where a row belongs, else the file's name or folder
    (``test-00000.parquet``, ``test/0.parquet``), else a hash of its id: its file and its place there, as in
    ``part-0.parquet/00000017``.

    Raises:
        InputError: nothing is there, a file is damaged, or no column holds images.
    """
    where = storage.absolute(source)
    if storage.is_folder(where):
        entries = [entry for entry in storage.find(where) if entry.name.endswith(".parquet")]
    else:
        entries = list(storage.match(where)) if storage.exists(where) else []
    if not entries:
        raise InputError(f"no .parquet file at {source}: check the path")
    chunks: list[Chunk] = []
    for entry in entries:
        file = _open(entry.path)
        image = _image_column(file.schema_arrow, entry.path)
        name = printable(entry.name)
        first = 0
        for group in range(file.metadata.num_row_groups):
            chunks.append(partial(_read_group, entry.path, name, group, first, image, rule))
            first += file.metadata.row_group(group).num_rows
    return Plan(chunks)


def _open(path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(storage.open_file(path))
    except pa.ArrowException as error:
        raise InputError(f"{path} is no Parquet file ({one_line(error)}): fetch it again") from error


def _image_column(schema: pa.Schema, path: str) -> str:
    images = [field.name for field in schema if _holds_bytes(field.type)]
    named = [name for name in _IMAGE_COLUMNS if name in images]
    if named or len(images) == 1:
        return str((named or images)[0])
    raise InputError(
        f"{path} has {len(images)} columns of bytes and none named {', '.join(_IMAGE_COLUMNS)}: rename the one with "
        "the images"
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _read_group(path: str, name: str, group: int, first: int, image: str, rule: SplitRule) -> Iterator[Rows]:
    file = _open(path)
    schema = file.schema_arrow
    labels = [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) and (field.name == "label" or field.name.endswith("_label"))
    ]
    has_split = "split" in schema.names
    in_name = _split_in_name(name)
    at = first
    columns = [image, *labels, *(["split"] if has_split else [])]
    try:
        for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=columns):
            rows = batch.to_pylist()
            ids = [f"{name}/{at + i:08d}" for i in range(len(rows))]
            at += len(rows)
            official = [_split_of(row["split"], path) if has_split else in_name for row in rows]
            split = [
                rule.of_official(identity, said) if said else rule.of(identity)
                for identity, said in zip(ids, official, strict=True)
            ]
            wanted = [i for i, each in enumerate(split) if each in rule.wanted]
            yield _decode(
                [rows[i] for i in wanted], [ids[i] for i in wanted], [split[i] for i in wanted], image, labels
            )
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise InputError(f"{path} is damaged ({one_line(error)}): fetch it again") from error


def _split_in_name(name: str) -> str | None:
    """The split that a folder, or the first word of the file name, says."""
    *parts, base = name.lower().split("/")
    words = [*parts, re.split(r"[-_.]", base)[0]]
    return next((_SPLIT_NAMES[word] for word in words if word in _SPLIT_NAMES), None)


def _split_of(value: Any, path: str) -> str:
    split = _SPLIT_NAMES.get(str(value).lower())
    if split is None:
        raise InputError(f"{path} has a row of split {value!r}: need one of {', '.join(sorted(_SPLIT_NAMES))}")
    return split


def _decode(rows: list[dict[str, Any]], ids: list[str], split: list[str], image: str, labels: list[str]) -> Rows:
    images, errors = [], []
    for row in rows:
        value = row[image]
        content = value.get("bytes") if isinstance(value, dict) else value
        try:
            images.append(decode.read_rgb(content or b""))
            errors.append(("", ""))
        except ImageError as error:
            images.append(BLACK)
            errors.append((error.reason, error.message))
    return Rows(
        id=ids,
        split=split,
        rgb=images,
        reason=[reason for reason, _ in errors],
        message=[message for _, message in errors],
        labels={
            name: np.array([NO_LABEL if row[name] is None else row[name] for row in rows], np.int64) for name in labels
        },
    )
