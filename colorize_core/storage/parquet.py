"""Parquet files from strangers, of which no value runs anything when it is looked at.

Ray gives Arrow a type whose values are pickles. A file only has to name it for one of its columns: whoever then reads a
value of that column runs what the file says. Files with such a column are refused as a whole.
"""

from __future__ import annotations

from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core.errors import InputError, printable

_PICKLED = "ray.data.arrow_pickled_object"
_NAME = b"ARROW:extension:name"  # in the metadata of a field whose type this process does not know


def open_parquet(file: IO[bytes], path: str) -> pq.ParquetFile:
    """The file, of which nothing but its end was read.

    Args:
        file: its content.
        path: its name in messages.

    Raises:
        InputError: it has a column of pickles.
        Exception: it is damaged; of whatever kind pyarrow then raises.
    """
    opened = pq.ParquetFile(file)
    pickled = [field.name for field in opened.schema_arrow if _is_pickled(field)]
    if pickled:
        raise InputError(
            f"{printable(path)} has pickles in its column {pickled[0]!r}, which could run anything: write that column "
            "as plain values, or leave it out"
        )
    return opened


def _is_pickled(field: pa.Field) -> bool:
    kind, names = field.type, [(field.metadata or {}).get(_NAME, b"").decode("utf-8", "replace")]
    while isinstance(kind, pa.BaseExtensionType):
        names.append(kind.extension_name)
        kind = kind.storage_type
    inner = [kind.field(i) for i in range(kind.num_fields)]
    if pa.types.is_dictionary(kind):
        inner.append(pa.field("", kind.value_type))
    return _PICKLED in names or any(map(_is_pickled, inner))
