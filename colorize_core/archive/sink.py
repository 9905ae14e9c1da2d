"""Where results go: a file per photograph that mirrors the source tree, or rows of Parquet shards."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa

from colorize_core import storage
from colorize_core.archive import ledger
from colorize_core.archive.ledger import LedgerRow

_SHARD_NAME = re.compile(r"part-\d{8}T\d{6}Z-[0-9a-f]{6}-[0-9a-f]{32}\.parquet")  # of no other program
_SECONDS_BETWEEN_ROWS = 5.0  # what a killed task has to do again, at most
_SHARD_BYTES = 256 << 20  # of images; a shard of larger ones is closed early, to bound memory
SHARD_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("image", pa.large_binary()),  # a PNG file; null where the photograph failed
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("bundle", pa.string()),
        ("seconds", pa.float32()),
        ("fingerprint", pa.string()),
        ("run_id", pa.string()),
        ("finished_at", pa.timestamp("ms", "UTC")),  # of rows with one source the last one counts
    ]
)


class Sink(Protocol):
    """Takes finished rows; a row is in the ledger only after its image is where readers find it."""

    def add(self, row: LedgerRow, content: bytes) -> None:
        """Takes one row and its image file (b'' for a failed one). Raises OSError."""

    def close(self) -> None:
        """Writes what is still held. Raises OSError."""


class FileSink:
    """A file per photograph."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._rows: list[LedgerRow] = []
        self._appended = time.monotonic()

    def add(self, row: LedgerRow, content: bytes) -> None:
        """Writes the image at ``row.output``, whole or not at all."""
        if content:
            storage.write(storage.join(self._output, row.output), content)
        self._rows.append(row)
        if time.monotonic() - self._appended > _SECONDS_BETWEEN_ROWS:
            self.close()

    def close(self) -> None:
        """Appends the rows to the ledger."""
        ledger.append(self._output, self._rows)
        self._rows, self._appended = [], time.monotonic()


class ParquetSink:
    """Shards of rows that carry the images; the ledger says in which shard a photograph is."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._rows: list[tuple[LedgerRow, bytes]] = []
        self._bytes = 0

    def add(self, row: LedgerRow, content: bytes) -> None:
        """Holds the row until its shard is full."""
        if self._rows and self._bytes + len(content) > _SHARD_BYTES:
            self.close()
        self._rows.append((row, content))
        self._bytes += len(content)

    def close(self) -> None:
        """Writes the shard, then the ledger's rows."""
        if not self._rows:
            return
        shard = f"part-{self._rows[0][0].run_id}-{uuid.uuid4().hex}.parquet"
        table = pa.Table.from_pylist([_shard_row(row, content) for row, content in self._rows], SHARD_SCHEMA)
        storage.write(storage.join(self._output, shard), ledger.to_parquet(table))
        ledger.append(self._output, [_in_shard(row, shard) for row, _ in self._rows])
        self._rows, self._bytes = [], 0


def sweep(output: str, referenced: Collection[str]) -> None:
    """Removes shards that a killed run wrote without getting to their ledger rows: their images come again."""
    for entry in storage.children(output):
        if _SHARD_NAME.fullmatch(entry.name) and entry.name not in referenced:
            storage.remove(entry.path)


def _shard_row(row: LedgerRow, content: bytes) -> dict[str, Any]:
    copied = {name: getattr(row, name) for name in SHARD_SCHEMA.names if name not in ("image", "format")}
    return copied | {"image": content or None, "format": "png"}


def _in_shard(row: LedgerRow, shard: str) -> LedgerRow:
    return replace(row, output=shard)
