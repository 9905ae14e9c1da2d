"""Tables that may exceed memory: kept in memory while they are small, else in temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa

_MEMORY = 1 << 20  # bytes that a table holds in memory before it writes them to its file


class SpilledTable:
    """A table to which rows are appended before it is read, in the same order, any number of times.

    Its temporary file has no name, so that it disappears with the process, however that ends.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.num_rows = 0
        self._held: list[pa.Table] = []
        self._bytes = 0
        self._is_read = False
        self._file: IO[bytes] | None = None
        self._writer: Any = None  # writer of Arrow's stream into the file

    def append(self, table: pa.Table) -> None:
        """Adds rows. Raises OSError if the disk is full, RuntimeError if the table was read before."""
        if self._is_read:
            raise RuntimeError("rows were added to a table that was read already")
        if not table.num_rows:
            return
        self.num_rows += table.num_rows
        self._held.append(table)
        self._bytes += table.nbytes
        if self._bytes > _MEMORY:
            self._spill()

    def __iter__(self) -> Iterator[pa.Table]:
        """Yields the rows as tables. Their sizes differ from the sizes of the tables that were appended."""
        if self._file is None:
            self._is_read = True
            yield from self._held
            return
        if not self._is_read:
            self._spill()
            self._writer.close()
            self._is_read = True
        self._file.seek(0)
        for batch in pa.ipc.open_stream(self._file):
            yield pa.Table.from_batches([batch])

    def table(self) -> pa.Table:
        """Returns all rows as one table in memory."""
        return pa.concat_tables([self.schema.empty_table(), *self])

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="colorize-")  # noqa: SIM115 - open as long as this object
            self._writer = pa.ipc.new_stream(self._file, self.schema)
        self._writer.write_table(pa.concat_tables([self.schema.empty_table(), *self._held]).combine_chunks())
        self._held, self._bytes = [], 0
