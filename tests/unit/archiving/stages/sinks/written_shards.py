"""Destinations for sinks, and readers of the shards that sinks wrote."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.stages.sinks.parquet import ParquetRow
from colorize_core.archiving.stages.sinks.sink import Destination
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.images.encode import Encoded

MakeRow = Callable[..., LedgerRow]
NAME = "20260102T030405Z-abcdef-00000007"  # name of a task


def lock_is_held() -> None:
    """Does nothing, as a check of the lock does if no other run has taken over."""


def destination(output: str, task: str = NAME, check_lock: Callable[[], None] = lock_is_held) -> Destination:
    """Returns the place for the results of one task."""
    return Destination(output, task, "unet-lite", "png", check_lock)


def parquet_shards(output: str) -> list[str]:
    """Returns the names of the Parquet files in a folder."""
    return [entry.name for entry in storage.children(output) if entry.name.endswith(".parquet")]


def parquet_rows(output: str, shard: str) -> list[dict[str, Any]]:
    """Returns the rows of a Parquet shard, and checks its schema."""
    table = pq.read_table(io.BytesIO(storage.read(storage.join(output, shard))))
    assert table.schema.equals(typed_rows.schema_of(ParquetRow))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def photograph(row: LedgerRow, first: bytes = b"", *others: Encoded) -> tuple[LedgerRow, list[Encoded]]:
    """Returns the arguments of a sink's ``add``; no pages without a file of the first one."""
    return row, [Encoded(first, row.width, row.height), *others] if first else []
