"""Photographs of INPUT: files, members of tar and zip files, rows of Parquet files.

Each kind is listed as rows of ``SCHEMA``, and read from such a row in a task.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.errors import ImageError, InputError, one_line, printable
from colorize_core.images.decode import is_image_name
from colorize_core.storage import Entry, containers, parquet
from colorize_core.storage.containers import Member

PARQUET = b".parquet"
_ROWS_AT_ONCE = 1 << 15
_BATCH = 16  # rows of images
_CHANGED = "it has changed since it was listed"
_KEPT = 256 << 20  # bytes of a row group that a process keeps in memory for its next tasks


@dataclass(frozen=True, kw_only=True)
class ListedPhotograph:
    """A photograph of INPUT. The fields are the columns of ``SCHEMA``.

    Attributes:
        path: path of the file, in the file system's own bytes: a name need not be UTF-8.
        member: name of the member in a tar or zip file, or of the image column in a Parquet file; b'' for a file that
            is the photograph itself.
        place: place of a member, as in ``containers.Member``; number of the row in a Parquet file.
        source: identifies the photograph in the ledger; bytes that are not UTF-8 are escaped.
        name: relative path below INPUT with ``/`` between its parts, escaped as ``source``; never leads out of OUTPUT.
        size: bytes of the image file; an estimate for a row of a Parquet file.
        fingerprint: changes when the photograph does.
    """

    path: bytes
    member: bytes = b""
    place: int = 0
    source: str
    name: str
    size: int
    fingerprint: str


SCHEMA = typed_rows.schema_of(ListedPhotograph)


def of_files(entries: Iterable[Entry]) -> Iterator[pa.Table]:
    """Lists files that are photographs themselves. Yields tables of ``SCHEMA``."""
    entries = iter(entries)
    while part := list(islice(entries, _ROWS_AT_ONCE)):
        columns = {  # column by column, since an archive may have 10^8 files
            "path": [os.fsencode(entry.path) for entry in part],
            "member": [b""] * len(part),
            "place": [0] * len(part),
            "source": [printable(entry.path) for entry in part],
            "name": [_below(printable(entry.name)) for entry in part],
            "size": [entry.size for entry in part],
            "fingerprint": [_stamp(entry) for entry in part],
        }
        yield pa.table(columns, SCHEMA)


def of_container(entry: Entry, prefix: str) -> tuple[Iterator[pa.Table], int]:
    """Lists the photographs in a tar or zip file.

    Args:
        entry: the file.
        prefix: text to put before the names, such as ``scans.zip/``.

    Returns:
        Tables of ``SCHEMA``, and the number of other files in the container.

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
        listed = []
        for member in part:
            name = printable(member.name)
            seen[name] = seen.get(name, 0) + 1
            photograph = ListedPhotograph(
                path=os.fsencode(entry.path),
                member=os.fsencode(member.stored_as or member.name),
                place=member.place,
                source=f"{printable(entry.path)}/{name}" + (f" ({seen[name]})" if seen[name] > 1 else ""),
                name=prefix + _safe(name),
                size=member.size,
                fingerprint=member.stamp,
            )
            listed.append(photograph)
        yield typed_rows.to_table(listed, ListedPhotograph)


def of_parquet(entry: Entry, prefix: str) -> Iterator[pa.Table]:
    """Lists the rows of a Parquet file with a column of images. Yields tables of ``SCHEMA``.

    Args:
        entry: the file.
        prefix: text to put before the names, such as ``scans.parquet/``.

    Raises:
        InputError: the file is damaged, cannot be read, or has no column of images.
    """
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
            numbers = range(start, min(start + _ROWS_AT_ONCE, first + facts.num_rows))
            columns = {
                "path": [os.fsencode(entry.path)] * len(numbers),
                "member": [column.encode()] * len(numbers),
                "place": numbers,
                "source": [f"{printable(entry.path)}/{number:08d}" for number in numbers],
                "name": [f"{prefix}{number:08d}" for number in numbers],
                "size": [size] * len(numbers),
                "fingerprint": [_stamp(entry)] * len(numbers),
            }
            yield pa.table(columns, SCHEMA)
        first += facts.num_rows


def read(photograph: ListedPhotograph) -> bytes:
    """Returns the image file of a listed photograph.

    Raises:
        ImageError: a member or row is damaged or no longer exists, or no installed library knows the URL's protocol.
        OSError: the file cannot be read.
    """
    path = os.fsdecode(photograph.path)
    if not photograph.member:
        try:
            content = storage.read(path)
        except InputError as error:
            raise ImageError("unreadable", one_line(error)) from error
        if photograph.size and len(content) != photograph.size:  # perhaps a file that is being copied here
            raise ImageError("unreadable", f"{_CHANGED}: it has {len(content)} bytes, and had {photograph.size}")
        return content
    if photograph.path.lower().endswith(PARQUET):
        return _read_row(path, photograph.fingerprint, photograph.member.decode(), photograph.place)
    name = os.fsdecode(photograph.member)
    return containers.read_member(Member(path, name, photograph.size, photograph.place, photograph.fingerprint))


def _read_row(path: str, fingerprint: str, column: str, row: int) -> bytes:
    try:
        group, first, is_kept = _group_of(path, fingerprint, row)
        if is_kept:
            return _images(path, fingerprint, column, group)[row - first]
        return next(islice(_stream(path, fingerprint, column, group), row - first, None))
    except OSError:
        raise
    except Exception as error:  # damage raises ArrowException, UnicodeDecodeError and more
        entry = storage.stat(path)
        if entry is None or _stamp(entry) != fingerprint:
            raise ImageError("unreadable", f"{_CHANGED}: {one_line(error)}") from error
        raise ImageError("damaged", f"the row cannot be read: {one_line(error)}") from error


@lru_cache(maxsize=4)
def _open(path: str, fingerprint: str) -> pq.ParquetFile:
    return parquet.open_parquet(storage.open_file(path), path)


def _group_of(path: str, fingerprint: str, row: int) -> tuple[int, int, bool]:
    """Returns a row's row group, the number of the group's first row, and whether the group is kept in memory."""
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
    """Returns a listed path or URL as a relative path below OUTPUT, without scheme and root."""
    return _below(posixpath.normpath(path.split("://", 1)[-1]))


def _stamp(entry: Entry) -> str:
    return f"{entry.size}-{entry.stamp}"


def _safe(name: str) -> str:
    """Returns a member's name as a relative path that does not lead out of the container's folder."""
    return _below(name.replace("\\\\", "/").replace("\0", "_"))


def _below(path: str) -> str:
    return "/".join("_" if part == ".." else part for part in PurePosixPath(path).parts if part.strip("/")) or "_"
