"""Photographs as an archive has them: files, members of tar and zip files, rows of Parquet files.

All are rows of ``SCHEMA``: what lists them is here, and what reads them again in a task.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.errors import ImageError, InputError, one_line, printable
from colorize_core.images.decode import is_image_name
from colorize_core.storage import Entry, containers, parquet
from colorize_core.storage.containers import Member

SCHEMA = pa.schema(
    [
        ("path", pa.binary()),  # of the file, as the file system has it: a name need not be UTF-8
        ("member", pa.binary()),  # what it is called in that file; the column of images in a Parquet file; '' for all
        ("place", pa.int64()),  # where that is in the file: of a member as in ``Member``, of a Parquet file the row
        ("source", pa.string()),  # stands for it in the ledger; bytes that are no UTF-8 are escaped
        ("name", pa.string()),  # its place below INPUT, parts joined by /, escaped likewise; never leads out of there
        ("size", pa.int64()),  # in bytes; of a row about
        ("fingerprint", pa.string()),  # changes when the photograph does
    ]
)
PARQUET = b".parquet"
_ROWS_AT_ONCE = 1 << 15
_BATCH = 16  # rows of images
_CHANGED = "it has changed since it was listed"
_KEPT = 256 << 20  # bytes of images: what a process keeps of a row group, for its next tasks


def of_files(entries: Iterable[Entry]) -> Iterator[pa.Table]:
    """Files that are photographs themselves."""
    entries = iter(entries)
    while part := list(islice(entries, _ROWS_AT_ONCE)):
        yield _table(
            [
                (os.fsencode(e.path), b"", 0, printable(e.path), _below(printable(e.name)), e.size, _stamp(e))
                for e in part
            ]
        )


def of_container(entry: Entry, prefix: str) -> tuple[Iterator[pa.Table], int]:
    """The photographs in a tar or zip file, and how many other files are in it.

    Args:
        entry: the file.
        prefix: put before the names, as ``scans.zip/``.

    Raises:
        InputError: the file is damaged or cannot be read.
    """
    contents = containers.list_contents(entry.path)
    images = [m for m in contents.members if is_image_name(m.name.replace("\\", "/"))]
    return _of_members(images, entry, prefix), len(contents.members) - len(images) + contents.others


def _of_members(images: Iterable[Member], entry: Entry, prefix: str) -> Iterator[pa.Table]:
    members = iter(images)
    seen: dict[str, int] = {}
    while part := list(islice(members, _ROWS_AT_ONCE)):
        rows = []
        for member in part:
            name = printable(member.name)
            seen[name] = seen.get(name, 0) + 1
            source = f"{printable(entry.path)}/{name}" + (f" ({seen[name]})" if seen[name] > 1 else "")
            path, inside = os.fsencode(entry.path), os.fsencode(member.stored_as or member.name)
            rows.append((path, inside, member.place, source, prefix + _safe(name), member.size, member.stamp))
        yield _table(rows)


def of_parquet(entry: Entry, prefix: str) -> Iterator[pa.Table]:
    """The rows of a Parquet file with a column of images. Arguments and errors as above."""
    file = parquet.open_path(entry.path)
    column = parquet.image_column(file.schema_arrow, entry.path)
    metadata = file.metadata
    first = 0
    for group in range(metadata.num_row_groups):
        facts = metadata.row_group(group)
        parts = (facts.column(i) for i in range(facts.num_columns))
        total = sum(p.total_uncompressed_size for p in parts if p.path_in_schema.split(".")[0] == column)
        size = total // max(1, facts.num_rows)
        for start in range(first, first + facts.num_rows, _ROWS_AT_ONCE):
            names = [f"{row:08d}" for row in range(start, min(start + _ROWS_AT_ONCE, first + facts.num_rows))]
            path, inside = os.fsencode(entry.path), column.encode()
            sources = printable(entry.path)
            yield _table(
                [(path, inside, int(name), f"{sources}/{name}", prefix + name, size, _stamp(entry)) for name in names]
            )
        first += facts.num_rows


def read(row: dict[str, Any]) -> bytes:
    """The image file of a row of ``SCHEMA``.

    Raises:
        ImageError: a member or row is damaged, or is no longer there; no library here knows the protocol of a URL.
        OSError: the file cannot be read.
    """
    path, place = os.fsdecode(row["path"]), row["place"]
    if not row["member"]:
        try:
            content = storage.read(path)
        except InputError as error:
            raise ImageError("unreadable", one_line(error)) from error
        if row["size"] and len(content) != row["size"]:  # half of a photograph that is on its way here, perhaps
            raise ImageError("unreadable", f"{_CHANGED}: it has {len(content)} bytes, and had {row['size']}")
        return content
    if row["path"].lower().endswith(PARQUET):
        return _read_row(path, row["fingerprint"], row["member"].decode(), place)
    return containers.read_member(Member(path, os.fsdecode(row["member"]), row["size"], place, row["fingerprint"]))


def _read_row(path: str, fingerprint: str, column: str, row: int) -> bytes:
    try:
        group, first, small = _group_of(path, fingerprint, row)
        if small:
            return _images(path, fingerprint, column, group)[row - first]
        return next(islice(_stream(path, fingerprint, column, group), row - first, None))
    except OSError:
        raise
    except Exception as error:  # damage gives ArrowException, UnicodeDecodeError and more
        entry = storage.stat(path)
        if entry is None or _stamp(entry) != fingerprint:
            raise ImageError("unreadable", f"{_CHANGED}: {one_line(error)}") from error
        raise ImageError("damaged", f"the row cannot be read: {one_line(error)}") from error


@lru_cache(maxsize=4)
def _open(path: str, fingerprint: str) -> pq.ParquetFile:
    return parquet.open_parquet(storage.open_file(path), path)


def _group_of(path: str, fingerprint: str, row: int) -> tuple[int, int, bool]:
    """The row group with a row, the group's first row, and whether it is small enough to be kept."""
    metadata = _open(path, fingerprint).metadata
    first = 0
    for group in range(metadata.num_row_groups):
        facts = metadata.row_group(group)
        if row < first + facts.num_rows:
            return group, first, facts.total_byte_size <= _KEPT
        first += facts.num_rows
    raise IndexError(f"the file has {first} rows")


@lru_cache(maxsize=1)
def _images(path: str, fingerprint: str, column: str, group: int) -> list[bytes]:
    return list(_stream(path, fingerprint, column, group))


def _stream(path: str, fingerprint: str, column: str, group: int) -> Iterator[bytes]:
    for batch in _open(path, fingerprint).iter_batches(_BATCH, row_groups=[group], columns=[column]):
        for value in batch[column].to_pylist():
            yield (value.get("bytes") if isinstance(value, dict) else value) or b""


def plain_name(path: str) -> str:
    """Where below OUTPUT a path of a list has its place: all of it, without scheme and root."""
    return _below(posixpath.normpath(path.split("://", 1)[-1]))


def _stamp(entry: Entry) -> str:
    return f"{entry.size}-{entry.stamp}"


def _safe(name: str) -> str:
    """A member's name as a path that stays below its container's, whatever was meant by it."""
    return _below(name.replace("\\\\", "/").replace("\0", "_"))


def _below(path: str) -> str:
    return "/".join("_" if part == ".." else part for part in PurePosixPath(path).parts if part.strip("/")) or "_"


def _table(rows: Sequence[tuple[bytes, bytes, int, str, str, int, str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[]] * len(SCHEMA)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
