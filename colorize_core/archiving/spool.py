"""Tables of any length, in order or by key: in memory while they are small, then in files that nobody else sees."""

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

_MEMORY = 1 << 20  # bytes that a spool holds before it writes them
_STEM = r"(?s)^(?:.*[/\\])?([^/\\.]*)[^/\\]*$"  # of a/b.tif.png: b; in a zip file a folder may end in a backslash


class Spool:
    """Tables of one schema, appended, then read in the same order as often as one likes.

    The file has no name from its first byte on: it is gone with the process, however that ends.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.num_rows = 0
        self._held: list[pa.Table] = []
        self._bytes = 0
        self._is_read = False
        self._file: IO[bytes] | None = None
        self._writer: Any = None  # of Arrow's stream into the file

    def append(self, table: pa.Table) -> None:
        """Adds rows; none once it was read. Raises OSError where there is no room."""
        if self._is_read:
            raise RuntimeError("rows were added to a spool that was read already")
        if not table.num_rows:
            return
        self.num_rows += table.num_rows
        self._held.append(table)
        self._bytes += table.nbytes
        if self._bytes > _MEMORY:
            self._spill()

    def __iter__(self) -> Iterator[pa.Table]:
        """All tables so far, in pieces of other sizes than they came in."""
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
        """All of it in memory."""
        return pa.concat_tables([self.schema.empty_table(), *self])

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="colorize-")  # noqa: SIM115 - it lives as long as the spool
            self._writer = pa.ipc.new_stream(self._file, self.schema)
        self._writer.write_table(pa.concat_tables([self.schema.empty_table(), *self._held]).combine_chunks())
        self._held, self._bytes = [], 0


def folded(name: str) -> str:
    """The same for names that a file system takes for one: case (Windows, macOS), é of one character or two (macOS).

    (Canonical caseless matching, definition D145 of the Unicode standard.)
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def bucket_of(paths: pa.ChunkedArray, count: int) -> NDArray[np.int64]:
    """A number below ``count`` for each path: the same for all with one file name up to its first dot, in any case.

    So that a source, what the ledger says of it, and every name that its output may have or clash with, meet. Names
    that ``folded`` makes alike are one.
    """
    if count == 1:
        return np.zeros(len(paths), np.int64)
    stems = pc.replace_substring_regex(paths, _STEM, r"\1").to_pylist()
    hashes = (zlib.crc32(folded(stem).encode()) for stem in stems)
    return np.fromiter(hashes, np.int64, len(stems)) % count


def partition(tables: Iterable[pa.Table], schema: pa.Schema, key: str, count: int) -> list[Spool]:
    """The rows by ``bucket_of`` their column ``key``, otherwise in their order."""
    spools = [Spool(schema) for _ in range(count)]
    for table in tables:
        bucket = bucket_of(table[key], count)
        order = np.argsort(bucket, kind="stable")
        ends = np.searchsorted(bucket[order], np.arange(count + 1))
        rows = table.take(pa.array(order))
        for number in np.unique(bucket):
            start = ends[number]
            spools[number].append(rows.slice(start, ends[number + 1] - start))
    return spools
