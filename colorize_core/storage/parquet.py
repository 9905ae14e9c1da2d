"""Reads and writes Parquet files. Reading a file from an untrusted source never runs code.

Ray adds an Arrow type whose values are pickles. A file only has to name that type for one of its columns: reading a
value of the column then runs code from the file. Files with such a column are refused as a whole.
"""

from __future__ import annotations

import io
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import storage
from colorize_core.errors import NEED_READABLE, InputError, one_line, printable

_PICKLED = "ray.data.arrow_pickled_object"
_NAME = b"ARROW:extension:name"  # metadata key of a field whose extension type this process does not know
_IMAGE_COLUMNS = ("image", "img", "jpeg", "jpg", "png", "picture", "photo", "bytes", "content")
_GROUP_BYTES = 4 << 20  # rows of a ParquetBuffer that wait in memory for the next row group


def open_parquet(file: IO[bytes], path: str) -> pq.ParquetFile:
    """Opens a Parquet file and reads its metadata, which is at its end.

    Args:
        file: the file, open for reading.
        path: name of the file in messages.

    Raises:
        InputError: the file has a column of pickles.
        Exception: the file is damaged; pyarrow raises many kinds.
    """
    opened = pq.ParquetFile(file)
    pickled = [field.name for field in opened.schema_arrow if _is_pickled(field)]
    if pickled:
        raise InputError(
            f"{printable(path)} has pickles in its column {pickled[0]!r}, which could run anything: write that column "
            "as plain values, or leave it out"
        )
    return opened


def open_path(path: str) -> pq.ParquetFile:
    """Opens the Parquet file at a path or URL. Raises InputError if it is damaged, unreadable or has pickles."""
    try:
        return open_parquet(storage.open_file(path), path)
    except InputError:
        raise
    except PermissionError as error:
        words = one_line(error).removeprefix(f"{path}: ")
        raise InputError(f"{printable(path)} cannot be read ({words}): {NEED_READABLE}") from error
    except Exception as error:  # damage raises ArrowException, OSError, UnicodeDecodeError and more
        raise InputError(f"{printable(path)} cannot be read as Parquet ({one_line(error)}): fetch it again") from error


def image_column(schema: pa.Schema, path: str) -> str:
    """Returns the name of the column that holds image files, as bytes or as a struct with ``bytes``.

    The column is named ``image``, ``img``, ``photo`` or the like, or is the only one with bytes.

    Args:
        schema: the schema of the file.
        path: name of the file in messages.

    Raises:
        InputError: there is no such column.
    """
    images = [field.name for field in schema if _holds_bytes(field.type)]
    named = [name for name in _IMAGE_COLUMNS if name in images]
    if named or len(images) == 1:
        return (named or images)[0]
    raise InputError(
        f"{path} has {len(images)} columns of bytes and none named {', '.join(_IMAGE_COLUMNS)}: rename the one with "
        "the images"
    )


def to_parquet(table: pa.Table) -> bytes:
    """Returns a table as the content of a Parquet file, compressed by zstd."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


class ParquetBuffer:
    """A Parquet file in memory that grows by row groups, so that pixels are not held both as tables and as a file.

    Attributes:
        size: bytes of the tables that were added.
    """

    def __init__(self) -> None:
        self.size = 0
        self._buffer = pa.BufferOutputStream(pa.system_memory_pool())  # Arrow's default pool keeps freed memory
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Adds rows, which have the columns of the first table."""
        self.size += table.nbytes
        self._waiting.append(table)
        if sum(table.nbytes for table in self._waiting) >= _GROUP_BYTES:
            self._write()

    def close(self) -> memoryview:
        """Ends the file and returns its content. At least one table must have been added."""
        writer = self._write()
        writer.close()
        return memoryview(self._buffer.getvalue())

    def _write(self) -> pq.ParquetWriter:
        if self._writer is None:
            # zstd makes pixels 1 to 8 % smaller and takes a fifth of a chunk's time. A dictionary would hold every
            # image a second time before pyarrow gives it up.
            options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
            self._writer = pq.ParquetWriter(self._buffer, self._waiting[0].schema, **options)
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
            self._waiting = []
        return self._writer


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_pickled(field: pa.Field) -> bool:
    kind, names = field.type, [(field.metadata or {}).get(_NAME, b"").decode("utf-8", "replace")]
    while isinstance(kind, pa.BaseExtensionType):
        names.append(kind.extension_name)
        kind = kind.storage_type
    inner = [kind.field(i) for i in range(kind.num_fields)]
    if pa.types.is_dictionary(kind):
        inner.append(pa.field("", kind.value_type))
    return _PICKLED in names or any(map(_is_pickled, inner))
