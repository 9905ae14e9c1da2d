"""The append-only record of every input that was finished: Parquet files under ``OUTPUT/_ledger/``.

The task that wrote the images writes their rows after them, so that a row proves its output.
"""

from __future__ import annotations

import io
import posixpath
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.errors import OutputError

FOLDER = "_ledger"
Status = Literal["ok", "skipped", "failed"]
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("output", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("bundle", pa.string()),
        ("settings", pa.string()),
        ("run_id", pa.string()),
        ("seconds", pa.float32()),
        ("finished_at", pa.timestamp("ms", "UTC")),
    ]
)


@dataclass(frozen=True)
class LedgerRow:
    """How one input ended. ``output`` is relative to OUTPUT; ``bytes`` its size; '' and 0 where there is none."""

    source: str
    fingerprint: str
    status: Status
    reason: str
    message: str
    output: str
    width: int
    height: int
    bytes: int
    bundle: str
    settings: str
    run_id: str
    seconds: float
    finished_at: datetime


class Ledger:
    """What was finished so far.

    Args:
        rows: in the order in which they were finished.
    """

    def __init__(self, rows: Sequence[LedgerRow]) -> None:
        self.latest: dict[str, LedgerRow] = {row.source: row for row in rows}
        """The last row of each source."""
        self.names: dict[tuple[str, str], str] = {
            (row.source, posixpath.splitext(row.output)[1]): row.output for row in rows if row.output
        }
        """The output that each source has or had, by source and suffix: a result keeps its name."""
        self.outputs: set[str] = {row.output for row in rows if row.output}
        """Every file that was ever written."""


def append(output: str, rows: Iterable[LedgerRow]) -> None:
    """Adds rows in a file of their own, whole or not at all. Raises OSError."""
    table = pa.Table.from_pylist([asdict(row) for row in rows], SCHEMA)
    if table.num_rows:
        run_id = table["run_id"][0].as_py()
        storage.write(storage.join(output, FOLDER, f"{run_id}-{uuid.uuid4().hex}.parquet"), to_parquet(table))


def read(output: str) -> Ledger:
    """All rows so far; none where there is no ledger yet.

    Raises:
        OutputError: a file of the ledger is damaged.
    """
    folder = storage.join(output, FOLDER)
    if not storage.is_folder(folder):
        return Ledger([])
    rows: list[LedgerRow] = []
    for entry in storage.find(folder):
        if entry.name.endswith(".parquet"):
            try:
                table = pq.read_table(io.BytesIO(storage.read(entry.path)), schema=SCHEMA)
            except pa.ArrowException as error:
                raise OutputError(
                    f"ledger file {entry.path} is damaged ({error}): remove it, and what it recorded is made again"
                ) from error
            rows += [LedgerRow(**row) for row in table.to_pylist()]
    return Ledger(sorted(rows, key=lambda row: row.finished_at))


def to_parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
