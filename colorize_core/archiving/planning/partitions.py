"""Hash partitions of paths by file stem, so that a plan compares only names that can collide.

Names are compared as the least careful file system does: without regard to case.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from colorize_core.archiving.spilled_table import SpilledTable

_STEM = r"(?s)^(?:.*[/\\])?([^/\\.]*)[^/\\]*$"  # a/b.tif.png has the stem b; zip files may have folders named a\


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
