"""Tables that may exceed memory: kept in memory while they are small, else in temporary files."""

from __future__ import annotations

import tempfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MEMORY = 1 << 20  # bytes that a table holds in memory before it writes them to its file
_STEM = r"(?s)^(?:.*[/\\])?([^/\\.]*)[^/\\]*$"  # a/b.tif.png has the stem b; zip files may have folders named a\


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


def casefolded(name: str) -> str:
    """Returns a key for a name; names that some file system takes for the same have equal keys.

    Windows and macOS ignore case; macOS also takes é of one character for é of two. The key is that of canonical
    caseless matching, definition D145 of the Unicode standard.

    Example:
        >>> casefolded("Album/É.png") == casefolded("album/é.PNG")
        True
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def partition_numbers(paths: pa.ChunkedArray, count: int) -> NDArray[np.int64]:
    """Returns the partition of each path, from 0 to ``count`` - 1: a hash of the ``casefolded`` file stem.

    The stem ends at the first dot. Therefore a source, its rows in the ledger, and every name that its output may have
    or collide with are in the same partition.
    """
    if count == 1:
        return np.zeros(len(paths), np.int64)
    stems = pc.replace_substring_regex(paths, _STEM, r"\1").to_pylist()
    hashes = (zlib.crc32(casefolded(stem).encode()) for stem in stems)
    return np.fromiter(hashes, np.int64, len(stems)) % count


def hash_partition(tables: Iterable[pa.Table], schema: pa.Schema, key: str, count: int) -> list[SpilledTable]:
    """Splits tables by ``partition_numbers`` of the column ``key``; within a partition rows keep their order."""
    partitions = [SpilledTable(schema) for _ in range(count)]
    for table in tables:
        numbers = partition_numbers(table[key], count)
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange(count + 1))
        rows = table.take(pa.array(order))
        for number in np.unique(numbers):
            start = ends[number]
            partitions[number].append(rows.slice(start, ends[number + 1] - start))
    return partitions
